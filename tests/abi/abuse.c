/* What a host should never do, done: each gives a defined error, and nothing crashes or leaks.
 *
 *     abuse DIRECTORY [START_STOP_CYCLES] */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

#define EXPECT(call, wanted) expect((call), (wanted), #call, __LINE__)

static void expect(zt_result result, zt_result wanted, const char *call, int line) {
    if (result == wanted)
        return;
    const char *why = zt_error_message();
    fprintf(stderr, "abuse.c:%d: %s: %d instead of %d: %s\n", line, call, (int)result, (int)wanted,
            why ? why : "");
    exit(1);
}

static const uint64_t ELSEWHERE = 0x8056c2e21c000001;

static void wrong_handles(zt_node node) {
    zt_status status;
    status.struct_size = sizeof status;
    const zt_node wrong[] = {0, 1, node + 1, node ^ (1ull << 40), ~node, UINT64_MAX, 2ull << 56 | 1 << 24};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t count;
        EXPECT(zt_node_status(wrong[i], &status), ZT_ERROR_INVALID_HANDLE);
        EXPECT(zt_node_stop(wrong[i]), ZT_ERROR_INVALID_HANDLE);
        EXPECT(zt_network_packets_in(wrong[i], NULL, 0, NULL, 0, &count), ZT_ERROR_INVALID_HANDLE);
        if (wrong[i] != 0) {
            EXPECT(zt_node_free(wrong[i]), ZT_ERROR_INVALID_HANDLE);
            EXPECT(zt_packets_close(wrong[i]), ZT_ERROR_INVALID_HANDLE);
        }
    }
    EXPECT(zt_packets_close(node), ZT_ERROR_INVALID_HANDLE);
    EXPECT(zt_node_free(0), ZT_OK);
    EXPECT(zt_packets_close(0), ZT_OK);
}

