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

/// Shortest UDP payload the user may set for a path, in bytes (spec 01 §10.1).
pub const PATH_MTU_MIN: u16 = 1_400;

/// Longest UDP payload the user may set for a path, in bytes (spec 01 §10.1).
pub const PATH_MTU_MAX: u16 = 10_324;

/// Prefixes the user may have rules for (spec 02 §14). More are refused.
pub const PHYSICAL_RULES_MAX: usize = 32;

/// Peers the user may have rules for. More are refused.
pub const PEER_RULES_MAX: usize = 1_024;

/// How many measurements and how many negotiations of a peer with whom paths are bonded may follow
/// each other closely (spec 02 §13).
pub const MEASUREMENTS_IN_A_ROW_MAX: u32 = 128;
/// See [`MEASUREMENTS_IN_A_ROW_MAX`].
pub const NEGOTIATIONS_IN_A_ROW_MAX: u32 = 128;

/// Addresses to try and prefixes to avoid, of each, the user may name for one peer. More are
/// refused.
pub const RULES_PER_PEER_MAX: usize = 16;

/// Longest body, in bytes, that reaches a peer in [`FRAGMENTS_MAX`] datagrams on any path.
///
/// Lists that may grow longer are sent in several packets.
pub const BODY_LEN_SENT_MAX: usize =
    FRAGMENTS_MAX * PATH_MTU_MIN as usize - (FRAGMENTS_MAX - 1) * FRAGMENT_HEADER_LEN - HEADER_LEN;

/// How often a packet may be relayed (spec 01 §12).
pub const RELAY_HOPS_MAX: u8 = 3;

/// How many packets may wait for their missing fragments at once, per shard.
///
/// The reference keeps 32 (spec 01 §10.3). When full, the oldest is given up and counted as
/// `reassembly_overflow`.
pub const REASSEMBLY_SLOTS: usize = 64;

/// How many of those one path may hold, so that one sender cannot displace the others.
pub const REASSEMBLY_SLOTS_PER_PATH: usize = 32;

/// How many copies of a packet's parts are kept that differ from the first of their number. More
/// are dropped as `duplicate_fragment`.
///
/// One for each part of a full frame. A packet is tried with every combination, so at most 8 times
/// whatever anybody injects.
pub const FRAGMENT_ALTERNATIVES_MAX: usize = 3;

/// Room for all copies of a packet's parts together, in bytes. More are dropped as `too_long`.
pub const REASSEMBLY_SLOT_LEN_MAX: usize =
    PACKET_LEN_MAX + FRAGMENT_ALTERNATIVES_MAX * PHYSICAL_MTU;

/// How long a packet may wait for its missing fragments.
pub const REASSEMBLY_TIMEOUT: Duration = Duration::from_secs(5);

/// What reassembly can pin at worst, in bytes.
const REASSEMBLY_BYTES_MAX: usize = REASSEMBLY_SLOTS * REASSEMBLY_SLOT_LEN_MAX;

// A network extension on a phone lives in 50 MiB; reassembly may have no more than 1 of them.
const _: () = assert!(REASSEMBLY_BYTES_MAX <= 1024 * 1024);

/// What of a memory budget is kept free, in bytes: more than one packet can add to the tables before
/// something else is given back.
///
/// The most that can be are a configuration, which takes at most twice its longest dictionary once it
/// is read, and all that reassembly can pin.
pub const MEMORY_RESERVE: usize = 3 * 512 * 1024;

/// The smallest memory budget, in bytes. A smaller one counts as this.
///
/// The reserve, and room for what does not make room: a few networks, their members that are in use,
/// and the bounded pools, such as packets that wait.
pub const MEMORY_BUDGET_MIN: usize = 4 * 1024 * 1024;

/// The budget from which on the pools that only traffic fills may grow as large as without one.
const MEMORY_BUDGET_AMPLE: usize = 128 * 1024 * 1024;

/// Which part of a budget keys that are kept expanded may take.
pub const EXPANSIONS_SHARE: usize = 16;

