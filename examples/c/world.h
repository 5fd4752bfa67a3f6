/* A private network within one process, for the examples and tests: a root and a controller with one
 * network, over the loopback interface. A real program has neither: it joins a network of others. */
#ifndef WORLD_H
#define WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "zt.h"

/* Ends the program with the reason if a call fails: an example's way of handling errors. */
#define CHECK(call) check((call), #call, __FILE__, __LINE__)

static inline void check(zt_result result, const char *call, const char *file, int line) {
    if (result == ZT_OK)
        return;
    const char *why = zt_error_message();
    fprintf(stderr, "%s:%d: %s: %d: %s\n", file, line, call, (int)result, why ? why : "");
    exit(1);
}

struct world {
    char dir[512];
    uint8_t planet[ZT_PLANET_LEN];
    size_t planet_len;
    zt_node root, controller;
    uint64_t network;
};

/* Starts a node of the world, in a home directory of this name. */
static inline zt_node world_node(const struct world *world, const char *name, uint32_t flags,
                                 const char *identity, const char *bind) {
    char home[600];
    snprintf(home, sizeof home, "%s/%s", world->dir, name);
    zt_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.flags = ZT_CONFIG_ALLOW_LOOPBACK | flags;
    config.home = home;
    config.planet = world->planet;
    config.planet_len = world->planet_len;
    config.identity = identity;
    config.bind = &bind;
    config.bind_count = 1;
    zt_node node;
    CHECK(zt_node_start(&config, &node));
    return node;
}

/* Returns the root's identity, which is kept beside its home: to make one takes a second. */
static inline void world_identity(const char *dir, char identity[ZT_SECRET_IDENTITY_LEN]) {
    char path[600];
    snprintf(path, sizeof path, "%s/root.secret", dir);
    FILE *file = fopen(path, "r");
    if (!file) {
        CHECK(zt_identity_generate(identity, ZT_SECRET_IDENTITY_LEN));
        file = fopen(path, "w+");
        if (file)
            fputs(identity, file);
    }
    if (!file || fseek(file, 0, SEEK_SET) != 0 || !fgets(identity, ZT_SECRET_IDENTITY_LEN, file)) {
        perror(path);
        exit(1);
    }
    fclose(file);
}

/* Starts the root, at an address of this machine, and the controller. */
static inline void world_start_at(struct world *world, const char *dir, const char *ip, uint16_t port) {
    memset(world, 0, sizeof *world);
    snprintf(world->dir, sizeof world->dir, "%s", dir);
    mkdir(dir, 0700);

    char identity[ZT_SECRET_IDENTITY_LEN], endpoint[ZT_ENDPOINT_LEN], any[ZT_ENDPOINT_LEN];
    world_identity(dir, identity);
    snprintf(endpoint, sizeof endpoint, "%s:%u", ip, port);
    snprintf(any, sizeof any, "%s:0", ip);
    CHECK(zt_planet_make(1, identity, endpoint, world->planet, sizeof world->planet, &world->planet_len));
    world->root = world_node(world, "root", 0, identity, endpoint);

    world->controller = world_node(world, "controller", ZT_CONFIG_CONTROLLER, NULL, any);
    const char *pool = "10.1.0.1-10.1.0.99";
    zt_hosted_route route = {{4, 24, {10, 1, 0, 0}}, {0, 0, {0}}};
    zt_hosted_network network;
    memset(&network, 0, sizeof network);
    network.struct_size = sizeof network;
    network.name = "lab";
    network.pools = &pool;
    network.pool_count = 1;
    network.routes = &route;
    network.route_count = 1;
    CHECK(zt_hosted_create(world->controller, &network, &world->network));
}

/* Starts them on the loopback interface. The root's port is any number that happens to be free: whoever
 * starts two worlds at once gives each its own. */
static inline void world_start(struct world *world, const char *dir, uint16_t port) {
    world_start_at(world, dir, "127.0.0.1", port);
}

/* Joins the world's network and waits until it is there; writes the member's address on it. */
static inline void world_admit(const struct world *world, zt_node member, uint8_t ip[4]) {
    uint64_t address;
    CHECK(zt_node_address(member, &address));
    CHECK(zt_network_join(member, world->network, NULL));
    CHECK(zt_hosted_allow(world->controller, world->network, address));
    for (;;) {
        zt_network network;
        network.struct_size = sizeof network;
        CHECK(zt_network_status(member, world->network, &network));
        if (network.standing == ZT_STANDING_OK && network.address_count > 0) {
            memcpy(ip, network.addresses[0].bytes, 4);
            return;
        }
        zt_event event;
        event.struct_size = sizeof event;
        CHECK(zt_node_next_event(member, 30000, &event));
    }
}

static inline void world_stop(struct world *world) {
    CHECK(zt_node_free(world->controller));
    CHECK(zt_node_free(world->root));
}

/* Writes an IPv4 packet that carries a UDP datagram of `payload` bytes, checksum left out. */
static inline size_t world_packet(uint8_t *to, const uint8_t source[4], const uint8_t destination[4],
                                  size_t payload) {
    size_t len = 28 + payload;
    memset(to, 0, len);
    to[0] = 0x45;
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    to[8] = 64;
    to[9] = 17;
    memcpy(to + 12, source, 4);
    memcpy(to + 16, destination, 4);
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)to[i] << 8 | to[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    to[10] = (uint8_t)(~sum >> 8);
    to[11] = (uint8_t)~sum;
    to[20] = to[22] = 0x13;
    to[21] = to[23] = 0x88;
    to[24] = (uint8_t)((8 + payload) >> 8);
    to[25] = (uint8_t)(8 + payload);
    return len;
}

#endif