static void null_and_nonsense(zt_node node) {
    zt_config config;
    zt_node other = 7;
    memset(&config, 0, sizeof config);
    EXPECT(zt_node_start(NULL, &other), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_start(&config, NULL), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_STRUCT_SIZE);
    config.struct_size = offsetof(zt_config, memory_budget) - 1;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_STRUCT_SIZE);
    config.struct_size = sizeof config;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_NULL_ARGUMENT);
    config.home = "";
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.home = "\xff\xfe";
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_UTF8);
    config.home = "/proc/no/such/place";
    config.port = ZT_PORT_ANY;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_STORAGE);
    config.port = ZT_PORT_ANY + 1;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.port = 0;
    config.profile = 77;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.profile = 0;
    config.flags = 0x80000000;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.flags = ZT_CONFIG_TCP_RELAY_FORCED;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.flags = 0;
    config.tcp_relay = "localhost";
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.tcp_relay = NULL;
    config.bonding = 77;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.bonding = 0;
    config.port_mapping = 77;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.port_mapping = 0;
    config.secondary_port = ZT_PORT_ANY;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    config.secondary_port = 0;
    config.memory_budget = ZT_MEMORY_BUDGET_MIN - 1;
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_INVALID_ARGUMENT);
    /* Whoever was compiled before there was a budget says nothing about it. */
    config.struct_size = offsetof(zt_config, memory_budget);
    EXPECT(zt_node_start(&config, &other), ZT_ERROR_STORAGE);
    if (other != 7) {
        fprintf(stderr, "an output was written although the call failed\n");
        exit(1);
    }

    char small[4] = "abc";
    size_t count;
    zt_port_mapping mapping;
    mapping.struct_size = sizeof mapping;
    EXPECT(zt_node_port_mapping(node, &mapping), ZT_ERROR_NOT_FOUND);
    EXPECT(zt_node_trusted_paths(node, NULL, 3, &count), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_trusted_paths(node, NULL, 0, &count), ZT_OK);
    zt_timer timers[64];
    EXPECT(zt_node_timers(node, NULL, 3, &count), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_timers(node, timers, 64, NULL), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_timers(node, timers, 64, &count), ZT_OK);
    if (count == 0 || count > 64 || timers[0].count == 0 || timers[0].reason[0] == 0) {
        fprintf(stderr, "no timer has woken the node, or a nameless one\n");
        exit(1);
    }
    EXPECT(zt_node_status(node, NULL), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_address(node, NULL), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_identity(node, NULL, 100), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_identity(node, small, sizeof small), ZT_ERROR_BUFFER_TOO_SMALL);
    EXPECT(zt_network_list(node, NULL, 3, &count), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_network_list(node, NULL, 0, &count), ZT_OK);
    EXPECT(zt_network_join(node, 7, NULL), ZT_ERROR_INVALID_NETWORK);
    EXPECT(zt_network_join(node, ELSEWHERE, "not a fingerprint"), ZT_ERROR_INVALID_ARGUMENT);
    EXPECT(zt_network_join(node, ELSEWHERE, "\xff"), ZT_ERROR_UTF8);
    EXPECT(zt_network_leave(node, ELSEWHERE), ZT_ERROR_NOT_JOINED);
    EXPECT(zt_peer_pin(node, UINT64_MAX, "x"), ZT_ERROR_INVALID_ARGUMENT);
    EXPECT(zt_peer_unpin(node, 1), ZT_ERROR_NOT_FOUND);
    EXPECT(zt_node_orbit(node, 5, 0), ZT_ERROR_NOT_FOUND);
    EXPECT(zt_node_orbit_file(node, (const uint8_t *)"x", 1), ZT_ERROR_WORLD);
    EXPECT(zt_hosted_allow(node, ELSEWHERE, 1), ZT_ERROR_UNKNOWN_NETWORK);
    EXPECT(zt_log_set_level(99), ZT_ERROR_INVALID_ARGUMENT);
    zt_event event;
    event.struct_size = 3;
    EXPECT(zt_node_next_event(node, 0, &event), ZT_ERROR_STRUCT_SIZE);
    EXPECT(zt_node_next_event(node, 0, NULL), ZT_ERROR_NULL_ARGUMENT);
}

/* Engines that are wrong from the start, one that an older program asks for, and none. */
static void wrong_engines(void) {
    char identity[ZT_SECRET_IDENTITY_LEN];
    EXPECT(zt_identity_generate(identity, sizeof identity), ZT_OK);
    zt_engine_config config;
    zt_engine engine;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    EXPECT(zt_engine_new(&config, &engine), ZT_ERROR_NULL_ARGUMENT);
    config.identity = identity;
    config.memory_budget = ZT_MEMORY_BUDGET_MIN - 1;
    EXPECT(zt_engine_new(&config, &engine), ZT_ERROR_INVALID_ARGUMENT);
    config.struct_size = offsetof(zt_engine_config, memory_budget);
    EXPECT(zt_engine_new(&config, &engine), ZT_OK);
    EXPECT(zt_engine_trim_memory(engine, 1), ZT_OK);
    EXPECT(zt_engine_free(engine), ZT_OK);
    EXPECT(zt_engine_trim_memory(engine, 1), ZT_ERROR_INVALID_HANDLE);
}

