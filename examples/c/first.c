/* Joins a network, and tells what comes for this node:
 *
 *     first DIRECTORY NETWORK */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "zt.h"

static void check(zt_result result) {
    if (result != ZT_OK) {
        fprintf(stderr, "%d: %s\n", (int)result, zt_error_message());
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: first DIRECTORY NETWORK\n");
        return 2;
    }
    uint64_t network = strtoull(argv[2], NULL, 16), address;
    zt_config config = {.struct_size = sizeof config, .home = argv[1]};
    zt_node node;
    check(zt_node_start(&config, &node));
    check(zt_node_address(node, &address));
    printf("this is %010" PRIx64 ", which the controller has to admit\n", address);

    zt_packets packets;
    check(zt_network_packets_open(node, network, ZT_MODE_L3, &packets));
    zt_event event = {.struct_size = sizeof event};
    do {
        check(zt_node_next_event(node, -1, &event));
    } while (event.kind != ZT_EVENT_NETWORK || event.standing != ZT_STANDING_OK);

    zt_network status = {.struct_size = sizeof status};
    check(zt_network_status(node, network, &status));
    printf("admitted to %s\n", status.name);

    for (int batches = 0; batches < 100; batches++) {
        static uint8_t slab[64 * 1024];
        uint32_t lengths[64];
        size_t count;
        check(zt_network_packets_out(packets, -1, slab, sizeof slab, lengths, 64, &count));
        for (size_t i = 0; i < count; i++)
            printf("%" PRIu32 " bytes\n", lengths[i]);
    }
    check(zt_packets_close(packets));
    check(zt_node_free(node));
    return 0;
}