/// What a pool has room for at least, however small the budget.
const POOL_MIN: usize = 1_024;

/// Returns how many of at most `max` entries a pool may have that only traffic fills, within a memory
/// budget.
#[must_use]
pub const fn pool_within(budget: Option<usize>, max: usize) -> usize {
    match budget {
        Some(budget) if budget < MEMORY_BUDGET_AMPLE => {
            let share = max / 1_024 * (budget / 1_024) / (MEMORY_BUDGET_AMPLE / 1_024 / 1_024);
            if share > POOL_MIN { share } else { POOL_MIN }
        }
        Some(_) | None => max,
    }
}

// What one packet adds: a configuration, or what reassembly holds and another packet on top of it.
const _: () = assert!(2 * CONFIG_LEN_MAX <= MEMORY_RESERVE);
const _: () = assert!(REASSEMBLY_BYTES_MAX + 512 * 1024 <= MEMORY_RESERVE);
const _: () = assert!(2 * MEMORY_RESERVE < MEMORY_BUDGET_MIN);

/// Most roots of a planet or moon (spec 02 §1.1). A world with more is refused.
pub const ROOTS_MAX: usize = 4;

/// Most moons a node has or wants. Orbiting more is refused, and of more found at start those with
/// the lowest IDs count.
///
/// The reference has no bound. A HELLO lists them all in 17 bytes each and shall stay one datagram.
pub const MOONS_MAX: usize = 32;

/// Most roots a node contacts: those of the planet and of every moon.
pub const UPSTREAMS_MAX: usize = ROOTS_MAX * (1 + MOONS_MAX);

// Each is greeted at least once a minute for as long as the node runs.
const _: () = assert!(UPSTREAMS_MAX <= 256);

/// Most nodes that are asked for one moon: each must turn out to be a root of it. Naming more is
/// refused.
pub const SEEDS_PER_MOON_MAX: usize = ROOTS_MAX;

/// How long a world that lists a root of made-up identity keeps others like it from being looked
/// at: to find that out costs tens of milliseconds per root.
pub const WORLD_CHECK_INTERVAL: Duration = Duration::from_secs(60);

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

/// Longest URL a user is sent to for logging in, in bytes (spec 03 §5.2). Longer ones are cut, as
/// are the texts below.
pub const SSO_URL_LEN_MAX: usize = 2_047;

/// Longest nonce of a log-in, in bytes.
pub const SSO_NONCE_LEN_MAX: usize = 127;

/// Longest state and longest client ID of a log-in, in bytes.
pub const SSO_STATE_LEN_MAX: usize = 255;

/// Longest name of a log-in provider, in bytes.
pub const SSO_PROVIDER_LEN_MAX: usize = 63;

/// Most prefixes within which a user allows a network to set addresses and routes. Settings with
/// more are refused.
pub const SETTINGS_PREFIXES_MAX: usize = 256;

/// How long after the end of a log-in the controller is asked what it makes of it: its clock may
/// be behind.
pub const LOGIN_EXPIRY_SLACK: Duration = Duration::from_secs(1);

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

/// How many sent packets are remembered so that their answers are believed, about 30 bytes each.
///
/// The reference remembers 8,192 halves of packet IDs (spec 02 §2.0). A root that starts again has
/// everybody it knew ask it at once, and asks each to confirm where it is: whoever's answer is not
/// believed is not relayed to for another quarter of a minute.
pub const EXPECTED_REPLIES_MAX: usize = 32_768;

/// How long packets of a peer are remembered at least, so that none is acted upon twice, unless
/// the peer sends more than [`REPLAY_PACKETS_MAX`] in that time; at most twice as long.
///
/// V1 has no counter to tell old packets by (spec 01 §5.1), so what is repeated later counts again.
/// A minute is longer than any queue or detour of the Internet keeps a datagram, and than a
/// transport lets the copy of a segment do harm.
pub const REPLAY_PERIOD: Duration = Duration::from_secs(60);

