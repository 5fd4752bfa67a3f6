//! The records of the networks this node controls, which an operator may edit while it runs.
//!
//! A record is written only over content the node has taken in: what somebody else put there in
//! the meantime is handed to the node instead, which answers with a record that has it all, and
//! records it made before it knew are dropped. Our own programs also hold a lock while they read,
//! decide and write, so between them nothing is lost at all.
//!
//! Nothing here is called by the driver but [`Records::edition`] and [`Records::take`]: all else
//! may wait for a disk, or for the program that keeps the state.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::StoreKey;
use zt_protocol::settings::Settings;

use super::place::Lock;
use super::{CONTROLLER, Change, Changed, Home, HomeError, hex_name};

/// The controller's records on disk, and what was last known of each.
#[derive(Debug)]
pub(crate) struct Records {
    home: Home,
    known: Mutex<HashMap<StoreKey, Known>>,
    /// Held while a record is read or written, so that what is read is what is known of it, or
    /// somebody else's.
    access: Mutex<()>,
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The content last read or written, as a digest; `None` if there is none.
    content: Option<u64>,
    /// What of others' was read last.
    read: Edition,
    /// And what of that the node has taken in.
    taken: Edition,
}

/// Counts the contents of a record that others wrote.
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
        Self { home, known: Mutex::default(), access: Mutex::default() }
    }

    /// Returns the home directory.
    pub(crate) const fn home(&self) -> &Home {
        &self.home
    }

    /// Returns which records there are, each network before its members.
    pub(crate) fn list(&self) -> Result<Vec<StoreKey>, HomeError> {
        let mut keys = Vec::new();
        for name in self.home.place.names(CONTROLLER)? {
            let Some(network) = hex_name(&name, ".json", 16).map(NetworkId) else { continue };
            keys.push(StoreKey::ControllerNetwork(network));
            keys.extend(self.list_members(network)?);
        }
        Ok(keys)
    }

    /// Returns which members of `network` have records.
    pub(crate) fn list_members(&self, network: NetworkId) -> Result<Vec<StoreKey>, HomeError> {
        let member = |name: &String| hex_name(name, ".json", 10).map(Address::from_u64);
        let key = |member| StoreKey::ControllerMember(network, member);
        let names = self.home.place.names(&format!("{CONTROLLER}{network}/member/"))?;
        Ok(names.iter().filter_map(member).map(key).collect())
    }

    /// Reads what others may have changed; `None` if they have not, or it is no business of theirs.
    ///
    /// What is returned is for the node to take in if [`take`](Self::take) says so by then.
    pub(crate) fn look(&self, key: StoreKey) -> Result<Option<Changed>, HomeError> {
        let _access = self.access();
        let change = match key {
            StoreKey::NetworkSettings(network) => {
                Some(Change::Settings { network, settings: self.settings(network) })
            }
            StoreKey::ControllerNetwork(_) | StoreKey::ControllerMember(..) => {
                let content = self.home.load(key)?;
                let mut known = self.known();
                let known = known.entry(key).or_default();
                let foreign = content.filter(|json| known.content != Some(digest(json)));
                foreign.map(|json| {
                    known.content = Some(digest(&json));
                    Change::Record { key, json }
                })
            }
            // Nobody but the node writes these.
            StoreKey::Planet
            | StoreKey::Moon(_)
            | StoreKey::WantedMoon(_)
            | StoreKey::Network(_)
            | StoreKey::Epoch
            | StoreKey::Peer(_)
            | StoreKey::Pin(_)
            | StoreKey::FirstSeen(_)
            | StoreKey::RequirePinned => None,
        };
        Ok(change.map(|change| {
            let mut known = self.known();
            let known = known.entry(key).or_default();
            known.read.0 += 1;
            Changed { key, edition: known.read, change }
        }))
    }

    /// Returns what the user allows a network. What cannot be understood was meant to forbid
    /// something, so until it can be, nothing is allowed.
    pub(crate) fn settings(&self, network: NetworkId) -> Settings {
        self.home.settings(network).unwrap_or_else(|error| {
            log::warn!(network:%, error:%; "the network may set no addresses and no routes");
            Settings::nothing()
        })
    }

    /// Returns which edition of a record the node has taken in last.
    pub(crate) fn edition(&self, key: StoreKey) -> Edition {
        self.known().get(&key).copied().unwrap_or_default().taken
    }

    /// Returns whether the node is to take this in, which counts as done. It is not if something
    /// later was read.
    pub(crate) fn take(&self, changed: &Changed) -> bool {
        let mut known = self.known();
        let known = known.entry(changed.key).or_default();
        let is_latest = known.read == changed.edition;
        if is_latest {
            known.taken = changed.edition;
        }
        is_latest
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
        let _access = self.access();
        let there = self.home.load(key)?;
        let known = self.known().get(&key).copied().unwrap_or_default();
        let is_foreign = there.as_deref().is_some_and(|json| known.content != Some(digest(json)));
        if is_foreign && there.as_deref() != value {
            return Ok(Written::Superseded);
        }
        if known.read != edition {
            return Ok(Written::Outdated);
        }
        self.home.save(key, value)?;
        self.known().entry(key).or_default().content = value.map(digest);
        Ok(Written::Saved)
    }

    /// Keeps other programs of ours from writing records until what is returned is dropped.
    fn lock(&self) -> Result<Lock<'_>, HomeError> {
        self.home.lock_records()
    }

    fn access(&self) -> MutexGuard<'_, ()> {
        // It protects nothing that a panic could leave half done.
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<StoreKey, Known>> {
        // Nothing that can panic happens while the lock is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::directory::create_dir;

    const NETWORK: NetworkId = NetworkId(0x8056_c2e2_1c00_0001);
    const KEY: StoreKey = StoreKey::ControllerNetwork(NETWORK);

    #[test]
    fn a_record_somebody_else_wrote_is_not_overwritten() {
        let (_dir, records) = empty();
        assert_eq!(write(&records, b"ours"), Written::Saved);
        fs::write(records.home.path(KEY), b"theirs").unwrap();

        assert_eq!(write(&records, b"ours again"), Written::Superseded);
        assert_eq!(fs::read(records.home.path(KEY)).unwrap(), b"theirs");
        assert_eq!(changed(&records), Some(b"theirs".to_vec()));

        // The node has been told, so its next record is the merged one.
        assert_eq!(write(&records, b"merged"), Written::Saved);
    }

    /// An operator allows a member while the node still has to write that it refused it.
    #[test]
    fn a_record_made_before_somebody_elses_was_taken_in_is_dropped() {
        let (_dir, records) = empty();
        let before = records.edition(KEY);
        create_dir(&controller_dir(&records)).unwrap();
        fs::write(records.home.path(KEY), b"allowed").unwrap();
        changed(&records);

        assert_eq!(records.write(KEY, Some(b"refused"), before).unwrap(), Written::Outdated);

        assert_eq!(fs::read(records.home.path(KEY)).unwrap(), b"allowed");
        assert_eq!(changed(&records), None);
        assert_eq!(write(&records, b"allowed, online"), Written::Saved);
    }

    /// What was read and is on its way to the node is somebody else's word already.
    #[test]
    fn a_record_made_while_somebody_elses_was_on_its_way_is_dropped() {
        let (_dir, records) = empty();
        write(&records, b"ours");
        fs::write(records.home.path(KEY), b"first").unwrap();
        let first = records.look(KEY).unwrap().unwrap();

        assert_eq!(
            records.write(KEY, Some(b"refused"), records.edition(KEY)).unwrap(),
            Written::Outdated
        );
        fs::write(records.home.path(KEY), b"second").unwrap();
        let second = records.look(KEY).unwrap().unwrap();

        assert!(!records.take(&first), "something later was read");
        assert!(records.take(&second));
        assert_eq!(write(&records, b"second, online"), Written::Saved);
    }

    /// Method: somebody looks all the time, as a watched directory makes the driver do.
    #[test]
    fn what_the_node_itself_writes_is_never_taken_for_somebody_elses() {
        let (_dir, records) = empty();
        let written = AtomicBool::new(false);

        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while !written.load(Ordering::Relaxed) {
                    assert_eq!(changed(&records), None);
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
        create_dir(&controller_dir(&records)).unwrap();
        fs::write(records.home.path(KEY), b"{corrupt").unwrap();

        assert_eq!(write(&records, b"{}"), Written::Superseded);
    }

    #[test]
    fn only_what_others_wrote_counts_as_changed() {
        let (_dir, records) = empty();
        write(&records, b"ours");

        assert_eq!(changed(&records), None);
        fs::write(records.home.path(KEY), b"theirs").unwrap();
        assert_eq!(changed(&records), Some(b"theirs".to_vec()));
        assert_eq!(changed(&records), None);
    }

    #[test]
    fn records_are_listed_networks_first_and_other_files_ignored() {
        let (_dir, records) = empty();
        let member = StoreKey::ControllerMember(NETWORK, Address::from_u64(0x01_0203_0405));
        records.write(member, Some(b"{}"), Edition::default()).unwrap();
        write(&records, b"{}");
        fs::write(controller_dir(&records).join("8056C2E21C000002.json"), b"{}").unwrap();

        assert_eq!(records.list().unwrap(), [KEY, member]);
    }

    /// Writes what the node makes of all it has taken in.
    fn write(records: &Records, value: &[u8]) -> Written {
        records.write(KEY, Some(value), records.edition(KEY)).unwrap()
    }

    /// Returns what others wrote, as the node takes it in.
    fn changed(records: &Records) -> Option<Vec<u8>> {
        let changed = records.look(KEY).unwrap()?;
        assert!(records.take(&changed));
        let Change::Record { json, .. } = changed.change else { panic!("these are no records") };
        Some(json)
    }

    fn controller_dir(records: &Records) -> PathBuf {
        records.home.dir().unwrap().join(CONTROLLER)
    }

    fn empty() -> (tempfile::TempDir, Records) {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::new(Home::new(dir.path()));
        (dir, records)
    }
}
