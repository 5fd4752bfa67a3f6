//! Has interfaces looked at again and again where nobody says when they change, but never on phones,
//! which that would keep awake.

use std::io;
use std::task::{Context, Poll};

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::limits::INTERFACES_REFRESH;

/// The passing of time.
pub(crate) struct Changes {
    /// `None` if the host says when to look.
    interval: Option<Interval>,
}

impl Changes {
    /// Begins to wait.
    pub(crate) fn listen() -> io::Result<Self> {
        let is_phone = cfg!(any(target_os = "android", target_os = "ios"));
        let interval = (!is_phone).then(|| {
            let mut interval = interval(INTERFACES_REFRESH);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Ok(Self { interval })
    }

    /// Waits until it is time to look again.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.interval {
            Some(interval) => interval.poll_tick(cx).map(drop),
            None => Poll::Pending,
        }
    }
}
