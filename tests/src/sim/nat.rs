//! Address translators, by the terms of RFC 4787: how they map and what they filter.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use zt_protocol::time::Instant;

use super::trace::Fnv;

/// What an outside port, or the permission to use it, depends on besides the inside endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dependence {
    /// On nothing else.
    Independent,
    /// On the address of the far end.
    Address,
    /// On the address and port of the far end.
    AddressAndPort,
}

/// Which outside port a mapping is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Allocation {
    /// The one after the last.
    Sequential,
    /// Any.
    Random,
    /// The one it has inside, unless that is taken towards the same far end; then any.
    Kept,
}

/// How a translator, or a firewall without translation, behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Nat {
    /// What the outside port depends on. `None`: addresses are not translated at all.
    pub mapping: Option<Dependence>,
    /// Which port that is.
    pub allocation: Allocation,
    /// Who outside may send to a mapped port.
    pub filtering: Dependence,
    /// How long a mapping outlives its last outgoing datagram.
    pub expiry: Duration,
    /// Whether those inside reach each other by their outside endpoints.
    pub hairpin: bool,
    /// Whether a port to which a far end sends uninvited is taken towards that far end, for as long
    /// as a mapping would last.
    pub is_claimed: bool,
}

/// One port for all, open to all.
pub const FULL_CONE: Nat = Nat {
    mapping: Some(Dependence::Independent),
    allocation: Allocation::Sequential,
    filtering: Dependence::Independent,
    expiry: Duration::from_secs(120),
    hairpin: false,
    is_claimed: false,
};

/// One port for all, open to the addresses it was used for.
pub const ADDRESS_RESTRICTED_CONE: Nat = Nat { filtering: Dependence::Address, ..FULL_CONE };

/// One port for all, open to the endpoints it was used for.
pub const PORT_RESTRICTED_CONE: Nat = Nat { filtering: Dependence::AddressAndPort, ..FULL_CONE };

/// A port for every endpoint, open to that endpoint, and each the one after the last.
pub const SEQUENTIAL: Nat =
    Nat { mapping: Some(Dependence::AddressAndPort), ..PORT_RESTRICTED_CONE };

/// A port for every endpoint, open to that endpoint, that nobody can foretell.
pub const SYMMETRIC: Nat = Nat { allocation: Allocation::Random, ..SEQUENTIAL };

/// What Linux does that masquerades and filters nothing. What comes uninvited is for the router itself,
/// which remembers it as a flow of its own.
pub const MASQUERADE: Nat = Nat {
    allocation: Allocation::Kept,
    expiry: Duration::from_secs(30),
    is_claimed: true,
    ..SEQUENTIAL
};

/// Public addresses behind a firewall that lets answers in.
pub const FIREWALL: Nat = Nat { mapping: None, ..PORT_RESTRICTED_CONE };

/// A translator at work.
pub(super) struct Translator {
    nat: Nat,
    outside: IpAddr,
    last_port: u16,
    mappings: BTreeMap<Key, Mapping>,
    /// What far ends have sent uninvited, to which outside endpoint, and when last.
    claims: BTreeMap<(SocketAddr, SocketAddr), Instant>,
}

/// Which mapping a datagram from inside uses: its source, and what is `Some` of its destination.
type Key = (SocketAddr, Option<IpAddr>, Option<u16>);

struct Mapping {
    outside: SocketAddr,
    last_out: Instant,
    /// Far ends the mapping was used for, and when last.
    sent_to: BTreeMap<SocketAddr, Instant>,
}

impl Translator {
    /// Returns a translator with the address `outside`.
    pub(super) fn new(nat: Nat, outside: IpAddr) -> Self {
        let (mappings, claims) = (BTreeMap::new(), BTreeMap::new());
        Self { nat, outside, last_port: 50_000, mappings, claims }
    }

    /// Returns the outside address.
    pub(super) const fn outside(&self) -> IpAddr {
        self.outside
    }

    /// Returns whether addresses are the same on both sides.
    pub(super) const fn is_transparent(&self) -> bool {
        self.nat.mapping.is_none()
    }

    /// Returns whether those inside reach each other by their outside endpoints.
    pub(super) const fn hairpins(&self) -> bool {
        self.nat.hairpin
    }

    /// Forgets every mapping, as a router does that is switched off and on.
    pub(super) fn reset(&mut self) {
        self.mappings.clear();
        self.claims.clear();
    }

