/* libzt: the ZeroTier V1 protocol for C programs.
 *
 * Conventions, said once and true of every function (in full in ffi/README.md):
 *
 * - A function returns ZT_OK or why not; zt_error_message() says it in words. Outputs come last, are
 *   written on success only, and must not be null.
 * - Handles are numbers, not pointers: one that is 0, wrong or freed gives ZT_ERROR_INVALID_HANDLE.
 * - Structs that may grow begin with struct_size; set it to sizeof before each call. Zero the rest of
 *   those you pass in.
 * - What you pass in is yours and read during the call only. What you get is written into your memory.
 * - Texts are UTF-8 and end with a zero. Networks and addresses are numbers; timeouts are milliseconds.
 * - Every function may be called on any thread, with any handle, at any time.
 *
 * Written by cbindgen from ffi/src/c; do not edit.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef ZT_H
#define ZT_H

#include <stddef.h>
#include <stdint.h>

/**
 * Longest text of an IP address and port, with its end.
 */
#define ZT_ENDPOINT_LEN 64

/**
 * Longest name of a network, and longest domain, with their ends.
 */
#define ZT_NAME_LEN 128

/**
 * A fingerprint in full, with its end.
 */
#define ZT_FINGERPRINT_LEN 97

/**
 * `zt_config.port`: any free port.
 */
#define ZT_PORT_ANY 65536

/**
 * `zt_config.profile`: a machine on somebody's desk.
 */
#define ZT_PROFILE_DESKTOP 0

/**
 * `zt_config.profile`: a phone, where memory and wake-ups are dear.
 */
#define ZT_PROFILE_PHONE 1

/**
 * `zt_config.profile`: a machine that serves others, on an address of its own.
 */
#define ZT_PROFILE_SERVER 2

/**
 * `zt_config.flags`: the node serves networks of its own as their controller.
 */
#define ZT_CONFIG_CONTROLLER 1

/**
 * `zt_config.flags`: peers may be reached at loopback addresses, which the protocol forbids. For a
 * laboratory on one machine, with `bind` at 127.0.0.1.
 */
#define ZT_CONFIG_ALLOW_LOOPBACK 2

/**
 * `zt_config.flags`: `tcp_relay` is used always, and UDP never.
 */
#define ZT_CONFIG_TCP_RELAY_FORCED 4

/**
 * `zt_config.flags`: paths are kept open with as little as on a metered network, always.
 */
#define ZT_CONFIG_LOW_BANDWIDTH 8

/**
 * `zt_config.secondary_port`: none.
 */
#define ZT_PORT_NONE 65537

/**
 * Length of `zt_config.storage_key`, in bytes.
 */
#define ZT_STORAGE_KEY_LEN 32

/**
 * The least `zt_config.memory_budget`, in bytes: 4 MiB.
 */
#define ZT_MEMORY_BUDGET_MIN 4194304

/**
 * `zt_config.port_mapping`: the gateway is asked, unless this is a phone.
 */
#define ZT_PORT_MAPPING_DEFAULT 0

/**
 * `zt_config.port_mapping`: the gateway is asked.
 */
#define ZT_PORT_MAPPING_ON 1

/**
 * `zt_config.port_mapping`: the gateway is not asked.
 */
#define ZT_PORT_MAPPING_OFF 2

/**
 * `zt_config.bonding`: as `local.conf` in the home directory says, or `ZT_BONDING_OFF`.
 */
#define ZT_BONDING_DEFAULT 0

/**
 * `zt_config.bonding`: packets go on the best path, whichever that is at the moment.
 */
#define ZT_BONDING_OFF 1

/**
 * `zt_config.bonding`: packets go on one path as long as it is well; all are watched, so that another
 * can take over within seconds.
 */
#define ZT_BONDING_ACTIVE_BACKUP 2

/**
 * The version of this interface. It rises when something is added; what is there stays as it is.
 */
#define ZT_ABI_VERSION 1

/**
 * Nothing is said.
 */
#define ZT_LOG_OFF 0

/**
 * What stops a node is.
 */
#define ZT_LOG_ERROR 1

/**
 * And what an operator should look at.
 */
#define ZT_LOG_WARN 2

/**
 * And what a user would notice.
 */
#define ZT_LOG_INFO 3

/**
 * And decisions. Shows physical addresses.
 */
#define ZT_LOG_DEBUG 4

/**
 * And each packet.
 */
#define ZT_LOG_TRACE 5

/**
 * Longest text of the log, with its end; longer ones are cut.
 */
#define ZT_LOG_LEN 512

/**
 * Room for a planet file, in bytes.
 */
#define ZT_PLANET_LEN 4096

/**
 * Room for an identity without its private key, as text, with its end.
 */
#define ZT_IDENTITY_LEN 144

/**
 * Room for an identity with its private key, as text, with its end.
 */
#define ZT_SECRET_IDENTITY_LEN 272

/**
 * `zt_status.tcp_relay`: none is configured.
 */
#define ZT_TCP_RELAY_OFF 0

/**
 * `zt_status.tcp_relay`: there is one, but UDP does.
 */
#define ZT_TCP_RELAY_STANDBY 1

/**
 * `zt_status.tcp_relay`: no root answers by UDP, and there is no connection to the relay yet.
 */
#define ZT_TCP_RELAY_CONNECTING 2

/**
 * `zt_status.tcp_relay`: it stands in for UDP.
 */
#define ZT_TCP_RELAY_IN_USE 3

/**
 * `zt_event.kind`: a root answered (`flag` 1), or none has for a while (0).
 */
#define ZT_EVENT_ONLINE 1

/**
 * A network's status changed: `network`, `standing`; `zt_network_status` says all.
 */
#define ZT_EVENT_NETWORK 2

/**
 * What a network means for this machine changed: `network`, `change`; `zt_network_plan` says all.
 */
#define ZT_EVENT_PLAN 3

/**
 * `network` was left.
 */
#define ZT_EVENT_NETWORK_LEFT 4

/**
 * The way to the peer `address` changed: `path`, empty if packets are relayed.
 */
#define ZT_EVENT_PEER 5

/**
 * The roots in force changed.
 */
#define ZT_EVENT_WORLDS 6

/**
 * Another node has this node's address, say roots. If that is confirmed (`flag` 1), this node is of no
 * use before it has another identity.
 */
#define ZT_EVENT_IDENTITY_COLLISION 7

/**
 * Somebody showed a valid identity whose `address` is another's, and was refused: `known` and `offered`
 * are the two fingerprints, `text` says where it came from.
 */
#define ZT_EVENT_IDENTITY_CONFLICT 8

/**
 * The interface or descriptor of `network` is gone.
 */
#define ZT_EVENT_INTERFACE_LOST 9

/**
 * The controller has not answered.
 */
#define ZT_STANDING_REQUESTING 0

/**
 * The network is configured.
 */
#define ZT_STANDING_OK 1

/**
 * The controller refuses this member.
 */
#define ZT_STANDING_ACCESS_DENIED 2

/**
 * The controller knows no such network, or is none.
 */
#define ZT_STANDING_NOT_FOUND 3

/**
 * The user has to log in.
 */
#define ZT_STANDING_AUTHENTICATION_REQUIRED 4

/**
 * There is no interface for it.
 */
#define ZT_STANDING_PORT_ERROR 5

/**
 * Not configured, and whoever is found at the controller's address has another fingerprint than the one
 * given, or seen first. Compare it, and pin the right one (`zt_peer_pin`).
 */
#define ZT_STANDING_IDENTITY_CONFLICT 6

/**
 * Nothing of a plan is news.
 */
#define ZT_CHANGE_NOTHING 0

/**
 * Only the name servers are.
 */
#define ZT_CHANGE_DNS 1

/**
 * MTU, addresses or routes are: a host that cannot change those of an interface needs another.
 */
#define ZT_CHANGE_REESTABLISH 2

/**
 * A port for IP packets: the node resolves addresses itself.
 */
#define ZT_MODE_L3 0

/**
 * A port for Ethernet frames with their 14-byte headers.
 */
#define ZT_MODE_L2 1

/**
 * Nothing stands in front of packets on a descriptor.
 */
#define ZT_FRAMING_PLAIN 0

/**
 * 4 bytes of address family do, as on utun devices of Apple's systems.
 */
#define ZT_FRAMING_ADDRESS_FAMILY 1

/**
 * 10 bytes of `struct virtio_net_hdr` do, with offloads off.
 */
