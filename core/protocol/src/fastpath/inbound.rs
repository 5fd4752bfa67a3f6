//! From a datagram to an opened packet.
//!
//! Source: spec 01 §11.

use crate::address::Address;
use crate::compress;
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::fastpath::reassembly::{Part, Reassembly};
use crate::fastpath::relay::{self, Hops, Relayed};
use crate::fastpath::tables::Tables;
use crate::limits::{HEADER_LEN, PACKET_LEN_MAX};
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
    /// The payload of the packet at hand, if it came compressed.
    plain: Vec<u8>,
}

impl Intake {
    pub(crate) const fn new() -> Self {
        Self { reassembly: Reassembly::new(), plain: Vec::new() }
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
            Some((path, packet)) => open(&mut self.plain, tables, path, packet),
            None => Ok(Inbound::Incomplete),
        }
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

/// Opens a whole packet for this node.
fn open<'a>(
    plain: &'a mut Vec<u8>,
    tables: &Tables,
    path: Path,
    packet: &'a mut [u8],
) -> Result<Inbound<'a>, Rejected> {
    let (header, _) = Header::split(packet)?;
    let source = header.source;
    if source.is_reserved() {
        return Err(Rejected::ReservedSource);
    }
    let cipher = header.cipher()?;
    if cipher == Cipher::Authenticated && header.verb() == Some(Verb::Hello) {
        return Ok(Inbound::Hello { path, packet });
    }
    let Some(peer) = tables.peer(source) else {
        return Ok(Inbound::FromStranger { source, path, packet });
    };
    suite::open(&peer.keys, packet)?;
    opened(plain, path, packet)
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
