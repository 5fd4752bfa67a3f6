/* Two nodes in one process exchange IP packets of their network, in batches.
 *
 *     packets DIRECTORY [MEGABYTES]
 *
 * Each packet is numbered; those lost on the way, as packets may be, are sent again. */
#include "world.h"

enum { BATCH = 64, PAYLOAD = 1372, PACKET = PAYLOAD + 28 };

struct end {
    zt_node node;
    zt_packets packets;
    uint8_t ip[4];
};

static struct end start(struct world *world, const char *name) {
    struct end end;
    end.node = world_node(world, name, 0, NULL, "127.0.0.1:0");
    world_admit(world, end.node, end.ip);
    CHECK(zt_network_packets_open(end.node, world->network, ZT_MODE_L3, &end.packets));
    return end;
}

/* Notes which packets have come out; returns how many of them were missing. */
static size_t receive(struct end *to, uint8_t *arrived, int timeout_ms) {
    static uint8_t slab[BATCH * PACKET];
    uint32_t lengths[BATCH];
    size_t count = 0, fresh = 0;
    zt_result result =
        zt_network_packets_out(to->packets, timeout_ms, slab, sizeof slab, lengths, BATCH, &count);
    if (result == ZT_ERROR_TIMEOUT)
        return 0;
    CHECK(result);
    for (size_t i = 0, at = 0; i < count; at += lengths[i++]) {
        uint32_t number;
        if (lengths[i] != PACKET)
            continue;
        memcpy(&number, slab + at + 28, sizeof number);
        fresh += !arrived[number];
        arrived[number] = 1;
    }
    return fresh;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: packets DIRECTORY [MEGABYTES]\n");
        return 2;
    }
    size_t total = (argc > 2 ? strtoul(argv[2], NULL, 10) : 10) * 1000000 / PACKET + 1;
    struct world world;
    world_start(&world, argv[1], 19871);
    struct end alice = start(&world, "alice"), bob = start(&world, "bob");

    uint8_t *arrived = calloc(total, 1);
    static uint8_t slab[BATCH * PACKET];
    uint32_t lengths[BATCH];
    size_t missing = total, next = 0, sent = 0;
    while (missing > 0) {
        size_t count = 0;
        for (size_t looked = 0; count < BATCH && looked < total; looked++) {
            uint32_t number = (uint32_t)next;
            next = (next + 1) % total;
            if (arrived[number])
                continue;
            uint8_t *packet = slab + count * PACKET;
            world_packet(packet, alice.ip, bob.ip, PAYLOAD);
            memcpy(packet + 28, &number, sizeof number);
            lengths[count++] = PACKET;
        }
        size_t taken = 0;
        zt_result result =
            zt_network_packets_in(alice.packets, slab, count * PACKET, lengths, count, &taken);
        if (result != ZT_ERROR_WOULD_BLOCK)
            CHECK(result);
        sent += taken;
        size_t fresh = receive(&bob, arrived, 20);
        while (fresh > 0) {
            missing -= fresh;
            fresh = receive(&bob, arrived, 0);
        }
    }
    printf("packets: %zu packets of %d bytes arrived, %zu were sent\n", total, PACKET, sent);

    free(arrived);
    CHECK(zt_packets_close(alice.packets));
    CHECK(zt_packets_close(bob.packets));
    CHECK(zt_node_free(alice.node));
    CHECK(zt_node_free(bob.node));
    world_stop(&world);
    return 0;
}