/* Edits the file in the controller's home. */
static void edit_local_conf(const struct world *world, const char *text) {
    char path[600];
    snprintf(path, sizeof path, "%s/controller/local.conf", world->dir);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void local_conf(const struct world *world) {
    zt_status status;
    status.struct_size = sizeof status;
    edit_local_conf(world, "{\"physical\": {\"10.20.0.0/16\": {\"trustedPathId\": 7, \"mtu\": \"short\"}}}");
    EXPECT(zt_node_reload_local_conf(world->controller), ZT_OK);
    edit_local_conf(world, "not JSON");
    EXPECT(zt_node_reload_local_conf(world->controller), ZT_ERROR_CORRUPT_STATE);
    EXPECT(zt_node_status(world->controller, &status), ZT_OK);
    if (status.trusted_paths != 1) {
        fprintf(stderr, "%u trusted paths are in force, not the one that was\n", (unsigned)status.trusted_paths);
        exit(1);
    }
    edit_local_conf(world, "{}");
    EXPECT(zt_node_reload_local_conf(world->controller), ZT_OK);
}

static void memory(const struct world *world) {
    zt_statistics statistics, old;
    statistics.struct_size = sizeof statistics;
    memset(&old, 7, sizeof old);
    old.struct_size = offsetof(zt_statistics, memory_budget);
    EXPECT(zt_node_trim_memory(0), ZT_ERROR_INVALID_HANDLE);
    EXPECT(zt_node_trim_memory(world->controller), ZT_OK);
    EXPECT(zt_node_statistics(world->controller, NULL), ZT_ERROR_NULL_ARGUMENT);
    EXPECT(zt_node_statistics(world->controller, &statistics), ZT_OK);
    EXPECT(zt_node_statistics(world->controller, &old), ZT_OK);
    const uint64_t parts = statistics.memory_peers + statistics.memory_networks + statistics.memory_packets +
                           statistics.memory_replays + statistics.memory_controller;
    if (statistics.memory_budget != 0 || statistics.memory_controller == 0 || statistics.memory_total != parts ||
        old.woken_by_requests == 0 || old.memory_budget != 0x0707070707070707) {
        fprintf(stderr, "memory is not told of as it is\n");
        exit(1);
    }
}

static void descriptors(zt_node node) {
    int pair[2], file = open("/dev/null", O_RDWR);
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, 0, NULL), ZT_ERROR_NOT_JOINED);
    EXPECT(zt_network_join(node, ELSEWHERE, NULL), ZT_OK);
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, -1, NULL), ZT_ERROR_INVALID_DESCRIPTOR);
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, 100000, NULL), ZT_ERROR_INVALID_DESCRIPTOR);
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, file, NULL), ZT_ERROR_INTERFACE);
    close(file);
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, file, NULL), ZT_ERROR_INVALID_DESCRIPTOR);
    zt_tun_options options = {sizeof options, 9, 0};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        exit(1);
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, pair[0], &options), ZT_ERROR_INVALID_ARGUMENT);
    options.mode = ZT_MODE_L3;
    options.framing = ZT_FRAMING_VIRTIO;
    EXPECT(zt_network_attach_tun(node, ELSEWHERE, pair[0], &options), ZT_OK);
    close(pair[0]);
    close(pair[1]);
    for (;;) {
        zt_event event;
        event.struct_size = sizeof event;
        EXPECT(zt_node_next_event(node, 30000, &event), ZT_OK);
        if (event.kind == ZT_EVENT_INTERFACE_LOST)
            break;
    }
    EXPECT(zt_network_leave(node, ELSEWHERE), ZT_OK);
}

static void *wait_for_event(void *node) {
    zt_event event;
    event.struct_size = sizeof event;
    zt_result result;
    do
        result = zt_node_next_event(*(zt_node *)node, -1, &event);
    while (result == ZT_OK);
    return (void *)(intptr_t)result;
}

static void *wait_for_packet(void *packets) {
    uint8_t packet[10240];
    size_t len;
    return (void *)(intptr_t)zt_network_packet_out(*(zt_packets *)packets, -1, packet, sizeof packet, &len);
}

static void is_told(pthread_t thread, zt_result wanted, const char *who) {
    void *result;
    pthread_join(thread, &result);
    if ((zt_result)(intptr_t)result != wanted) {
        fprintf(stderr, "%s was told %d instead of %d\n", who, (int)(intptr_t)result, (int)wanted);
        exit(1);
    }
}