#define ZT_FRAMING_VIRTIO 2

/**
 * Addresses of a network at most.
 */
#define ZT_ADDRESSES_MAX 32

/**
 * Routes of a network at most.
 */
#define ZT_ROUTES_MAX 128

/**
 * Name servers of a network at most.
 */
#define ZT_DNS_SERVERS_MAX 4

/**
 * The peer is a root of the planet.
 */
#define ZT_ROLE_PLANET 0

/**
 * The peer is a root of a moon only.
 */
#define ZT_ROLE_MOON 1

/**
 * The peer is any other node.
 */
#define ZT_ROLE_LEAF 2

/**
 * There is a direct path.
 */
#define ZT_REASON_DIRECT 0

/**
 * Nobody is there to relay: no root answers, as if UDP were blocked.
 */
#define ZT_REASON_NO_ROOT 1

/**
 * Nobody has named an address of the peer this node could try.
 */
#define ZT_REASON_NO_CANDIDATES 2

/**
 * Addresses were tried a moment ago.
 */
#define ZT_REASON_TRYING 3

/**
 * There were direct paths; the peer does not answer on them any more.
 */
#define ZT_REASON_PATH_LOST 4

/**
 * Both translators are in the way: this one's ports nobody can foretell, the other lets in only whom
 * it knows.
 */
#define ZT_REASON_UNPREDICTABLE 5

/**
 * Nobody answers where the peer is said to be.
 */
#define ZT_REASON_NO_ANSWER 6

/**
 * Nothing comes by UDP, so everything goes by TCP through a relay.
 */
#define ZT_REASON_TCP_RELAY 7

/**
 * Fewer than two places have seen this node.
 */
#define ZT_MAPPING_UNKNOWN 0

/**
 * Every place sees the same port.
 */
#define ZT_MAPPING_SAME 1

/**
 * Every place sees another port, each close to the one before.
 */
#define ZT_MAPPING_SEQUENTIAL 2

/**
 * Every place sees another port, and nobody can foretell which.
 */
#define ZT_MAPPING_RANDOM 3

/**
 * A root sees the peer there.
 */
#define ZT_NAMED_BY_ROOT 0

/**
 * The peer said so.
 */
#define ZT_NAMED_BY_PEER 1

/**
 * Nobody did: the peer was heard from there.
 */
#define ZT_NAMED_BY_NOBODY 2

/**
 * The user wants it tried.
 */
#define ZT_NAMED_BY_USER 3

/**
 * The peer is heard there.
 */
#define ZT_OUTCOME_ANSWERS 0

/**
 * It has not answered yet.
 */
#define ZT_OUTCOME_AWAITED 1

/**
 * It did not answer.
 */
#define ZT_OUTCOME_SILENT 2

/**
 * Candidates an explanation has at most.
 */
#define ZT_CANDIDATES_MAX 32

/**
 * A packet from another node to this one.
 */
#define ZT_INBOUND 0

/**
 * A packet from this node to another.
 */
#define ZT_OUTBOUND 1

/**
 * The root is this node.
 */
#define ZT_CONTACT_ME 0

/**
 * The root answers.
 */
#define ZT_CONTACT_ANSWERS 1

/**
 * The root has not answered yet, or not for a while.
 */
#define ZT_CONTACT_SILENT 2

/**
 * The root says that another node has this node's address.
 */
#define ZT_CONTACT_DISPUTES 3

/**
 * Roots of a world at most.
 */
#define ZT_ROOTS_MAX 4

/**
 * Members get an IPv6 address of 6PLANE, which gives each of them a /80 of its own.
 */
#define ZT_HOSTED_SIX_PLANE 1

/**
 * Members get an IPv6 address by RFC 4193.
 */
#define ZT_HOSTED_RFC4193 2

/**
 * Everybody may take part. Otherwise members have to be allowed one by one.
 */
#define ZT_HOSTED_PUBLIC 4

/**
 * `zt_node_set_conditions`: what is sent costs the user money.
 */
#define ZT_CONDITION_METERED 1

/**
 * `zt_node_set_conditions`: what is sent costs power or patience more than elsewhere.
 */
#define ZT_CONDITION_EXPENSIVE 2

/**
 * `zt_node_set_conditions`: there is no network.
 */
#define ZT_CONDITION_OFFLINE 4

/**
 * Longest text about a port mapping, with its end; longer ones are cut.
 */
#define ZT_MAPPING_ERROR_LEN 256

/**
 * Longest name of a reason, with its end.
 */
#define ZT_REASON_LEN 32

/**
 * Room for the name of a piece of state, with its end.
 */
#define ZT_STORE_NAME_LEN 80

/**
 * What a call came back with. Numbers are never used for anything else; more may be added, so treat
 * one you do not know by its hundreds.
 */
enum zt_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It was done.
     */
    ZT_OK = 0,
    /**
     * 1xx are the caller's faults. This one: a pointer that must not be null is null.
     */
    ZT_ERROR_NULL_ARGUMENT = 100,
    /**
     * The handle is none, of another kind, or has been freed.
     */
    ZT_ERROR_INVALID_HANDLE = 101,
    /**
     * An argument means nothing.
     */
    ZT_ERROR_INVALID_ARGUMENT = 102,
    /**
     * `struct_size` is less than the first version of the struct had, or more than this library knows
     * and what it does not know is not zero.
     */
    ZT_ERROR_STRUCT_SIZE = 103,
    /**
     * What is to be written has no room.
     */
    ZT_ERROR_BUFFER_TOO_SMALL = 104,
    /**
     * A text is not UTF-8.
     */
    ZT_ERROR_UTF8 = 105,
    /**
     * The call waits, and was made on a thread that must not.
     */
    ZT_ERROR_WOULD_DEADLOCK = 106,
    /**
     * The descriptor is not open, or none packets can be exchanged by.
     */
    ZT_ERROR_INVALID_DESCRIPTOR = 107,
    /**
     * This system or this build has no such thing.
     */
    ZT_ERROR_UNSUPPORTED = 108,
    /**
     * 2xx: things are not in the state for it. This one: the node has stopped, or the queue has ended.
     */
    ZT_ERROR_STOPPED = 200,
    /**
     * It took too long. What was begun goes on by itself.
     */
    ZT_ERROR_TIMEOUT = 201,
    /**
     * There is nothing to take, or no room.
     */
    ZT_ERROR_WOULD_BLOCK = 202,
    /**
     * The network is not joined.
     */
    ZT_ERROR_NOT_JOINED = 203,
    /**
     * The network is another controller's.
     */
    ZT_ERROR_NOT_CONTROLLER = 204,
    /**
     * The node controls no such network.
     */
    ZT_ERROR_UNKNOWN_NETWORK = 205,
    /**
     * The network's packets go elsewhere.
     */
    ZT_ERROR_NOT_PACKETS = 206,
    /**
     * There is no such moon, pin or peer.
     */
    ZT_ERROR_NOT_FOUND = 207,
    /**
     * A bounded table is full.
     */
    ZT_ERROR_TOO_MANY = 208,
    /**
     * 3xx: the network and its peers. This one: nobody can be the controller of such a network.
     */
    ZT_ERROR_INVALID_NETWORK = 300,
    /**
     * The packet was dropped, or rules are not even asked about it.
     */
    ZT_ERROR_REJECTED = 301,
    /**
     * The UDP port, or the address, cannot be had.
     */
    ZT_ERROR_BIND = 302,
    /**
     * The planet or moon is not accepted.
     */
    ZT_ERROR_WORLD = 303,
    /**
     * The address or fingerprint cannot be that of the node meant.
     */
    ZT_ERROR_WRONG_PEER = 304,
    /**
     * 4xx: what is stored. This one: it cannot be read or written.
     */
    ZT_ERROR_STORAGE = 400,
    /**
     * The identity stored is none, or another than the one given.
     */
    ZT_ERROR_CORRUPT_IDENTITY = 401,
    /**
     * Something else that is stored cannot be understood.
     */
    ZT_ERROR_CORRUPT_STATE = 402,
    /**
     * A secret is sealed, and there is no storage key, another one, or it is damaged.
     */
    ZT_ERROR_SEALED = 403,
    /**
     * 5xx: the system, and the library. This one: the library has failed, which is a defect of it.
     */
    ZT_ERROR_PANIC = 500,
    /**
     * The system has no more threads, descriptors or random numbers.
     */
    ZT_ERROR_OUT_OF_RESOURCES = 501,
    /**
     * The process lacks the right to make an interface, or the host refused a socket.
     */
    ZT_ERROR_NOT_PERMITTED = 502,
    /**
     * The interface cannot be had.
     */
    ZT_ERROR_INTERFACE = 503,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zt_result zt_result;
