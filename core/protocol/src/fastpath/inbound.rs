//! From a datagram to an opened packet.
//!
//! Source: spec 01 §11.

use crate::address::Address;
use crate::compress;
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::fastpath::reassembly::{Complete, Part, Reassembly};
use crate::fastpath::relay::{self, Hops, Relayed};
use crate::fastpath::tables::Tables;
use crate::limits::{HEADER_LEN, PACKET_LEN_MAX};
use crate::memory;
use crate::outbox::Received;
use crate::suite;
use crate::time::Instant;
use crate::transmit::Transmit;
use crate::verb::Verb;
use crate::wire::datagram::Datagram;
use crate::wire::fragment::FragmentHeader;
use crate::wire::header::{Cipher, Header};

/// What a datagram turned out to be.
pub(crate) enum Inbound<'a> {
    /// A part of a packet whose other parts are missing.
    Incomplete,
    /// Something for another node, passed on.
    Relayed(Relayed),
    /// A HELLO under suite 0, which carries the key to its own lock: nothing about it is proven.
    Hello {
        /// The path its head came by.
        path: Path,
        /// The packet.
        packet: &'a mut [u8],
    },
    /// A packet of somebody whose identity is not known.
    FromStranger {
        /// Who it says it is from.
        source: Address,
        /// The path its head came by.
        path: Path,
        /// The packet, still sealed.
        packet: &'a [u8],
    },
    /// A packet that is authentic.
    Opened(Received<'a>),
}

/// Takes datagrams in, one at a time.
pub(crate) struct Intake {
    reassembly: Reassembly,
    /// The packet at hand, if it came in several datagrams.
    whole: Vec<u8>,
    /// The payload of the packet at hand, if it came compressed.
    plain: Vec<u8>,
}

impl Intake {
    pub(crate) const fn new() -> Self {
        Self { reassembly: Reassembly::new(), whole: Vec::new(), plain: Vec::new() }
    }

    /// Gives back the buffers in which there is nothing.
    pub(crate) fn give_back(&mut self) {
        self.reassembly.give_back();
        self.whole = Vec::new();
        self.plain = Vec::new();
    }

    /// Returns what it takes, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        self.reassembly.footprint() + memory::of_list(&self.whole) + memory::of_list(&self.plain)
    }

    /// Says what `datagram` is, opening it in place if it can be.
    ///
    /// # Errors
    ///
    /// Why it was dropped.
    pub(crate) fn take<'a>(
        &'a mut self,
        tables: &Tables,
        now: Instant,
        path: Path,
        datagram: &'a mut [u8],
        transmit: &mut impl Transmit,
    ) -> Result<Inbound<'a>, Rejected> {
        if tables.path_rules.is_blacklisted(path.remote.ip()) {
            return Err(Rejected::Blacklisted);
        }
        let part = match Datagram::classify(datagram)? {
            // Only old nodes send beacons, and whoever answers them answers spoofed ones.
            Datagram::Beacon(_) => return Err(Rejected::NotServed),
            Datagram::Fragment => {
                let (header, data) = FragmentHeader::split(datagram)?;
                if header.destination != tables.me {
                    return pass_on(
                        tables,
                        None,
                        header.destination,
                        Hops::Fragment(datagram),
                        transmit,
                    );
                }
                Part::of_fragment(header, data)?
            }
            Datagram::Packet => {
                let (header, _) = Header::split(datagram)?;
                if header.source == tables.me {
                    return Err(Rejected::FromSelf);
                }
                let (source, destination) = (header.source, header.destination);
                if destination != tables.me {
                    return pass_on(
                        tables,
                        Some(source),
                        destination,
                        Hops::Packet(datagram),
                        transmit,
                    );
                }
                if !header.is_fragmented() {
                    return open(&mut self.plain, tables, path, datagram);
                }
                Part::of_head(header, datagram)
            }
        };
        match self.reassembly.insert(now, path, part)? {
            Some(complete) => self.open_complete(tables, path, &complete),
            None => Ok(Inbound::Incomplete),
        }
    }

    /// Opens a packet that came in parts, in whichever way of putting it together it can be.
    ///
    /// The parts are kept while none is found: the genuine one may be under way.
    fn open_complete<'a>(
        &'a mut self,
        tables: &Tables,
        path: Path,
        complete: &Complete,
    ) -> Result<Inbound<'a>, Rejected> {
        let mut outcome = Err(Rejected::BadFragment);
        for choice in complete.choices() {
            self.reassembly.assemble(complete, choice, &mut self.whole);
            outcome = unlock(tables, path, &mut self.whole);
            if outcome == Ok(Lock::Opened) {
                self.reassembly.release(complete);
                break;
            }
        }
        describe(&mut self.plain, path, &mut self.whole, outcome?)
    }

    /// Tries again a packet that waited for its sender's identity.
    pub(crate) fn retry<'a>(
        &'a mut self,
        tables: &Tables,
        path: Path,
        packet: &'a mut [u8],
    ) -> Result<Inbound<'a>, Rejected> {
        open(&mut self.plain, tables, path, packet)
    }

    /// Gives up incomplete packets that waited too long; returns how many.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        self.reassembly.expire(now)
    }

    /// Returns when [`expire`](Self::expire) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.reassembly.poll_timeout()
    }
}

