//! Where the frames of each network go, and where they come from.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::task::{Context, Poll};

use zt_protocol::address::{Mac, MulticastGroup, NetworkId};
use zt_protocol::command::Command;
use zt_protocol::plan::TunPlan;
use zt_protocol::transmit::{Frame, FrameSink, PortMode};

use crate::host::{LinkDns, Wishes};
use crate::limits::{PACKET_BATCHES_MAX, RETIRING_READS_MAX};
use crate::packets::{self, HostChannels, PacketBatch, Packets};
use crate::tun::{Descriptor, DescriptorPort, Device, PortError, ReadBatch, ethernet_header};

/// How a host wants to take part in a network.
#[derive(Debug)]
#[non_exhaustive]
pub enum Port {
    /// By an interface for IP packets, which the node creates and configures.
    Tun {
        /// Its name; one derived from the network's ID if `None`.
        name: Option<String>,
    },
    /// By an interface for Ethernet frames, likewise.
    Tap {
        /// Its name; one derived from the network's ID if `None`.
        name: Option<String>,
    },
    /// By a descriptor the program hands over, an open TUN device for instance, whose addresses and
    /// routes are the program's business.
    Descriptor(Descriptor),
    /// By IP packets the program itself sends and receives ([`Handle::packets`](crate::Handle::packets)).
    Packets,
    /// By Ethernet frames, likewise, each with its 14-byte header.
    Frames,
    /// As a member only: frames for the host are dropped.
    None,
}

/// The ports of all networks.
#[derive(Default)]
pub(crate) struct Ports {
    /// By ascending network.
    ports: Vec<(NetworkId, Attached)>,
    /// Which port is asked first whether it has something, so that none starves the others.
    next: usize,
    /// Whether roots answer. Without, a default route would lead nowhere (spec 03 §11).
    online: bool,
    dropped: u64,
}

/// What a network leads to on this machine.
pub(crate) struct Attached {
    kind: Kind,
    /// The descriptor this one took the place of, while there may be packets of the host in it, and
    /// how many more times it is read.
    retiring: Option<(Box<DescriptorPort>, usize)>,
    /// What the network means for this machine.
    plan: TunPlan,
    /// The multicast groups the node was told that the host is in.
    groups: BTreeSet<MulticastGroup>,
}

enum Kind {
    Device(Box<Device>),
    Descriptor(Box<DescriptorPort>),
    Packets(Box<PacketPort>),
    Nothing,
    /// There should be an interface, but there is none.
    Lost,
}

struct PacketPort {
    mode: PortMode,
    /// `None` until the host has asked for them, and after it has dropped its end.
    channels: Option<HostChannels>,
    /// Received from the host and not processed.
    waiting: PacketBatch,
    /// For the host.
    collected: PacketBatch,
}

impl Port {
    /// Returns whether the node makes an interface for it.
    pub(crate) const fn makes_interface(&self) -> bool {
        match self {
            Self::Tun { .. } | Self::Tap { .. } => true,
            Self::Descriptor(_) | Self::Packets | Self::Frames | Self::None => false,
        }
    }
}

impl Attached {
    /// Opens a port for `network`, on which this node has the hardware address `mac`.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the interface cannot be had.
    pub(crate) fn open(port: Port, network: NetworkId, mac: Mac) -> Result<Self, PortError> {
        let create = |name: Option<String>, mode| {
            let name = name.unwrap_or_else(|| interface_name(network));
            Device::create(&name, mode, mac).map(|device| Kind::Device(Box::new(device)))
        };
        let kind = match port {
            Port::Tun { name } => create(name, PortMode::L3)?,
            Port::Tap { name } => create(name, PortMode::L2)?,
            Port::Descriptor(descriptor) => {
                Kind::Descriptor(Box::new(DescriptorPort::open(descriptor)?))
            }
            Port::Packets => Kind::Packets(Box::new(PacketPort::new(PortMode::L3))),
            Port::Frames => Kind::Packets(Box::new(PacketPort::new(PortMode::L2))),
            Port::None => Kind::Nothing,
        };
        Ok(Self::new(kind))
    }

    fn new(kind: Kind) -> Self {
        Self { kind, retiring: None, plan: TunPlan::default(), groups: BTreeSet::new() }
    }

    fn configure(&mut self, online: bool) {
        let Kind::Device(device) = &mut self.kind else { return };
        if online {
            device.configure(&self.plan);
        } else {
            device.configure(&self.plan.without_default_routes());
        }
    }

