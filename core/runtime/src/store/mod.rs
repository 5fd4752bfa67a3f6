//! The home directory: everything that outlives a node, in the reference's layout.
//!
//! ```text
//! identity.secret  identity.public      who the node is (spec 02 §12)
//! planet  moons.d/<16 hex>.moon         worlds in force
//! moons.d/<16 hex>.wanted               who is asked for a moon that is not here yet
//! networks.d/<16 hex>.conf              joined networks and their cached configurations
//! networks.d/<16 hex>.local.conf        what the user allows them (spec 03 §11)
//! peers.d/<10 hex>.peer                 peers and where they were
//! pins.d/<10 hex>.pin                   fingerprints the user has pinned
//! pins.d/<10 hex>.seen                  fingerprints of those who were there first
//! pins.d/required                       there while peers have to be pinned
//! controller.d/network/<16 hex>.json    networks this node controls (spec 04 §8.1)
//! controller.d/network/<16 hex>/member/<10 hex>.json
//! local.conf  trustedpaths              what the user says about physical networks
//! host.journal                          what to undo on this machine, while there is something
//! ```
//!
//! A file that cannot be understood is reported and left as it is.
//!
//! A program may keep all this elsewhere, under the same names ([`Storage`]), and may have what is
//! secret of it sealed under a key it gives ([`StorageKey`]). What is for programs that share a
//! directory there is with a directory only: edits are noticed, `host.journal` is written, and a file
//! locked while records are edited.

mod directory;
mod local_conf;
mod pins;
mod place;
mod reader;
mod records;
mod saver;
mod sealing;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;
use zt_protocol::address::{Address, MoonId, NetworkId};
use zt_protocol::event::StoreKey;
use zt_protocol::fingerprint::FingerprintError;
use zt_protocol::identity::{IdentityError, SecretIdentity};
use zt_protocol::limits::PINS_MAX;
use zt_protocol::settings::{Settings, SettingsError};
use zt_protocol::world::{World, WorldKind};

use crate::limits::{PEER_FILE_LIFETIME, PEERS_LOADED_MAX};

use self::place::{Lock, Place};

pub(crate) use directory::read;
#[cfg(target_os = "linux")]
pub(crate) use directory::{Mode, replace};
pub use local_conf::{LocalConf, Problem};
pub use place::{Storage, StorageError};
pub(crate) use reader::{Change, Changed, Reader};
pub(crate) use records::{Edition, Records, Written};
pub(crate) use saver::Saver;
pub use sealing::{SealError, StorageKey};
pub(crate) use watch::Watch;

/// Why the home directory, or a file in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// The system refuses.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program that keeps the state refuses.
    #[error("the program cannot {action} {name}: {why}")]
    Storage {
        /// What was tried.
        action: &'static str,
        /// With what.
        name: String,
        /// What the program says.
        why: StorageError,
    },
    /// A secret is sealed and cannot be opened, or cannot be sealed. It is left as it is.
    #[error("{} cannot be used: {why}", .path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: SealError,
    },
    /// The file that should hold the node's identity holds none.
    #[error(
        "{} is corrupt ({why}): restore it from a backup, or move it away to start as a new node \
         with a new address",
        .path.display()
    )]
    CorruptIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: IdentityError,
    },
    /// The address in the identity is not the one its keys give.
    #[error(
        "{} is corrupt (its address is not derived from its keys): restore it from a backup, or \
         move it away to start as a new node with a new address",
        .path.display()
    )]
    ForgedIdentity {
        /// The file.
        path: PathBuf,
    },
    /// The file that should hold a world holds none.
    #[error("{} is corrupt (not a {expected}): restore it, or remove it to do without", .path.display())]
    CorruptWorld {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// What the user allows a network cannot be understood.
    #[error("{} is not understood ({why}): mend it, or remove it for the defaults", .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: SettingsError,
    },
    /// What the user says to be avoided cannot be understood.
    #[error("{} cannot be gone by ({why}): mend it, or remove it for the defaults", .path.display())]
    LocalConf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Problem,
    },
    /// The file that should hold a fingerprint holds none.
    #[error("{} holds no fingerprint ({why}): mend it, or remove it to pin nobody", .path.display())]
    Pin {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: FingerprintError,
    },
    /// There are more pins than a node takes.
    #[error("{} holds more than {PINS_MAX} pins: remove some", .0.display())]
    TooManyPins(PathBuf),
    /// Something needs a home directory, and the node has none.
    #[error("there is no home directory to write down in what a crash would leave on this machine")]
    NoDirectory,
    /// There is no identity where one is needed.
    #[error("{} does not exist: make an identity with `zt id new --out {}`", .path.display(), .home.display())]
    NoIdentity {
        /// The home directory.
        home: PathBuf,
        /// The file that is missing.
        path: PathBuf,
    },
}