fn pass_on<'a>(
    tables: &Tables,
    source: Option<Address>,
    destination: Address,
    hops: Hops<'_>,
    transmit: &mut impl Transmit,
) -> Result<Inbound<'a>, Rejected> {
    relay::relay(tables, source, destination, hops, transmit).map(Inbound::Relayed)
}

/// How a whole packet for this node is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lock {
    /// It was, and has been opened, or did not have to be: the packet is authentic.
    Opened,
    /// With a key that comes with it.
    Hello,
    /// With a key that is not known.
    Unknown(Address),
}

/// Opens a whole packet in place if the key is known.
fn unlock(tables: &Tables, path: Path, packet: &mut [u8]) -> Result<Lock, Rejected> {
    let (header, _) = Header::split(packet)?;
    let source = header.source;
    if source.is_reserved() {
        return Err(Rejected::ReservedSource);
    }
    let (rules, ip, is_relayed) = (&tables.path_rules, path.remote.ip(), header.hops() > 0);
    if !is_relayed && rules.forbids(source, ip) {
        return Err(Rejected::Blacklisted);
    }
    let cipher = header.cipher()?;
    if cipher == Cipher::TrustedPath {
        // A relay on the trusted path passes on what anybody sends it.
        if is_relayed || !rules.trusts(ip, u64::from_be_bytes(header.mac)) {
            return Err(Rejected::UntrustedPath);
        }
        let is_known = tables.peer(source).is_some();
        return Ok(if is_known { Lock::Opened } else { Lock::Unknown(source) });
    }
    if cipher == Cipher::Authenticated && header.verb() == Some(Verb::Hello) {
        return Ok(Lock::Hello);
    }
    let Some(peer) = tables.peer(source) else {
        return Ok(Lock::Unknown(source));
    };
    suite::open(&peer.keys, packet).map(|()| Lock::Opened)
}

/// Says what a packet is that was [unlocked](unlock).
fn describe<'a>(
    plain: &'a mut Vec<u8>,
    path: Path,
    packet: &'a mut [u8],
    lock: Lock,
) -> Result<Inbound<'a>, Rejected> {
    match lock {
        Lock::Opened => opened(plain, path, packet),
        Lock::Hello => Ok(Inbound::Hello { path, packet }),
        Lock::Unknown(source) => Ok(Inbound::FromStranger { source, path, packet }),
    }
}

/// Opens a whole packet for this node.
fn open<'a>(
    plain: &'a mut Vec<u8>,
    tables: &Tables,
    path: Path,
    packet: &'a mut [u8],
) -> Result<Inbound<'a>, Rejected> {
    let lock = unlock(tables, path, packet)?;
    describe(plain, path, packet, lock)
}