    /// Returns the port of a network whose interface cannot be had.
    pub(crate) fn lost() -> Self {
        Self::new(Kind::Lost)
    }

    /// Returns what is exchanged.
    pub(crate) const fn mode(&self) -> PortMode {
        match &self.kind {
            Kind::Device(device) => device.mode(),
            Kind::Descriptor(descriptor) => descriptor.mode(),
            Kind::Packets(port) => port.mode,
            Kind::Nothing | Kind::Lost => PortMode::L3,
        }
    }

    /// Returns the groups the host is in.
    fn groups(&self) -> BTreeSet<MulticastGroup> {
        match &self.kind {
            Kind::Device(device) => device.groups().unwrap_or_else(|error| {
                log::debug!(interface:? = device.name(), error:%; "multicast groups are unknown");
                self.groups.clone()
            }),
            Kind::Descriptor(_) | Kind::Packets(_) | Kind::Nothing | Kind::Lost => BTreeSet::new(),
        }
    }

    /// Returns what to tell the node so that it takes the host to be in `groups`.
    fn change_groups(
        &mut self,
        network: NetworkId,
        groups: BTreeSet<MulticastGroup>,
    ) -> Vec<Command> {
        let old = std::mem::replace(&mut self.groups, groups);
        let left = old.difference(&self.groups);
        let left = left.map(|&group| Command::Unsubscribe { network, group });
        let joined = self.groups.difference(&old);
        let joined = joined.map(|&group| Command::Subscribe { network, group });
        // In this order the node never has more than it may.
        left.chain(joined).collect()
    }
}

impl Ports {
    /// Makes `attached` the port of `network`, in place of any it has. What the host has put into a
    /// descriptor that is replaced by another is read before it is closed.
    pub(crate) fn attach(&mut self, network: NetworkId, mut attached: Attached) {
        match self.position(network) {
            Ok(index) => {
                let port = &mut self.ports[index].1;
                if let (Kind::Descriptor(_), PortMode::L3) = (&attached.kind, attached.mode())
                    && let PortMode::L3 = port.mode()
                    && let Kind::Descriptor(old) = std::mem::replace(&mut port.kind, Kind::Nothing)
                {
                    attached.retiring = Some((old, RETIRING_READS_MAX));
                }
                *port = attached;
            }
            Err(index) => self.ports.insert(index, (network, attached)),
        }
    }

    /// Removes the port of `network`, with its interface.
    pub(crate) fn detach(&mut self, network: NetworkId) {
        if let Ok(index) = self.position(network) {
            self.ports.remove(index);
        }
    }

    /// Removes all ports, with their interfaces.
    pub(crate) fn clear(&mut self) {
        self.ports.clear();
    }

    /// Brings the port of `network` into the state `plan` says.
    pub(crate) fn configure(&mut self, network: NetworkId, plan: &TunPlan) {
        let online = self.online;
        let Some(attached) = self.get_mut(network) else { return };
        attached.plan.clone_from(plan);
        attached.configure(online);
    }

    /// Says whether roots answer. Default routes are there only while they do.
    pub(crate) fn set_online(&mut self, online: bool) {
        self.online = online;
        for (_, attached) in &mut self.ports {
            attached.configure(online);
        }
    }