#else
typedef int32_t zt_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What `zt_storage.read` and `zt_storage.list` answer into, by `zt_storage_put`. It is the library's, of
 * use during that call and on its thread only.
 */
typedef struct zt_sink zt_sink;

/**
 * Something the library said.
 */
typedef struct zt_log_record {
    /**
     * `sizeof(zt_log_record)`.
     */
    uint32_t struct_size;
    /**
     * One of `ZT_LOG_*`.
     */
    uint32_t level;
    /**
     * The module that says it.
     */
    char target[ZT_NAME_LEN];
    /**
     * What it says, with its values.
     */
    char message[ZT_LOG_LEN];
} zt_log_record;

/**
 * Prepares a socket before it is used, as `VpnService.protect` does; 0 has it closed. It must not wait,
 * and must not call the node: a thread of the library runs it.
 */
typedef int32_t (*zt_protect_callback)(void *user_data, int32_t fd);

/**
 * Writes what is kept under `name` by one `zt_storage_put`, or puts nothing if there is nothing. Returns
 * 0, or any other number if that cannot be told.
 */
typedef int32_t (*zt_storage_read)(void *user_data, const char *name, struct zt_sink *to);

/**
 * Keeps `len` bytes under `name`, in place of what was there, which must not be lost meanwhile. Returns
 * 0, or any other number if what was there is still there.
 */
typedef int32_t (*zt_storage_write)(void *user_data, const char *name, const uint8_t *bytes, size_t len);

/**
 * Keeps nothing under `name` any more; that there was nothing is no error. Returns 0, or any other number
 * if it failed.
 */
typedef int32_t (*zt_storage_remove)(void *user_data, const char *name);

/**
 * Writes each name that begins with `prefix` and under which something is kept, in any order, by a
 * `zt_storage_put` of its own, without an end. Returns 0, or any other number if that cannot be told.
 */
typedef int32_t (*zt_storage_list)(void *user_data, const char *prefix, struct zt_sink *to);

/**
 * Keeps what outlives a node, in place of a home directory. The struct is read during `zt_node_start`
 * only; the functions may be called until the node has been freed.
 *
 * Names are those of the files there would be (`identity.secret`, `networks.d/….conf`): letters, digits,
 * dots and slashes. Whatever is written has to be read back, by this node and the next. No two nodes
 * share a storage.
 *
 * Calls come one at a time, on threads of the library that may wait. They must not call the node. What
 * they are given is the library's, during the call only.
 */
typedef struct zt_storage {
    /**
     * `sizeof(zt_storage)`.
     */
    uint32_t struct_size;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * What the functions are called with.
     */
    void *user_data;
    /**
     * None of the functions may be null; what each does is said where its type is.
     */
    zt_storage_read read;
    /**
     * Likewise.
     */
    zt_storage_write write;
    /**
     * Likewise.
     */
    zt_storage_remove remove;
    /**
     * Likewise.
     */
    zt_storage_list list;
} zt_storage;

/**
 * How a node shall run. Everything but `struct_size` and one of `home` and `storage` may be zero. All of
 * it is the caller's, and read during the call only.
 */
typedef struct zt_config {
    /**
     * `sizeof(zt_config)`.
     */
    uint32_t struct_size;
    /**
     * One of `ZT_PROFILE_*`.
     */
    uint32_t profile;
    /**
     * `ZT_CONFIG_*`, or-ed.
     */
    uint32_t flags;
    /**
     * The UDP port to use at every local address: 0 for 9993, or `ZT_PORT_ANY`.
     */
    uint32_t port;
    /**
     * The directory everything that outlives the node is kept in. It is made if it does not exist. Null
     * if there is a `storage`.
     */
    const char *home;
    /**
     * The planet, as in a planet file; null for the one stored, or that of Earth.
     */
    const uint8_t *planet;
    /**
     * Its length, in bytes.
     */
    size_t planet_len;
    /**
     * The identity with its private key, as text. It is stored if there is none, and has to be the
     * one stored if there is. Null for the one stored, or for a new one.
     */
    const char *identity;
    /**
     * The addresses to bind instead of a port, as text (`127.0.0.1:0`), and no others.
     */
    const char *const *bind;
    /**
     * How many.
     */
    size_t bind_count;
    /**
     * Looks at each socket before it is used, until the node has been freed; may be null.
     */
    zt_protect_callback protect;
    /**
     * What `protect` is called with.
     */
    void *protect_user_data;
    /**
     * A second UDP port at every local address, for translators that mishandle the first: 0 for one of
     * the node's own choice, or `ZT_PORT_NONE`. Not used with `bind`.
     */
    uint32_t secondary_port;
    /**
     * One of `ZT_PORT_MAPPING_*`: whether the gateway is asked to let strangers' datagrams through, by
     * PCP, NAT-PMP or UPnP.
     */
    uint32_t port_mapping;
    /**
     * One of `ZT_BONDING_*`: how several paths to one peer are used.
     */
    uint32_t bonding;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * The address of a TCP relay, as text (`192.0.2.1:443`), that stands in for UDP while no root
     * answers by that; null for none. Whoever runs it sees with whom the node speaks, but not what.
     */
    const char *tcp_relay;
    /**
     * `ZT_STORAGE_KEY_LEN` bytes the host keeps, in its Keychain or Keystore, under which secrets, that
     * is the private keys of identities, are sealed before they are stored, by XChaCha20-Poly1305; null
     * to store them in clear. What is stored in clear is sealed at the start; what is sealed is opened
     * with the same key only (`ZT_ERROR_SEALED`).
     */
    const uint8_t *storage_key;
    /**
     * Keeps what outlives the node in place of `home`; may be null.
     */
    const struct zt_storage *storage;
    /**
     * How many bytes the node's tables may take, `ZT_MEMORY_BUDGET_MIN` at least. If 0, 16 MiB on a phone,
     * and elsewhere whatever their own limits allow. At the budget, what costs least to lose makes room;
     * peers in use never do.
     */
    uint64_t memory_budget;
} zt_config;

/**
 * A node. 0 is none.
 */
typedef uint64_t zt_node;

/**
 * How a node is doing.
 */
typedef struct zt_status {
    /**
     * `sizeof(zt_status)`.
     */
    uint32_t struct_size;
    /**
     * 1 if a root was heard recently or the node is one, else 0.
     */
    uint32_t online;
    /**
     * The node's address.
     */
    uint64_t address;
    /**
     * The ID of the planet in force.
     */
    uint64_t planet_id;
    /**
     * Its revision: when it was made, in ms since the Unix epoch.
     */
    uint64_t planet_timestamp;
    /**
     * One of `ZT_TCP_RELAY_*`.
     */
    uint32_t tcp_relay;
    /**
     * How many physical networks packets go through in clear (`zt_node_trusted_paths`).
     */
    uint32_t trusted_paths;
} zt_status;

/**
 * An IP address.
 */
typedef struct zt_ip {
    /**
     * 4 or 6; 0 if there is none.
     */
    uint8_t version;
    /**
     * How many bits name the network it is on, where that is of interest.
     */
    uint8_t bits;
    /**
     * The address, in the first 4 bytes or in all.
     */
    uint8_t bytes[16];
} zt_ip;

/**
 * A physical network packets go through in clear, because the user's `local.conf` trusts whoever has an
 * address there. Elements of an array, so it never grows.
 */
typedef struct zt_trusted_path {
    /**
     * The network.
     */
    struct zt_ip prefix;
    /**
     * What both ends call it.
     */
    uint64_t id;
} zt_trusted_path;

/**
 * Something a host may want to know. What a kind does not use is zero. A host ignores kinds it does
 * not know.
 */
typedef struct zt_event {
    /**
     * `sizeof(zt_event)`.
     */
    uint32_t struct_size;
    /**
     * One of `ZT_EVENT_*`.
     */
    uint32_t kind;
    /**
     * The network concerned.
     */
    uint64_t network;
    /**
     * The node concerned.
     */
    uint64_t address;
    /**
     * One of `ZT_STANDING_*`.
     */
    uint32_t standing;
    /**
     * One of `ZT_CHANGE_*`.
     */
    uint32_t change;
    /**
     * Yes or no.
     */
    uint32_t flag;
    /**
     * A path.
     */
    char path[ZT_ENDPOINT_LEN];
    /**
     * A fingerprint.
     */
    char known[ZT_FINGERPRINT_LEN];
    /**
     * Another.
     */
    char offered[ZT_FINGERPRINT_LEN];
    /**
     * A text for people to read.
     */
    char text[ZT_NAME_LEN];
} zt_event;

