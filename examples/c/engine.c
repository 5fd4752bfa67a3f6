/* A member without any thread of the library: this program has the socket, the clock and the loop.
 *
 *     engine DIRECTORY
 *
 * It joins the network of a controller that runs in the same process, for want of another. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

static uint64_t microseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t now(void) { return microseconds(CLOCK_BOOTTIME); }

static zt_engine make(const struct world *world) {
    char identity[ZT_SECRET_IDENTITY_LEN];
    CHECK(zt_identity_generate(identity, sizeof identity));
    zt_engine_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.flags = ZT_CONFIG_ALLOW_LOOPBACK;
    config.identity = identity;
    config.planet = world->planet;
    config.planet_len = world->planet_len;
    config.memory_budget = ZT_MEMORY_BUDGET_MIN;
    config.now_us = now();
    config.unix_ms = microseconds(CLOCK_REALTIME) / 1000;
    FILE *random = fopen("/dev/urandom", "rb");
    if (!random || fread(config.seed, sizeof config.seed, 1, random) != 1)
        exit(1);
    fclose(random);
    zt_engine engine;
    CHECK(zt_engine_new(&config, &engine));
    return engine;
}

/* Sends what the engine has to send. */
static void flush(zt_engine engine, int fd) {
    uint8_t datagram[10240];
    char remote[ZT_ENDPOINT_LEN], *port;
    size_t len;
    while (zt_engine_datagram_out(engine, datagram, sizeof datagram, &len, &remote) == ZT_OK) {
        struct sockaddr_in to;
        memset(&to, 0, sizeof to);
        to.sin_family = AF_INET;
        port = strrchr(remote, ':');
        *port = 0;
        to.sin_port = htons((uint16_t)atoi(port + 1));
        if (inet_pton(AF_INET, remote, &to.sin_addr) == 1)
            sendto(fd, datagram, len, 0, (struct sockaddr *)&to, sizeof to);
    }
}

/* Waits for a datagram or for the time the engine wants to be called, and calls it. */
static void turn(zt_engine engine, int fd) {
    uint64_t deadline, time = now();
    CHECK(zt_engine_next_deadline(engine, &deadline));
    int wait = deadline <= time ? 0 : deadline - time > 100000 ? 100 : (int)((deadline - time) / 1000) + 1;
    struct pollfd polled = {fd, POLLIN, 0};
    if (poll(&polled, 1, wait) == 1) {
        uint8_t datagram[10240];
        char text[32], remote[ZT_ENDPOINT_LEN];
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &from_len);
        if (len >= 0) {
            inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
            snprintf(remote, sizeof remote, "%s:%u", text, ntohs(from.sin_port));
            zt_result result = zt_engine_datagram_in(engine, now(), remote, datagram, (size_t)len);
            if (result != ZT_ERROR_REJECTED)
                CHECK(result);
        }
    }
    CHECK(zt_engine_timeout(engine, now()));
    flush(engine, fd);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: engine DIRECTORY\n");
        return 2;
    }
    struct world world;
    world_start(&world, argv[1], 19876);
    zt_engine engine = make(&world);
    uint64_t address;
    CHECK(zt_engine_address(engine, &address));
    CHECK(zt_hosted_allow(world.controller, world.network, address));

    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in local;
    memset(&local, 0, sizeof local);
    local.sin_family = AF_INET;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) != 0)
        return 1;

    CHECK(zt_engine_join(engine, now(), world.network, ZT_MODE_L3, NULL, 0));
    uint64_t started = now();
    uint32_t standing = ZT_STANDING_REQUESTING;
    while (standing != ZT_STANDING_OK && now() - started < 60000000) {
        turn(engine, fd);
        zt_event event;
        event.struct_size = sizeof event;
        while (zt_engine_next_event(engine, &event) == ZT_OK)
            if (event.kind == ZT_EVENT_NETWORK)
                standing = event.standing;
    }
    /* Before it waits for long, it gives back what it can do without. */
    CHECK(zt_engine_trim_memory(engine, now()));
    /* A program that stays would keep these, and hand `epoch` to the next engine. */
    char name[ZT_STORE_NAME_LEN];
    static uint8_t bytes[65536];
    size_t len, saved = 0;
    uint32_t is_removed;
    while (zt_engine_store_out(engine, &name, bytes, sizeof bytes, &len, &is_removed) == ZT_OK)
        saved++;
    printf("engine: %010llx stands at %u, and has %zu things to save\n", (unsigned long long)address,
           standing, saved);

    CHECK(zt_engine_free(engine));
    close(fd);
    world_stop(&world);
    return standing == ZT_STANDING_OK && saved > 0 ? 0 : 1;
}
