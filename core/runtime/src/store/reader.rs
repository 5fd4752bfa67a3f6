//! Reads what others have written while the driver goes on.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;
use zt_protocol::address::NetworkId;
use zt_protocol::event::StoreKey;
use zt_protocol::settings::Settings;

use super::{Edition, Records};
use crate::limits::RECORDS_READ_AT_ONCE;

/// Something that others have written, to be taken in if it is the latest
/// ([`Records::take`]).
#[derive(Debug)]
pub(crate) struct Changed {
    pub(super) key: StoreKey,
    pub(super) edition: Edition,
    pub(crate) change: Change,
}

/// What they have written.
#[derive(Debug)]
pub(crate) enum Change {
    /// What the user allows a network.
    Settings { network: NetworkId, settings: Settings },
    /// A network or a member of the controller's.
    Record { key: StoreKey, json: Vec<u8> },
}

/// Reads records and settings, on a thread that may wait for the disk.
///
/// Bounded by the number of records there are: each waits once.
#[derive(Debug)]
pub(crate) struct Reader {
    records: Arc<Records>,
    waiting: BTreeSet<StoreKey>,
    reading: Option<JoinHandle<Vec<Changed>>>,
}

impl Reader {
    pub(crate) const fn new(records: Arc<Records>) -> Self {
        Self { records, waiting: BTreeSet::new(), reading: None }
    }

    /// Reads what is kept under `keys` some time soon.
    pub(crate) fn read(&mut self, keys: impl IntoIterator<Item = StoreKey>) {
        self.waiting.extend(keys);
        self.start();
    }

    /// Waits for what others have changed.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Changed>> {
        let Some(reading) = &mut self.reading else {
            return Poll::Pending;
        };
        let changed = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        self.start();
        Poll::Ready(changed.unwrap_or_default())
    }

    /// Returns what others have changed next; `None` once all that waited is read.
    pub(crate) async fn next(&mut self) -> Option<Vec<Changed>> {
        let changed = self.reading.as_mut()?.await;
        self.reading = None;
        self.start();
        Some(changed.unwrap_or_default())
    }

    fn start(&mut self) {
        if self.reading.is_some() || self.waiting.is_empty() {
            return;
        }
        let mut keys = std::mem::take(&mut self.waiting);
        if let Some(&later) = keys.iter().nth(RECORDS_READ_AT_ONCE) {
            self.waiting = keys.split_off(&later);
        }
        let records = Arc::clone(&self.records);
        self.reading = Some(tokio::task::spawn_blocking(move || read(&records, &keys)));
    }
}

fn read(records: &Records, keys: &BTreeSet<StoreKey>) -> Vec<Changed> {
    let look = |&key| {
        records.look(key).unwrap_or_else(|error| {
            log::warn!(error:%; "a record cannot be read");
            None
        })
    };
    keys.iter().filter_map(look).collect()
}