/* Frees a node while others wait for its events and packets, and poll its descriptor. */
static void free_while_waiting(struct world *world) {
    zt_node node = world_node(world, "waiting", 0, NULL, "127.0.0.1:0");
    zt_packets packets;
    int fd;
    CHECK(zt_network_packets_open(node, ELSEWHERE, ZT_MODE_L2, &packets));
    CHECK(zt_node_event_fd(node, &fd));
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, wait_for_event, &node);
    pthread_create(&threads[1], NULL, wait_for_event, &node);
    pthread_create(&threads[2], NULL, wait_for_packet, &packets);
    usleep(100000);
    EXPECT(zt_node_free(node), ZT_OK);
    EXPECT(zt_node_free(node), ZT_ERROR_INVALID_HANDLE);
    /* Whoever looked the handle up before it was freed sees the node stop; later ones find no node. */
    for (int i = 0; i < 2; i++) {
        void *result;
        pthread_join(threads[i], &result);
        if ((intptr_t)result != ZT_ERROR_STOPPED && (intptr_t)result != ZT_ERROR_INVALID_HANDLE)
            exit(1);
    }
    is_told(threads[2], ZT_ERROR_STOPPED, "who waits for packets");
    struct pollfd polled = {fd, POLLIN, 0};
    if (poll(&polled, 1, 1000) != 1)
        exit(1);
    close(fd);
    uint8_t packet[28] = {0x45};
    EXPECT(zt_network_packet_in(packets, packet, sizeof packet), ZT_ERROR_STOPPED);
    EXPECT(zt_packets_close(packets), ZT_OK);
    EXPECT(zt_packets_close(packets), ZT_ERROR_INVALID_HANDLE);
}

static void close_while_waiting(zt_node node) {
    zt_packets packets;
    pthread_t thread;
    size_t taken;
    uint32_t lengths[2] = {UINT32_MAX, UINT32_MAX};
    CHECK(zt_network_packets_open(node, ELSEWHERE, ZT_MODE_L3, &packets));
    EXPECT(zt_network_packets_in(packets, (const uint8_t *)"", 1, lengths, 2, &taken),
           ZT_ERROR_INVALID_ARGUMENT);
    uint8_t packet[10];
    EXPECT(zt_network_packet_out(packets, 0, packet, sizeof packet, &taken), ZT_ERROR_TIMEOUT);
    EXPECT(zt_network_packet_out(packets, 10, packet, sizeof packet, &taken), ZT_ERROR_TIMEOUT);
    EXPECT(zt_network_packet_out(packets, 0, packet, sizeof packet, NULL), ZT_ERROR_NULL_ARGUMENT);
    pthread_create(&thread, NULL, wait_for_packet, &packets);
    usleep(50000);
    EXPECT(zt_packets_close(packets), ZT_OK);
    is_told(thread, ZT_ERROR_STOPPED, "who waits while it is closed");
    EXPECT(zt_network_leave(node, ELSEWHERE), ZT_OK);
}

struct called {
    zt_packets packets;
    zt_node node;
    int times;
};

/* Does with the library what a callback should be able to: close what it is called for, and wait. */
static void call_back(void *user_data, const uint8_t *packet, size_t len) {
    struct called *called = (struct called *)user_data;
    (void)packet, (void)len;
    zt_status status;
    status.struct_size = sizeof status;
    CHECK(zt_node_status(called->node, &status));
    CHECK(zt_packets_close(called->packets));
    CHECK(zt_node_free(called->node));
    __atomic_add_fetch(&called->times, 1, __ATOMIC_RELEASE);
}