/// The names an identity is kept under.
const SECRET: &str = "identity.secret";
const PUBLIC: &str = "identity.public";

/// A home directory, or what stands in for one. Copies are the same.
#[derive(Clone)]
pub struct Home {
    place: Place,
    /// What secrets are sealed under; `None` if they are kept in clear.
    key: Option<StorageKey>,
}

impl Home {
    /// Names the home directory `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { place: Place::Directory(dir.into()), key: None }
    }

    /// Keeps everything in `storage`, and nothing in any directory.
    pub fn in_storage(storage: Arc<dyn Storage>) -> Self {
        Self { place: Place::host(storage), key: None }
    }

    /// Seals secrets under `key`. What is there in clear is sealed when it is read.
    #[must_use]
    pub fn sealed_with(self, key: StorageKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Returns the directory, if it is one.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.place.dir()
    }

    /// Creates the directory and those in it that every node uses.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn create(&self) -> Result<(), HomeError> {
        let Some(root) = self.dir() else { return Ok(()) };
        for name in ["", "moons.d", "networks.d", "peers.d"] {
            directory::create_dir(&root.join(name))?;
        }
        Ok(())
    }

    /// Reads the node's identity; `None` if there is none yet.
    ///
    /// Takes milliseconds: the identity is checked as a stranger's would be. If it is in clear and
    /// there is a key, it is sealed.
    ///
    /// # Errors
    ///
    /// [`HomeError`] if there is a file but no valid identity in it, or it is sealed and there is no
    /// key or another.
    pub fn identity(&self) -> Result<Option<SecretIdentity>, HomeError> {
        let Some(secret) = self.load_secret(SECRET)? else {
            return Ok(None);
        };
        let path = self.place.path(SECRET);
        let text = str::from_utf8(&secret).unwrap_or_default().trim();
        let identity = match SecretIdentity::from_text(text) {
            Ok(identity) => identity,
            Err(why) => return Err(HomeError::CorruptIdentity { path, why }),
        };

        if !identity.public().is_valid() {
            return Err(HomeError::ForgedIdentity { path });
        }
        self.seal_what_is_in_clear()?;
        self.save_public(&identity)?;
        Ok(Some(identity))
    }

    /// Reads the node's identity, which must be there.
    ///
    /// # Errors
    ///
    /// [`HomeError`], in particular [`HomeError::NoIdentity`].
    pub fn existing_identity(&self) -> Result<SecretIdentity, HomeError> {
        self.identity()?.ok_or_else(|| HomeError::NoIdentity {
            home: self.place.path(""),
            path: self.place.path(SECRET),
        })
    }

    /// Saves the node's identity, sealed if there is a key. An identity that is there already is not
    /// replaced.
    ///
    /// # Errors
    ///
    /// [`HomeError`]; [`HomeError::Io`] of kind [`io::ErrorKind::AlreadyExists`] if there is one.
    pub fn save_identity(&self, identity: &SecretIdentity) -> Result<(), HomeError> {
        if self.place.read(SECRET)?.map(Zeroizing::new).is_some() {
            let source = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(HomeError::Io { action: "write", path: self.place.path(SECRET), source });
        }
        self.save_secret(SECRET, identity.to_text().as_bytes())?;
        self.save_public(identity)
    }

    /// Moves the node's identity aside, so that the next start makes another; returns where to.
    ///
    /// For a node whose address has turned out to be somebody else's. What it joined stays joined,
    /// under its next address.
    ///
    /// # Errors
    ///
    /// [`HomeError`]; the identity is where it was.
    pub fn retire_identity(&self) -> Result<PathBuf, HomeError> {
        let identity = self.existing_identity()?;
        let retired = format!("identity.{}.retired", identity.address());
        // It is sealed for its name, so it is not just renamed. A crash here leaves both.
        self.save_secret(&retired, identity.to_text().as_bytes())?;
        self.place.remove(SECRET)?;
        Ok(self.place.path(&retired))
    }

    fn save_public(&self, identity: &SecretIdentity) -> Result<(), HomeError> {
        let text = identity.public().to_string();
        if self.place.read(PUBLIC)?.is_some_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        self.place.write(PUBLIC, text.as_bytes())
    }

    fn load_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        let Some(stored) = self.place.read(name)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let secret = sealing::open(self.key.as_ref(), name, stored);
        secret.map(Some).map_err(|why| self.cannot_be_used(name, why))
    }

    fn save_secret(&self, name: &str, secret: &[u8]) -> Result<(), HomeError> {
        match &self.key {
            Some(key) => {
                let sealed =
                    key.seal(name, secret).map_err(|why| self.cannot_be_used(name, why))?;
                self.place.write(name, &sealed)
            }
            None => self.place.write(name, secret),
        }
    }

    fn cannot_be_used(&self, name: &str, why: SealError) -> HomeError {
        HomeError::Sealed { path: self.place.path(name), why }
    }

    /// Seals secrets that were stored before there was a key, and removes what was left behind by a
    /// process that ended while it wrote one.
    fn seal_what_is_in_clear(&self) -> Result<(), HomeError> {
        if self.key.is_none() {
            return Ok(());
        }
        let mut names = self.place.names("")?;
        names.retain(|name| {
            name == SECRET || name.starts_with("identity.") && name.ends_with(".retired")
        });
        for name in names {
            let Some(stored) = self.place.read(&name)?.map(Zeroizing::new) else { continue };
            if !sealing::is_sealed(&stored) {
                self.save_secret(&name, &stored)?;
            }
            if let Some(root) = self.dir() {
                directory::remove_leftovers(&root.join(name))?;
            }
        }
        Ok(())
    }

    /// Reads the stored planet, whatever its signature (spec 02 §1.4).
    ///
    /// # Errors
    ///
    /// [`HomeError::CorruptWorld`] if the file is no planet.
    pub fn planet(&self) -> Result<Option<World>, HomeError> {
        let (bytes, path) = (self.load(StoreKey::Planet)?, self.path(StoreKey::Planet));
        bytes.map(|bytes| parse_world(&bytes, WorldKind::Planet, &path)).transpose()
    }

    /// Reads the stored moons, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`HomeError::CorruptWorld`] if a file named as a moon is none.
    pub fn moons(&self) -> Result<Vec<World>, HomeError> {
        let mut moons = Vec::new();
        for name in self.place.names("moons.d/")? {
            let Some(id) = hex_name(&name, ".moon", 16) else { continue };
            moons.extend(self.moon(MoonId(id))?);
        }
        Ok(moons)
    }

    /// Reads a stored moon; `None` if there is none of this ID.
    ///
    /// # Errors
    ///
    /// [`HomeError::CorruptWorld`] if the file is no moon.
    pub fn moon(&self, moon: MoonId) -> Result<Option<World>, HomeError> {
        let (bytes, path) = (self.load(StoreKey::Moon(moon))?, self.path(StoreKey::Moon(moon)));
        bytes.map(|bytes| parse_world(&bytes, WorldKind::Moon, &path)).transpose()
    }

    /// Returns the moons that are waited for and who is asked for each, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub(crate) fn wanted_moons(&self) -> Result<Vec<(MoonId, Vec<Address>)>, HomeError> {
        let mut wanted = Vec::new();
        for name in self.place.names("moons.d/")? {
            let Some(moon) = hex_name(&name, ".wanted", 16).map(MoonId) else { continue };
            let bytes = self.load(StoreKey::WantedMoon(moon))?.unwrap_or_default();
            let lines = str::from_utf8(&bytes).unwrap_or_default().lines();
            wanted.push((moon, lines.filter_map(|line| line.trim().parse().ok()).collect()));
        }
        Ok(wanted)
    }

    /// Returns the networks that are joined, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn networks(&self) -> Result<Vec<NetworkId>, HomeError> {
        let names = self.place.names("networks.d/")?;
        Ok(names.iter().filter_map(|name| hex_name(name, ".conf", 16)).map(NetworkId).collect())
    }

    /// Reads what the user allows a network; the defaults if nothing is said.
    ///
    /// # Errors
    ///
    /// [`HomeError::Settings`] if what is said cannot be understood.
    pub fn settings(&self, network: NetworkId) -> Result<Settings, HomeError> {
        let key = StoreKey::NetworkSettings(network);
        let text = self.load(key)?.unwrap_or_default();
        Settings::from_text(&text).map_err(|why| HomeError::Settings { path: self.path(key), why })
    }

    /// Saves what the user allows a network. Other lines of the file stay as they are.
    ///
    /// # Errors
    ///
    /// [`HomeError::Settings`] if nobody could read it back, and [`HomeError::Io`]; what was there
    /// is still there.
    pub fn save_settings(&self, network: NetworkId, settings: &Settings) -> Result<(), HomeError> {
        let key = StoreKey::NetworkSettings(network);
        let text = settings.merged_into(&self.load(key)?.unwrap_or_default());
        if let Err(why) = Settings::from_text(&text) {
            return Err(HomeError::Settings { path: self.path(key), why });
        }
        self.save(key, Some(&text))
    }

    /// Reads the peers saved last. What cannot be read is left out: it is only a cache.
    ///
    /// Of more than [`PEERS_LOADED_MAX`] those saved first are not read. Those nobody has met for
    /// [`PEER_FILE_LIFETIME`] are removed; in a [`Storage`], which cannot tell, all that are too many.
    pub(crate) fn peers(&self) -> Vec<Vec<u8>> {
        let names = self.place.names("peers.d/").unwrap_or_default();
        let mut peers: Vec<_> = names
            .iter()
            .filter_map(|name| hex_name(name, ".peer", 10))
            .map(|address| StoreKey::Peer(Address::from_u64(address)))
            .map(|key| (self.dir().and_then(|_| directory::age(&self.path(key))), key))
            .collect();
        peers.sort_unstable();

        let is_old = |age: Option<Duration>| age.is_some_and(|age| age > PEER_FILE_LIFETIME);
        for (place, &(age, key)) in peers.iter().enumerate() {
            if is_old(age) || age.is_none() && place >= PEERS_LOADED_MAX {
                // One that cannot be removed is tried again at the next start.
                let _ = self.place.remove(&name_of(key));
            }
        }
        peers.retain(|&(age, _)| !is_old(age));
        peers.truncate(PEERS_LOADED_MAX);
        peers.iter().filter_map(|&(_, key)| self.load(key).ok().flatten()).collect()
    }

    /// Reads a piece of state; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn load(&self, key: StoreKey) -> Result<Option<Vec<u8>>, HomeError> {
        self.place.read(&name_of(key))
    }

    /// Writes or removes a piece of state. Content that is there already is not written again.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`]; what was there is still there.
    pub fn save(&self, key: StoreKey, value: Option<&[u8]>) -> Result<(), HomeError> {
        let name = name_of(key);
        let Some(value) = value else {
            return self.place.remove(&name);
        };
        if self.place.read(&name)?.is_some_and(|there| there == value) {
            return Ok(());
        }
        self.place.write(&name, value)
    }

    /// Returns the file a piece of state is kept in, or the name it has in a [`Storage`].
    #[must_use]
    pub fn path(&self, key: StoreKey) -> PathBuf {
        self.place.path(&name_of(key))
    }

    /// Keeps others from editing the controller's records until what is returned is dropped.
    pub(crate) fn lock_records(&self) -> Result<Lock<'_>, HomeError> {
        self.place.lock(CONTROLLER)
    }

    /// Returns the file in which the node notes what it has changed on this machine; `None` if there
    /// is no directory for it.
    pub(crate) fn host_journal(&self) -> Option<PathBuf> {
        Some(self.dir()?.join("host.journal"))
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Home").field(&self.dir()).finish()
    }
}