    /// Returns what the networks want of this machine beyond their interfaces.
    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes::default();
        for (_, attached) in &self.ports {
            let Kind::Device(device) = &attached.kind else { continue };
            let (v4, v6) = device.default_routes();
            wishes.default_ipv4 |= v4;
            wishes.default_ipv6 |= v6;
            if let (Some(name), Some(index), Some(dns)) =
                (device.name(), device.index(), &attached.plan.dns)
            {
                wishes.dns.push(LinkDns {
                    interface: name.to_owned(),
                    index,
                    domain: dns.domain.clone(),
                    servers: dns.servers.clone(),
                });
            }
        }
        wishes
    }

    /// Returns what to tell the node of the multicast groups the host has joined and left since this
    /// was last asked.
    pub(crate) fn follow_groups(&mut self) -> Vec<Command> {
        let ports = self.ports.iter_mut();
        let changes = ports.map(|(network, attached)| {
            let groups = attached.groups();
            attached.change_groups(*network, groups)
        });
        changes.flatten().collect()
    }

    /// Returns what to tell the node of them before another port takes the place of this one.
    pub(crate) fn forget_groups(&mut self, network: NetworkId) -> Vec<Command> {
        let attached = self.get_mut(network);
        attached.map_or_else(Vec::new, |port| port.change_groups(network, BTreeSet::new()))
    }

    /// Opens the channels of a network whose packets the program handles itself; `None` if it is
    /// not such a network. Channels opened before are closed.
    pub(crate) fn open_packets(&mut self, network: NetworkId) -> Option<Packets> {
        let Kind::Packets(port) = &mut self.get_mut(network)?.kind else {
            return None;
        };
        let (packets, channels) = packets::channels(PACKET_BATCHES_MAX);
        port.channels = Some(channels);
        Some(packets)
    }

    /// Returns this node's addresses on all networks.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let addresses = self.ports.iter().flat_map(|(_, attached)| &attached.plan.addresses);
        addresses.map(|&(ip, _)| ip).collect()
    }

    /// Returns the names of this node's interfaces.
    pub(crate) fn interfaces(&self) -> Vec<&str> {
        self.ports
            .iter()
            .filter_map(|(_, attached)| match &attached.kind {
                Kind::Device(device) => device.name(),
                Kind::Descriptor(_) | Kind::Packets(_) | Kind::Nothing | Kind::Lost => None,
            })
            .collect()
    }

    /// Returns whether `network` should have an interface but has none.
    pub(crate) fn is_lost(&self, network: NetworkId) -> bool {
        self.position(network).is_ok_and(|index| matches!(self.ports[index].1.kind, Kind::Lost))
    }

    /// Returns how many frames for the host had no place.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Waits until the host sends something; returns on which network.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<NetworkId> {
        let count = self.ports.len();
        for turn in 0..count {
            let index = (self.next + turn) % count;
            let (network, attached) = &mut self.ports[index];
            let ready = match &mut attached.kind {
                _ if attached.retiring.is_some() => Poll::Ready(()),
                Kind::Device(device) => device.poll_readable(cx),
                Kind::Descriptor(descriptor) => descriptor.poll_readable(cx),
                Kind::Packets(port) => port.poll_readable(cx),
                Kind::Nothing | Kind::Lost => Poll::Pending,
            };
            if ready.is_ready() {
                self.next = index + 1;
                return Poll::Ready(*network);
            }
        }
        Poll::Pending
    }

    /// Takes what the host sends on `network` into `batch`; returns what is in there, or `None` if
    /// the interface is gone.
    pub(crate) fn read(&mut self, network: NetworkId, batch: &mut HostBatch) -> Option<PortMode> {
        batch.clear();
        let attached = self.get_mut(network)?;
        if let Some((old, reads)) = attached.retiring.take() {
            batch.source = Source::Interface;
            // It is given up anyway, be it because it is broken.
            if old.drain(&mut batch.read).is_ok() && !batch.read.is_empty() && reads > 1 {
                attached.retiring = Some((old, reads - 1));
            }
            return Some(attached.mode());
        }
        match &mut attached.kind {
            Kind::Device(device) => {
                batch.source = Source::Interface;
                if let Err(error) = device.read(&mut batch.read) {
                    log::error!(interface:? = device.name(), error:%; "the interface is gone");
                    (attached.kind, attached.plan) = (Kind::Lost, TunPlan::default());
                    return None;
                }
            }
            Kind::Descriptor(descriptor) => {
                batch.source = Source::Interface;
                if let Err(error) = descriptor.read(&mut batch.read) {
                    log::warn!(network:%, error:%; "the descriptor is of no more use");
                    (attached.kind, attached.plan) = (Kind::Lost, TunPlan::default());
                    return None;
                }
            }
            Kind::Packets(port) => {
                batch.source = Source::Program(0);
                batch.packets = std::mem::take(&mut port.waiting);
            }
            Kind::Nothing | Kind::Lost => {}
        }
        Some(attached.mode())
    }

    /// Returns whether collected frames should be handed out before more are taken in.
    pub(crate) fn is_filling(&self) -> bool {
        self.ports.iter().any(|(_, attached)| match &attached.kind {
            Kind::Device(device) => device.is_filling(),
            Kind::Descriptor(_) | Kind::Packets(_) | Kind::Nothing | Kind::Lost => false,
        })
    }

    /// Gives back the memory only load needs.
    pub(crate) fn trim(&mut self) {
        for (_, attached) in &mut self.ports {
            match &mut attached.kind {
                Kind::Device(device) => device.trim(),
                Kind::Packets(port) => port.trim(),
                Kind::Descriptor(_) | Kind::Nothing | Kind::Lost => {}
            }
        }
    }

    /// Hands all collected frames to the host.
    pub(crate) async fn flush(&mut self) {
        for (_, attached) in &mut self.ports {
            self.dropped += match &mut attached.kind {
                Kind::Device(device) => device.flush().await,
                Kind::Packets(port) => port.flush(),
                Kind::Descriptor(_) | Kind::Nothing | Kind::Lost => 0,
            };
        }
    }

    fn get_mut(&mut self, network: NetworkId) -> Option<&mut Attached> {
        let index = self.position(network).ok()?;
        Some(&mut self.ports[index].1)
    }

    fn position(&self, network: NetworkId) -> Result<usize, usize> {
        self.ports.binary_search_by_key(&network, |&(network, _)| network)
    }
}

