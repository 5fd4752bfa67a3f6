//! Every bound of the runtime in one place: value, unit, reason, and what happens at it.

use std::time::Duration;

use zt_protocol::limits::PEERS_MAX_ROOT;

/// Received messages taken from a socket at once; with GRO each may be a run of datagrams.
pub(crate) const RECEIVE_MESSAGES: usize = 16;

/// Room for one received message, in bytes: the longest run of datagrams GRO can make.
pub(crate) const RECEIVE_MESSAGE_LEN: usize = 65_535;

/// Datagrams waiting to be sent, in bytes; beyond it the node is refused room and counts the packet
/// as `transmit_full`.
///
/// Enough for the longest packet to 64 recipients, which is the most one call of the node makes.
pub(crate) const SEND_QUEUE_LEN_MAX: usize = 1024 * 1024;

/// Datagrams waiting to be sent, in bytes, at which the driver sends before it takes in more.
pub(crate) const SEND_QUEUE_LEN_HIGH: usize = 128 * 1024;

/// Datagrams in one run: what Linux lets one system call segment (`UDP_MAX_SEGMENTS`).
pub(crate) const RUN_DATAGRAMS_MAX: usize = 64;

/// Longest run, in bytes: an IPv6 UDP payload fits with room for extension headers.
pub(crate) const RUN_LEN_MAX: usize = 65_000;

/// How long to wait for a socket whose send buffer is full before its datagrams are dropped.
///
/// Long enough for a busy interface to drain, short enough that a dead one holds up nobody.
pub(crate) const SEND_PATIENCE: Duration = Duration::from_millis(10);

/// Datagrams waiting to be sent through the TCP relay, in bytes, at which more are dropped (spec 02
/// §9.4).
pub(crate) const TCP_RELAY_QUEUE_LEN_MAX: usize = 64 * 1024;

/// Shortest datagram a TCP relay passes on, in bytes (spec 02 §9.4).
pub(crate) const TCP_RELAY_DATAGRAM_LEN_MIN: usize = 16;

/// How long a TCP relay may take to accept a connection.
pub(crate) const TCP_RELAY_CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// How long a TCP relay may be silent after something was sent through it. Roots answer what they
/// are asked every minute and more often, so then the connection is as good as closed.
pub(crate) const TCP_RELAY_SILENCE: Duration = Duration::from_secs(60);

/// How long to wait before a connection to the TCP relay is tried again: at first, and at most.
pub(crate) const TCP_RELAY_PAUSE_MIN: Duration = Duration::from_millis(500);
pub(crate) const TCP_RELAY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Socket buffers asked for, in bytes. The kernel may give less.
pub(crate) const SOCKET_BUFFER_LEN: usize = 4 * 1024 * 1024;

/// Local addresses that are told apart on wildcard sockets. Datagrams to further ones are answered
/// from whichever address the kernel picks.
pub(crate) const LOCAL_ADDRESSES_MAX: usize = 64;

/// Sockets of a node (spec 02 §9.1). Further addresses of the machine are not used.
pub(crate) const SOCKETS_MAX: usize = 256;

/// Ports tried in a row when any free one will do (spec 02 §9.1).
pub(crate) const PORTS_TRIED_MAX: u16 = 256;

/// How often the machine's own addresses are looked up where nobody says when they change (spec 02
/// §9.1).
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "the kernel says when they change"))]
pub(crate) const INTERFACES_REFRESH: Duration = Duration::from_secs(30);

/// Messages about interfaces taken in at once. Of a flood, the rest only delays the look at them.
#[cfg(target_os = "linux")]
pub(crate) const INTERFACE_MESSAGES: usize = 64;

/// How long after word of a change the interfaces are looked at: changes come in bursts, and a
/// storm of them shall cost no more than twenty looks a second.
pub(crate) const INTERFACES_SETTLE: Duration = Duration::from_millis(50);