/**
 * A network a node is on.
 */
typedef struct zt_network {
    /**
     * `sizeof(zt_network)`.
     */
    uint32_t struct_size;
    /**
     * One of `ZT_STANDING_*`.
     */
    uint32_t standing;
    /**
     * Its ID.
     */
    uint64_t id;
    /**
     * The controller's revision of it, 0 while unknown.
     */
    uint64_t revision;
    /**
     * This node's MAC on it.
     */
    uint8_t mac[6];
    /**
     * The MTU of its interface, in bytes.
     */
    uint16_t mtu;
    /**
     * 1 if members have to be allowed, and while unknown.
     */
    uint8_t is_private;
    /**
     * 1 if devices behind this node may take part.
     */
    uint8_t bridge;
    /**
     * 1 if frames to ff:ff:ff:ff:ff:ff may be sent.
     */
    uint8_t broadcast;
    /**
     * 1 if the user has to log in.
     */
    uint8_t needs_login;
    /**
     * How many addresses.
     */
    uint32_t address_count;
    /**
     * This node's managed addresses.
     */
    struct zt_ip addresses[ZT_ADDRESSES_MAX];
    /**
     * Its name, empty while unknown.
     */
    char name[ZT_NAME_LEN];
} zt_network;

/**
 * What the user allows a network to do to this machine.
 */
typedef struct zt_settings {
    /**
     * `sizeof(zt_settings)`.
     */
    uint32_t struct_size;
    /**
     * 1 if managed addresses and routes are taken at all.
     */
    uint8_t managed;
    /**
     * 1 if they may be public addresses.
     */
    uint8_t global;
    /**
     * 1 if the network may become the default route.
     */
    uint8_t default_route;
    /**
     * 1 if the network may set name servers.
     */
    uint8_t dns;
    /**
     * If not 0, only addresses and routes within so many of `only` are taken.
     */
    uint32_t only_count;
    /**
     * Networks.
     */
    struct zt_ip only[ZT_ADDRESSES_MAX];
} zt_settings;

/**
 * A route through a network's interface. A default route is one whose target has no bits.
 */
typedef struct zt_route {
    /**
     * Destination, host bits zero.
     */
    struct zt_ip target;
    /**
     * Gateway; of version 0 if on-link.
     */
    struct zt_ip via;
    /**
     * The address packets are sent from.
     */
    struct zt_ip source;
} zt_route;

/**
 * The state a network's interface should be in.
 */
typedef struct zt_plan {
    /**
     * `sizeof(zt_plan)`.
     */
    uint32_t struct_size;
    /**
     * MTU, in bytes.
     */
    uint32_t mtu;
    /**
     * How many addresses.
     */
    uint32_t address_count;
    /**
     * How many routes.
     */
    uint32_t route_count;
    /**
     * How many name servers.
     */
    uint32_t dns_server_count;
    /**
     * This node's addresses, whose prefixes are on the link.
     */
    struct zt_ip addresses[ZT_ADDRESSES_MAX];
    /**
     * Routes, those without gateway first. Default routes count only while the node is online.
     */
    struct zt_route routes[ZT_ROUTES_MAX];
    /**
     * Name servers.
     */
    struct zt_ip dns_servers[ZT_DNS_SERVERS_MAX];
    /**
     * The domain they are for.
     */
    char dns_domain[ZT_NAME_LEN];
} zt_plan;

/**
 * How a descriptor is used.
 */
typedef struct zt_tun_options {
    /**
     * `sizeof(zt_tun_options)`.
     */
    uint32_t struct_size;
    /**
     * One of `ZT_MODE_*`.
     */
    uint32_t mode;
    /**
     * One of `ZT_FRAMING_*`.
     */
    uint32_t framing;
} zt_tun_options;

/**
 * The packets of a network, exchanged with this program. 0 is none.
 */
typedef uint64_t zt_packets;

/**
 * Called with a packet that came out of a network. The packet is the library's, and there during the
 * call only.
 */
typedef void (*zt_packet_callback)(void *user_data, const uint8_t *packet, size_t len);

/**
 * A peer. Elements of an array, so it never grows.
 */
typedef struct zt_peer {
    /**
     * Its address.
     */
    uint64_t address;
    /**
     * One of `ZT_ROLE_*`.
     */
    uint32_t role;
    /**
     * Round-trip time of the path in use, in ms; -1 if it was not measured.
     */
    int32_t latency_ms;
    /**
     * Protocol, major, minor, revision; all 0 before it has said.
     */
    uint16_t version[4];
    /**
     * How many paths there are.
     */
    uint32_t path_count;
    /**
     * The path in use; empty if packets are relayed.
     */
    char path[ZT_ENDPOINT_LEN];
} zt_peer;

/**
 * An address a peer was or may be at.
 */
typedef struct zt_candidate {
    /**
     * Where.
     */
    char endpoint[ZT_ENDPOINT_LEN];
    /**
     * One of `ZT_NAMED_BY_*`.
     */
    uint32_t named_by;
    /**
     * One of `ZT_OUTCOME_*`.
     */
    uint32_t outcome;
    /**
     * With `ZT_OUTCOME_ANSWERS` the round-trip time in ms, or -1; with `ZT_OUTCOME_SILENT` how many
     * times in a row.
     */
    int64_t value;
    /**
     * How long ago the peer was last asked to answer there, in ms; -1 if it was not.
     */
    int64_t probed_ms_ago;
} zt_candidate;

/**
 * Why packets get to a peer the way they do.
 */
typedef struct zt_explanation {
    /**
     * `sizeof(zt_explanation)`.
     */
    uint32_t struct_size;
    /**
     * One of `ZT_REASON_*`.
     */
    uint32_t reason;
    /**
     * The root that relays what has no direct path; 0 if there is none.
     */
    uint64_t relay;
    /**
     * Where that root is.
     */
    char relay_endpoint[ZT_ENDPOINT_LEN];
    /**
     * What is between this node and the Internet by IPv4: one of `ZT_MAPPING_*`.
     */
    uint32_t mapping_v4;
    /**
     * The same by IPv6.
     */
    uint32_t mapping_v6;
    /**
     * How long until a candidate is tried again, in ms; -1 if that is not certain.
     */
    int64_t next_try_ms;
    /**
     * How many candidates follow.
     */
    uint32_t candidate_count;
    /**
     * Where the peer was or may be: paths first, then addresses that were only tried.
     */
    struct zt_candidate candidates[ZT_CANDIDATES_MAX];
} zt_explanation;

/**
 * An address and the fingerprint of its one holder. Elements of an array, so it never grows.
 */
typedef struct zt_pin {
    /**
     * The address.
     */
    uint64_t address;
    /**
     * 1 if it was pinned, 0 if this is who was there first.
     */
    uint32_t is_pinned;
    /**
     * The fingerprint, in full or in short, as it was told.
     */
    char fingerprint[ZT_FINGERPRINT_LEN];
} zt_pin;

/**
 * Whether the rules of a network let a packet pass, and why.
 */
typedef struct zt_verdict {
    /**
     * `sizeof(zt_verdict)`.
     */
    uint32_t struct_size;
    /**
     * 1 if it passes, else 0.
     */
    uint32_t passes;
    /**
     * To whom it is sent instead; 0 if rules do not say so.
     */
    uint64_t redirected_to;
    /**
     * The place of the rule that decided, from 0; -1 if none did, which drops the packet.
     */
    int32_t rule;
    /**
     * 1 if that rule belongs to the sender's capability `capability`, 0 if to the network.
     */
    uint32_t by_capability;
    /**
     * Which capability.
     */
    uint32_t capability;
} zt_verdict;

/**
 * A root of a world.
 */
typedef struct zt_root {
    /**
     * Its address.
     */
    uint64_t address;
    /**
     * One of `ZT_CONTACT_*`.
     */
    uint32_t contact;
    /**
     * The path on which it answers; empty if there is none of its own.
     */
    char path[ZT_ENDPOINT_LEN];
} zt_root;

/**
 * A planet or moon in force.
 */
