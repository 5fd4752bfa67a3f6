//! Where state is kept: a directory, or whatever the program has.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::HomeError;
use super::directory::{self, Mode, failed};
use crate::limits::FILE_LEN_MAX;

/// Keeps what outlives a node, for programs whose nodes have no directory.
///
/// Names are those of the files in a home directory (`identity.secret`, `networks.d/….conf`): short
/// texts of letters, digits, dots and slashes. Calls come one at a time, on threads that may wait,
/// never from the node's own task.
///
/// What was written is read back, by this node and the next, and while it is written the old is not
/// lost. Nothing else writes there while a node runs.
pub trait Storage: Send + Sync {
    /// Returns what is kept under a name; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if that cannot be told.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// Keeps `bytes` under a name, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; what was there is still there.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError>;

    /// Keeps nothing under a name any more. If there is nothing, that is no error.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; what was there may still be there.
    fn remove(&self, name: &str) -> Result<(), StorageError>;

    /// Returns the names that begin with `prefix` and under which something is kept, in any order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if that cannot be told.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError>;
}

/// Why a [`Storage`] did not do what it was asked, in its own words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct StorageError(pub String);

/// A directory or a [`Storage`]. Copies are the same place.
#[derive(Clone)]
pub(super) enum Place {
    Directory(PathBuf),
    Host(Arc<Host>),
}

/// What a program has given in place of a directory.
pub(super) struct Host {
    storage: Arc<dyn Storage>,
    /// Held during each call.
    calls: Mutex<()>,
    /// What a file does for programs that share a directory: see [`Place::lock`].
    records: Mutex<()>,
}

/// Held while records are read, decided about and written.
pub(crate) enum Lock<'a> {
    /// Others with this directory wait until it is closed.
    #[expect(dead_code, reason = "closing it ends the lock")]
    File(File),
    /// Others in this program do.
    #[expect(dead_code, reason = "dropping it ends the lock")]
    Mutex(MutexGuard<'a, ()>),
}

impl Place {
    pub(super) fn host(storage: Arc<dyn Storage>) -> Self {
        Self::Host(Arc::new(Host { storage, calls: Mutex::default(), records: Mutex::default() }))
    }

    /// Returns where `name` is, for people to read.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(dir) => dir.join(name),
            Self::Host(_) => PathBuf::from(name),
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
        match self {
            Self::Directory(dir) => directory::read(&dir.join(name)),
            Self::Host(host) => {
                let bytes = host.ask("read", name, |storage| storage.read(name))?;
                if bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > FILE_LEN_MAX) {
                    let error = StorageError(format!("it is longer than {FILE_LEN_MAX} bytes"));
                    return Err(refused("read", name)(error));
                }
                Ok(bytes)
            }
        }
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        match self {
            Self::Directory(dir) => directory::replace(&dir.join(name), bytes, mode(name)),
            Self::Host(host) => host.ask("write", name, |storage| storage.write(name, bytes)),
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), HomeError> {
        match self {
            Self::Directory(dir) => directory::remove(&dir.join(name)),
            Self::Host(host) => host.ask("remove", name, |storage| storage.remove(name)),
        }
    }

    /// Returns the names in a directory, which ends with a slash or is empty, in ascending order and
    /// without it.
    pub(super) fn names(&self, dir: &str) -> Result<Vec<String>, HomeError> {
        match self {
            Self::Directory(root) => directory::names(&root.join(dir)),
            Self::Host(host) => {
                let all = host.ask("list", dir, |storage| storage.list(dir))?;
                let names = all.iter().filter_map(|name| name.strip_prefix(dir));
                // What is further down is in another directory.
                let mut names: Vec<_> =
                    names.filter(|name| !name.contains('/')).map(str::to_owned).collect();
                names.sort_unstable();
                Ok(names)
            }
        }
    }

    /// Keeps others from doing the same until what is returned is dropped: other programs with this
    /// directory, in which `dir` is made, or others in this program.
    pub(super) fn lock(&self, dir: &str) -> Result<Lock<'_>, HomeError> {
        let root = match self {
            Self::Directory(root) => root.join(dir),
            Self::Host(host) => return Ok(Lock::Mutex(unpoisoned(&host.records))),
        };
        directory::create_dir(&root)?;
        let path = root.join(".lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(Lock::File(file))
    }

    /// Returns the directory, if it is one.
    pub(super) fn dir(&self) -> Option<&Path> {
        match self {
            Self::Directory(dir) => Some(dir),
            Self::Host(_) => None,
        }
    }
}

impl Host {
    fn ask<T>(
        &self,
        action: &'static str,
        name: &str,
        ask: impl FnOnce(&dyn Storage) -> Result<T, StorageError>,
    ) -> Result<T, HomeError> {
        let _call = unpoisoned(&self.calls);
        ask(&*self.storage).map_err(refused(action, name))
    }
}

/// Locks what protects nothing that a panic could leave half done.
fn unpoisoned(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns how a file of a home directory is to be kept.
fn mode(name: &str) -> Mode {
    let is_cache = name.starts_with("peers.d/") || name.ends_with(".seen");
    match name {
        "identity.public" => Mode::Public,
        _ if is_cache => Mode::Cache,
        _ => Mode::Secret,
    }
}

fn refused(action: &'static str, name: &str) -> impl FnOnce(StorageError) -> HomeError {
    let name = name.to_owned();
    move |why| HomeError::Storage { action, name, why }
}
