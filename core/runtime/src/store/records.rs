//! The records of the networks this node controls, which an operator may edit while it runs.
//!
//! A record is written only over the content that was last read or written: what somebody else
//! put there in the meantime is handed to the node instead, which answers with a record that has
//! it all. Our own programs also hold a lock while they read, decide and write, so between them
//! nothing is lost at all.

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
    known: Mutex<HashMap<StoreKey, u64>>,
}

/// What became of a record that was to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    /// It is on the disk.
    Saved,
    /// Somebody else's is on the disk, which is this one.
    Superseded(Vec<u8>),
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

    /// Returns a record that is not what was last read or written, and knows it from then on.
    pub(crate) fn changed(&self, key: StoreKey) -> Result<Option<Vec<u8>>, HomeError> {
        let content = read(&self.home.path(key))?;
        let mut known = self.known();
        Ok(content.filter(|content| known.insert(key, digest(content)) != Some(digest(content))))
    }

    /// Writes or removes a record unless somebody else has changed it.
    pub(crate) fn write(&self, key: StoreKey, value: Option<&[u8]>) -> Result<Written, HomeError> {
        let _lock = self.lock()?;
        if let Some(theirs) = self.changed(key)?
            && value.is_none_or(|ours| ours != theirs)
        {
            return Ok(Written::Superseded(theirs));
        }

        self.home.save(key, value)?;
        match value {
            Some(value) => self.known().insert(key, digest(value)),
            None => self.known().remove(&key),
        };
        Ok(Written::Saved)
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

    fn known(&self) -> MutexGuard<'_, HashMap<StoreKey, u64>> {
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

    use super::*;

    const NETWORK: NetworkId = NetworkId(0x8056_c2e2_1c00_0001);
    const KEY: StoreKey = StoreKey::ControllerNetwork(NETWORK);

    #[test]
    fn a_record_somebody_else_wrote_is_not_overwritten() {
        let (_dir, records) = empty();
        assert_eq!(records.write(KEY, Some(b"ours")).unwrap(), Written::Saved);
        fs::write(records.home.path(KEY), b"theirs").unwrap();

        let written = records.write(KEY, Some(b"ours again")).unwrap();

        assert_eq!(written, Written::Superseded(b"theirs".to_vec()));
        assert_eq!(fs::read(records.home.path(KEY)).unwrap(), b"theirs");
        // The node has been told, so its next record is the merged one.
        assert_eq!(records.write(KEY, Some(b"merged")).unwrap(), Written::Saved);
    }

    #[test]
    fn a_record_nobody_has_read_is_not_overwritten() {
        let (_dir, records) = empty();
        create_dir(&records.home.controller_dir()).unwrap();
        fs::write(records.home.path(KEY), b"{corrupt").unwrap();

        let written = records.write(KEY, Some(b"{}")).unwrap();

        assert_eq!(written, Written::Superseded(b"{corrupt".to_vec()));
    }

    #[test]
    fn only_what_others_wrote_counts_as_changed() {
        let (_dir, records) = empty();
        records.write(KEY, Some(b"ours")).unwrap();

        assert_eq!(records.changed(KEY).unwrap(), None);
        fs::write(records.home.path(KEY), b"theirs").unwrap();
        assert_eq!(records.changed(KEY).unwrap(), Some(b"theirs".to_vec()));
        assert_eq!(records.changed(KEY).unwrap(), None);
    }

    #[test]
    fn records_are_listed_networks_first_and_other_files_ignored() {
        let (_dir, records) = empty();
        let member = StoreKey::ControllerMember(NETWORK, Address::from_u64(0x01_0203_0405));
        records.write(member, Some(b"{}")).unwrap();
        records.write(KEY, Some(b"{}")).unwrap();
        fs::write(records.home.controller_dir().join("8056C2E21C000002.json"), b"{}").unwrap();

        assert_eq!(records.list().unwrap(), [KEY, member]);
    }

    fn empty() -> (tempfile::TempDir, Records) {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::new(Home::new(dir.path()));
        (dir, records)
    }
}
