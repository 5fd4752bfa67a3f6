/* What a packet costs at the boundary: passed in and taken out by a queue that has ended or is full, the
 * node's own work left out as far as it can be.
 *
 *     bench DIRECTORY
 *
 * Budget: 50 ns a packet in batches of 64, 150 ns for single calls, on the machine it is run on. */
#include <time.h>

#include "world.h"

enum { BATCH = 64, PACKET = 1400, ROUNDS = 60 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Lets the node empty its queue. */
static void settle(void) {
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    struct world world;
    world_start(&world, argv[1], 19875);
    zt_packets packets;
    CHECK(zt_network_packets_open(world.controller, world.network, ZT_MODE_L3, &packets));

    /* To nowhere: the node drops them for want of a route, on another thread. */
    static uint8_t slab[BATCH * PACKET];
    uint32_t lengths[BATCH];
    const uint8_t from[4] = {10, 1, 0, 1}, to[4] = {192, 0, 2, 1};
    for (int i = 0; i < BATCH; i++)
        lengths[i] = (uint32_t)world_packet(slab + i * PACKET, from, to, PACKET - 28);

    double batches = 0, singles = 0;
    size_t in_batches = 0, single = 0;
    for (int round = 0; round < ROUNDS; round++) {
        settle();
        double start = now();
        for (int i = 0; i < 32; i++) {
            size_t taken = 0;
            if (zt_network_packets_in(packets, slab, sizeof slab, lengths, BATCH, &taken) != ZT_OK)
                break;
            in_batches += taken;
        }
        batches += now() - start;
        settle();
        start = now();
        for (int i = 0; i < 48; i++)
            single += zt_network_packet_in(packets, slab, PACKET) == ZT_OK;
        singles += now() - start;
    }
    printf("bench: %.0f ns a packet of %d bytes in batches of %d, %.0f ns in single calls\n",
           batches / (double)in_batches, PACKET, BATCH, singles / (double)single);
    CHECK(zt_packets_close(packets));
    world_stop(&world);
    return 0;
}