/// How many packets of one peer are remembered at least, or all of [`REPLAY_PERIOD`] if they are
/// fewer; at most twice as many.
///
/// At the full rate of a Gbit/s of large frames, these are the last 0.2 s. A peer that busy takes
/// 300 KB, so a phone that talks to ten of them 3 MB; one that sends a frame per second, 2 KB; a
/// silent one, nothing.
pub const REPLAY_PACKETS_MAX: usize = 8_192;

/// How many packets of all peers together are remembered, about 20 MB. When more peers are active
/// than leaves each its [`REPLAY_PACKETS_MAX`], they share alike.
pub const REPLAY_TOTAL_MAX: usize = 1_048_576;

/// The share that is left to each however many they are.
pub const REPLAY_PACKETS_MIN: usize = 32;

/// How many bytes are sent to an address for each that came from it, until somebody has answered
/// from there what this node asked. As many as QUIC allows (RFC 9000 §8.1).
pub const AMPLIFICATION_MAX: usize = 3;

/// How long such an address keeps what it did not use of them; at most twice as long.
pub const ALLOWANCE_PERIOD: Duration = Duration::from_secs(30);

/// For how many such addresses that is remembered per period, at about 60 bytes each. For further
/// ones each packet counts by itself: it is answered, and its sender is not asked to prove itself.
///
/// Enough for the ten thousand that greet a root at once which starts again.
pub const ALLOWANCES_MAX: usize = 16_384;

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

// --- Virtual networks, seen by a member (network/, neighbor/) ---

/// Networks a node may have joined. Joining more is refused.
pub const NETWORKS_MAX: usize = 256;

/// How often things that may wait are looked after: the reference's background check (spec 03 §2.1).
pub const NETWORK_CHECK_PERIOD: Duration = Duration::from_secs(5);

/// Age from which on a configuration is asked for again (spec 03 §2.1).
pub const CONFIG_REFRESH_PERIOD: Duration = Duration::from_secs(60);

/// How long to wait for the first configuration before asking again, attempt by attempt.
///
/// After the last, every [`NETWORK_CHECK_PERIOD`]. A fresh node asks before its paths are there;
/// waiting five seconds for the second try would be most of the time it takes to get on a network.
pub const CONFIG_RETRY_DELAYS: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// Configurations being put together at once, per network (spec 03 §3.2: at least 3).
///
/// When full, the one that has taken the fewest chunks is given up.
pub const CONFIG_SLOTS: usize = 3;

/// Length from which on a configuration is refused, in bytes (spec 03 §3.2).
pub const CONFIG_LEN_MAX: usize = 484_520;

/// While memory is short, a configuration is taken in that is no longer than the one in force, up to
/// the next multiple of this, in bytes.
pub const CONFIG_LEN_STEP: usize = 8 * 1024;

/// Chunks one configuration may come in (spec 03 §3.2). More are ignored.
pub const CONFIG_CHUNKS_MAX: usize = 474;

/// Members of one network that are remembered.
///
/// When full, the one longest unheard of is forgotten, unless it is barred by a revocation.
pub const MEMBERS_MAX: usize = 8_192;

/// Revocations of single credentials kept per member.
///
/// When full, the oldest is replaced: it bars what has long left the window anyway.
pub const REVOCATIONS_MAX: usize = 128;

/// How often credentials are pushed to a member that is sent to (spec 03 §6.3).
pub const CREDENTIAL_PUSH_PERIOD: Duration = Duration::from_secs(500);

/// How often credentials are pushed to a member because it asks for them (spec 03 §6.3).
pub const CREDENTIAL_DEMAND_PERIOD: Duration = Duration::from_secs(1);

/// Distance between the packets of one push.
///
/// A receiver ignores what comes within a second of the one before (spec 03 §6.5).
pub const CREDENTIAL_PACKET_DISTANCE: Duration = Duration::from_millis(1_100);