typedef struct zt_world {
    /**
     * `sizeof(zt_world)`.
     */
    uint32_t struct_size;
    /**
     * How many roots it has.
     */
    uint32_t root_count;
    /**
     * Its ID.
     */
    uint64_t id;
    /**
     * Its revision: when it was made, in ms since the Unix epoch.
     */
    uint64_t timestamp;
    /**
     * Its roots.
     */
    struct zt_root roots[ZT_ROOTS_MAX];
} zt_world;

/**
 * A route members of a network install.
 */
typedef struct zt_hosted_route {
    /**
     * Destination and length of its prefix.
     */
    struct zt_ip target;
    /**
     * Gateway; of version 0 if on-link.
     */
    struct zt_ip via;
} zt_hosted_route;

/**
 * How a new network shall be. Everything but `struct_size` may be zero.
 */
typedef struct zt_hosted_network {
    /**
     * `sizeof(zt_hosted_network)`.
     */
    uint32_t struct_size;
    /**
     * `ZT_HOSTED_*`, or-ed.
     */
    uint32_t flags;
    /**
     * What people call it; may be null.
     */
    const char *name;
    /**
     * Ranges members get addresses from, each as text: `10.1.0.1-10.1.0.99`.
     */
    const char *const *pools;
    /**
     * How many.
     */
    size_t pool_count;
    /**
     * Routes members install. Addresses are assigned only where a route leads.
     */
    const struct zt_hosted_route *routes;
    /**
     * How many.
     */
    size_t route_count;
} zt_hosted_network;

/**
 * What came of asking the gateway for a port.
 */
typedef struct zt_port_mapping {
    /**
     * `sizeof(zt_port_mapping)`.
     */
    uint32_t struct_size;
    /**
     * 1 if a port of the gateway's leads to this node, else 0.
     */
    uint32_t mapped;
    /**
     * How it was asked for: `pcp`, `nat-pmp` or `upnp`.
     */
    char method[16];
    /**
     * Where it leads, as text.
     */
    char internal[ZT_ENDPOINT_LEN];
    /**
     * Where anybody may reach this node, as text.
     */
    char external[ZT_ENDPOINT_LEN];
    /**
     * Until when it is granted, in ms since the Unix epoch; 0 if for ever. It is renewed before.
     */
    uint64_t expires_ms;
    /**
     * Why the last attempt to get or keep one failed, for people to read; empty if it did not.
     */
    char error[ZT_MAPPING_ERROR_LEN];
} zt_port_mapping;

/**
 * What was lost around the node since it started, what has woken it, and what it takes of memory.
 */
typedef struct zt_statistics {
    /**
     * `sizeof(zt_statistics)`.
     */
    uint32_t struct_size;
    /**
     * How many reasons to drop something there were (`zt_node_drops`).
     */
    uint32_t reasons;
    /**
     * Packets and frames dropped, for whatever reason.
     */
    uint64_t dropped;
    /**
     * Datagrams the system did not send, and those that came in from a virtual network.
     */
    uint64_t lost_datagrams;
    /**
     * Frames the host did not take.
     */
    uint64_t lost_frames;
    /**
     * Events nobody took.
     */
    uint64_t lost_events;
    /**
     * How often the node was woken by a timer of its own (`zt_node_timers`). On a phone each time costs
     * power.
     */
    uint64_t woken_by_timers;
    /**
     * By datagrams.
     */
    uint64_t woken_by_datagrams;
    /**
     * Because the host has sent to a network.
     */
    uint64_t woken_by_frames;
    /**
     * Because the host asked something.
     */
    uint64_t woken_by_requests;
    /**
     * Because interfaces, the gateway or files changed.
     */
    uint64_t woken_by_changes;
    /**
     * What the node's tables may take of memory, in bytes; 0 if only their own limits bound them.
     */
    uint64_t memory_budget;
    /**
     * What they take, all together. Buffers for packets on their way, of a fixed size, and the code come
     * on top.
     */
    uint64_t memory_total;
    /**
     * Of that, who is known: peers with their paths and keys, and pins.
     */
    uint64_t memory_peers;
    /**
     * The networks that are joined: configurations, members, multicast groups.
     */
    uint64_t memory_networks;
    /**
     * Packets that wait or are being put together.
     */
    uint64_t memory_packets;
    /**
     * Which packets were taken in lately, so that none counts twice.
     */
    uint64_t memory_replays;
    /**
     * The networks this node controls, with their members.
     */
    uint64_t memory_controller;
} zt_statistics;

/**
 * How often something was dropped for a reason. Elements of an array, so it never grows.
 */
typedef struct zt_drop {
    /**
     * The reason's name, for instance `not_authentic`.
     */
    char reason[ZT_REASON_LEN];
    /**
     * How often.
     */
    uint64_t count;
} zt_drop;

/**
 * How often a timer has woken a node. Elements of an array, so it never grows.
 */
typedef struct zt_timer {
    /**
     * What for, for instance `peer_probe`.
     */
    char reason[ZT_REASON_LEN];
    /**
     * How often.
     */
    uint64_t count;
} zt_timer;

/**
 * How an engine shall be. All of it is the caller's, and read during the call only.
 */
typedef struct zt_engine_config {
    /**
     * `sizeof(zt_engine_config)`.
     */
    uint32_t struct_size;
    /**
     * `ZT_CONFIG_ALLOW_LOOPBACK`, or 0.
     */
    uint32_t flags;
    /**
     * The identity with its private key, as text.
     */
    const char *identity;
    /**
     * The planet, as in a planet file; null for that of Earth.
     */
    const uint8_t *planet;
    /**
     * Its length, in bytes.
     */
    size_t planet_len;
    /**
     * What was saved last under the name `epoch`; null the first time. A program that keeps the
     * identity has to keep this as well, before it sends anything: packet IDs follow from it.
     */
    const uint8_t *epoch;
    /**
     * Its length, in bytes.
     */
    size_t epoch_len;
    /**
     * Random bytes, never used before.
     */
    uint8_t seed[32];
    /**
     * The time of the program's clock, in us since whenever. It has to count while the machine sleeps.
     */
    uint64_t now_us;
    /**
     * The wall clock's time, in ms since the Unix epoch.
     */
    uint64_t unix_ms;
    /**
     * How many bytes the node's tables may take, `ZT_MEMORY_BUDGET_MIN` at least. If 0, whatever their own
     * limits allow.
     */
    uint64_t memory_budget;
} zt_engine_config;

/**
 * An engine. 0 is none.
 */
typedef uint64_t zt_engine;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns what was wrong with the last call of this thread that failed, for people to read: who is at
 * fault, and what to do. Null if none has failed.
 *
 * The text is the library's, and there until the next call of this thread that fails.
 *
 * Thread-safe. Does not wait.
 */
const char *zt_error_message(void);

/**
 * Returns the version of the interface of the library that was loaded. A program compiled for a later
 * one, `ZT_ABI_VERSION`, asks for what this library may not have.
 *
 * Thread-safe. Does not wait.
 */
uint32_t zt_abi_version(void);

/**
 * Sets how much is said from now on, in all nodes of the process: one of `ZT_LOG_*`. Nothing is,
 * unless this is called.
 *
 * Thread-safe. Does not wait.
 */
zt_result zt_log_set_level(uint32_t level);

/**
 * Takes the next thing said. Of more than 1024 that nobody takes the oldest are forgotten.
 * `ZT_ERROR_TIMEOUT` if there is none.
 *
 * Thread-safe. Waits at most `timeout_ms`; negative is as long as a number can say.
 *
 * Pointers: `out` is null or points to a `zt_log_record` whose `struct_size` is set.
 */
zt_result zt_log_next(int32_t timeout_ms, struct zt_log_record *out);

/**
 * Makes an identity and writes it with its private key, as text. Whoever has this is the node.
 *
 * Thread-safe. Takes a second or two.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes; `ZT_SECRET_IDENTITY_LEN` are enough.
 */
zt_result zt_identity_generate(char *buffer, size_t capacity);

/**
 * Makes a planet of one root, of this identity and at this endpoint (`192.0.2.1:9993`), and writes it as
 * a planet file; `*len` is its length. Nobody can make a later revision of it: for that there is
 * `zt planet` of the command-line program.
 *
 * Thread-safe. Takes some milliseconds.
 *
 * Pointers: `identity` and `endpoint` are null or texts; `buffer` is null or has room for `capacity` bytes,
 * `ZT_PLANET_LEN` are enough; `len` is null or points to a number.
 */
