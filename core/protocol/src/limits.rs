//! Every bound in one place: value, unit, source, and what happens at it.

use core::time::Duration;

/// Length of a packet's header, in bytes, and of the smallest packet (spec 01 §5).
pub const HEADER_LEN: usize = 28;

/// Longest packet, in bytes, after reassembly and after decompression (spec 01 §5).
///
/// Longer ones are dropped and counted as `too_long`.
pub const PACKET_LEN_MAX: usize = 10_024;

/// Longest body, in bytes, decompressed (spec 01 §9).
pub const BODY_LEN_MAX: usize = PACKET_LEN_MAX - HEADER_LEN;

/// Length of a fragment's header, in bytes (spec 01 §10.2).
pub const FRAGMENT_HEADER_LEN: usize = 16;

/// Most datagrams a packet may be cut into, its head included (spec 01 §10.1).
pub const FRAGMENTS_MAX: usize = 7;

/// Longest UDP payload sent on a path, in bytes (spec 01 §10.1).
pub const PHYSICAL_MTU: usize = 1_432;

/// Longest body, in bytes, that reaches a peer in [`FRAGMENTS_MAX`] datagrams of [`PHYSICAL_MTU`].
///
/// Lists that may grow longer are sent in several packets.
pub const BODY_LEN_SENT_MAX: usize =
    FRAGMENTS_MAX * PHYSICAL_MTU - (FRAGMENTS_MAX - 1) * FRAGMENT_HEADER_LEN - HEADER_LEN;

/// How often a packet may be relayed (spec 01 §12).
pub const RELAY_HOPS_MAX: u8 = 3;

/// How many packets may wait for their missing fragments at once, per shard.
///
/// The reference keeps 32 (spec 01 §10.3). When full, the oldest is given up and counted as
/// `reassembly_overflow`.
pub const REASSEMBLY_SLOTS: usize = 64;

/// How many of those one source address may hold, so that one sender cannot displace the others.
pub const REASSEMBLY_SLOTS_PER_SOURCE: usize = 32;

/// How long a packet may wait for its missing fragments.
pub const REASSEMBLY_TIMEOUT: Duration = Duration::from_secs(5);

/// What reassembly can pin at worst, in bytes.
const REASSEMBLY_BYTES_MAX: usize = REASSEMBLY_SLOTS * PACKET_LEN_MAX;

// A network extension on a phone lives in 50 MiB; reassembly may have no more than 1 of them.
const _: () = assert!(REASSEMBLY_BYTES_MAX <= 1024 * 1024);

/// Most roots of a planet or moon (spec 02 §1.1). A world with more is refused.
pub const ROOTS_MAX: usize = 4;

/// Most endpoints of one root (spec 02 §1.1). A world with more is refused.
pub const ROOT_ENDPOINTS_MAX: usize = 32;

/// Most qualifiers of a certificate of membership (spec 03 §7.1). One with more is malformed.
pub const QUALIFIERS_MAX: usize = 8;

/// Longest chain of custody of a capability (spec 03 §7.3). A longer one is malformed.
pub const CUSTODY_MAX: usize = 7;

/// Most rules of a capability (spec 03 §5.4). One with more is malformed.
pub const RULES_PER_CAPABILITY_MAX: usize = 64;

/// Most things of a certificate of ownership (spec 03 §7.4). One with more is malformed.
pub const THINGS_PER_OWNERSHIP_MAX: usize = 16;

/// Most rules of a network's configuration (spec 03 §5.4). Further ones are not read.
pub const CONFIG_RULES_MAX: usize = 1_024;

/// Most capabilities of a configuration (spec 03 §5.4). Further ones are not read.
pub const CONFIG_CAPABILITIES_MAX: usize = 128;

/// Most tags of a configuration (spec 03 §5.4). Further ones are not read.
pub const CONFIG_TAGS_MAX: usize = 128;

/// Most certificates of ownership of a configuration (spec 03 §5.4). Further ones are checked for
/// form and ignored.
pub const CONFIG_OWNERSHIPS_MAX: usize = 4;

/// Most members with special roles of a configuration (spec 03 §5.4). Further ones are ignored.
pub const CONFIG_SPECIALISTS_MAX: usize = 256;

/// Most routes of a configuration (spec 03 §5.4). Further ones are not read.
pub const CONFIG_ROUTES_MAX: usize = 128;

