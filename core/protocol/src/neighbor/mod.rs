//! Which MAC a next hop has, for ports that exchange IP packets.
//!
//! A host with a TUN device, a phone's VPN interface or an embedded stack knows no Ethernet, so
//! the node is the Ethernet end station in its place: it asks and answers ARP and neighbour
//! discovery, and holds packets back while it waits. This module decides when to ask and whom to
//! believe; [`arp`] and [`ndp`] are the packets.
//!
//! Hosts also give themselves addresses, one of fe80::/10 on every interface with IPv6 and now and
//! then one of 169.254.0.0/16. Both prefixes are on every link, so their addresses are asked for like
//! others. Which of them is the host's own the node learns from the packets it sends: it answers for
//! those as for managed ones. It does not answer for other addresses the host may have.
//!
//! Source: spec 03 §10.2; RFC 3927, RFC 4291 §2.5.6.

pub mod arp;
pub mod ndp;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use crate::address::Mac;
use crate::error::Rejected;
use crate::limits::{
    NEIGHBOR_ANSWER_TIMEOUT, NEIGHBOR_ASK_DELAYS, NEIGHBOR_ASK_PERIOD, NEIGHBOR_REFRESH_AGE,
    NEIGHBOR_TIMEOUT, NEIGHBOR_WAITING_BYTES_MAX, NEIGHBOR_WAITING_MAX, NEIGHBORS_MAX,
};
use crate::memory;
use crate::time::Instant;

/// The next hops of one port.
///
/// | a hop is | when used               | answered | left alone                              |
/// |----------|-------------------------|----------|-----------------------------------------|
/// | unknown  | asked for: wanted       |          |                                         |
/// | wanted   | asked for, every 2 s,   | fresh    | asked for while packets wait; after 5 s |
/// |          | more often at first     |          | they are given up, and it is unknown    |
/// | fresh    |                         | fresh    | stale after 200 s                       |
/// | stale    | asked itself, every 2 s | fresh    | unknown after 600 s                     |
///
/// The data plane knows the fresh ones and uses them without a word. That it turns to
/// [`lookup`](Self::lookup) is how the others are known to be in use, so an idle network stays
/// silent.
#[derive(Debug, Default)]
pub struct Neighbors {
    hops: BTreeMap<IpAddr, Hop>,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Hop {
    state: State,
    /// When it was last asked for, unless it has answered.
    asked: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// `since` is when the first of the packets came, `questions` how often it was asked for.
    Wanted {
        since: Instant,
        waiting: VecDeque<Vec<u8>>,
        questions: usize,
    },
    Fresh {
        mac: Mac,
        learned: Instant,
    },
    Stale {
        mac: Mac,
        learned: Instant,
    },
}

/// What is known of a next hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// Where it is.
    Known(Mac),
    /// Where it was lately; `ask` it whether it still is.
    Stale {
        /// Its MAC.
        mac: Mac,
        /// Whether it is time to ask.
        ask: bool,
    },
    /// Nothing; `ask` everybody.
    Unknown {
        /// Whether it is time to ask.
        ask: bool,
    },
}

/// What time has done to a next hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lapse {
    /// The data plane shall not use it by itself any more.
    Hide(IpAddr),
    /// Packets wait for it: ask everybody once more.
    Ask(IpAddr),
    /// The packets that waited for it are lost.
    GiveUp(IpAddr),
}

impl Neighbors {
    /// Returns what is known of `ip`, which is about to be sent to.
    ///
    /// If the answer is to ask, that counts as done.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if too many next hops are known or wanted.
    pub fn lookup(&mut self, now: Instant, ip: IpAddr) -> Result<Lookup, Rejected> {
        let hop = self.entry(now, ip)?;
        hop.grow_old(now);

        Ok(match hop.state {
            State::Fresh { mac, .. } => Lookup::Known(mac),
            State::Stale { mac, .. } => Lookup::Stale { mac, ask: hop.take_question(now) },
            State::Wanted { .. } => Lookup::Unknown { ask: hop.take_question(now) },
        })
    }

