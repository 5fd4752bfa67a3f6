//! Writes state while the driver goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;
use zt_protocol::event::StoreKey;

use super::{Edition, HomeError, Records, Written};

type Values = BTreeMap<StoreKey, Value>;

/// What is to be saved.
#[derive(Debug)]
struct Value {
    /// `None` to remove what is there.
    bytes: Option<Vec<u8>>,
    /// What others wrote that the node knew when it made this.
    edition: Edition,
}

/// Saves the latest value of each piece of state, on a thread that may wait for the disk.
///
/// Bounded by the number of things a node keeps: of each only the newest value waits.
#[derive(Debug)]
pub(crate) struct Saver {
    records: Arc<Records>,
    waiting: Values,
    writing: Option<JoinHandle<Vec<StoreKey>>>,
}

impl Saver {
    pub(crate) const fn new(records: Arc<Records>) -> Self {
        Self { records, waiting: BTreeMap::new(), writing: None }
    }

    /// Saves `value` under `key`, or removes what is there, some time soon.
    pub(crate) fn save(&mut self, key: StoreKey, bytes: Option<Vec<u8>>) {
        let edition = self.records.edition(key);
        self.waiting.insert(key, Value { bytes, edition });
        self.start();
    }

    /// Waits for a write to end; returns which records others have changed, to be read instead.
    pub(crate) fn poll_superseded(&mut self, cx: &mut Context<'_>) -> Poll<Vec<StoreKey>> {
        let Some(writing) = &mut self.writing else {
            return Poll::Pending;
        };
        let result = ready!(std::pin::Pin::new(writing).poll(cx));
        self.writing = None;
        self.start();
        Poll::Ready(result.unwrap_or_default())
    }

    /// Waits until everything is saved.
    pub(crate) async fn finish(&mut self) {
        while let Some(writing) = self.writing.take() {
            // What others have changed meanwhile stays as they wrote it.
            let _ = writing.await;
            self.start();
        }
    }

    fn start(&mut self) {
        if self.writing.is_none() && !self.waiting.is_empty() {
            let values = std::mem::take(&mut self.waiting);
            let records = Arc::clone(&self.records);
            self.writing = Some(tokio::task::spawn_blocking(move || write(&records, values)));
        }
    }
}

fn write(records: &Records, values: Values) -> Vec<StoreKey> {
    let mut superseded = Vec::new();
    for (key, value) in values {
        match write_one(records, key, &value) {
            Ok(Written::Saved | Written::Outdated) => {}
            Ok(Written::Superseded) => superseded.push(key),
            Err(error) => log::error!(error:%; "state is not saved"),
        }
    }
    superseded
}

fn write_one(records: &Records, key: StoreKey, value: &Value) -> Result<Written, HomeError> {
    let bytes = value.bytes.as_deref();
    match key {
        StoreKey::ControllerNetwork(_) | StoreKey::ControllerMember(..) => {
            records.write(key, bytes, value.edition)
        }
        StoreKey::Planet
        | StoreKey::Moon(_)
        | StoreKey::WantedMoon(_)
        | StoreKey::Network(_)
        | StoreKey::NetworkSettings(_)
        | StoreKey::Epoch
        | StoreKey::Peer(_)
        | StoreKey::Pin(_)
        | StoreKey::FirstSeen(_)
        | StoreKey::RequirePinned => records.home().save(key, bytes).map(|()| Written::Saved),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::future::poll_fn;

    use zt_protocol::address::NetworkId;

    use super::*;
    use crate::store::Home;

    #[tokio::test]
    async fn the_newest_of_many_values_is_what_remains() {
        let dir = tempfile::tempdir().unwrap();
        let mut saver = Saver::new(Arc::new(Records::new(Home::new(dir.path()))));

        for value in 0..100_u8 {
            saver.save(StoreKey::Planet, Some(vec![value]));
        }
        saver.finish().await;

        assert_eq!(fs::read(dir.path().join("planet")).unwrap(), [99]);
    }

    #[tokio::test]
    async fn a_record_changed_by_others_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        let key = StoreKey::ControllerNetwork(NetworkId(1));
        home.save(key, Some(b"theirs")).unwrap();
        let mut saver = Saver::new(Arc::new(Records::new(home)));

        saver.save(key, Some(b"ours".to_vec()));
        let superseded = poll_fn(|cx| saver.poll_superseded(cx)).await;

        assert_eq!(superseded, [key]);
    }
}
