//! Looks again and again, where the system offers no better way.

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};
use zt_protocol::event::StoreKey;

use crate::store::{HomeError, Records};

/// How often every record is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Watches the records of a home directory, not the settings of networks: to look for those all the
/// time would keep a phone awake.
pub(crate) struct Watch {
    records: Arc<Records>,
    /// `None` if there are no records.
    interval: Option<Interval>,
}

impl Watch {
    pub(crate) fn start(
        records: Arc<Records>,
        _root: &Path,
        controller: bool,
    ) -> Result<Self, HomeError> {
        let interval = controller.then(|| {
            let mut interval = tokio::time::interval(PERIOD);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Ok(Self { records, interval })
    }

    /// Waits for records that may have changed; returns which.
    pub(crate) fn poll_touched(&mut self, cx: &mut Context<'_>) -> Poll<Vec<StoreKey>> {
        let Some(interval) = &mut self.interval else { return Poll::Pending };
        interval.poll_tick(cx).map(|_| self.records.list().unwrap_or_default())
    }
}
