//! Where datagrams and frames leave the node, and how a packet is cut into datagrams.

use crate::address::{Mac, NetworkId};
use crate::endpoint::Path;
use crate::limits::{FRAGMENT_HEADER_LEN, FRAGMENTS_MAX, PACKET_LEN_MAX};

/// Where outgoing datagrams are written.
///
/// The node seals straight into the bytes it is lent, so a packet is copied once on its way out:
/// from the frame to the buffer the kernel reads.
pub trait Transmit {
    /// Queues the datagrams of one packet on `path` and lends their bytes, back to back as `cut`
    /// lays them out, to be filled before the next call.
    ///
    /// Returns `None` if there is no room; the packet is then lost, as packets are.
    fn reserve(&mut self, path: Path, cut: Cut) -> Option<&mut [u8]>;

    /// Queues one datagram that shall not get further than `hops` routers.
    ///
    /// It opens this side's NAT and is not meant to arrive. Drivers that cannot limit hops on a
    /// socket send it normally.
    fn send_short_lived(&mut self, path: Path, hops: u8, datagram: &[u8]);
}

/// Where frames for the host are written.
pub trait FrameSink {
    /// Takes a frame that arrived for the host on `network`.
    ///
    /// Ports in [`PortMode::L3`] get only IPv4 and IPv6.
    fn deliver(&mut self, network: NetworkId, frame: Frame<'_>);
}

/// What a network's port exchanges with the host.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PortMode {
    /// IP packets. The node answers and asks ARP and neighbour discovery itself.
    L3,
    /// Ethernet frames. The host does its own address resolution.
    L2,
}

/// An Ethernet frame without its 14-byte header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Who it is for.
    pub destination: Mac,
    /// Who it is from.
    pub source: Mac,
    /// What the payload is, 0x0800 for IPv4.
    pub ethertype: u16,
    /// What follows the Ethernet header.
    pub payload: &'a [u8],
}

/// How one packet becomes datagrams of equal length (spec 01 §10.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cut {
    /// How many datagrams, 1 to [`FRAGMENTS_MAX`].
    pub count: usize,
    /// The length of every datagram but the last, in bytes, fragment header included.
    pub datagram_len: usize,
    /// The length of them all together, in bytes.
    pub total_len: usize,
}

impl Cut {
    /// Cuts a packet of `packet_len` bytes into the fewest datagrams of at most `mtu` bytes, all
    /// of one length.
    ///
    /// Receivers append whatever a fragment carries, so the protocol leaves the lengths to the
    /// sender. Equal ones let the kernel segment a whole run of packets from a single system
    /// call, which a full head and a shorter tail would end after every packet.
    ///
    /// Returns `None` if the packet would need more than [`FRAGMENTS_MAX`] datagrams.
    #[must_use]
    pub fn even(packet_len: usize, mtu: usize) -> Option<Self> {
        debug_assert!(packet_len <= PACKET_LEN_MAX);
        debug_assert!(mtu > FRAGMENT_HEADER_LEN);

        let beyond_head = packet_len.saturating_sub(mtu);
        let count = 1 + beyond_head.div_ceil(mtu - FRAGMENT_HEADER_LEN);
        let total_len = packet_len + (count - 1) * FRAGMENT_HEADER_LEN;

        (count <= FRAGMENTS_MAX).then_some(Self {
            count,
            datagram_len: total_len.div_ceil(count),
            total_len,
        })
    }

    /// Leaves a packet of `len` bytes in one datagram, however long it is.
    ///
    /// For datagrams that are relayed, which keep the lengths they came with.
    #[must_use]
    pub const fn whole(len: usize) -> Self {
        Self { count: 1, datagram_len: len, total_len: len }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::PHYSICAL_MTU;

    /// The table of spec 01 §10.4.
    #[test]
    fn packets_are_cut_as_the_specification_says() {
        let cases =
            [(1433, 2, 725), (2838, 2, 1427), (2851, 3, 961), (8000, 6, 1347), (9928, 7, 1432)];

        for (packet_len, count, datagram_len) in cases {
            let cut = Cut::even(packet_len, 1432).unwrap();

            assert_eq!((cut.count, cut.datagram_len), (count, datagram_len), "{packet_len}");
        }
    }

    proptest! {
        #[test]
        fn datagrams_fit_the_mtu_and_carry_every_byte(packet_len in 28_usize..=9928) {
            let cut = Cut::even(packet_len, PHYSICAL_MTU).unwrap();
            let room = cut.count * cut.datagram_len - (cut.count - 1) * FRAGMENT_HEADER_LEN;

            prop_assert!(cut.datagram_len <= PHYSICAL_MTU);
            prop_assert!(room >= packet_len);
            prop_assert!(room - packet_len < cut.count);
        }
    }
}
