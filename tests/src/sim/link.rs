//! What happens to a datagram between two places: it takes its time, or is lost, or comes twice.

use std::hash::Hasher;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use zt_protocol::rng::Rng;

use super::trace::Fnv;

/// How datagrams fare.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// One-way delay; every pair of addresses has its own, the same both ways.
    pub(super) latency: RangeInclusive<Duration>,
    /// What each datagram takes longer at most.
    pub(super) jitter: Duration,
    /// Datagrams in a thousand that are lost.
    pub(super) lost: u32,
    /// Datagrams in a thousand that come twice.
    pub(super) duplicated: u32,
    /// Datagrams in a thousand that are overtaken by others.
    pub(super) reordered: u32,
}

/// How much later than others a datagram comes that they overtake.
const OVERTAKEN: Duration = Duration::from_millis(50);

impl Link {
    /// Returns a link that only takes time.
    pub(super) const fn new(latency: RangeInclusive<Duration>) -> Self {
        Self { latency, jitter: Duration::ZERO, lost: 0, duplicated: 0, reordered: 0 }
    }

    /// Returns how long each copy of a datagram takes that arrives at all.
    pub(super) fn copies(&self, rng: &mut Rng, seed: u64, ends: [IpAddr; 2]) -> Vec<Duration> {
        if chance(rng, self.lost) {
            return Vec::new();
        }
        let count = if chance(rng, self.duplicated) { 2 } else { 1 };
        let base = self.base(seed, ends);
        let mut delay = || {
            let jitter = Duration::from_micros(rng.u64() % (micros(self.jitter) + 1));
            let overtaken = if chance(rng, self.reordered) { OVERTAKEN } else { Duration::ZERO };
            base + jitter + overtaken
        };
        (0..count).map(|_| delay()).collect()
    }

    /// Returns the delay between `ends`, which depends on them and the seed alone.
    fn base(&self, seed: u64, mut ends: [IpAddr; 2]) -> Duration {
        ends.sort_unstable();
        let mut hash = Fnv::default();
        hash.write_u64(seed);
        hash.write(format!("{ends:?}").as_bytes());

        let (shortest, longest) = (micros(*self.latency.start()), micros(*self.latency.end()));
        Duration::from_micros(shortest + hash.finish() % (longest - shortest + 1))
    }
}

/// Returns `true` in `per_thousand` of a thousand calls.
///
/// Draws nothing when the answer is certain, so that a clean link leaves the world's chance alone.
fn chance(rng: &mut Rng, per_thousand: u32) -> bool {
    per_thousand > 0 && rng.u32() % 1000 < per_thousand
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("a simulation lasts less than half a million years")
}