zt_result zt_planet_make(uint64_t id,
                         const char *identity,
                         const char *endpoint,
                         uint8_t *buffer,
                         size_t capacity,
                         size_t *len);

/**
 * Starts a node; `*out` is its handle, which `zt_node_free` takes back.
 *
 * A node without an identity makes one, which takes a second or two. Any number of nodes may run in
 * a process, each with a home directory of its own.
 *
 * Thread-safe. Waits for the disk, and for a new identity.
 *
 * Pointers: `config` is null or points to a `zt_config` whose members are as described; `out` is null or
 * points to a handle.
 */
zt_result zt_node_start(const struct zt_config *config, zt_node *out);

/**
 * Stops a node and waits until its state is saved and its interfaces are gone. Whoever waits for it
 * is told `ZT_ERROR_STOPPED`. Once it has stopped, this does nothing. The handle stays.
 *
 * Thread-safe. Waits for at most 10 s, then returns `ZT_ERROR_TIMEOUT`, and the node goes on stopping.
 */
zt_result zt_node_stop(zt_node node);

/**
 * Takes a handle back and stops the node as `zt_node_stop` does. Nobody can use the handle from then
 * on; whoever waits with it is told `ZT_ERROR_STOPPED`.
 *
 * With 0 it does nothing. May be called on any thread, from a callback of the library as well.
 *
 * Thread-safe. Waits as `zt_node_stop` does, but the handle is taken back in any case.
 */
zt_result zt_node_free(zt_node node);

/**
 * Writes the node's address.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `out` is null or points to an address.
 */
zt_result zt_node_address(zt_node node, uint64_t *out);

/**
 * Writes the node's identity without its private key, as text.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes; `ZT_IDENTITY_LEN` are enough.
 */
zt_result zt_node_identity(zt_node node, char *buffer, size_t capacity);

/**
 * Writes where the node's sockets are bound, as text, `capacity` of them at most; `*count` is how many
 * there are.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `endpoints` is null or has room for `capacity` texts of `ZT_ENDPOINT_LEN` bytes; `count` is null or
 * points to a number.
 */
zt_result zt_node_bound(zt_node node, char (*endpoints)[ZT_ENDPOINT_LEN], size_t capacity, size_t *count);

/**
 * Writes how the node is doing.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a `zt_status` whose `struct_size` is set.
 */
zt_result zt_node_status(zt_node node, struct zt_status *out);

/**
 * Writes which physical networks packets go through in clear, `capacity` of them at most; `*count` is
 * how many there are.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `paths` is null or has room for `capacity` of them; `count` is null or points to a number.
 */
zt_result zt_node_trusted_paths(zt_node node, struct zt_trusted_path *paths, size_t capacity, size_t *count);

/**
 * Reads `local.conf` and `trustedpaths` again, after the user has edited them, and goes by what has
 * changed in them: rules for physical addresses, bonding, low-bandwidth mode.
 *
 * What takes effect at the next start only, such as a port, and what cannot be understood, is a warning in
 * the log (`zt_log_next`) that names its key; the rest counts, and the result is `ZT_OK`. What `zt_config`
 * says goes before the files. `ZT_ERROR_CORRUPT_STATE` if `local.conf` is no JSON object, or it is not
 * clear what it wants avoided; `ZT_ERROR_STORAGE` if it cannot be read: the node goes on as before.
 *
 * Thread-safe. Waits for the disk and the node, which takes milliseconds.
 */
zt_result zt_node_reload_local_conf(zt_node node);

/**
 * Writes a descriptor to wait on, by `poll` for instance: it is readable while there is an event to
 * take, and once the node has stopped. The caller closes it, and must not read from it.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `out` is null or points to a descriptor.
 */
zt_result zt_node_event_fd(zt_node node, int32_t *out);

/**
 * Takes the next event. Each is given to one caller; of more than 1024 that nobody takes the oldest
 * are forgotten, and counted in `zt_statistics`.
 *
 * `ZT_ERROR_TIMEOUT` if there is none, `ZT_ERROR_STOPPED` once there will be none any more.
 *
 * Thread-safe. Waits at most `timeout_ms`: not at all if 0, for ever if negative.
 *
 * Pointers: `out` is null or points to a `zt_event` whose `struct_size` is set.
 */
zt_result zt_node_next_event(zt_node node, int32_t timeout_ms, struct zt_event *out);

/**
 * Joins a network. Packets for the host are dropped until something is attached: `zt_network_attach_tun`,
 * `zt_network_attach_interface` or `zt_network_packets_open`. Joining a network twice is no error.
 *
 * Returns at once; the controller's answer follows as `ZT_EVENT_NETWORK`. The membership outlives the
 * node, but a node started anew has to be told which networks to join again.
 *
 * `fingerprint` of the controller may be null; then whoever configures the network first is its
 * controller from then on.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `fingerprint` is null or a text.
 */
zt_result zt_network_join(zt_node node, uint64_t network, const char *fingerprint);

/**
 * Leaves a network and forgets everything about it.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_network_leave(zt_node node, uint64_t network);

/**
 * Writes the IDs of the networks that are joined, or were when the node last ran, `capacity` of them at
 * most; `*count` is how many there are.
 *
 * Thread-safe. Waits for the disk.
 *
 * Pointers: `ids` is null or has room for `capacity` IDs; `count` is null or points to a number.
 */
zt_result zt_network_list(zt_node node, uint64_t *ids, size_t capacity, size_t *count);

/**
 * Writes how a joined network stands.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a `zt_network` whose `struct_size` is set.
 */
zt_result zt_network_status(zt_node node, uint64_t network, struct zt_network *out);

/**
 * Writes where the user has to log in, while a network stands at `ZT_STANDING_AUTHENTICATION_REQUIRED`.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes.
 */
zt_result zt_network_login_url(zt_node node, uint64_t network, char *buffer, size_t capacity);

/**
 * Writes what the user allows a network, joined or not.
 *
 * Thread-safe. Waits for the disk.
 *
 * Pointers: `out` is null or points to a `zt_settings` whose `struct_size` is set.
 */
zt_result zt_network_settings(zt_node node, uint64_t network, struct zt_settings *out);

/**
 * Allows a network this much and no more, at once and from now on, until it is left.
 *
 * Thread-safe. Waits for the disk.
 *
 * Pointers: `settings` is null or points to a `zt_settings`.
 */
zt_result zt_network_set_settings(zt_node node, uint64_t network, const struct zt_settings *settings);

/**
 * Writes what a network means for this machine.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a `zt_plan` whose `struct_size` is set.
 */
zt_result zt_network_plan(zt_node node, uint64_t network, struct zt_plan *out);

/**
 * Writes how much of `plan` is news to a host that has carried out `old`: one of `ZT_CHANGE_*`.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `old` and `plan` are null or point to plans, `out` is null or points to a number.
 */
zt_result zt_plan_diff(const struct zt_plan *old, const struct zt_plan *plan, uint32_t *out);

/**
 * Attaches a descriptor of the host's to a joined network: a TUN device, or one end of a socket pair.
 * Each read and write of it is one packet.
 *
 * The node uses a duplicate of it, so the host may close it at once; both are non-blocking from then
 * on. A descriptor takes the place of another without loss: what the host has put into the old one is
 * sent before that is closed. With null options: IP packets, and nothing in front of them.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `options` is null or points to `zt_tun_options`.
 */
zt_result zt_network_attach_tun(zt_node node,
                                uint64_t network,
                                int32_t fd,
                                const struct zt_tun_options *options);

/**
 * Has the node make an interface for a joined network, and configure it. That needs rights. `name` may
 * be null for one derived from the network's ID.
 *
 * Thread-safe. Waits for the system.
 *
 * Pointers: `name` is null or a text.
 */
zt_result zt_network_attach_interface(zt_node node, uint64_t network, uint32_t mode, const char *name);

/**
 * Attaches nothing to a joined network: packets for the host are dropped, and what was attached is
 * closed.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_network_detach(zt_node node, uint64_t network);

/**
 * Joins a network, or attaches another port to one that is joined, so that this program exchanges its
 * packets; `*out` is a handle, which `zt_packets_close` takes back. Opened again, an earlier handle
 * gets `ZT_ERROR_STOPPED`, as it does once the network is left or the node stops.
 *
 * `mode` is one of `ZT_MODE_*`.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a handle.
 */
zt_result zt_network_packets_open(zt_node node, uint64_t network, uint32_t mode, zt_packets *out);

