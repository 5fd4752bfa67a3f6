/* What the node of a phone takes of memory, the library's own pages and all: joined and idle, at its
 * most under load, and what of it is left when the host wants some back.
 *
 *     memory DIRECTORY
 *
 * The process has the one node, its packets by a descriptor, as a phone's VPN service. The root, the
 * controller and a member that sends everything back are in another. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

enum { IDLE_BYTES = 12000000, LOAD_BYTES = 20000000, IDLE_SECONDS = 3, LOAD_SECONDS = 3 };

/* What has to come back before the load is one, and how long a busy machine may take for it. */
enum { BACK_BYTES = 10000000, PATIENCE_SECONDS = 60 };
enum { BATCH = 64, PACKET = 1400 };

/* What the one process tells the other once its world is there. */
struct place {
    uint8_t planet[ZT_PLANET_LEN];
    size_t planet_len;
    uint64_t network;
    uint8_t echo_ip[4];
};

static void must(int holds, const char *what) {
    if (holds)
        return;
    perror(what);
    exit(1);
}

/* Has both addresses of an IPv4 packet change places, which leaves its checksum right. */
static void turn(uint8_t *packet) {
    uint8_t source[4];
    memcpy(source, packet + 12, 4);
    memcpy(packet + 12, packet + 16, 4);
    memcpy(packet + 16, source, 4);
}

/* The other process, until nobody is at the end of `phone` any more. */
static int others(const char *dir, int phone) {
    struct world world;
    struct place place;
    world_start(&world, dir, 19876);
    zt_node echo = world_node(&world, "echo", 0, NULL, "127.0.0.1:0");
    zt_packets packets;
    world_admit(&world, echo, place.echo_ip);
    CHECK(zt_network_packets_open(echo, world.network, ZT_MODE_L3, &packets));
    memcpy(place.planet, world.planet, sizeof place.planet);
    place.planet_len = world.planet_len;
    place.network = world.network;
    must(write(phone, &place, sizeof place) == sizeof place, "tell of the world");
    uint64_t address;
    must(read(phone, &address, sizeof address) == sizeof address, "hear of the phone");
    CHECK(zt_hosted_allow(world.controller, world.network, address));

    struct pollfd ended = {phone, POLLIN, 0};
    while (poll(&ended, 1, 0) == 0) {
        static uint8_t slab[BATCH * PACKET];
        uint32_t lengths[BATCH];
        size_t count, taken;
        if (zt_network_packets_out(packets, 100, slab, sizeof slab, lengths, BATCH, &count) != ZT_OK)
            continue;
        size_t len = 0;
        for (size_t i = 0; i < count; len += lengths[i++])
            turn(slab + len);
        zt_network_packets_in(packets, slab, len, lengths, count, &taken);
    }
    CHECK(zt_packets_close(packets));
    CHECK(zt_node_free(echo));
    world_stop(&world);
    return 0;
}

static zt_node phone_node(const char *dir, const struct place *place) {
    char home[600];
    snprintf(home, sizeof home, "%s/phone", dir);
    const char *bind = "127.0.0.1:0";
    zt_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.profile = ZT_PROFILE_PHONE;
    config.flags = ZT_CONFIG_ALLOW_LOOPBACK;
    config.home = home;
    config.planet = place->planet;
    config.planet_len = place->planet_len;
    config.bind = &bind;
    config.bind_count = 1;
    zt_node node;
    CHECK(zt_node_start(&config, &node));
    return node;
}

/* Joins, waits to be let in, and returns the descriptor the packets come out of. */
static int join(zt_node node, uint64_t network, uint8_t ip[4]) {
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0, "a socket pair");
    CHECK(zt_network_join(node, network, NULL));
    CHECK(zt_network_attach_tun(node, network, fds[0], NULL));
    close(fds[0]);
    for (;;) {
        zt_network status;
        zt_event event;
        status.struct_size = sizeof status;
        event.struct_size = sizeof event;
        CHECK(zt_network_status(node, network, &status));
        if (status.standing == ZT_STANDING_OK && status.address_count > 0) {
            memcpy(ip, status.addresses[0].bytes, 4);
            return fds[1];
        }
        CHECK(zt_node_next_event(node, 30000, &event));
    }
}

