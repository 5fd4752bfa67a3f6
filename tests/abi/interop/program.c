/* Hosts a network, lets another node onto it and has that answer datagrams, as told by a line each.
 *
 *     program IP DIRECTORY PLANET_FILE
 *
 * It is root, controller and member at once, at IP, and writes the planet for others. What it says and is
 * told, a line of JSON each, is in tests/interop/hosting.py; of the numbers there it knows its own. */
#include <arpa/inet.h>

#include "world.h"

enum { ROOT_PORT = 9993, ECHO_PORT = 9, ANSWER_PORT = 10, DATAGRAMS = 200, TRIES = 10, HEAD = 28, DATA_MAX = 1372 };

/* Reads a line, of which `format` finds a text. */
static void told(const char *format, char text[64]) {
    char line[256];
    if (!fgets(line, sizeof line, stdin) || sscanf(line, format, text) != 1) {
        fprintf(stderr, "program: told something else than %s\n", format);
        exit(1);
    }
}

/* Writes a packet with a datagram to the other node, whose data say which it is. */
static size_t datagram(uint8_t packet[HEAD + DATA_MAX], const uint8_t from[4], const uint8_t to[4], int number) {
    size_t len = (size_t)number * 6 + 4;
    world_packet(packet, from, to, len);
    packet[20] = packet[22] = 0;
    packet[21] = ANSWER_PORT;
    packet[23] = ECHO_PORT;
    memset(packet + HEAD, number, len);
    return HEAD + len;
}

/* Waits a second for an answer with the same data. */
static int is_answered(zt_packets packets, const uint8_t *sent, size_t len) {
    uint8_t packet[10240];
    size_t got;
    while (zt_network_packet_out(packets, 1000, packet, sizeof packet, &got) == ZT_OK)
        if (got == len && packet[9] == sent[9] && packet[23] == ANSWER_PORT &&
            memcmp(packet + HEAD, sent + HEAD, len - HEAD) == 0)
            return 1;
    return 0;
}

static int ask(zt_packets packets, const uint8_t from[4], const uint8_t to[4]) {
    uint8_t packet[HEAD + DATA_MAX];
    int answered = 0;
    for (int number = 0; number < DATAGRAMS; number++) {
        size_t len = datagram(packet, from, to, number);
        int is_back = 0;
        for (int i = 0; i < TRIES && !is_back; i++) {
            CHECK(zt_network_packet_in(packets, packet, len));
            is_back = is_answered(packets, packet, len);
        }
        answered += is_back;
    }
    return answered;
}

/* Says how many datagrams were answered, and which way the last went. */
static void report(zt_node member, uint64_t other, int answered) {
    zt_peer peers[16];
    size_t count;
    const char *path = "";
    CHECK(zt_peer_list(member, peers, 16, &count));
    for (size_t i = 0; i < count && i < 16; i++)
        if (peers[i].address == other)
            path = peers[i].path;
    printf("{\"event\":\"answered\",\"datagrams\":%d,\"path\":\"%s\"}\n", answered, path);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    struct world world;
    char any[ZT_ENDPOINT_LEN], text[64];
    uint8_t ours[4], theirs[4];
    zt_packets packets;
    setvbuf(stdout, NULL, _IOLBF, 0);
    world_start_at(&world, argv[2], argv[1], ROOT_PORT);
    FILE *planet = fopen(argv[3], "wb");
    if (!planet || fwrite(world.planet, 1, world.planet_len, planet) != world.planet_len || fclose(planet) != 0)
        return 1;
    snprintf(any, sizeof any, "%s:0", argv[1]);
    zt_node member = world_node(&world, "member", 0, NULL, any);
    world_admit(&world, member, ours);
    CHECK(zt_network_packets_open(member, world.network, ZT_MODE_L3, &packets));
    printf("{\"event\":\"hosting\",\"network\":\"%016llx\"}\n", (unsigned long long)world.network);

    told("{\"allow\": \"%10[0-9a-f]\"", text);
    uint64_t other = strtoull(text, NULL, 16);
    CHECK(zt_hosted_allow(world.controller, world.network, other));
    told("{\"ip\": \"%15[0-9.]\"", text);
    if (inet_pton(AF_INET, text, theirs) != 1)
        return 1;
    report(member, other, ask(packets, ours, theirs));

    CHECK(zt_packets_close(packets));
    CHECK(zt_node_free(member));
    world_stop(&world);
    return 0;
}