/// How long a node is offline before it tries another secondary port, and how often then (spec 02
/// §9.1).
pub(crate) const SECONDARY_PORT_PATIENCE: Duration = Duration::from_secs(120);

/// How late a timer is before the machine must have slept (spec 02 §9.1).
pub(crate) const SLEPT: Duration = Duration::from_secs(10);

/// How often the wall clock is read anew.
pub(crate) const WALL_CLOCK_REFRESH: Duration = Duration::from_secs(60);

/// How far the wall clock may be from where it was expected before it has jumped.
pub(crate) const WALL_CLOCK_SLACK_MS: u64 = 500;

/// How often the multicast groups are looked up that this machine listens to on interfaces this
/// node has made (spec 03 §9.2).
pub(crate) const GROUPS_REFRESH: Duration = Duration::from_secs(5);

/// Longest list of them that is read, in bytes, for all interfaces of the machine together. Of a
/// longer one, the rest is not read.
#[cfg(target_os = "linux")]
pub(crate) const GROUP_LIST_LEN_MAX: u64 = 1024 * 1024;

/// Longest IP packet or Ethernet frame exchanged with an interface, in bytes: the largest MTU the
/// protocol allows and an Ethernet header.
pub(crate) const INTERFACE_FRAME_LEN_MAX: usize = 10_240;

/// Frames one read of an interface may give: a 64 KiB super packet in segments of 512 bytes.
pub(crate) const INTERFACE_READ_FRAMES: usize = 128;

/// Frames collected for an interface at which they are written before more is taken in.
///
/// More than are ever joined to one super packet at the usual MTU, and few enough that the room
/// for joining (64 KiB each) leaves a member that has been busy below 12 MB.
pub(crate) const INTERFACE_WRITE_FRAMES_HIGH: usize = 32;

/// Frames collected for an interface at most; more are dropped and counted.
pub(crate) const INTERFACE_WRITE_FRAMES_MAX: usize = 128;

/// How often a descriptor is read after another took its place, [`INTERFACE_READ_FRAMES`] packets at
/// most each time: what a TUN device queues at most, 500 packets unless told otherwise, fits twice.
pub(crate) const RETIRING_READS_MAX: usize = 8;

/// Batches of packets that wait between the driver and a host without interface, per direction.
/// When the host does not keep up, the newest are dropped and counted.
pub(crate) const PACKET_BATCHES_MAX: usize = 64;

/// Packets in one batch.
pub(crate) const BATCH_PACKETS_MAX: usize = 64;

/// Batches without packets whose memory is kept for later ones, per network; further ones are freed.
///
/// A millisecond's work of the node, 1.5 MB at 1400 bytes a packet, and what a processor's own cache
/// holds. It is given back when the host asks for memory.
pub(crate) const SPARE_BATCHES_MAX: usize = 16;

/// Requests of handles that wait for the driver; more make the asking task wait.
pub(crate) const REQUESTS_MAX: usize = 64;

/// Events nobody has taken; when full, the oldest is dropped.
pub(crate) const EVENTS_MAX: usize = 1_024;

/// Peers loaded at start, the most recently saved first. The node greets the first of them and
/// remembers the others: as many as a root can have had.
pub(crate) const PEERS_LOADED_MAX: usize = PEERS_MAX_ROOT;

/// How long a peer's file is kept that is not written anew (spec 02 §11). Older ones are removed at
/// start.
pub(crate) const PEER_FILE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Records and settings read at once before the driver takes them in; more wait their turn.
pub(crate) const RECORDS_READ_AT_ONCE: usize = 256;

/// Longest file read from the home directory, in bytes.
pub(crate) const FILE_LEN_MAX: u64 = 8 * 1024 * 1024;

/// Changed controller records read in one go before the driver looks after the rest.
#[cfg(target_os = "linux")]
pub(crate) const WATCH_EVENTS_LEN: usize = 4_096;