impl FrameSink for Ports {
    fn deliver(&mut self, network: NetworkId, frame: Frame<'_>) {
        let Some(attached) = self.get_mut(network) else { return };
        self.dropped += match &mut attached.kind {
            Kind::Device(device) => u64::from(!device.push(&frame)),
            Kind::Descriptor(descriptor) => u64::from(!descriptor.push(&frame)),
            Kind::Packets(port) => port.push(&frame),
            Kind::Nothing | Kind::Lost => 0,
        };
    }
}

impl PacketPort {
    fn new(mode: PortMode) -> Self {
        let (waiting, collected) = Default::default();
        Self { mode, channels: None, waiting, collected }
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(channels) = &mut self.channels else { return Poll::Pending };
        match channels.from_host.poll_recv(cx) {
            Poll::Ready(Some(batch)) => {
                self.waiting = batch;
                Poll::Ready(())
            }
            // Nothing will come until the channels are opened anew.
            Poll::Ready(None) if channels.to_host.is_closed() => {
                self.channels = None;
                Poll::Pending
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Frees the memory of batches that were dropped.
    fn trim(&self) {
        if let Some(channels) = &self.channels {
            channels.spares.free();
        }
    }

    /// Collects a frame for the host; returns how many were lost for it.
    fn push(&mut self, frame: &Frame<'_>) -> u64 {
        let lost = if self.collected.is_full() { self.flush() } else { 0 };
        if let (true, Some(channels)) = (self.collected.is_empty(), &self.channels) {
            self.collected = channels.spares.batch();
        }
        match self.mode {
            PortMode::L3 => self.collected.push(frame.payload),
            PortMode::L2 => self.collected.push_parts(&[&ethernet_header(frame), frame.payload]),
        };
        lost
    }

    /// Hands what is collected to the host; returns how many packets it has no room for.
    fn flush(&mut self) -> u64 {
        if self.collected.is_empty() {
            return 0;
        }
        let batch = std::mem::take(&mut self.collected);
        let packets = batch.len() as u64;
        match &self.channels {
            Some(channels) if channels.to_host.try_send(batch).is_ok() => 0,
            Some(_) | None => packets,
        }
    }
}

/// What the host sent, taken in at once.
pub(crate) struct HostBatch {
    read: ReadBatch,
    packets: PacketBatch,
    source: Source,
}

/// Which of the two a batch is.
enum Source {
    Interface,
    /// The program's packets; which is next.
    Program(usize),
}

impl HostBatch {
    pub(crate) fn new() -> Self {
        Self { read: ReadBatch::new(), packets: PacketBatch::new(), source: Source::Program(0) }
    }

    /// Returns the next IP packet or Ethernet frame.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        match &mut self.source {
            Source::Interface => self.read.next(),
            Source::Program(next) => {
                *next += 1;
                self.packets.get(*next - 1)
            }
        }
    }

    /// Empties the batch, and gives back the pages that were touched.
    pub(crate) fn trim(&mut self) {
        self.clear();
        self.read.trim();
    }

    /// Forgets what was taken in. The memory of a program's packets is free for the next ones.
    pub(crate) fn clear(&mut self) {
        (self.packets, self.source) = (PacketBatch::new(), Source::Program(0));
    }
}

/// Returns the name of a network's interface unless the user wants another: `zt` and the ID in 13
/// digits of base 32, which together are as long as a name may be.
fn interface_name(network: NetworkId) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    let digit = |place: u32| {
        let index = (network.0 >> (5 * place)) & 31;
        char::from(DIGITS[usize::try_from(index).unwrap_or(0)])
    };
    std::iter::chain(['z', 't'], (0..13).rev().map(digit)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::tun::Framing;

    const NETWORK: NetworkId = NetworkId(0x8056_c2e2_1c00_0001);

    #[test]
    fn networks_of_one_controller_have_interfaces_of_different_names() {
        let one = interface_name(NETWORK);
        let other = interface_name(NetworkId(NETWORK.0 + 1));

        assert_eq!(one.len(), 15);
        assert!(one.starts_with("zt"));
        assert_ne!(one, other);
    }

    #[test]
    fn the_node_is_told_of_groups_that_come_and_go() {
        let group = |n| MulticastGroup { mac: Mac::BROADCAST, adi: n };
        let subscribe = |n| Command::Subscribe { network: NETWORK, group: group(n) };
        let unsubscribe = |n| Command::Unsubscribe { network: NETWORK, group: group(n) };
        let mut attached = Attached::open(Port::None, NETWORK, Mac::ZERO).unwrap();
        let mut change = |groups: &[u32]| {
            attached.change_groups(NETWORK, groups.iter().copied().map(group).collect())
        };

        assert_eq!(change(&[1, 2]), [subscribe(1), subscribe(2)]);
        assert_eq!(change(&[1, 2]), []);
        assert_eq!(change(&[0, 2]), [unsubscribe(1), subscribe(0)]);
        assert_eq!(change(&[]), [unsubscribe(0), unsubscribe(2)]);
    }

    #[tokio::test]
    async fn packets_pass_between_the_program_and_the_node() {
        let mut ports = Ports::default();
        ports.attach(NETWORK, Attached::open(Port::Packets, NETWORK, Mac::ZERO).unwrap());
        let mut packets = ports.open_packets(NETWORK).unwrap();

        let mut batch = PacketBatch::new();
        batch.push(b"out");
        packets.sender.send(batch).await.unwrap();
        let network = std::future::poll_fn(|cx| ports.poll_readable(cx)).await;
        let mut read = HostBatch::new();
        assert_eq!(ports.read(network, &mut read), Some(PortMode::L3));
        assert_eq!(read.next(), Some(&b"out"[..]));
        assert_eq!(read.next(), None);

        ports.deliver(NETWORK, frame(b"in"));
        ports.flush().await;
        let received = packets.receiver.recv().await.unwrap();
        assert_eq!(received.iter().collect::<Vec<_>>(), [b"in"]);
    }

    #[tokio::test]
    async fn frames_pass_with_their_headers() {
        let mut ports = Ports::default();
        ports.attach(NETWORK, Attached::open(Port::Frames, NETWORK, Mac::ZERO).unwrap());
        let mut packets = ports.open_packets(NETWORK).unwrap();

        ports.deliver(NETWORK, frame(b"in"));
        ports.flush().await;

        let received = packets.receiver.recv().await.unwrap();
        let header = [&[0; 12][..], &[8, 0]].concat();
        assert_eq!(received.get(0), Some(&*[&header[..], b"in"].concat()));
    }

    #[tokio::test]
    async fn what_is_in_a_descriptor_that_is_replaced_is_not_lost() {
        let mut ports = Ports::default();
        let (old, new) = (UnixDatagram::pair().unwrap(), UnixDatagram::pair().unwrap());
        let open = |fd: UnixDatagram| {
            let fd = fd.into();
            let descriptor = Descriptor { fd, mode: PortMode::L3, framing: Framing::Plain };
            Attached::open(Port::Descriptor(descriptor), NETWORK, Mac::ZERO).unwrap()
        };
        ports.attach(NETWORK, open(old.1));
        old.0.send(b"one").unwrap();

        ports.attach(NETWORK, open(new.1));
        new.0.send(b"two").unwrap();

        let mut read = HostBatch::new();
        let mut all = Vec::new();
        while all.len() < 2 {
            let network = std::future::poll_fn(|cx| ports.poll_readable(cx)).await;
            assert_eq!(ports.read(network, &mut read), Some(PortMode::L3));
            all.extend(std::iter::from_fn(|| read.next().map(<[u8]>::to_vec)));
        }
        assert_eq!(all, [b"one", b"two"]);
        assert!(old.0.send(b"three").is_err());
    }

    #[tokio::test]
    async fn packets_nobody_receives_are_counted() {
        let mut ports = Ports::default();
        ports.attach(NETWORK, Attached::open(Port::Packets, NETWORK, Mac::ZERO).unwrap());
        let _packets = ports.open_packets(NETWORK).unwrap();

        for _ in 0..PACKET_BATCHES_MAX + 2 {
            ports.deliver(NETWORK, frame(b"in"));
            ports.flush().await;
        }

        assert_eq!(ports.dropped(), 2);
    }

    fn frame(payload: &[u8]) -> Frame<'_> {
        Frame { destination: Mac::ZERO, source: Mac::ZERO, ethertype: 0x0800, payload }
    }
}