    /// Keeps `packet` until `ip`, which was [looked up](Self::lookup) in vain, answers.
    ///
    /// # Errors
    ///
    /// [`Rejected::Unresolved`] if the oldest packet made room for this one, and
    /// [`Rejected::Full`] if nothing more may wait: one packet is lost either way.
    pub fn hold(&mut self, now: Instant, ip: IpAddr, packet: &[u8]) -> Result<(), Rejected> {
        let Some(Hop { state: State::Wanted { since, waiting, .. }, .. }) = self.hops.get_mut(&ip)
        else {
            return Err(Rejected::Unresolved);
        };
        if self.waiting_bytes + packet.len() > NEIGHBOR_WAITING_BYTES_MAX {
            return Err(Rejected::Full);
        }

        if waiting.is_empty() {
            *since = now;
        }
        self.waiting_bytes += packet.len();
        waiting.push_back(packet.to_vec());
        if waiting.len() <= NEIGHBOR_WAITING_MAX {
            return Ok(());
        }
        self.waiting_bytes -= waiting.pop_front().map_or(0, |oldest| oldest.len());
        Err(Rejected::Unresolved)
    }

    /// Takes in that `ip` says it is at `mac`.
    ///
    /// Returns the packets that waited for it, or `None` if it was not asked lately and is not
    /// believed.
    pub fn answered(&mut self, now: Instant, ip: IpAddr, mac: Mac) -> Option<VecDeque<Vec<u8>>> {
        let asked = self.hops.get(&ip)?.asked?;
        if now.since(asked) > NEIGHBOR_ANSWER_TIMEOUT {
            return None;
        }
        self.settle(now, ip, mac).ok()
    }

    /// Takes in that `ip` is at `mac`, whoever says so. Returns the packets that waited for it.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if too many next hops are known or wanted.
    pub fn settle(
        &mut self,
        now: Instant,
        ip: IpAddr,
        mac: Mac,
    ) -> Result<VecDeque<Vec<u8>>, Rejected> {
        let hop = self.entry(now, ip)?;
        hop.asked = None;
        let waiting = match core::mem::replace(&mut hop.state, State::Fresh { mac, learned: now }) {
            State::Wanted { waiting, .. } => waiting,
            State::Fresh { .. } | State::Stale { .. } => VecDeque::new(),
        };
        self.waiting_bytes -= bytes_of(&waiting);
        Ok(waiting)
    }

    /// Returns whether anything is known of `ip`, or wanted.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.hops.contains_key(&ip)
    }

    /// Returns what they take, in bytes, waiting packets included.
    #[must_use]
    pub fn footprint(&self) -> usize {
        memory::of_tree(&self.hops) + self.waiting_bytes
    }

    /// Returns the next hops that packets wait for.
    pub fn wanted(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let is_wanted =
            |hop: &Hop| matches!(&hop.state, State::Wanted { waiting, .. } if !waiting.is_empty());
        self.hops.iter().filter(move |(_, hop)| is_wanted(hop)).map(|(&ip, _)| ip)
    }

    /// Forgets everything, waiting packets included.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Lets time pass. Returns what follows from it.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Lapse> {
        let mut lapses = Vec::new();
        let mut lost_bytes = 0;
        self.hops.retain(|&ip, hop| {
            if hop.grow_old(now) {
                lapses.push(Lapse::Hide(ip));
            }
            let State::Wanted { since, waiting, .. } = &mut hop.state else {
                return true;
            };
            if !waiting.is_empty() && now.since(*since) >= NEIGHBOR_ANSWER_TIMEOUT {
                lost_bytes += bytes_of(waiting);
                waiting.clear();
                lapses.push(Lapse::GiveUp(ip));
            }
            let is_waited_for = !waiting.is_empty();
            if is_waited_for && hop.take_question(now) {
                lapses.push(Lapse::Ask(ip));
            }
            is_waited_for || !now.is_due(hop.asked, NEIGHBOR_ANSWER_TIMEOUT)
        });
        self.waiting_bytes -= lost_bytes;
        lapses
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.hops.values().map(Hop::due).min()
    }

    fn entry(&mut self, now: Instant, ip: IpAddr) -> Result<&mut Hop, Rejected> {
        let full = self.hops.len() >= NEIGHBORS_MAX;
        match self.hops.entry(ip) {
            Entry::Occupied(hop) => Ok(hop.into_mut()),
            Entry::Vacant(_) if full => Err(Rejected::Full),
            Entry::Vacant(vacant) => {
                Ok(vacant.insert(Hop { state: State::wanted(now), asked: None }))
            }
        }
    }
}