/* Sends full packets as fast as they are taken, and takes out what comes back; returns how much. */
static size_t load(int packets, const uint8_t from[4], const uint8_t to[4]) {
    uint8_t out[PACKET], in[10240];
    size_t len = world_packet(out, from, to, PACKET - 28), back = 0;
    time_t start = time(NULL), now = start;
    for (; now <= start + LOAD_SECONDS || (back < BACK_BYTES && now <= start + PATIENCE_SECONDS); now = time(NULL)) {
        for (int i = 0; i < BATCH && write(packets, out, len) == (ssize_t)len; i++)
            continue;
        struct pollfd polled = {packets, POLLIN, 0};
        poll(&polled, 1, 1);
        for (ssize_t got; (got = read(packets, in, sizeof in)) > 0; back += (size_t)got)
            continue;
    }
    return back;
}

/* Has the node give back what it can do without. */
static void trim(zt_node node) {
    zt_statistics statistics;
    statistics.struct_size = sizeof statistics;
    CHECK(zt_node_trim_memory(node));
    CHECK(zt_node_statistics(node, &statistics));
    if (statistics.memory_budget != 16 << 20 || statistics.memory_total > statistics.memory_budget) {
        fprintf(stderr, "memory: the tables take %.1f MB of %.1f\n", (double)statistics.memory_total / 1e6,
                (double)statistics.memory_budget / 1e6);
        exit(1);
    }
}

/* Returns what the system says of this process's memory, in bytes. */
static size_t memory(const char *name) {
    char line[256];
    size_t kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    must(status != NULL, "/proc/self/status");
    while (fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0)
            kilobytes = strtoul(line + strlen(name), NULL, 10);
    fclose(status);
    must(kilobytes > 0, name);
    return kilobytes * 1024;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    int ends[2];
    mkdir(argv[1], 0700);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "a socket pair");
    pid_t child = fork();
    must(child >= 0, "fork");
    close(ends[child == 0 ? 0 : 1]);
    if (child == 0)
        return others(argv[1], ends[1]);

    struct place place;
    uint64_t address;
    uint8_t ip[4];
    must(recv(ends[0], &place, sizeof place, MSG_WAITALL) == sizeof place, "hear of the world");
    zt_node node = phone_node(argv[1], &place);
    CHECK(zt_node_address(node, &address));
    must(write(ends[0], &address, sizeof address) == sizeof address, "tell of the phone");
    int packets = join(node, place.network, ip);
    sleep(IDLE_SECONDS);
    size_t idle = memory("VmRSS:"), back = load(packets, ip, place.echo_ip);
    size_t most = memory("VmHWM:"), after = memory("VmRSS:");
    trim(node);
    size_t trimmed = memory("VmRSS:"), back_again = load(packets, ip, place.echo_ip);

    printf("memory: %.1f MB idle, %.1f MB at most while %.0f MB went out and came back, %.1f MB then, %.1f MB trimmed\n",
           (double)idle / 1e6, (double)most / 1e6, (double)back / 1e6, (double)after / 1e6, (double)trimmed / 1e6);
    close(packets);
    CHECK(zt_node_free(node));
    close(ends[0]);
    int status = 1;
    must(waitpid(child, &status, 0) == child && status == 0, "the other process");
    if (back_again < BACK_BYTES) {
        fprintf(stderr, "memory: trimmed, the node brought back %zu bytes only\n", back_again);
        return 1;
    }
    if (trimmed >= after) {
        fprintf(stderr, "memory: the system got nothing back\n");
        return 1;
    }
    if (back < BACK_BYTES || idle > IDLE_BYTES || most > LOAD_BYTES) {
        fprintf(stderr, "memory: it should be %d, and %d under a load of %d and more\n", IDLE_BYTES, LOAD_BYTES,
                BACK_BYTES);
        return 1;
    }
    return 0;
}