/// Most addresses a configuration gives its member (spec 03 §5.4). Further ones are not read.
pub const CONFIG_ADDRESSES_MAX: usize = 32;

/// How many name servers a configuration has room for (spec 03 §5.3).
pub const CONFIG_DNS_SERVERS_MAX: usize = 4;

/// Longest name of a network and longest DNS domain, in bytes (spec 03 §5.2, §5.3). Longer ones
/// are cut.
pub const CONFIG_TEXT_LEN_MAX: usize = 127;

/// Protocol version this node announces (spec 02 §2.13).
pub const PROTOCOL_VERSION: u8 = 12;

/// Oldest protocol version that is spoken to (spec 02 §2.1).
pub const PROTOCOL_VERSION_MIN: u8 = 4;

/// Software version this node announces in HELLO: major, minor, revision.
pub const SOFTWARE_VERSION: (u8, u8, u16) = (1, 14, 1);

/// MTU of a virtual network whose configuration names none (spec 03 §5.2).
pub const NETWORK_MTU_DEFAULT: u16 = 2_800;

/// Smallest MTU of a virtual network (spec 03 §5.2). Configurations that name a smaller one get it.
pub const NETWORK_MTU_MIN: u16 = 1_280;

/// Largest MTU of a virtual network (spec 03 §5.2). Configurations that name a larger one get it.
pub const NETWORK_MTU_MAX: u16 = 10_000;

/// How often one address may be asked for, and waiting packets are tried again (spec 02 §3).
pub const WHOIS_INTERVAL: Duration = Duration::from_millis(500);

/// How many different addresses may be asked for within a second. More wait for their turn, so
/// that a flood of packets from made-up senders costs the roots no more than this.
pub const WHOIS_ASKED_MAX: usize = 256;

/// How long packets wait for an identity or a path (spec 02 §3).
pub const WAITING_LIFETIME: Duration = Duration::from_secs(5);

/// How many packets may wait in each direction. The reference keeps 32; when full, the oldest is
/// given up and counted as `no_path` or `unknown_sender`.
pub const WAITING_PACKETS_MAX: usize = 64;

/// How many sent packets are remembered so that their answers are believed.
///
/// The reference remembers 8,192 halves of packet IDs (spec 02 §2.0).
pub const EXPECTED_REPLIES_MAX: usize = 4_096;

/// How many packets one call of the node may lead to.
///
/// What a single datagram sets in motion is a handful; the bound only keeps a mistake from
/// becoming an endless loop.
pub const DISPATCH_STEPS_MAX: usize = 100_000;

/// How many bridges a frame for an unknown device is sent to (spec 03 §9.3).
pub const BRIDGE_RECIPIENTS_MAX: usize = 32;

/// How many networks a controller keeps. Loading more fails.
pub const CONTROLLER_NETWORKS_MAX: usize = 4_096;

/// How many members a controller keeps on all its networks together, at about 1 KiB each.
///
/// When full, those not known yet are told that they may not join, counted as `full`.
pub const CONTROLLER_MEMBERS_MAX: usize = 65_536;

/// How many members one network keeps that are not authorized: anybody who asks becomes one, so
/// that the operator can see them.
///
/// When full, as above. The operator can still load the record of a member by hand.
pub const CONTROLLER_UNAUTHORIZED_MAX: usize = 1_024;

/// Longest list in a controller's record; the rest is not read (spec 04 §5).
pub const CONTROLLER_LIST_MAX: usize = 16_384;

/// How many addresses of a pool are tried for a member before it gets none (spec 04 §4.2).
pub const CONTROLLER_POOL_TRIES: u32 = 1_000;

/// How many members are sent their changed configuration in one go.
///
/// Each costs at least three signatures, so a go takes some milliseconds.
pub const CONTROLLER_PUSHES_AT_ONCE: usize = 32;

/// How long to wait between two such goes, so that ten thousand members take some seconds.
pub const CONTROLLER_PUSH_PAUSE: Duration = Duration::from_millis(20);

/// How long a controller ignores a member's requests after one of them (spec 04 §2.1).
pub const CONTROLLER_REQUEST_INTERVAL: Duration = Duration::from_millis(1_000);

/// Longest dictionary in a request, in bytes; the rest is not read (spec 03 §2.2).
pub const REQUEST_METADATA_LEN_MAX: usize = 1_023;

/// Longest authorization in a request, in bytes; a longer one counts as none (spec 04 §2.2).
pub const JOIN_TOKEN_LEN_MAX: usize = 511;
