//! The two clocks a node is driven by.

use std::time::{SystemTime, UNIX_EPOCH};

use zt_protocol::time::{Instant, UnixMillis};

use crate::limits::{WALL_CLOCK_REFRESH, WALL_CLOCK_SLACK_MS};

/// Reads the monotonic clock, which counts the time the machine sleeps, and keeps track of the
/// wall clock by an anchor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    anchor: (Instant, UnixMillis),
}

impl Clock {
    /// Returns a clock anchored at the present.
    pub(crate) fn start() -> Self {
        Self { anchor: (monotonic(), wall()) }
    }

    /// Returns when the wall clock was read last, and what it said.
    pub(crate) const fn anchor(&self) -> (Instant, UnixMillis) {
        self.anchor
    }

    /// Returns the time.
    #[expect(clippy::unused_self, reason = "a clock that has not been started tells no time")]
    pub(crate) fn now(&self) -> Instant {
        monotonic()
    }

    /// Returns the wall clock's time if the node should be told: a minute has passed, or somebody
    /// has set the clock.
    pub(crate) fn reanchor(&mut self, now: Instant) -> Option<UnixMillis> {
        self.reanchor_to(now, wall())
    }

    fn reanchor_to(&mut self, now: Instant, unix: UnixMillis) -> Option<UnixMillis> {
        let (at, was) = self.anchor;
        let expected = was + now.since(at);
        let due = now.since(at) >= WALL_CLOCK_REFRESH;
        let jumped = unix.abs_diff(expected) > WALL_CLOCK_SLACK_MS;

        (due || jumped).then(|| {
            self.anchor = (now, unix);
            unix
        })
    }
}

/// Reads the wall clock. A clock before 1970 reads as 1970.
pub(crate) fn wall() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// Reads the clock that goes on while the machine sleeps.
fn monotonic() -> Instant {
    // Apple's CLOCK_MONOTONIC counts sleep as Linux's CLOCK_BOOTTIME does.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the kernel to write to, and outlives the call.
    let result = unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    debug_assert_eq!(result, 0, "every supported system has this clock");

    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_micros(seconds * 1_000_000 + nanos / 1_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_millis(5_000);
    const UNIX: UnixMillis = UnixMillis(1_700_000_000_000);

    #[test]
    fn the_monotonic_clock_does_not_go_back() {
        let clock = Clock::start();

        assert!(clock.now() <= clock.now());
    }

    #[test]
    fn a_wall_clock_that_keeps_time_is_told_once_a_minute() {
        let mut clock = Clock { anchor: (NOW, UNIX) };
        let second = Duration::from_secs(1);
        let minute = Duration::from_secs(60);

        assert_eq!(clock.reanchor_to(NOW + second, UNIX + second), None);
        assert_eq!(clock.reanchor_to(NOW + minute, UNIX + minute), Some(UNIX + minute));
        assert_eq!(clock.reanchor_to(NOW + minute + second, UNIX + minute + second), None);
    }

    #[test]
    fn a_wall_clock_that_was_set_is_told_at_once() {
        let mut clock = Clock { anchor: (NOW, UNIX) };
        let back = UnixMillis(UNIX.0 - 3_600_000);

        assert_eq!(clock.reanchor_to(NOW, back), Some(back));
        assert_eq!(clock.reanchor_to(NOW, back), None);
    }
}
