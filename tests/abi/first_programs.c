/* Runs a first program of docs/ on a private network, and sees that it says what its page promises.
 *
 *     first_programs DIRECTORY IP PROGRAM ADMITTED
 *
 * The program knows nothing of laboratories, so IP has to be an address of this machine that is none of
 * the loopback interface's. ADMITTED is in the line by which it says that it was. */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

enum { ROOT_PORT = 19877, PAYLOAD = 33, PATIENCE_MS = 60000, RESEND_MS = 100 };

struct program {
    pid_t pid;
    int terminal;
    char line[1024];
    size_t len;
};

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "first_programs: %s: %s\n", what, detail);
    exit(1);
}

/* Starts it in a terminal, where it says things when they happen. */
static struct program start(const char *path, const char *home, const char *network) {
    struct program program = {0};
    program.pid = forkpty(&program.terminal, NULL, NULL, NULL);
    if (program.pid == 0) {
        execl(path, path, home, network, (char *)NULL);
        _exit(127);
    }
    if (program.pid < 0)
        fail("a terminal", "there is none");
    return program;
}

/* Waits for its next line; returns whether that came in time. */
static int next_line(struct program *program, int patience_ms) {
    char byte;
    struct pollfd polled = {program->terminal, POLLIN, 0};
    while (poll(&polled, 1, patience_ms) == 1) {
        if (read(program->terminal, &byte, 1) != 1)
            fail("the program has ended after", program->line);
        if (byte == '\n') {
            program->line[program->len] = 0;
            program->len = 0;
            printf("first_programs: it says: %s\n", program->line);
            return 1;
        }
        if (byte != '\r' && program->len + 1 < sizeof program->line)
            program->line[program->len++] = byte;
    }
    return 0;
}

/* Waits for a line with `text` in it. */
static void await_line(struct program *program, const char *text) {
    while (next_line(program, PATIENCE_MS))
        if (strstr(program->line, text))
            return;
    fail("never said", text);
}

/* Ends it as somebody at the terminal does. */
static void end(const struct program *program) {
    int status;
    if (write(program->terminal, "\x03", 1) != 1 || waitpid(program->pid, &status, 0) != program->pid)
        fail("the program", "does not end");
    int was_interrupted = WIFSIGNALED(status) && WTERMSIG(status) == SIGINT;
    if (!was_interrupted && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail("the program", "failed");
    close(program->terminal);
}

/* Makes the network, of two addresses: who has one knows the other. */
static uint64_t host(zt_node controller) {
    const char *pool = "10.1.0.1-10.1.0.2";
    zt_hosted_route route = {{4, 24, {10, 1, 0, 0}}, {0, 0, {0}}};
    zt_hosted_network network = {
        .struct_size = sizeof network, .name = "docs", .pools = &pool, .pool_count = 1, .routes = &route, .route_count = 1};
    uint64_t id;
    CHECK(zt_hosted_create(controller, &network, &id));
    return id;
}

/* Makes a home directory for a node of this planet. */
static void prepare(const char *home, const struct world *world) {
    char path[700];
    snprintf(path, sizeof path, "%s/planet", home);
    mkdir(home, 0700);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(world->planet, 1, world->planet_len, file) != world->planet_len || fclose(file) != 0)
        fail(path, "cannot be written");
}

int main(int argc, char **argv) {
    if (argc < 5)
        return 2;
    struct world world;
    world_start_at(&world, argv[1], argv[2], ROOT_PORT);
    world.network = host(world.controller);
    char any[ZT_ENDPOINT_LEN], home[600], network[17], admits[100], bytes[20];
    snprintf(any, sizeof any, "%s:0", argv[2]);
    zt_node alice = world_node(&world, "alice", 0, NULL, any);
    uint8_t from[4], to[4], packet[28 + PAYLOAD];
    world_admit(&world, alice, from);
    memcpy(to, from, 4);
    to[3] ^= 3;
    zt_packets packets;
    CHECK(zt_network_packets_open(alice, world.network, ZT_MODE_L3, &packets));

    const char *path = argv[3], *name = strrchr(path, '/');
    snprintf(home, sizeof home, "%s/%s", argv[1], name ? name + 1 : path);
    snprintf(network, sizeof network, "%016llx", (unsigned long long)world.network);
    prepare(home, &world);
    struct program program = start(path, home, network);
    unsigned long long address;
    if (!next_line(&program, PATIENCE_MS) || sscanf(program.line, "this is %llx", &address) != 1)
        fail("never said who it is", program.line);
    snprintf(admits, sizeof admits, "this is %010llx, which the controller has to admit", address);
    if (strcmp(program.line, admits) != 0)
        fail("not as on its page", program.line);
    CHECK(zt_hosted_allow(world.controller, world.network, address));
    await_line(&program, argv[4]);

    size_t len = world_packet(packet, from, to, PAYLOAD);
    snprintf(bytes, sizeof bytes, "%zu bytes", len);
    for (int waited = 0; waited < PATIENCE_MS; waited += RESEND_MS) {
        CHECK(zt_network_packet_in(packets, packet, len));
        if (next_line(&program, RESEND_MS) && strcmp(program.line, bytes) == 0) {
            end(&program);
            CHECK(zt_packets_close(packets));
            CHECK(zt_node_free(alice));
            world_stop(&world);
            return 0;
        }
    }
    fail("no packet arrived at", path);
}