static void callbacks_that_call_back(struct world *world) {
    uint8_t alice_ip[4], bob_ip[4], packet[100];
    zt_node alice = world_node(world, "alice", 0, NULL, "127.0.0.1:0");
    struct called bob = {0, world_node(world, "bob", 0, NULL, "127.0.0.1:0"), 0};
    world_admit(world, alice, alice_ip);
    world_admit(world, bob.node, bob_ip);
    zt_packets packets;
    CHECK(zt_network_packets_open(alice, world->network, ZT_MODE_L3, &packets));
    CHECK(zt_network_packets_open(bob.node, world->network, ZT_MODE_L3, &bob.packets));
    CHECK(zt_network_packets_callback(bob.packets, call_back, &bob));
    size_t len = world_packet(packet, alice_ip, bob_ip, 8);
    for (int i = 0; i < 300 && __atomic_load_n(&bob.times, __ATOMIC_ACQUIRE) == 0; i++) {
        /* There is no room if the node has not had a moment for the last ones. */
        zt_result result = zt_network_packet_in(packets, packet, len);
        if (result != ZT_ERROR_WOULD_BLOCK)
            CHECK(result);
        usleep(100000);
    }
    EXPECT(zt_packets_close(bob.packets), ZT_ERROR_INVALID_HANDLE);
    EXPECT(zt_node_free(bob.node), ZT_ERROR_INVALID_HANDLE);
    CHECK(zt_packets_close(packets));
    CHECK(zt_node_free(alice));
    if (bob.times != 1)
        exit(1);
}

static void *hammer(void *argument) {
    zt_node node = *(zt_node *)argument;
    for (int round = 0; round < 5; round++) {
        uint64_t network = ELSEWHERE + (uint64_t)((intptr_t)&round >> 12) % 8, ids[8], address;
        size_t count;
        zt_peer peers[4];
        zt_event event;
        zt_statistics statistics;
        event.struct_size = sizeof event;
        statistics.struct_size = sizeof statistics;
        CHECK(zt_network_join(node, network, NULL));
        CHECK(zt_network_list(node, ids, 8, &count));
        CHECK(zt_peer_list(node, peers, 4, &count));
        CHECK(zt_node_address(node, &address));
        CHECK(zt_node_statistics(node, &statistics));
        zt_result result = zt_node_next_event(node, 0, &event);
        if (result != ZT_OK && result != ZT_ERROR_TIMEOUT)
            CHECK(result);
        result = zt_network_leave(node, network);
        if (result != ZT_OK && result != ZT_ERROR_NOT_JOINED)
            CHECK(result);
    }
    return NULL;
}

static void sixty_four_threads(zt_node node) {
    pthread_t threads[64];
    for (int i = 0; i < 64; i++)
        pthread_create(&threads[i], NULL, hammer, &node);
    for (int i = 0; i < 64; i++)
        pthread_join(threads[i], NULL);
}

/* A node that ends while sixty-four threads use it in every way there is. */
struct crowd {
    zt_node node;
    /* Which of them a thread is. */
    int number;
};

/* Says whether the node is there; ends the program if a result is none that may come meanwhile. */
static int goes_on(zt_result result) {
    switch (result) {
    case ZT_OK:
    case ZT_ERROR_TIMEOUT:
    case ZT_ERROR_WOULD_BLOCK:
    case ZT_ERROR_NOT_JOINED:
    case ZT_ERROR_NOT_PACKETS:
        return 1;
    case ZT_ERROR_STOPPED:
    case ZT_ERROR_INVALID_HANDLE:
        return 0;
    default:
        CHECK(result);
        return 0;
    }
}

/* Calls back for what it is called for, until that has ended. */
static void look_around(void *user_data, const uint8_t *packet, size_t len) {
    zt_status status;
    status.struct_size = sizeof status;
    (void)packet, (void)len;
    goes_on(zt_node_status(*(zt_node *)user_data, &status));
}

/* Opens the packets of a network, passes some both ways and closes them, again and again. */
static int exchange(struct crowd *me, uint64_t network) {
    zt_packets packets;
    uint8_t packet[100] = {0x45}, out[10240];
    size_t len;
    zt_result result = zt_network_packets_open(me->node, network, ZT_MODE_L3, &packets);
    if (result != ZT_OK)
        return goes_on(result);
    if (me->number % 2 == 0)
        goes_on(zt_network_packets_callback(packets, look_around, &me->node));
    for (int i = 0; i < 10; i++) {
        goes_on(zt_network_packet_in(packets, packet, sizeof packet));
        goes_on(zt_network_packet_out(packets, 1, out, sizeof out, &len));
    }
    CHECK(zt_packets_close(packets));
    return 1;
}