/**
 * Passes `count` packets into the network; `*taken` is how many there was room for. The others are
 * the caller's, to pass in again or to drop. They lie back to back in `slab`, their lengths in
 * `lengths`. All of it is copied.
 *
 * `ZT_ERROR_WOULD_BLOCK` if there was room for none, `ZT_ERROR_STOPPED` once the queue has ended.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `slab` is null or has `slab_len` bytes, `lengths` is null or has `count` numbers, `taken` is null or
 * points to a number.
 */
zt_result zt_network_packets_in(zt_packets packets,
                                const uint8_t *slab,
                                size_t slab_len,
                                const uint32_t *lengths,
                                size_t count,
                                size_t *taken);

/**
 * Passes one packet into the network. It is copied.
 *
 * `ZT_ERROR_WOULD_BLOCK` if there is no room, `ZT_ERROR_STOPPED` once the queue has ended.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `packet` is null or has `len` bytes.
 */
zt_result zt_network_packet_in(zt_packets packets, const uint8_t *packet, size_t len);

/**
 * Takes packets out of the network, back to back into `slab` and their lengths into `lengths`, until
 * there are `capacity`, or the next has no room, or there is none; `*count` is how many.
 *
 * `ZT_ERROR_TIMEOUT` if there are none, `ZT_ERROR_STOPPED` once the queue has ended,
 * `ZT_ERROR_BUFFER_TOO_SMALL` if not even the next has room: 10240 bytes are enough for any.
 *
 * Thread-safe. Waits at most `timeout_ms` for the first: not at all if 0, for ever if negative.
 *
 * Pointers: `slab` is null or has room for `slab_len` bytes, `lengths` is null or has room for `capacity`
 * numbers, `count` is null or points to a number.
 */
zt_result zt_network_packets_out(zt_packets packets,
                                 int32_t timeout_ms,
                                 uint8_t *slab,
                                 size_t slab_len,
                                 uint32_t *lengths,
                                 size_t capacity,
                                 size_t *count);

/**
 * Takes one packet out of the network; `*len` is its length.
 *
 * Results, and how long it waits, are as of `zt_network_packets_out`.
 *
 * Thread-safe.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes, `len` is null or points to a number.
 */
zt_result zt_network_packet_out(zt_packets packets,
                                int32_t timeout_ms,
                                uint8_t *buffer,
                                size_t capacity,
                                size_t *len);

/**
 * Has packets that come out of the network handed to `callback`, one at a time, on a thread the
 * library makes for it; or no more, if it is null. Takes the place of a callback set before.
 *
 * The callback may call anything in this library, on this handle as well, and must not unwind. When
 * this returns, an earlier callback is not running and will not run again, so that what it was given
 * can be freed; only a callback that calls this itself is, of course, still running.
 *
 * Thread-safe. Waits for an earlier callback to return.
 *
 * Pointers: `callback` is null or may be called with `user_data`, on another thread, until this is called again
 * or the handle is closed.
 */
zt_result zt_network_packets_callback(zt_packets packets, zt_packet_callback callback, void *user_data);

/**
 * Takes a handle back. Whoever waits with it is told `ZT_ERROR_STOPPED`, and a callback ends as by
 * `zt_network_packets_callback`. The network stays joined, and its packets are dropped.
 *
 * With 0 it does nothing. Thread-safe. Waits for a callback to return, unless called from it.
 */
zt_result zt_packets_close(zt_packets packets);

/**
 * Writes the known peers by ascending address, `capacity` of them at most; `*count` is how many there
 * are.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `peers` is null or has room for `capacity` peers; `count` is null or points to a number.
 */
zt_result zt_peer_list(zt_node node, struct zt_peer *peers, size_t capacity, size_t *count);

/**
 * Writes why packets get to a peer the way they do. `ZT_ERROR_NOT_FOUND` if no such peer is known.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a `zt_explanation` whose `struct_size` is set.
 */
zt_result zt_peer_explain(zt_node node, uint64_t peer, struct zt_explanation *out);

/**
 * Writes the fingerprint of whoever is known at an address, this node included, in full.
 * `ZT_ERROR_NOT_FOUND` if nobody is.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes; `ZT_FINGERPRINT_LEN` are enough.
 */
zt_result zt_peer_fingerprint(zt_node node, uint64_t peer, char *buffer, size_t capacity);

/**
 * Lets only the identity of this fingerprint, in any form people write it, hold an address.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `fingerprint` is null or a text.
 */
zt_result zt_peer_pin(zt_node node, uint64_t peer, const char *fingerprint);

/**
 * Takes a pin back, or forgets who was first seen at an address.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_peer_unpin(zt_node node, uint64_t peer);

/**
 * Has nobody but roots for a peer who is not pinned (`required` not 0), or anybody again (0).
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_node_require_pinned(zt_node node, uint32_t required);

/**
 * Writes who holds which address, `capacity` of them at most; `*count` is how many there are, and
 * `*required` 1 if peers have to be pinned.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `pins` is null or has room for `capacity` pins; `count` and `required` are null or point to numbers.
 */
zt_result zt_node_pins(zt_node node, struct zt_pin *pins, size_t capacity, size_t *count, uint32_t *required);

/**
 * Writes whether the rules of a network let an IP packet pass between this node and `peer`, and why,
 * without sending anything. `ZT_ERROR_REJECTED` if rules are not even asked. `direction` is
 * `ZT_INBOUND` or `ZT_OUTBOUND`.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `packet` is null or has `len` bytes; `out` is null or points to a `zt_verdict` whose `struct_size` is
 * set.
 */
zt_result zt_network_would_allow(zt_node node,
                                 uint64_t network,
                                 uint64_t peer,
                                 const uint8_t *packet,
                                 size_t len,
                                 uint32_t direction,
                                 struct zt_verdict *out);

/**
 * Uses the roots of a moon beside those of the planet; asks `seed`, one of its roots, for it. `seed`
 * may be 0 if the moon is known already.
 *
 * Returns at once; when the seed has answered, `ZT_EVENT_WORLDS` follows.
 *
 * Thread-safe. Waits for the disk.
 */
zt_result zt_node_orbit(zt_node node, uint64_t moon, uint64_t seed);

/**
 * Uses the roots of the moon in a moon file.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `file` is null or has `len` bytes.
 */
zt_result zt_node_orbit_file(zt_node node, const uint8_t *file, size_t len);

/**
 * Does without a moon, or no longer asks for it.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_node_deorbit(zt_node node, uint64_t moon);

/**
 * Writes the planet in force (`index` 0) or one of the moons, from 1, by ascending ID.
 * `ZT_ERROR_NOT_FOUND` if there are not so many.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a `zt_world` whose `struct_size` is set.
 */
zt_result zt_node_world(zt_node node, size_t index, struct zt_world *out);

/**
 * Makes a network that this node controls; `*out` is its ID. The node has to have been started with
 * `ZT_CONFIG_CONTROLLER` to serve it.
 *
 * Thread-safe. Waits for the disk.
 *
 * Pointers: `network` is null or points to a `zt_hosted_network` whose members are as described; `out` is null or
 * points to an ID.
 */
zt_result zt_hosted_create(zt_node node, const struct zt_hosted_network *network, uint64_t *out);

/**
 * Lets a member onto a network this node controls, whether it has asked yet or not.
 *
 * Thread-safe. Waits for the disk.
 */
zt_result zt_hosted_allow(zt_node node, uint64_t network, uint64_t member);

/**
 * Takes a member off a network this node controls.
 *
 * Thread-safe. Waits for the disk.
 */
zt_result zt_hosted_deny(zt_node node, uint64_t network, uint64_t member);

/**
 * Has `protect` look at every socket of the node from here on, before it is used, those there are
 * included. `ZT_ERROR_NOT_PERMITTED` if it refused one of those, which is closed. To have it from the
 * start, set it in `zt_config`.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `protect` is null or may be called with `user_data`, on any thread, until the node has been freed.
 */
zt_result zt_node_set_protect(zt_node node, zt_protect_callback protect, void *user_data);

/**
 * Says that the machine may be in another network: sockets are opened anew, all paths and roots tried
 * at once. On phones for each change of the default network; once too often does no harm.
 *
 * Thread-safe. Waits for the node, which takes milliseconds.
 */
zt_result zt_node_network_changed(zt_node node);

/**
 * Says what the machine's network is like, until told otherwise: `ZT_CONDITION_*`, or-ed.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_node_set_conditions(zt_node node, uint32_t conditions);

/**
 * Says that the machine is about to sleep: what the node knows is saved, and it does nothing until
 * `zt_node_wake`.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 */