/// Packets of credentials that wait for that distance, per network. When full, further ones are
/// not sent; their members ask for them or are pushed to again.
pub const CREDENTIAL_PACKETS_WAITING_MAX: usize = 256;

/// Longest window within which controllers let credentials count, in milliseconds (spec 03 §6.4).
///
/// What is older than this and the network's own window is forgotten, revocations included: they
/// bar nothing that would still count.
pub const CREDENTIAL_WINDOW_MAX_MS: u64 = 7_200_000;

/// How often a peer may push credentials, and be told to (spec 03 §6.5, §13).
///
/// More are ignored and counted as `rate_limited`.
pub const CREDENTIAL_ACCEPT_PERIOD: Duration = Duration::from_secs(1);

/// Peers whose rate is limited at once. More than that within a second are refused.
pub const RATE_LIMITED_PEERS_MAX: usize = 4_096;

/// How often multicast groups are announced, to each who should know (spec 03 §9.2).
pub const ANNOUNCE_PERIOD: Duration = Duration::from_secs(60);

/// How often, with low bandwidth, a configuration is asked for and multicast groups are announced.
///
/// The reference asks each 64 minutes and announces nothing, so that its credentials lapse where
/// their window is shorter, and it misses multicasts. This is half the shortest window there is
/// (300 s, spec 03 §6.4), a quarter of the time groups are remembered (600 s, spec 03 §9.7), and
/// within that in which a controller takes announcements of those it has configured (180 s, spec 04
/// §2.3).
pub const LOW_BANDWIDTH_PERIOD: Duration = Duration::from_secs(150);

/// How long after its last frame a member is told of our groups unasked.
///
/// As long as paths are kept alive for (spec 02 §4.5): two members that do not use each other fall
/// silent. Whoever wants to reach the silent one's groups gathers.
pub const ANNOUNCE_SILENT_TIMEOUT: Duration = Duration::from_secs(500);

/// Multicast groups a host may subscribe to, per network (spec 03 §5.4).
pub const SUBSCRIPTIONS_MAX: usize = 1_024;

/// Multicast groups of devices behind this node that it answers for, per network. When full, it
/// answers for no further ones; frames to them still reach it, as all do that have few receivers.
pub const BRIDGED_GROUPS_MAX: usize = 1_024;

/// How many of them are announced at once, per [`NETWORK_CHECK_PERIOD`], each with a packet to every
/// member. Others wait for the announcement of all groups, a minute at most.
pub const BRIDGED_GROUPS_ANNOUNCED_MAX: usize = 8;

/// How long such a group lasts that no device sends to (spec 03 §9.5).
pub const BRIDGED_GROUP_TIMEOUT: Duration = Duration::from_secs(1_200);

/// Devices whose bridge is remembered, per network, at about 150 bytes each.
///
/// When full, the bridge that has most of them gives up the one longest unheard. Frames to devices
/// that are not remembered go to all bridges.
pub const STATIONS_MAX: usize = 8_192;

/// Those behind one bridge. When full, the one of them longest unheard is given up.
pub const STATIONS_PER_BRIDGE_MAX: usize = 1_024;

/// How long a device is remembered that is not heard: the ageing time of Ethernet bridges
/// (IEEE 802.1Q, table 8-7).
pub const STATION_TIMEOUT: Duration = Duration::from_secs(300);

/// How often it is noted that a device was heard, so that the data plane need not change the
/// tables with every frame.
pub const STATION_RENEWAL_PERIOD: Duration = Duration::from_secs(10);

/// Subscriptions of others that are remembered, per network. Further ones are refused as `full`.
pub const LIKES_MAX: usize = 65_536;

/// Subscriptions of one member that are remembered, per network, so that one cannot keep the
/// others out. As many as a host may have.
pub const LIKES_PER_MEMBER_MAX: usize = SUBSCRIPTIONS_MAX;

/// Groups of one network whose members were asked for lately. Further ones are refused as `full`.
pub const GROUPS_MAX: usize = 16_384;

