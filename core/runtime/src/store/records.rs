//! The records of the networks this node controls, which an operator may edit while it runs.
//!
//! A record is written only over content the node has taken in: what somebody else put there in
//! the meantime is handed to the node instead, which answers with a record that has it all, and
//! records it made before it knew are dropped. Our own programs also hold a lock while they read,
//! decide and write, so between them nothing is lost at all.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::StoreKey;

use super::{Home, HomeError, create_dir, failed, hex_name, names, read};

/// The controller's records on disk, and what was last known of each.
#[derive(Debug)]
pub(crate) struct Records {
    home: Home,
    known: Mutex<HashMap<StoreKey, Known>>,
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The content last read or written, as a digest; `None` if there is none.
    content: Option<u64>,
    /// The content that is being written, which may be on the disk already.
    coming: Option<u64>,
    edition: Edition,
}

/// Counts the contents of a record that others wrote and the node has taken in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Edition(u64);

/// What became of a record that was to be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    /// It is on the disk.
    Saved,
    /// Somebody else's is on the disk, and the node has to take it in.
    Superseded,
    /// The node has taken in somebody else's since it made this one, and makes another.
    Outdated,
}

impl Records {
    /// Returns the records of `home`, none of them known.
    pub(crate) fn new(home: Home) -> Self {
        Self { home, known: Mutex::default() }
    }

    /// Returns the home directory.
    pub(crate) const fn home(&self) -> &Home {
        &self.home
    }

    /// Returns which records there are, each network before its members.
    pub(crate) fn list(&self) -> Result<Vec<StoreKey>, HomeError> {
        let mut keys = Vec::new();
        for name in names(&self.home.controller_dir())? {
            let Some(network) = hex_name(&name, ".json", 16).map(NetworkId) else { continue };
            keys.push(StoreKey::ControllerNetwork(network));
            keys.extend(self.list_members(network)?);
        }
        Ok(keys)
    }

    /// Returns which members of `network` have records.
    pub(crate) fn list_members(&self, network: NetworkId) -> Result<Vec<StoreKey>, HomeError> {
        let dir = self.home.controller_dir().join(format!("{network}/member"));
        let member = |name: &String| hex_name(name, ".json", 10).map(Address::from_u64);
        let key = |member| StoreKey::ControllerMember(network, member);
        Ok(names(&dir)?.iter().filter_map(member).map(key).collect())
    }

    /// Returns a record if others have changed it, for the node to take in at once.
    pub(crate) fn changed(&self, key: StoreKey) -> Result<Option<Vec<u8>>, HomeError> {
        // While it is locked, a write under way may replace the content it started from by the
        // one that is coming, and by no other.
        let mut known = self.known();
        let content = read(&self.home.path(key))?;
        let known = known.entry(key).or_default();
        let foreign = content.filter(|content| !known.is_ours(digest(content)));
        if let Some(content) = &foreign {
            known.content = Some(digest(content));
            known.edition.0 += 1;
        }
        Ok(foreign)
    }

    /// Returns which edition of a record the node has taken in last.
    pub(crate) fn edition(&self, key: StoreKey) -> Edition {
        self.known().get(&key).copied().unwrap_or_default().edition
    }

    /// Writes or removes a record of the node's, made when it had taken in `edition`, unless
    /// somebody else has changed it since.
    pub(crate) fn write(
        &self,
        key: StoreKey,
        value: Option<&[u8]>,
        edition: Edition,
    ) -> Result<Written, HomeError> {
        let _lock = self.lock()?;
        {
            let mut known = self.known();
            let content = read(&self.home.path(key))?;
            let known = known.entry(key).or_default();
            let there = content.as_deref().map(digest);
            if there.is_some_and(|there| Some(there) != known.content)
                && content.as_deref() != value
            {
                return Ok(Written::Superseded);
            }
            if known.edition != edition {
                return Ok(Written::Outdated);
            }
            known.coming = value.map(digest);
        }

        // The disk may take its time, and the driver shall not wait for it.
        let saved = self.home.save(key, value);
        let mut known = self.known();
        let known = known.entry(key).or_default();
        let coming = known.coming.take();
        if saved.is_ok() {
            known.content = coming;
        }
        saved.map(|()| Written::Saved)
    }