zt_result zt_node_sleep(zt_node node);

/**
 * Says that the machine is awake again, perhaps in another network.
 *
 * Thread-safe. Waits for the node, which takes milliseconds.
 */
zt_result zt_node_wake(zt_node node);

/**
 * Says that the machine is short of memory: the node gives back what it can do without, and the system gets
 * the pages, where the allocator has a call for that. Connections in use go on; others are found anew when
 * they are used. To have a node never take more than so much: `zt_config.memory_budget`.
 *
 * Thread-safe. Waits for the node and the allocator, which takes milliseconds.
 */
zt_result zt_node_trim_memory(zt_node node);

/**
 * Uses the interface of this name and no other, or all of them if it is null.
 *
 * Thread-safe. Waits for the node, which takes milliseconds.
 *
 * Pointers: `name` is null or a text.
 */
zt_result zt_node_bind_to_interface(zt_node node, const char *name);

/**
 * Writes what came of asking the gateway for a port. `ZT_ERROR_NOT_FOUND` if it is not asked.
 *
 * Thread-safe. Does not wait.
 *
 * Pointers: `out` is null or points to a `zt_port_mapping` whose `struct_size` is set.
 */
zt_result zt_node_port_mapping(zt_node node, struct zt_port_mapping *out);

/**
 * Answers a `zt_storage.read` or `zt_storage.list`: the content, or one name.
 *
 * To be called within those only, on their thread. Does not wait.
 *
 * Pointers: `to` is null or what the callback was given; `bytes` is null or points to `len` bytes.
 */
zt_result zt_storage_put(struct zt_sink *to, const void *bytes, size_t len);

/**
 * Writes what was lost since the node started, what has woken it, and what it takes of memory.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `out` is null or points to a `zt_statistics` whose `struct_size` is set.
 */
zt_result zt_node_statistics(zt_node node, struct zt_statistics *out);

/**
 * Writes how often what was dropped for which reason, `capacity` of them at most; `*count` is how many
 * reasons there were.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `drops` is null or has room for `capacity` of them; `count` is null or points to a number.
 */
zt_result zt_node_drops(zt_node node, struct zt_drop *drops, size_t capacity, size_t *count);

/**
 * Writes how often which timer has woken the node, `capacity` of them at most; `*count` is how many have.
 *
 * Thread-safe. Waits for the node, which takes microseconds.
 *
 * Pointers: `timers` is null or has room for `capacity` of them; `count` is null or points to a number.
 */
zt_result zt_node_timers(zt_node node, struct zt_timer *timers, size_t capacity, size_t *count);

/**
 * Makes a node without anything around it; `*out` is its handle, which `zt_engine_free` takes back.
 *
 * After each call that passes something in, take out what there is: datagrams to send
 * (`zt_engine_datagram_out`), frames for the host (`zt_engine_frame_out`), events
 * (`zt_engine_next_event`), state to save (`zt_engine_store_out`), and when to call `zt_engine_timeout`
 * (`zt_engine_next_deadline`). Nothing waits, ever.
 *
 * Thread-safe, but one thread at a time uses an engine; others wait for it.
 *
 * Pointers: `config` is null or points to a `zt_engine_config` whose members are as described; `out` is null or
 * points to a handle.
 */
zt_result zt_engine_new(const struct zt_engine_config *config, zt_engine *out);

/**
 * Takes a handle back; nothing of the engine is left. With 0 it does nothing. Thread-safe.
 */
zt_result zt_engine_free(zt_engine engine);

/**
 * Writes the node's address.
 *
 * Pointers: `out` is null or points to an address.
 */
zt_result zt_engine_address(zt_engine engine, uint64_t *out);

/**
 * Joins a network, in a `ZT_MODE_*`. `cached` is what was saved last under its name
 * (`networks.d/<16 hexadecimal digits>.conf`), or null.
 *
 * Pointers: `cached` is null or has `cached_len` bytes.
 */
zt_result zt_engine_join(zt_engine engine,
                         uint64_t now_us,
                         uint64_t network,
                         uint32_t mode,
                         const uint8_t *cached,
                         size_t cached_len);

/**
 * Leaves a network.
 */
zt_result zt_engine_leave(zt_engine engine, uint64_t now_us, uint64_t network);

/**
 * Names this machine's own physical addresses, as texts with the port peers reach them at
 * (`192.0.2.1:9993`).
 *
 * Pointers: `addresses` is null or has `count` texts.
 */
zt_result zt_engine_set_local_addresses(zt_engine engine,
                                        uint64_t now_us,
                                        const char *const *addresses,
                                        size_t count);

/**
 * Tells the wall clock's time after it has jumped.
 */
zt_result zt_engine_set_unix_time(zt_engine engine, uint64_t now_us, uint64_t unix_ms);

/**
 * Passes in a datagram that arrived from `remote`, a text. It is decrypted in place, so it is
 * clobbered. `ZT_ERROR_REJECTED` if it was dropped, which is nobody's fault here.
 *
 * Pointers: `remote` is null or a text; `datagram` is null or has `len` bytes that may be written to.
 */
zt_result zt_engine_datagram_in(zt_engine engine,
                                uint64_t now_us,
                                const char *remote,
                                uint8_t *datagram,
                                size_t len);

/**
 * Takes out the next datagram to send, and where to, as text. `ZT_ERROR_WOULD_BLOCK` if there is none,
 * `ZT_ERROR_BUFFER_TOO_SMALL` if it has no room: 10240 bytes are enough.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes; `len` is null or points to a number; `remote` is
 * null or has room for `ZT_ENDPOINT_LEN` bytes.
 */
zt_result zt_engine_datagram_out(zt_engine engine,
                                 uint8_t *buffer,
                                 size_t capacity,
                                 size_t *len,
                                 char (*remote)[ZT_ENDPOINT_LEN]);

/**
 * Passes in what the host sends to a network: an IP packet or an Ethernet frame, as it was joined.
 * `ZT_ERROR_REJECTED` if it was dropped.
 *
 * Pointers: `frame` is null or has `len` bytes.
 */
zt_result zt_engine_frame_in(zt_engine engine,
                             uint64_t now_us,
                             uint64_t network,
                             const uint8_t *frame,
                             size_t len);

/**
 * Takes out the next packet or frame for the host, and of which network it is. Results are as of
 * `zt_engine_datagram_out`.
 *
 * Pointers: `buffer` is null or has room for `capacity` bytes; `len` and `network` are null or point to numbers.
 */
zt_result zt_engine_frame_out(zt_engine engine,
                              uint8_t *buffer,
                              size_t capacity,
                              size_t *len,
                              uint64_t *network);

/**
 * Gives back the memory that the node can do without. Connections in use go on; others are found anew when
 * they are used. Take out what there is afterwards: who is forgotten is to be saved.
 */
zt_result zt_engine_trim_memory(zt_engine engine, uint64_t now_us);

/**
 * Lets time pass up to `now_us`. Calling early is harmless; calling late delays what was due.
 */
zt_result zt_engine_timeout(zt_engine engine, uint64_t now_us);

/**
 * Writes when to let time pass next, in us of the program's clock; `UINT64_MAX` if only a datagram, a
 * frame or a call can change anything.
 *
 * Pointers: `out` is null or points to a number.
 */
zt_result zt_engine_next_deadline(zt_engine engine, uint64_t *out);

/**
 * Takes out the next event. `ZT_ERROR_WOULD_BLOCK` if there is none.
 *
 * Pointers: `out` is null or points to a `zt_event` whose `struct_size` is set.
 */
zt_result zt_engine_next_event(zt_engine engine, struct zt_event *out);

/**
 * Takes out the next piece of state to save, and its name: the path of a file within a home directory.
 * `*is_removed` is 1 if what was kept under the name shall be forgotten. Results are as of
 * `zt_engine_datagram_out`; pieces of state have at most 64 KiB.
 *
 * Pointers: `name` is null or has room for `ZT_STORE_NAME_LEN` bytes; `buffer` is null or has room for `capacity`
 * bytes; `len` and `is_removed` are null or point to numbers.
 */
zt_result zt_engine_store_out(zt_engine engine,
                              char (*name)[ZT_STORE_NAME_LEN],
                              uint8_t *buffer,
                              size_t capacity,
                              size_t *len,
                              uint32_t *is_removed);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ZT_H */
