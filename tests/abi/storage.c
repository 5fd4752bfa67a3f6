/* A node whose state the program keeps: it is itself again after a restart, its secret is sealed, what
 * goes wrong is said, and no file is made.
 *
 *     storage DIRECTORY
 *
 * DIRECTORY stays empty but for the world's other nodes. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

#define EXPECT(call, wanted) expect((call), (wanted), #call, __LINE__)
#define DEMAND(condition) demand((condition), #condition, __LINE__)

static void expect(zt_result result, zt_result wanted, const char *call, int line) {
    if (result == wanted)
        return;
    const char *why = zt_error_message();
    fprintf(stderr, "storage.c:%d: %s: %d instead of %d: %s\n", line, call, (int)result, (int)wanted,
            why ? why : "");
    exit(1);
}

static void demand(int holds, const char *condition, int line) {
    if (holds)
        return;
    fprintf(stderr, "storage.c:%d: not so: %s\n", line, condition);
    exit(1);
}

/* A list of names and bytes: calls come one at a time, but this program looks as well. */
struct record {
    char name[128];
    uint8_t *bytes;
    size_t len;
    struct record *next;
};

struct records {
    pthread_mutex_t lock;
    struct record *first;
    const char *refused;
    int calls_at_once;
};

static struct record *find(struct records *records, const char *name) {
    struct record *record = records->first;
    while (record && strcmp(record->name, name) != 0)
        record = record->next;
    return record;
}

/* Nothing but a test needs to know. */
static void enter(struct records *records) {
    DEMAND(pthread_mutex_lock(&records->lock) == 0 && ++records->calls_at_once == 1);
}

static int32_t leave(struct records *records, int32_t code) {
    records->calls_at_once--;
    pthread_mutex_unlock(&records->lock);
    return code;
}

static int32_t read_record(void *user_data, const char *name, zt_sink *to) {
    struct records *records = user_data;
    enter(records);
    if (records->refused && strcmp(records->refused, name) == 0)
        return leave(records, 7);
    struct record *record = find(records, name);
    if (record)
        CHECK(zt_storage_put(to, record->bytes, record->len));
    return leave(records, 0);
}

static int32_t write_record(void *user_data, const char *name, const uint8_t *bytes, size_t len) {
    struct records *records = user_data;
    enter(records);
    struct record *record = find(records, name);
    if (!record) {
        record = calloc(1, sizeof *record);
        snprintf(record->name, sizeof record->name, "%s", name);
        record->next = records->first;
        records->first = record;
    }
    free(record->bytes);
    record->bytes = malloc(len ? len : 1);
    memcpy(record->bytes, bytes, len);
    record->len = len;
    return leave(records, 0);
}

static int32_t remove_record(void *user_data, const char *name) {
    struct records *records = user_data;
    enter(records);
    for (struct record **at = &records->first; *at; at = &(*at)->next) {
        struct record *record = *at;
        if (strcmp(record->name, name) == 0) {
            *at = record->next;
            free(record->bytes);
            free(record);
            break;
        }
    }
    return leave(records, 0);
}

static int32_t list_records(void *user_data, const char *prefix, zt_sink *to) {
    struct records *records = user_data;
    enter(records);
    for (struct record *record = records->first; record; record = record->next)
        if (strncmp(record->name, prefix, strlen(prefix)) == 0)
            CHECK(zt_storage_put(to, record->name, strlen(record->name)));
    return leave(records, 0);
}

/* Puts two contents where one is asked for. */
static int32_t read_twice(void *user_data, const char *name, zt_sink *to) {
    (void)user_data, (void)name;
    CHECK(zt_storage_put(to, "a", 1));
    EXPECT(zt_storage_put(to, NULL, 1), ZT_ERROR_NULL_ARGUMENT);
    CHECK(zt_storage_put(to, NULL, 0));
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    struct world world;
    world_start(&world, argv[1], (uint16_t)(20000 + getpid() % 20000));
    char here[600];
    snprintf(here, sizeof here, "%s/here", argv[1]);
    /* It is there, and empty, if this has run before. */
    DEMAND((mkdir(here, 0700) == 0 || errno == EEXIST) && chdir(here) == 0);

    struct records records = {PTHREAD_MUTEX_INITIALIZER, NULL, NULL, 0};
    zt_storage storage = {sizeof storage,  0,           &records, read_record,
                          write_record,    remove_record, list_records};
    uint8_t key[ZT_STORAGE_KEY_LEN] = {1, 2, 3}, other[ZT_STORAGE_KEY_LEN] = {4};
    const char *bind = "127.0.0.1:0";
    zt_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.flags = ZT_CONFIG_ALLOW_LOOPBACK;
    config.planet = world.planet;
    config.planet_len = world.planet_len;
    config.bind = &bind;
    config.bind_count = 1;
    config.storage = &storage;
    zt_node node, again;
    uint64_t address, same;
    uint8_t ip[4];

    CHECK(zt_node_start(&config, &node));
    CHECK(zt_node_address(node, &address));
    world_admit(&world, node, ip);
    CHECK(zt_node_free(node));
    struct record *secret = find(&records, "identity.secret");
    DEMAND(secret && secret->len > 200 && memcmp(secret->bytes, "ztsealed", 8) != 0);

    /* What was in clear is sealed, and opened by the same key only. */
    config.storage_key = key;
    CHECK(zt_node_start(&config, &node));
    CHECK(zt_node_address(node, &same));
    DEMAND(same == address && memcmp(secret->bytes, "ztsealed", 8) == 0);
    size_t count;
    CHECK(zt_network_list(node, NULL, 0, &count));
    CHECK(zt_node_free(node));
    config.storage_key = other;
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_SEALED);
    config.storage_key = NULL;
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_SEALED);
    config.storage_key = key;

    /* What the program does wrong, and what it refuses. */
    records.refused = "epoch";
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_STORAGE);
    records.refused = NULL;
    config.home = "somewhere";
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_INVALID_ARGUMENT);
    config.home = NULL;
    storage.read = read_twice;
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_STORAGE);
    storage.read = NULL;
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_NULL_ARGUMENT);
    storage.read = read_record;
    storage.struct_size = 3;
    EXPECT(zt_node_start(&config, &again), ZT_ERROR_STRUCT_SIZE);
    EXPECT(zt_storage_put(NULL, "x", 1), ZT_ERROR_NULL_ARGUMENT);

    world_stop(&world);
    DIR *dir = opendir(here);
    for (struct dirent *entry; (entry = readdir(dir));)
        DEMAND(entry->d_name[0] == '.');
    closedir(dir);
    while (records.first)
        remove_record(&records, records.first->name);
    return 0;
}