/// Reads the header of a packet that is authentic and decompresses its body if need be.
fn opened<'a>(
    plain: &'a mut Vec<u8>,
    path: Path,
    packet: &'a [u8],
) -> Result<Inbound<'a>, Rejected> {
    let (header, mut body) = Header::split(packet)?;
    if header.is_compressed() && !body.is_empty() {
        compress::decompress(body, plain)?;
        body = plain;
    }
    debug_assert!(body.len() <= PACKET_LEN_MAX - HEADER_LEN);

    // Verbs this version does not know still show that the peer is alive.
    let verb = header.verb().unwrap_or(Verb::Nop);
    let (from, hops, packet_id) = (header.source, header.hops(), header.id.get());
    Ok(Inbound::Opened(Received { from, path, hops, verb, packet_id, body }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use zerocopy::IntoBytes as _;
    use zt_crypto::PeerKey;

    use super::*;
    use crate::endpoint::SocketId;
    use crate::fastpath::outbound::{self, Envelope};
    use crate::fastpath::tables::PeerView;
    use crate::path_rules::{PhysicalRule, TrustedPathId};
    use crate::suite::PeerKeys;
    use crate::transmit::Cut;

    /// Keeps the datagrams of the last packet.
    #[derive(Default)]
    struct Wire {
        datagram_len: usize,
        bytes: Vec<u8>,
    }

    impl Transmit for Wire {
        fn reserve(&mut self, _: Path, cut: Cut) -> Option<&mut [u8]> {
            self.datagram_len = cut.datagram_len;
            self.bytes = vec![0; cut.total_len];
            Some(&mut self.bytes)
        }

        fn send_short_lived(&mut self, _: Path, _: u8, _: &[u8]) {}
    }

    /// Returns tables of a node that knows one peer and trusts the path it is at, and that peer.
    fn trusting(path: Path) -> (Tables, Address) {
        let (me, from) = (Address::from([1, 2, 3, 4, 5]), Address::from([6, 7, 8, 9, 10]));
        let mut tables = Tables::new(me, 1);
        let keys = Arc::new(PeerKeys::new(PeerKey::from_bytes([7; 48])));
        tables.insert_peer(from, PeerView { path: Some(path), ..PeerView::new(keys) });
        let rule = PhysicalRule { trusted: TrustedPathId::new(9), ..PhysicalRule::default() };
        tables.path_rules.set("192.0.2.0/24".parse().unwrap(), rule).unwrap();
        (tables, from)
    }

    #[test]
    fn what_was_relayed_did_not_come_by_a_trusted_path() {
        let path = Path { local: SocketId(0), remote: ([192, 0, 2, 1], 9993).into() };
        let (tables, source) = trusting(path);
        let taken_after = |hops: u8| {
            let cipher = Cipher::TrustedPath;
            let mut header = Header::new(1, tables.me, source, cipher, Verb::Echo);
            header.mac = 9_u64.to_be_bytes();
            header.set_hops(hops);
            let mut datagram = header.as_bytes().to_vec();
            let wire = &mut Wire::default();
            let mut intake = Intake::new();
            let taken = intake.take(&tables, Instant::ZERO, path, &mut datagram, wire);
            taken.map(|inbound| matches!(inbound, Inbound::Opened(_)))
        };

        assert_eq!(taken_after(0), Ok(true));
        for hops in 1..8 {
            assert_eq!(taken_after(hops), Err(Rejected::UntrustedPath));
        }
    }

    #[test]
    fn what_is_relayed_is_sealed_though_the_way_to_the_relay_is_trusted() {
        let path = |last| Path { local: SocketId(0), remote: ([192, 0, 2, last], 9993).into() };
        let (tables, peer) = trusting(path(1));
        let view = tables.peer(peer).unwrap();

        assert!(tables.way(view, path(1)).unwrap().trusted.is_some());
        assert!(tables.way(view, path(2)).unwrap().trusted.is_none());
    }

    proptest! {
        /// Whoever sees the packet ID forges up to three of the parts, or what they say of their
        /// number, and gets them in before or after the genuine ones.
        #[test]
        fn forged_fragments_do_not_spoil_the_packet(
            len in 1_500_usize..4_000,
            cipher in prop::sample::select(vec![Cipher::Salsa, Cipher::AesGmacSiv]),
            forged in prop::collection::btree_set(0_usize..3, 1..=3),
            order: u64,
        ) {
            let keys = Arc::new(PeerKeys::new(PeerKey::from_bytes([7; 48])));
            let (me, from) = (Address::from([1, 2, 3, 4, 5]), Address::from([6, 7, 8, 9, 10]));
            let mut tables = Tables::new(me, 1);
            let view = PeerView { takes_aes: true, ..PeerView::new(Arc::clone(&keys)) };
            tables.insert_peer(from, view);
            let path = Path { local: SocketId(0), remote: ([192, 0, 2, 1], 9993).into() };
            let way = tables.path_rules.way(path).unwrap();
            let body = vec![0xa5; len];
            let verb = Verb::Echo;
            let envelope = Envelope { nonce: 99, destination: me, source: from, cipher, verb };
            let mut wire = Wire::default();
            outbound::send(&keys, envelope, &[&body], way, &mut wire).unwrap();

            let mut arriving: Vec<Vec<u8>> =
                wire.bytes.chunks(wire.datagram_len).map(<[u8]>::to_vec).collect();
            let genuine = arriving.len();
            for number in forged.into_iter().filter(|&number| number < genuine) {
                let mut forgery = arriving[number].clone();
                forgery[wire.datagram_len / 2] ^= 1;
                arriving.push(forgery);
            }
            let mut rng = crate::rng::Rng::from_seed([order as u8; 32]);
            rng.shuffle(&mut arriving);
            let mut intake = Intake::new();
            let mut delivered = 0;
            for mut datagram in arriving {
                let now = Instant::ZERO;
                let inbound = intake.take(&tables, now, path, &mut datagram, &mut Wire::default());
                if let Ok(Inbound::Opened(rx)) = inbound {
                    prop_assert_eq!(rx.body, &body);
                    delivered += 1;
                }
            }

            prop_assert_eq!(delivered, 1);
        }
    }
}