/// Name servers put into `/etc/resolv.conf`; further ones are left out. Resolvers ask three.
#[cfg(target_os = "linux")]
pub(crate) const NAME_SERVERS_MAX: usize = 8;

/// How long `resolvectl` may take, which waits for systemd-resolved; then it is ended.
#[cfg(target_os = "linux")]
pub(crate) const RESOLVECTL_PATIENCE: Duration = Duration::from_secs(5);

/// How often to look whether it has ended. It takes some milliseconds.
#[cfg(target_os = "linux")]
pub(crate) const RESOLVECTL_POLL: Duration = Duration::from_millis(5);

/// Longest answer of a gateway by datagram that is read, in bytes: what PCP allows (RFC 6887 §7). Of a
/// longer one, the rest is not read.
pub(crate) const GATEWAY_ANSWER_LEN_MAX: usize = 1_100;

/// Datagrams from a gateway that are no answer to what was asked and are ignored, before the
/// question is asked again.
pub(crate) const GATEWAY_IGNORED_MAX: usize = 32;

/// Longest list of the system's routes that is read, in bytes. What is not among them is not found.
#[cfg(target_os = "linux")]
pub(crate) const ROUTE_LIST_LEN_MAX: u64 = 1024 * 1024;

/// How long a gateway may take for all there is to ask it by UPnP; then it is given up.
pub(crate) const UPNP_PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer of a device by HTTP that is read, in bytes, its header included; a longer one is as
/// good as none. Descriptions of gateways have ten to twenty thousand.
pub(crate) const UPNP_ANSWER_LEN_MAX: u64 = 64 * 1024;

/// How long a device may take for one answer by HTTP.
pub(crate) const UPNP_ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// Elements that are open in such an answer at most; one with more is refused. Gateways have twelve.
pub(crate) const UPNP_XML_DEPTH_MAX: usize = 32;

/// Longest path of a URL at a device, in bytes; a longer one is not asked.
pub(crate) const UPNP_PATH_LEN_MAX: usize = 1_024;

/// Datagrams looked at in one search for devices: each that is meant answers six times.
pub(crate) const UPNP_SEARCH_ANSWERS_MAX: usize = 64;

/// Devices that are asked to describe themselves in one search.
pub(crate) const UPNP_DEVICES_TRIED: usize = 4;

/// External ports that are tried by UPnP (spec 02 §9.3).
pub(crate) const MAPPED_PORTS_TRIED: usize = 60;

/// For how long a port is asked for (spec 02 §9.3): what a crash leaves behind ends by then.
pub(crate) const MAPPING_LIFETIME: Duration = Duration::from_secs(600);

/// Shortest time for which a mapping is of use: it is renewed half way.
pub(crate) const MAPPING_LIFETIME_MIN: Duration = Duration::from_secs(30);

/// How long a mapping goes unrenewed at most (spec 02 §9.3).
pub(crate) const MAPPING_RENEWAL: Duration = Duration::from_secs(300);

/// How often a gateway is asked whether it still knows what it granted: until it is asked, one that
/// has restarted lets nobody in.
pub(crate) const MAPPING_CHECK: Duration = Duration::from_secs(60);

/// How long to wait after a gateway has failed, at first and, doubled each time, at most.
pub(crate) const MAPPING_RETRY_FIRST: Duration = Duration::from_secs(15);
pub(crate) const MAPPING_RETRY_MAX: Duration = Duration::from_secs(1_800);

/// How long stopping may take to give a mapping back; then it is left to end by itself.
pub(crate) const MAPPING_FAREWELL: Duration = Duration::from_secs(2);

// Buffers the driver touches only under load, but may never give back.
const _: () = assert!(RECEIVE_MESSAGES * RECEIVE_MESSAGE_LEN <= 1024 * 1024);
const _: () = assert!(INTERFACE_READ_FRAMES * INTERFACE_FRAME_LEN_MAX <= 2 * 1024 * 1024);