/// Subscriptions that are remembered for networks this node is not on, all together.
///
/// Roots and controllers keep them for those who gather.
pub const SERVED_LIKES_MAX: usize = 262_144;

/// Subscriptions of one member among them, so that one cannot keep the others out.
pub const SERVED_LIKES_PER_MEMBER_MAX: usize = 4_096;

/// How long a subscription lasts that is not renewed (spec 03 §9.7).
pub const LIKE_TIMEOUT: Duration = Duration::from_secs(600);

/// How often expired subscriptions and useless credentials are swept out (spec 03 §9.7).
pub const SWEEP_PERIOD: Duration = Duration::from_secs(30);

/// How often members of a group are gathered while few are known (spec 03 §9.5).
pub const GATHER_PERIOD: Duration = Duration::from_secs(60);

/// When members of a group nobody is known of are gathered again while a multicast waits for them:
/// so long after the gather before.
pub const GATHER_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(750)];

/// How long after its first configuration a network's groups are gathered again like that.
///
/// Members that join together ask for each other before whoever is asked has heard of them. Later
/// on, a group nobody is in stays so, and asking more often would only cost.
pub const GATHER_RETRY_PERIOD: Duration = Duration::from_secs(10);

/// Nodes one gather is sent to (spec 03 §9.5).
pub const GATHER_TARGETS_MAX: usize = 16;

/// How long a multicast waits for recipients to become known (spec 03 §9.5).
pub const PENDING_MULTICAST_TIMEOUT: Duration = Duration::from_secs(5);

/// Multicasts that wait, per group (spec 03 §9.5). When full, the oldest is given up.
pub const PENDING_MULTICASTS_PER_GROUP: usize = 32;

/// Multicasts that wait, per network: enough for a question about each of [`NEIGHBORS_MAX`] next
/// hops. When full, the oldest is given up.
pub const PENDING_MULTICASTS_MAX: usize = 1_024;

/// Bytes of multicasts that wait, per network. When full, the oldest are given up.
pub const PENDING_MULTICAST_BYTES_MAX: usize = 1024 * 1024;

/// Next hops an L3 port resolves at once. Packets to more are refused as `full`.
pub const NEIGHBORS_MAX: usize = 1_024;

/// Link-local addresses the host of an L3 port is answered for, per network. The oldest makes room.
pub const LINK_LOCALS_MAX: usize = 4;

/// Packets that wait for one next hop to answer. When full, the oldest is dropped.
pub const NEIGHBOR_WAITING_MAX: usize = 8;

/// Bytes that wait for next hops to answer, per network. Packets beyond are refused as `full`.
pub const NEIGHBOR_WAITING_BYTES_MAX: usize = 256 * 1024;

/// When an unresolved next hop is asked for again while packets wait for it: so long after the
/// question before, and every [`NEIGHBOR_ASK_PERIOD`] from then on.
///
/// The reference leaves 2 s between any two (spec 03 §10.2), here are two more in the first of them.
/// For the first question to a member is the one most easily lost: it follows our certificate by a
/// hair, and a member that learns who we are between the two has looked at the question, and
/// refused it, before it looks at the certificate.
pub const NEIGHBOR_ASK_DELAYS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1_250)];

/// How many questions for next hops are repeated to a member that asks for our certificate, for it may
/// have refused them. Others are asked again in their time.
pub const NEIGHBORS_ASKED_ANEW_MAX: usize = 8;

/// How often a next hop is asked for that has not answered the first few questions, or itself, to
/// refresh what is known of it (spec 03 §10.2).
pub const NEIGHBOR_ASK_PERIOD: Duration = Duration::from_secs(2);

/// How long after asking an answer is believed, and packets wait for it (spec 03 §10.2).
pub const NEIGHBOR_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Age from which on a resolved next hop is asked again when it is used (spec 03 §10.2).
pub const NEIGHBOR_REFRESH_AGE: Duration = Duration::from_secs(200);

