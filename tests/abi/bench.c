/* What a call costs the thread that makes it: packets passed in and taken out, and a call that has
 * nothing to do.
 *
 *     bench DIRECTORY [ROUNDS]
 *
 * Time is the processor's, for this thread, in the best of the rounds, so that neither a busy machine
 * nor the node's own threads count. Small packets show what a packet costs besides being copied, which
 * has a budget. A packet passed in by itself also wakes the node, as one call a batch
 * does. `ffi/README.md` says how to count instructions. */
#include <time.h>

#include "world.h"

enum { BATCH = 64, BATCHES = 16, SINGLES = 48, PACKET_MIN = 60, PACKET_MAX = 1400 };

/* The budget, in nanoseconds: of a packet in a batch, copying and all, and of a call. */
enum { PACKET_NS = 50, CALL_NS = 150 };

struct ends {
    zt_node alice;
    zt_packets from, to;
    uint8_t from_ip[4], to_ip[4];
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Lets the node empty its queue. */
static void settle(void) {
    struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
}

static void keep_least(double *least, double cost) {
    if (cost < *least || *least == 0)
        *least = cost;
}

/* Says so if something costs more than its budget. That fails nothing: another processor is slower. */
static void compare(double cost, int budget, const char *what) {
    if (cost > budget)
        printf("bench: %s costs %.0f ns, and has a budget of %d\n", what, cost, budget);
}

static uint8_t slab[BATCH * PACKET_MAX];
static uint32_t lengths[BATCH];

/* Takes out what there is; returns how many packets. */
static size_t drain(const struct ends *ends, double *least) {
    size_t count, all = 0;
    double spent = 0;
    for (;;) {
        double start = now();
        zt_result result =
            zt_network_packets_out(ends->to, 0, slab, sizeof slab, lengths, BATCH, &count);
        if (result != ZT_OK)
            break;
        spent += now() - start;
        all += count;
    }
    if (all > 0)
        keep_least(least, spent / (double)all);
    return all;
}

static void measure(const struct ends *ends, size_t packet, int rounds) {
    double in = 0, out = 0, single = 0;
    size_t arrived = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < BATCH; i++)
            lengths[i] = (uint32_t)world_packet(slab + (size_t)i * packet, ends->from_ip, ends->to_ip, packet - 28);
        size_t all = 0, taken;
        double start = now();
        for (int i = 0; i < BATCHES; i++)
            if (zt_network_packets_in(ends->from, slab, sizeof slab, lengths, BATCH, &taken) == ZT_OK)
                all += taken;
        keep_least(&in, (now() - start) / (double)all);
        settle();
        arrived += drain(ends, &out);
        world_packet(slab, ends->from_ip, ends->to_ip, packet - 28);
        all = 0;
        start = now();
        for (int i = 0; i < SINGLES; i++)
            all += zt_network_packet_in(ends->from, slab, packet) == ZT_OK;
        keep_least(&single, (now() - start) / (double)all);
        settle();
        arrived += drain(ends, &out);
    }
    printf("bench: a packet of %4zu bytes costs %.0f ns in, %.0f ns out, in batches of %d; %.0f ns in by itself\n",
           packet, in, out, BATCH, single);
    if (packet == PACKET_MIN) {
        compare(in, PACKET_NS, "a packet in");
        compare(out, PACKET_NS, "a packet out");
    }
    if (arrived == 0) {
        fprintf(stderr, "bench: no packet arrived\n");
        exit(1);
    }
}

/* A call that does nothing but find the node. */
static void measure_call(zt_node node, int rounds) {
    double least = 0;
    for (int round = 0; round < rounds; round++) {
        uint64_t address;
        double start = now();
        for (int i = 0; i < 1000; i++)
            CHECK(zt_node_address(node, &address));
        keep_least(&least, (now() - start) / 1000);
    }
    printf("bench: a call with nothing to do costs %.0f ns\n", least);
    compare(least, CALL_NS, "a call");
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    int rounds = argc > 2 ? atoi(argv[2]) : 30;
    struct world world;
    struct ends ends;
    world_start(&world, argv[1], 19875);
    ends.alice = world_node(&world, "alice", 0, NULL, "127.0.0.1:0");
    zt_node bob = world_node(&world, "bob", 0, NULL, "127.0.0.1:0");
    world_admit(&world, ends.alice, ends.from_ip);
    world_admit(&world, bob, ends.to_ip);
    CHECK(zt_network_packets_open(ends.alice, world.network, ZT_MODE_L3, &ends.from));
    CHECK(zt_network_packets_open(bob, world.network, ZT_MODE_L3, &ends.to));
    /* Until the two know each other. */
    size_t len = world_packet(slab, ends.from_ip, ends.to_ip, 0);
    double ignored = 0;
    while (drain(&ends, &ignored) == 0) {
        world_packet(slab, ends.from_ip, ends.to_ip, 0);
        CHECK(zt_network_packet_in(ends.from, slab, len));
        settle();
    }

    measure_call(ends.alice, rounds);
    measure(&ends, PACKET_MIN, rounds);
    measure(&ends, PACKET_MAX, rounds);
    CHECK(zt_packets_close(ends.from));
    CHECK(zt_packets_close(ends.to));
    CHECK(zt_node_free(ends.alice));
    CHECK(zt_node_free(bob));
    world_stop(&world);
    return 0;
}