impl Hop {
    /// Applies the last column of the table; returns whether it is fresh no more.
    fn grow_old(&mut self, now: Instant) -> bool {
        let mut aged = false;
        if let State::Fresh { mac, learned } = self.state
            && now.since(learned) >= NEIGHBOR_REFRESH_AGE
        {
            self.state = State::Stale { mac, learned };
            aged = true;
        }
        if let State::Stale { learned, .. } = self.state
            && now.since(learned) >= NEIGHBOR_TIMEOUT
        {
            self.state = State::wanted(now);
        }
        aged
    }

    /// Returns whether it is time to ask, and counts that as done.
    fn take_question(&mut self, now: Instant) -> bool {
        let is_due = now.is_due(self.asked, self.ask_period());
        if is_due {
            self.asked = Some(now);
            if let State::Wanted { questions, .. } = &mut self.state {
                *questions += 1;
            }
        }
        is_due
    }

    /// Returns how long after the last question to ask again.
    fn ask_period(&self) -> Duration {
        let State::Wanted { questions, .. } = self.state else { return NEIGHBOR_ASK_PERIOD };
        let delay = NEIGHBOR_ASK_DELAYS.get(questions.saturating_sub(1));
        delay.copied().unwrap_or(NEIGHBOR_ASK_PERIOD)
    }

    fn due(&self) -> Instant {
        let asked = self.asked.unwrap_or_default();
        match &self.state {
            State::Wanted { waiting, .. } if waiting.is_empty() => asked + NEIGHBOR_ANSWER_TIMEOUT,
            State::Wanted { since, .. } => {
                (asked + self.ask_period()).min(*since + NEIGHBOR_ANSWER_TIMEOUT)
            }
            State::Fresh { learned, .. } => *learned + NEIGHBOR_REFRESH_AGE,
            State::Stale { learned, .. } => *learned + NEIGHBOR_TIMEOUT,
        }
    }
}

impl State {
    /// A next hop of which nothing is known, and which was not asked for.
    const fn wanted(now: Instant) -> Self {
        Self::Wanted { since: now, waiting: VecDeque::new(), questions: 0 }
    }
}