/// Age at which a resolved next hop is forgotten (spec 03 §10.2).
pub const NEIGHBOR_TIMEOUT: Duration = Duration::from_secs(600);

/// How many ways to one peer are kept (spec 02 §4.1). The one silent longest makes room.
pub const PATHS_PER_PEER_MAX: usize = 64;

/// How many ways to one peer, and addresses others name for it, are kept while memory is short, if
/// there are not more already.
pub const PATHS_PER_PEER_FULL: usize = 4;

/// How many peers a node knows at once that is no root. See [`PEERS_MAX_ROOT`].
pub const PEERS_MAX: usize = 16_384;

/// How many peers a root knows at once, about 1.6 KB each while they are idle.
///
/// When there is no room, the peer silent longest that shares no network with this node is
/// forgotten; if every one of them was heard within a minute, newcomers are dropped as `full`.
pub const PEERS_MAX_ROOT: usize = 131_072;

/// How many packets a peer's keys are expanded for anew, at some 2 µs each, before they are kept so.
///
/// An idle peer stays below it from one HELLO to the next: it is probed each 14 s.
pub const KEYS_EXPANDED_ANEW_MAX: u8 = 32;

/// How many paths or source prefixes a gate tells apart per period. Further ones are dropped as
/// `rate_limited`.
pub const GATE_KEYS_MAX: usize = 8_192;

/// How many paths are asked to be confirmed per second. Further ones wait for the next packet that
/// comes by them.
///
/// Who starts again greets each root once a minute. So a root that misses the greeting of one whom
/// others look for, such as a controller, cannot relay to it for as long.
pub const CONFIRMATIONS_PER_SECOND: usize = 16_384;

/// How many silent peers stay known, about 2 KiB each.
///
/// The reference forgets peers after 500 s of silence, and then cannot verify what they signed
/// until they are back: a controller that is away would take its network with it. When there are
/// more, those silent longest are forgotten.
pub const SILENT_PEERS_MAX: usize = 1_024;

/// How many addresses a user can pin. Pinning more is refused.
pub const PINS_MAX: usize = 4_096;

/// How many addresses are settled by first use, about 80 bytes each. Of those who come later, the
/// keys are not kept.
pub const FIRST_SEEN_MAX: usize = 4_096;

/// How often a conflict about the same identity is told.
pub const IDENTITY_ALARM_PERIOD: Duration = Duration::from_secs(60 * 60);

/// How many nodes are remembered that were validated once and are no peers, about 100 bytes each.
///
/// Further ones are validated again when they come back, some a second. So a node that starts again
/// has to remember as many as it can have had as peers.
pub const ACQUAINTANCES_MAX: usize = PEERS_MAX;
/// See [`ACQUAINTANCES_MAX`].
pub const ACQUAINTANCES_MAX_ROOT: usize = PEERS_MAX_ROOT;

/// How many of the peers loaded at start are greeted, which restores the paths to them.
///
/// The others are remembered. A root is of use to nobody before it knows where they are; agreeing
/// on a key and a HELLO take it some 50 µs each, so half a second.
pub const GREETED_AT_START_MAX: usize = 64;
/// See [`GREETED_AT_START_MAX`].
pub const GREETED_AT_START_MAX_ROOT: usize = 10_000;

/// How many pairs of peers a root introduces per 30 s. Further ones stay relayed until their turn.
pub const INTRODUCTIONS_MAX: usize = 65_536;

/// How many identities of strangers are validated per second that have not proven where they are,
/// and how many at once.
///
/// One takes some 25 ms, so these, the [proven ones](PROVEN_VALIDATIONS_PER_SECOND) and the
/// [agreements](AGREEMENTS_PER_SECOND) before them come to less than a tenth of a core. When they
/// are used up, strangers are sent an ECHO first.
pub const VALIDATIONS_PER_SECOND: u32 = 1;
/// See [`VALIDATIONS_PER_SECOND`].
pub const VALIDATIONS_AT_ONCE: u32 = 16;

