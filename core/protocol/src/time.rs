//! Two clocks that never mix: one schedules, one is signed into documents.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on the driver's monotonic clock, in microseconds since an arbitrary start.
///
/// The clock must keep counting while the device sleeps, so that a node resumed after an hour
/// knows that an hour has passed; the runtime reads `CLOCK_BOOTTIME` or its platform's
/// equivalent. Simulations start at zero and add.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant {
    micros: u64,
}

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self { micros: 0 };

    /// A point no clock reaches.
    pub const FAR_FUTURE: Self = Self { micros: u64::MAX };

    /// Returns the point `micros` microseconds after the start of the clock.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Returns the point `millis` milliseconds after the start of the clock.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self { micros: millis.saturating_mul(1_000) }
    }

    /// Returns the microseconds since the start of the clock.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// Returns how long ago `earlier` was, zero if it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }

    /// Returns whether at least `period` has passed since `earlier`, or ever if `earlier` is `None`.
    #[must_use]
    pub fn is_due(self, earlier: Option<Self>, period: Duration) -> bool {
        earlier.is_none_or(|earlier| self.since(earlier) >= period)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        let micros = u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX);
        Self { micros: self.micros.saturating_add(micros) }
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        let micros = u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX);
        Self { micros: self.micros.saturating_sub(micros) }
    }
}

/// A wall-clock time, in milliseconds since the Unix epoch.
///
/// Signed into worlds and credentials and carried in HELLO. Never used to schedule: it may jump.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Returns the distance between two times, whichever is later, in milliseconds.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}

impl Add<Duration> for UnixMillis {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