    /// Keeps other programs of ours from writing records until the file returned is closed.
    pub(crate) fn lock(&self) -> Result<File, HomeError> {
        let dir = self.home.controller_dir();
        create_dir(&dir)?;
        let path = dir.join(".lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(file)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<StoreKey, Known>> {
        // Nothing that can panic happens while the lock is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Returns whether the node has read, written or begun to write this content.
    fn is_ours(&self, content: u64) -> bool {
        [self.content, self.coming].contains(&Some(content))
    }
}

/// Tells contents apart. Whoever could craft a collision could as well write the file.
fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const NETWORK: NetworkId = NetworkId(0x8056_c2e2_1c00_0001);
    const KEY: StoreKey = StoreKey::ControllerNetwork(NETWORK);

    #[test]
    fn a_record_somebody_else_wrote_is_not_overwritten() {
        let (_dir, records) = empty();
        assert_eq!(write(&records, b"ours"), Written::Saved);
        fs::write(records.home.path(KEY), b"theirs").unwrap();

        assert_eq!(write(&records, b"ours again"), Written::Superseded);
        assert_eq!(fs::read(records.home.path(KEY)).unwrap(), b"theirs");
        assert_eq!(records.changed(KEY).unwrap(), Some(b"theirs".to_vec()));

        // The node has been told, so its next record is the merged one.
        assert_eq!(write(&records, b"merged"), Written::Saved);
    }

    /// An operator allows a member while the node still has to write that it refused it.
    #[test]
    fn a_record_made_before_somebody_elses_was_taken_in_is_dropped() {
        let (_dir, records) = empty();
        let before = records.edition(KEY);
        create_dir(&records.home.controller_dir()).unwrap();
        fs::write(records.home.path(KEY), b"allowed").unwrap();
        records.changed(KEY).unwrap();

        assert_eq!(records.write(KEY, Some(b"refused"), before).unwrap(), Written::Outdated);

        assert_eq!(fs::read(records.home.path(KEY)).unwrap(), b"allowed");
        assert_eq!(records.changed(KEY).unwrap(), None);
        assert_eq!(write(&records, b"allowed, online"), Written::Saved);
    }

    /// Method: somebody looks all the time, as a watched directory makes the driver do.
    #[test]
    fn what_the_node_itself_writes_is_never_taken_for_somebody_elses() {
        let (_dir, records) = empty();
        let written = AtomicBool::new(false);

        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while !written.load(Ordering::Relaxed) {
                    assert_eq!(records.changed(KEY).unwrap(), None);
                }
            });
            for content in 0..100_u8 {
                assert_eq!(write(&records, &[content]), Written::Saved);
            }
            written.store(true, Ordering::Relaxed);
            looking.join().unwrap();
        });
    }

    #[test]
    fn a_record_nobody_has_read_is_not_overwritten() {
        let (_dir, records) = empty();
        create_dir(&records.home.controller_dir()).unwrap();
        fs::write(records.home.path(KEY), b"{corrupt").unwrap();

        assert_eq!(write(&records, b"{}"), Written::Superseded);
    }

    #[test]
    fn only_what_others_wrote_counts_as_changed() {
        let (_dir, records) = empty();
        write(&records, b"ours");

        assert_eq!(records.changed(KEY).unwrap(), None);
        fs::write(records.home.path(KEY), b"theirs").unwrap();
        assert_eq!(records.changed(KEY).unwrap(), Some(b"theirs".to_vec()));
        assert_eq!(records.changed(KEY).unwrap(), None);
    }

    #[test]
    fn records_are_listed_networks_first_and_other_files_ignored() {
        let (_dir, records) = empty();
        let member = StoreKey::ControllerMember(NETWORK, Address::from_u64(0x01_0203_0405));
        records.write(member, Some(b"{}"), Edition::default()).unwrap();
        write(&records, b"{}");
        fs::write(records.home.controller_dir().join("8056C2E21C000002.json"), b"{}").unwrap();

        assert_eq!(records.list().unwrap(), [KEY, member]);
    }

    /// Writes what the node makes of all it has taken in.
    fn write(records: &Records, value: &[u8]) -> Written {
        records.write(KEY, Some(value), records.edition(KEY)).unwrap()
    }

    fn empty() -> (tempfile::TempDir, Records) {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::new(Home::new(dir.path()));
        (dir, records)
    }
}