fn bytes_of(packets: &VecDeque<Vec<u8>>) -> usize {
    packets.iter().map(Vec::len).sum()
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 147, 17, 6));

    fn mac() -> Mac {
        Mac::from([2, 0xc6, 2, 0xcb, 0x5a, 0x2f])
    }

    fn secs(secs: u64) -> Instant {
        millis(secs * 1_000)
    }

    fn millis(millis: u64) -> Instant {
        Instant::from_millis(1_000_000 + millis)
    }

    fn resolved() -> Neighbors {
        let mut neighbors = Neighbors::default();
        neighbors.lookup(secs(0), HOP).unwrap();
        neighbors.answered(secs(0), HOP, mac()).unwrap();
        neighbors
    }

    #[test]
    fn a_hop_is_asked_for_once_and_its_packets_leave_when_it_answers() {
        let mut neighbors = Neighbors::default();

        assert_eq!(neighbors.lookup(secs(0), HOP), Ok(Lookup::Unknown { ask: true }));
        neighbors.hold(secs(0), HOP, b"one").unwrap();
        assert_eq!(neighbors.lookup(millis(249), HOP), Ok(Lookup::Unknown { ask: false }));
        neighbors.hold(millis(249), HOP, b"two").unwrap();
        let waiting = neighbors.answered(secs(1), HOP, mac()).unwrap();

        assert_eq!(waiting, [b"one", b"two"]);
        assert_eq!(neighbors.lookup(secs(1), HOP), Ok(Lookup::Known(mac())));
        assert_eq!(neighbors.waiting_bytes, 0);
    }

    #[test]
    fn nobody_is_believed_who_was_not_asked_lately() {
        let mut neighbors = Neighbors::default();

        assert_eq!(neighbors.answered(secs(0), HOP, mac()), None);
        neighbors.lookup(secs(0), HOP).unwrap();
        assert_eq!(neighbors.answered(secs(6), HOP, mac()), None);

        let mut neighbors = resolved();
        assert_eq!(neighbors.answered(secs(1), HOP, Mac::ZERO), None);
        assert_eq!(neighbors.lookup(secs(1), HOP), Ok(Lookup::Known(mac())));
    }

    #[test]
    fn asking_goes_on_while_packets_wait_and_ends_after_five_seconds() {
        let mut neighbors = Neighbors::default();
        neighbors.lookup(secs(0), HOP).unwrap();
        neighbors.hold(secs(0), HOP, b"packet").unwrap();

        for at in [250, 750, 2_000, 4_000] {
            assert_eq!(neighbors.poll_timeout(), Some(millis(at)));
            assert_eq!(neighbors.handle_timeout(millis(at - 1)), []);
            assert_eq!(neighbors.handle_timeout(millis(at)), [Lapse::Ask(HOP)]);
        }
        assert_eq!(neighbors.poll_timeout(), Some(secs(5)));
        assert_eq!(neighbors.handle_timeout(secs(5)), [Lapse::GiveUp(HOP)]);
        assert_eq!(neighbors.poll_timeout(), Some(secs(9)));
        assert_eq!(neighbors.handle_timeout(secs(9)), []);

        assert_eq!(neighbors.poll_timeout(), None);
        assert_eq!(neighbors.waiting_bytes, 0);
    }

    /// As a host's pings do not end because nobody is there.
    #[test]
    fn a_hop_that_never_answers_is_asked_for_every_two_seconds() {
        let mut neighbors = Neighbors::default();
        let mut asked = Vec::new();

        for at in (0..20_000).step_by(50) {
            let lapsed = neighbors.handle_timeout(millis(at)).contains(&Lapse::Ask(HOP));
            if neighbors.lookup(millis(at), HOP) == Ok(Lookup::Unknown { ask: true }) || lapsed {
                asked.push(at);
            }
            let _ = neighbors.hold(millis(at), HOP, b"ping");
        }

        let expected: Vec<_> =
            [0, 250, 750].into_iter().chain((2_000..20_000).step_by(2_000)).collect();
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_hop_that_has_answered_is_asked_for_quickly_again_once_it_is_forgotten() {
        let mut neighbors = resolved();

        assert_eq!(neighbors.lookup(secs(600), HOP), Ok(Lookup::Unknown { ask: true }));
        assert_eq!(neighbors.lookup(millis(600_250), HOP), Ok(Lookup::Unknown { ask: true }));
        assert_eq!(neighbors.lookup(millis(600_500), HOP), Ok(Lookup::Unknown { ask: false }));
    }

    #[test]
    fn an_old_answer_is_checked_with_whoever_gave_it_once_it_is_used() {
        let mut neighbors = resolved();

        assert_eq!(neighbors.poll_timeout(), Some(secs(200)));
        assert_eq!(neighbors.handle_timeout(secs(200)), [Lapse::Hide(HOP)]);
        let stale = |ask| Ok(Lookup::Stale { mac: mac(), ask });
        assert_eq!(neighbors.lookup(secs(300), HOP), stale(true));
        assert_eq!(neighbors.lookup(secs(301), HOP), stale(false));
        assert_eq!(neighbors.lookup(secs(302), HOP), stale(true));
        assert!(neighbors.answered(secs(303), HOP, mac()).is_some());

        assert_eq!(neighbors.lookup(secs(303), HOP), Ok(Lookup::Known(mac())));
    }

    #[test]
    fn an_answer_nobody_needs_is_forgotten() {
        let mut neighbors = resolved();

        assert_eq!(neighbors.handle_timeout(secs(599)), [Lapse::Hide(HOP)]);
        assert_eq!(neighbors.poll_timeout(), Some(secs(600)));
        assert_eq!(neighbors.handle_timeout(secs(600)), []);

        assert_eq!(neighbors.poll_timeout(), None);
        assert_eq!(neighbors.lookup(secs(600), HOP), Ok(Lookup::Unknown { ask: true }));
    }

    #[test]
    fn what_waits_is_bounded_in_packets_and_in_bytes() {
        let mut neighbors = Neighbors::default();
        neighbors.lookup(secs(0), HOP).unwrap();
        for n in 0..NEIGHBOR_WAITING_MAX {
            neighbors.hold(secs(0), HOP, &[u8::try_from(n).unwrap()]).unwrap();
        }

        assert_eq!(neighbors.hold(secs(0), HOP, b"x"), Err(Rejected::Unresolved));
        let too_much = vec![0; NEIGHBOR_WAITING_BYTES_MAX];
        assert_eq!(neighbors.hold(secs(0), HOP, &too_much), Err(Rejected::Full));

        let waiting = neighbors.answered(secs(0), HOP, mac()).unwrap();
        assert_eq!(waiting.len(), NEIGHBOR_WAITING_MAX);
        assert_eq!((waiting.front().unwrap()[0], waiting.back().unwrap()[0]), (1, b'x'));
    }

    #[test]
    fn scanning_a_network_does_not_grow_the_table_without_bound() {
        let mut neighbors = Neighbors::default();
        let hops = (0..).map(|n| IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + n)));

        let asked =
            hops.take(2 * NEIGHBORS_MAX).filter(|&ip| neighbors.lookup(secs(0), ip).is_ok());

        assert_eq!(asked.count(), NEIGHBORS_MAX);
        neighbors.handle_timeout(secs(5));
        assert_eq!(neighbors.poll_timeout(), None);
    }

    proptest! {
        /// Whatever happens in whatever order: the count of waiting bytes is true, and doing what
        /// `poll_timeout` asks for leaves it asking for something later.
        #[test]
        fn the_books_balance(steps in proptest::collection::vec((0_u8..5, 0_u64..400, 0_u8..3), 0..60)) {
            let mut neighbors = Neighbors::default();
            let mut now = secs(0);
            for (step, pause, hop) in steps {
                now = now + Duration::from_secs(pause);
                let hop = IpAddr::from(Ipv4Addr::from_bits(u32::from(hop)));
                match step {
                    0 => drop(neighbors.lookup(now, hop)),
                    1 => drop(neighbors.hold(now, hop, &[0; 100])),
                    2 => drop(neighbors.answered(now, hop, mac())),
                    3 => drop(neighbors.settle(now, hop, mac())),
                    _ => {
                        neighbors.handle_timeout(now);
                        prop_assert!(neighbors.poll_timeout().is_none_or(|due| due > now));
                    }
                }
                let waiting = neighbors.hops.values().map(|hop| match &hop.state {
                    State::Wanted { waiting, .. } => bytes_of(waiting),
                    State::Fresh { .. } | State::Stale { .. } => 0,
                });
                prop_assert_eq!(waiting.sum::<usize>(), neighbors.waiting_bytes);
            }
        }
    }
}