    /// Takes a datagram from inside; returns the source it has outside.
    pub(super) fn outward(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> SocketAddr {
        let key = self.key(source, destination);
        let expiry = self.nat.expiry;
        if self.mappings.get(&key).is_some_and(|mapping| now.since(mapping.last_out) > expiry) {
            self.mappings.remove(&key);
        }

        let kept = SocketAddr::new(self.outside, source.port());
        let is_free = !self.is_taken(now, destination, kept);
        let mapping = self.mappings.entry(key).or_insert_with(|| {
            self.last_port = match self.nat.allocation {
                Allocation::Sequential => self.last_port + 1,
                Allocation::Kept if is_free => source.port(),
                Allocation::Random | Allocation::Kept => scattered(self.outside, self.last_port),
            };
            let translated = SocketAddr::new(self.outside, self.last_port);
            let outside = if self.nat.mapping.is_some() { translated } else { source };
            Mapping { outside, last_out: now, sent_to: BTreeMap::new() }
        });
        mapping.last_out = now;
        mapping.sent_to.insert(destination, now);

        mapping.outside
    }

    /// Returns whether datagrams from `far` to `outside` are somebody else's already.
    fn is_taken(&self, now: Instant, far: SocketAddr, outside: SocketAddr) -> bool {
        let fresh = |at: Instant| now.since(at) <= self.nat.expiry;
        let is_mapped = self.mappings.values().any(|mapping| {
            mapping.outside == outside && mapping.sent_to.get(&far).is_some_and(|&at| fresh(at))
        });
        is_mapped || self.claims.get(&(far, outside)).is_some_and(|&at| fresh(at))
    }

    /// Takes a datagram from outside; returns the destination it has inside, if it may enter.
    pub(super) fn inward(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Option<SocketAddr> {
        let inside = self.invited(now, source, destination);
        if inside.is_none() && self.nat.is_claimed {
            self.claims.insert((source, destination), now);
        }
        inside
    }

    /// Returns the destination inside of a datagram that may enter.
    fn invited(
        &self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Option<SocketAddr> {
        let fresh = |at: Instant| now.since(at) <= self.nat.expiry;
        let may_enter = |mapping: &Mapping| match self.nat.filtering {
            Dependence::Independent => true,
            Dependence::Address => {
                mapping.sent_to.iter().any(|(far, &at)| far.ip() == source.ip() && fresh(at))
            }
            Dependence::AddressAndPort => mapping.sent_to.get(&source).is_some_and(|&at| fresh(at)),
        };

        self.mappings
            .iter()
            .filter(|(_, mapping)| mapping.outside == destination && fresh(mapping.last_out))
            .find(|(_, mapping)| may_enter(mapping))
            .map(|((inside, ..), _)| *inside)
    }

    fn key(&self, source: SocketAddr, destination: SocketAddr) -> Key {
        match self.nat.mapping {
            None | Some(Dependence::Independent) => (source, None, None),
            Some(Dependence::Address) => (source, Some(destination.ip()), None),
            Some(Dependence::AddressAndPort) => {
                (source, Some(destination.ip()), Some(destination.port()))
            }
        }
    }
}

/// Returns the port that follows `port` as if by chance.
fn scattered(outside: IpAddr, port: u16) -> u16 {
    let mut hash = Fnv::default();
    hash.write(format!("{outside} {port}").as_bytes());
    let unreserved = hash.finish() % u64::from(u16::MAX - 1_024);
    1_024 + u16::try_from(unreserved).expect("the remainder is below the divisor")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "192.168.1.10:9993";
    const FAR: &str = "5.1.0.1:9993";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A translator that has sent one datagram, and the source it gave it.
    fn used(nat: Nat) -> (Translator, SocketAddr) {
        let mut translator = Translator::new(nat, "5.9.0.1".parse().unwrap());
        let outside = translator.outward(Instant::ZERO, at(INSIDE), at(FAR));
        (translator, outside)
    }

    #[test]
    fn kinds_differ_in_whom_they_let_in() {
        let cases = [
            (FULL_CONE, [true, true, true]),
            (ADDRESS_RESTRICTED_CONE, [true, true, false]),
            (PORT_RESTRICTED_CONE, [true, false, false]),
            (SYMMETRIC, [true, false, false]),
        ];

        for (nat, expected) in cases {
            let (mut translator, outside) = used(nat);
            let enters = [FAR, "5.1.0.1:1", "5.2.0.1:9993"]
                .map(|far| translator.inward(Instant::ZERO, at(far), outside).is_some());

            assert_eq!(enters, expected, "{nat:?}");
        }
    }

    #[test]
    fn only_a_symmetric_one_shows_every_far_end_another_port() {
        for (nat, expected) in [(PORT_RESTRICTED_CONE, true), (SYMMETRIC, false)] {
            let (mut translator, outside) = used(nat);
            let other = translator.outward(Instant::ZERO, at(INSIDE), at("5.1.0.1:1"));

            assert_eq!(other == outside, expected, "{nat:?}");
        }
    }

    #[test]
    fn one_that_masquerades_keeps_the_port_unless_the_far_end_has_sent_there_first() {
        let (mut translator, outside) = used(MASQUERADE);
        let (early, late) = (at("5.1.0.1:1"), at("5.1.0.1:2"));
        assert_eq!(outside.port(), at(INSIDE).port());

        assert_eq!(translator.inward(Instant::ZERO, early, outside), None);

        assert_ne!(translator.outward(Instant::ZERO, at(INSIDE), early), outside);
        assert_eq!(translator.outward(Instant::ZERO, at(INSIDE), late), outside);
        assert_eq!(translator.inward(Instant::ZERO, late, outside), Some(at(INSIDE)));
    }

    #[test]
    fn a_mapping_expires_unless_used() {
        let (mut translator, outside) = used(FULL_CONE);
        let late = Instant::from_millis(121_000);

        assert_eq!(translator.inward(late, at(FAR), outside), None);
        assert_ne!(translator.outward(late, at(INSIDE), at(FAR)), outside);
    }
}