/// How many of strangers that gave that ECHO back. Further ones wait: they repeat their HELLO.
pub const PROVEN_VALIDATIONS_PER_SECOND: u32 = 2;
/// See [`PROVEN_VALIDATIONS_PER_SECOND`].
pub const PROVEN_VALIDATIONS_AT_ONCE: u32 = 48;

/// How many keys are agreed on with strangers per second, and how many at once, at 0.07 ms each.
/// Further HELLOs are dropped as `rate_limited`.
pub const AGREEMENTS_PER_SECOND: u32 = 300;
/// See [`AGREEMENTS_PER_SECOND`].
pub const AGREEMENTS_AT_ONCE: u32 = 300;

/// What strangers cost per second, in microseconds of one core: no more than a tenth of it.
const STRANGERS_COST: u32 =
    25_000 * (VALIDATIONS_PER_SECOND + PROVEN_VALIDATIONS_PER_SECOND) + 70 * AGREEMENTS_PER_SECOND;
const _: () = assert!(STRANGERS_COST <= 100_000);

/// How many strangers may have an ECHO to give back, at about 3 KiB each. The oldest makes room.
///
/// With a flood of as many HELLOs as are looked at, that leaves each most of a second.
pub const CANDIDATES_MAX: usize = 256;

/// How long they may take.
pub const CANDIDATE_LIFETIME: Duration = Duration::from_secs(5);

/// How many false identities are remembered, so that repeating them costs nothing; at most twice
/// as many.
pub const REFUTED_MAX: usize = 1_024;

/// How many of those may come from one neighbourhood (a /24 or /48) per second, and how many at
/// once.
///
/// The reference lets one pass per 2 s (spec 02 §15), which makes the machines of a site that
/// start together wait for each other.
pub const NEIGHBORHOOD_VALIDATIONS_PER_SECOND: u32 = 1;
/// See [`NEIGHBORHOOD_VALIDATIONS_PER_SECOND`].
pub const NEIGHBORHOOD_VALIDATIONS_AT_ONCE: u32 = 16;

/// How many identities received from roots are validated per second, and how many at once.
///
/// Apart from those of strangers, so that a flood of HELLOs does not keep us from whom we ask for.
pub const ANSWERS_PER_SECOND: u32 = 16;
/// See [`ANSWERS_PER_SECOND`].
pub const ANSWERS_AT_ONCE: u32 = 128;

/// How many probes are sent per second to addresses others named, and how many at once.
///
/// Further addresses are passed over; peers repeat them.
pub const PROBES_PER_SECOND: u32 = 64;
/// See [`PROBES_PER_SECOND`].
pub const PROBES_AT_ONCE: u32 = 256;

/// How often in a row an address is probed by the word of roots, and how often by that of peers.
pub const PROBES_PER_ADDRESS_MAX: u32 = 3;

/// How many addresses are remembered that were probed lately: all that
/// [`PROBES_PER_SECOND`] lets be probed until they may be anew. More are passed over.
pub const PROBED_ADDRESSES_MAX: usize = 2_048;

/// How many addresses that others named are remembered of a peer, to say what came of them.
pub const LEADS_PER_PEER_MAX: usize = 16;

/// How many ports a translator that counts is expected to give next, and how many it may have given
/// lately: together with them, what a peer names fits into the addresses another tries at once.
pub const PORTS_AHEAD: usize = 4;
/// See [`PORTS_AHEAD`].
pub const PORTS_BEHIND: usize = 2;

/// How many addresses pushed by a peer are probed per push, scope and family (spec 02 §2.8).
pub const PROBES_PER_PUSH_MAX: usize = 8;

/// How many identities one WHOIS is answered with: what fits one datagram. The rest are passed
/// over.
pub const WHOIS_ANSWERS_MAX: usize = (PHYSICAL_MTU - HEADER_LEN - 9) / 71;

/// How many reports of this node's own physical address are kept. The oldest makes room.
pub const SURFACE_REPORTS_MAX: usize = 256;
