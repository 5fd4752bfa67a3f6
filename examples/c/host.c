/* Hosts a network: makes it, lets a member onto it, and shows how the member sees it.
 *
 *     host DIRECTORY */

#include "world.h"

static const char *const STANDINGS[] = {"requesting", "ok",         "access denied",    "not found",
                                        "login",      "port error", "identity conflict"};

static void show(zt_node node, uint64_t id) {
    zt_plan plan;
    plan.struct_size = sizeof plan;
    CHECK(zt_network_plan(node, id, &plan));
    for (uint32_t i = 0; i < plan.address_count; i++) {
        const uint8_t *ip = plan.addresses[i].bytes;
        printf("host: address %u.%u.%u.%u/%u\n", ip[0], ip[1], ip[2], ip[3], plan.addresses[i].bits);
    }
    for (uint32_t i = 0; i < plan.route_count; i++) {
        const uint8_t *ip = plan.routes[i].target.bytes;
        printf("host: route %u.%u.%u.%u/%u\n", ip[0], ip[1], ip[2], ip[3], plan.routes[i].target.bits);
    }
}

/* Waits until the network stands so. */
static void wait_for(zt_node node, uint32_t standing) {
    for (;;) {
        zt_event event;
        event.struct_size = sizeof event;
        CHECK(zt_node_next_event(node, 30000, &event));
        if (event.kind != ZT_EVENT_NETWORK)
            continue;
        printf("host: the network stands at: %s\n", STANDINGS[event.standing]);
        if (event.standing == standing)
            return;
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: host DIRECTORY\n");
        return 2;
    }
    struct world world;
    world_start(&world, argv[1], 19872);
    printf("host: network %016llx\n", (unsigned long long)world.network);
    zt_node member = world_node(&world, "member", 0, NULL, "127.0.0.1:0");
    uint64_t address;
    CHECK(zt_node_address(member, &address));

    CHECK(zt_network_join(member, world.network, NULL));
    wait_for(member, ZT_STANDING_ACCESS_DENIED);
    CHECK(zt_hosted_allow(world.controller, world.network, address));
    wait_for(member, ZT_STANDING_OK);
    show(member, world.network);
    CHECK(zt_hosted_deny(world.controller, world.network, address));
    wait_for(member, ZT_STANDING_ACCESS_DENIED);

    CHECK(zt_node_free(member));
    world_stop(&world);
    return 0;
}