/// Where the networks this node controls are.
const CONTROLLER: &str = "controller.d/network/";

/// Returns the name a piece of state is kept under, in a home directory or a [`Storage`].
#[must_use]
pub fn name_of(key: StoreKey) -> String {
    match key {
        StoreKey::Planet => "planet".to_owned(),
        StoreKey::Moon(moon) => format!("moons.d/{moon}.moon"),
        StoreKey::WantedMoon(moon) => format!("moons.d/{moon}.wanted"),
        StoreKey::Network(network) => format!("networks.d/{network}.conf"),
        StoreKey::NetworkSettings(network) => format!("networks.d/{network}.local.conf"),
        StoreKey::Epoch => "epoch".to_owned(),
        StoreKey::Peer(address) => format!("peers.d/{address}.peer"),
        StoreKey::Pin(address) => format!("pins.d/{address}.pin"),
        StoreKey::FirstSeen(address) => format!("pins.d/{address}.seen"),
        StoreKey::RequirePinned => "pins.d/required".to_owned(),
        StoreKey::ControllerNetwork(network) => format!("{CONTROLLER}{network}.json"),
        StoreKey::ControllerMember(network, member) => {
            format!("{CONTROLLER}{network}/member/{member}.json")
        }
    }
}

/// Reads a planet or a moon from a file that is not part of a home directory.
///
/// # Errors
///
/// [`HomeError`] if it cannot be read or is not of this kind.
pub fn read_world(path: &Path, kind: WorldKind) -> Result<World, HomeError> {
    let missing = || directory::failed("read", path)(io::ErrorKind::NotFound.into());
    let bytes = read(path)?.ok_or_else(missing)?;
    parse_world(&bytes, kind, path)
}

fn parse_world(bytes: &[u8], kind: WorldKind, path: &Path) -> Result<World, HomeError> {
    World::read_prefix(bytes)
        .ok()
        .map(|(world, _)| world)
        .filter(|world| world.kind == kind)
        .ok_or_else(|| HomeError::CorruptWorld {
            path: path.to_owned(),
            expected: match kind {
                WorldKind::Planet => "planet",
                WorldKind::Moon => "moon",
            },
        })
}

/// Returns the number in a name of exactly `digits` lower-case hexadecimal digits and `suffix`.
fn hex_name(name: &str, suffix: &str, digits: usize) -> Option<u64> {
    let hex = name.strip_suffix(suffix)?;
    let valid =
        hex.len() == digits && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if valid { u64::from_str_radix(hex, 16).ok() } else { None }
}
