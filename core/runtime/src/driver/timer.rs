//! When the driver is woken, if nothing else happens.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use zt_protocol::time::Instant;

use crate::limits::SLEPT;

/// Wakes the driver at a time of its own clock.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
    why: &'static str,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            at: Instant::ZERO,
            why: "start",
        }
    }

    /// Has it elapse at this time, for this.
    pub(super) fn set(&mut self, now: Instant, at: Instant, why: &'static str) {
        self.why = why;
        if at != self.at {
            self.at = at;
            self.sleep.as_mut().reset(tokio::time::Instant::now() + at.since(now));
        }
    }

    /// Returns whether the time set has passed so long ago that the machine must have slept since.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.at != Instant::ZERO && now.since(self.at) >= SLEPT
    }

    /// Waits for the time set; returns what it is for.
    pub(super) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let elapsed = self.sleep.as_mut().poll(cx);
        if elapsed.is_ready() {
            // Asked again without being set anew, it would elapse for ever.
            self.at = Instant::ZERO;
        }
        elapsed.map(|()| self.why)
    }
}