static void *one_of_many(void *argument) {
    struct crowd *me = (struct crowd *)argument;
    uint64_t network = ELSEWHERE + (uint64_t)(me->number % 4), address;
    zt_event event;
    zt_peer peers[4];
    size_t count;
    int fd, goes = 1;
    event.struct_size = sizeof event;
    while (goes) {
        switch (me->number % 7) {
        case 0:
            goes = goes_on(zt_node_next_event(me->node, -1, &event));
            break;
        case 1:
        case 2:
            goes = exchange(me, network);
            break;
        case 3:
            goes = goes_on(zt_network_join(me->node, network, NULL));
            break;
        case 4:
            goes = goes_on(zt_network_leave(me->node, network));
            break;
        case 5:
            goes = goes_on(zt_peer_list(me->node, peers, 4, &count)) && goes_on(zt_node_address(me->node, &address));
            break;
        default:
            goes = goes_on(zt_node_event_fd(me->node, &fd));
            if (goes)
                close(fd);
        }
    }
    /* Half of them stop it once more, half of them free it, one of which is the first. */
    goes_on(me->number % 2 ? zt_node_stop(me->node) : zt_node_free(me->node));
    return NULL;
}

static void a_crowd_at_the_end(struct world *world) {
    zt_node node = world_node(world, "waiting", 0, NULL, "127.0.0.1:0");
    pthread_t threads[64];
    struct crowd crowd[64];
    for (int i = 0; i < 64; i++) {
        crowd[i] = (struct crowd){node, i};
        pthread_create(&threads[i], NULL, one_of_many, &crowd[i]);
    }
    usleep(300000);
    zt_result result;
    /* It may take long on a busy machine, and goes on meanwhile. */
    do
        result = zt_node_stop(node);
    while (result == ZT_ERROR_TIMEOUT);
    goes_on(result);
    for (int i = 0; i < 64; i++)
        pthread_join(threads[i], NULL);
    EXPECT(zt_node_free(node), ZT_ERROR_INVALID_HANDLE);
}

static size_t open_descriptors(void) {
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void start_and_stop(struct world *world, int cycles) {
    size_t before = 0;
    for (int i = 0; i < cycles; i++) {
        zt_node node = world_node(world, "waiting", 0, NULL, "127.0.0.1:0");
        EXPECT(zt_node_stop(node), ZT_OK);
        EXPECT(zt_node_stop(node), ZT_OK);
        EXPECT(zt_network_join(node, ELSEWHERE, NULL), ZT_ERROR_STOPPED);
        EXPECT(zt_node_free(node), ZT_OK);
        if (i == 0)
            before = open_descriptors();
    }
    if (open_descriptors() > before) {
        fprintf(stderr, "descriptors leak: %zu after the first cycle, %zu after all\n", before,
                open_descriptors());
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    int cycles = argc > 2 ? atoi(argv[2]) : 100;
    if (zt_abi_version() != ZT_ABI_VERSION || zt_error_message() != NULL)
        return 1;
    CHECK(zt_log_set_level(ZT_LOG_DEBUG));
    struct world world;
    world_start(&world, argv[1], 19873);
    zt_node node = world.controller;
    wrong_handles(node);
    null_and_nonsense(node);
    wrong_engines();
    local_conf(&world);
    memory(&world);
    descriptors(node);
    close_while_waiting(node);
    free_while_waiting(&world);
    callbacks_that_call_back(&world);
    sixty_four_threads(node);
    a_crowd_at_the_end(&world);
    start_and_stop(&world, cycles);
    zt_log_record record;
    record.struct_size = sizeof record;
    CHECK(zt_log_next(0, &record));
    world_stop(&world);
    printf("abuse: every misuse gave the error it should\n");
    return 0;
}
