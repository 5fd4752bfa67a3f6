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
//! Files are replaced whole: written beside, flushed to the disk, renamed. A file that cannot be
//! understood is reported and left as it is.

mod local_conf;
mod pins;
mod records;
mod saver;
mod watch;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;
use zt_protocol::address::{Address, MoonId, NetworkId};
use zt_protocol::event::StoreKey;
use zt_protocol::fingerprint::FingerprintError;
use zt_protocol::identity::{IdentityError, SecretIdentity};
use zt_protocol::limits::PINS_MAX;
use zt_protocol::settings::{Settings, SettingsError};
use zt_protocol::world::{World, WorldKind};

use crate::limits::{FILE_LEN_MAX, PEER_FILE_LIFETIME, PEERS_LOADED_MAX};

pub use local_conf::{LocalConf, Problem};
pub(crate) use records::{Edition, Records, Written};
pub(crate) use saver::Saver;
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
    /// There is no identity where one is needed.
    #[error("{} does not exist: make an identity with `zt id new --out {}`", .path.display(), .home.display())]
    NoIdentity {
        /// The home directory.
        home: PathBuf,
        /// The file that is missing.
        path: PathBuf,
    },
}

/// A home directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Names the home directory `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates the directory and those in it that every node uses.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn create(&self) -> Result<(), HomeError> {
        for name in ["", "moons.d", "networks.d", "peers.d"] {
            create_dir(&self.dir.join(name))?;
        }
        Ok(())
    }

    /// Reads the node's identity; `None` if there is none yet.
    ///
    /// Takes milliseconds: the identity is checked as a stranger's would be.
    ///
    /// # Errors
    ///
    /// [`HomeError`] if there is a file but no valid identity in it.
    pub fn identity(&self) -> Result<Option<SecretIdentity>, HomeError> {
        let path = self.dir.join("identity.secret");
        let Some(bytes) = read(&path)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let text = str::from_utf8(&bytes).unwrap_or_default().trim();
        let identity = match SecretIdentity::from_text(text) {
            Ok(identity) => identity,
            Err(why) => return Err(HomeError::CorruptIdentity { path, why }),
        };

        if !identity.public().is_valid() {
            return Err(HomeError::ForgedIdentity { path });
        }
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
            home: self.dir.clone(),
            path: self.dir.join("identity.secret"),
        })
    }

    /// Saves the node's identity. An identity that is there already is not replaced.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`]; of kind [`io::ErrorKind::AlreadyExists`] if there is one.
    pub fn save_identity(&self, identity: &SecretIdentity) -> Result<(), HomeError> {
        create_dir(&self.dir)?;
        let path = self.dir.join("identity.secret");
        if path.exists() {
            let source = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(HomeError::Io { action: "write", path, source });
        }
        replace(&path, identity.to_text().as_bytes(), Mode::Secret)?;
        self.save_public(identity)
    }

    /// Moves the node's identity aside, so that the next start makes another; returns where to.
    ///
    /// For a node whose address has turned out to be somebody else's. What it joined stays joined,
    /// under its next address.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`]; the identity is where it was.
    pub fn retire_identity(&self) -> Result<PathBuf, HomeError> {
        let secret = self.dir.join("identity.secret");
        let address = self.existing_identity()?.address();
        let retired = self.dir.join(format!("identity.{address}.retired"));
        fs::rename(&secret, &retired).map_err(failed("rename", &secret))?;
        Ok(retired)
    }

    fn save_public(&self, identity: &SecretIdentity) -> Result<(), HomeError> {
        let path = self.dir.join("identity.public");
        let text = identity.public().to_string();
        if read(&path)?.is_some_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        replace(&path, text.as_bytes(), Mode::Public)
    }

    /// Reads the stored planet, whatever its signature (spec 02 §1.4).
    ///
    /// # Errors
    ///
    /// [`HomeError::CorruptWorld`] if the file is no planet.
    pub fn planet(&self) -> Result<Option<World>, HomeError> {
        let path = self.path(StoreKey::Planet);
        read(&path)?.map(|bytes| parse_world(&bytes, WorldKind::Planet, &path)).transpose()
    }

    /// Reads the stored moons, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`HomeError::CorruptWorld`] if a file named as a moon is none.
    pub fn moons(&self) -> Result<Vec<World>, HomeError> {
        let mut moons = Vec::new();
        for name in names(&self.dir.join("moons.d"))? {
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
        let path = self.path(StoreKey::Moon(moon));
        read(&path)?.map(|bytes| parse_world(&bytes, WorldKind::Moon, &path)).transpose()
    }

    /// Returns the moons that are waited for and who is asked for each, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub(crate) fn wanted_moons(&self) -> Result<Vec<(MoonId, Vec<Address>)>, HomeError> {
        let mut wanted = Vec::new();
        for name in names(&self.dir.join("moons.d"))? {
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
        let names = names(&self.dir.join("networks.d"))?;
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
    pub(crate) fn peers(&self) -> Vec<Vec<u8>> {
        let dir = self.dir.join("peers.d");
        let mut files: Vec<_> = names(&dir)
            .unwrap_or_default()
            .iter()
            .filter_map(|name| hex_name(name, ".peer", 10))
            .map(|address| self.path(StoreKey::Peer(Address::from_u64(address))))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();

        let now = SystemTime::now();
        files.retain(|(modified, path)| {
            let is_old = now.duration_since(*modified).is_ok_and(|age| age > PEER_FILE_LIFETIME);
            // One that cannot be removed is tried again at the next start.
            !is_old || fs::remove_file(path).is_err()
        });
        files.sort_unstable_by(|a, b| b.cmp(a));
        files.truncate(PEERS_LOADED_MAX);
        files.iter().filter_map(|(_, path)| read(path).ok().flatten()).collect()
    }

    /// Reads a piece of state; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn load(&self, key: StoreKey) -> Result<Option<Vec<u8>>, HomeError> {
        read(&self.path(key))
    }

    /// Writes or removes a piece of state. Content that is there already is not written again.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`]; what was there is still there.
    pub fn save(&self, key: StoreKey, value: Option<&[u8]>) -> Result<(), HomeError> {
        let path = self.path(key);
        let Some(value) = value else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed("remove", &path)(error))
                }
                _ => Ok(()),
            };
        };

        if read(&path)?.is_some_and(|there| there == value) {
            return Ok(());
        }
        let mode = match key {
            StoreKey::Peer(_) | StoreKey::FirstSeen(_) => Mode::Cache,
            _ => Mode::Secret,
        };
        replace(&path, value, mode)
    }

    /// Returns the file a piece of state is kept in.
    #[must_use]
    pub fn path(&self, key: StoreKey) -> PathBuf {
        match key {
            StoreKey::Planet => self.dir.join("planet"),
            StoreKey::Moon(moon) => self.dir.join(format!("moons.d/{moon}.moon")),
            StoreKey::WantedMoon(moon) => self.dir.join(format!("moons.d/{moon}.wanted")),
            StoreKey::Network(network) => self.dir.join(format!("networks.d/{network}.conf")),
            StoreKey::NetworkSettings(network) => {
                self.dir.join(format!("networks.d/{network}.local.conf"))
            }
            StoreKey::Epoch => self.dir.join("epoch"),
            StoreKey::Peer(address) => self.dir.join(format!("peers.d/{address}.peer")),
            StoreKey::Pin(address) => self.dir.join(format!("pins.d/{address}.pin")),
            StoreKey::FirstSeen(address) => self.dir.join(format!("pins.d/{address}.seen")),
            StoreKey::RequirePinned => self.dir.join("pins.d/required"),
            StoreKey::ControllerNetwork(network) => {
                self.controller_dir().join(format!("{network}.json"))
            }
            StoreKey::ControllerMember(network, member) => {
                self.controller_dir().join(format!("{network}/member/{member}.json"))
            }
        }
    }

    /// Returns the file in which the node notes what it has changed on this machine.
    pub(crate) fn host_journal(&self) -> PathBuf {
        self.dir.join("host.journal")
    }

    /// Returns the directory of the networks this node controls.
    fn controller_dir(&self) -> PathBuf {
        self.dir.join("controller.d/network")
    }
}

/// Reads a planet or a moon from a file that is not part of a home directory.
///
/// # Errors
///
/// [`HomeError`] if it cannot be read or is not of this kind.
pub fn read_world(path: &Path, kind: WorldKind) -> Result<World, HomeError> {
    let bytes = read(path)?.ok_or_else(|| failed("read", path)(io::ErrorKind::NotFound.into()))?;
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

/// Who may read a file, and whether it must survive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// The owner; yes.
    Secret,
    /// Everybody; yes.
    Public,
    /// The owner; no, it can be learned again.
    Cache,
}

/// Makes `path` a file of exactly `bytes`, or leaves it as it is.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: Mode) -> Result<(), HomeError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    create_dir(dir)?;
    // Two processes that write the same file do not write the same temporary one.
    let temporary = dir.join(format!(".{name}.{}", std::process::id()));

    write_new(&temporary, bytes, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| match mode {
            Mode::Cache => Ok(()),
            // The rename itself has to reach the disk.
            Mode::Secret | Mode::Public => File::open(dir)?.sync_all(),
        })
        .map_err(|error| {
            let _ = fs::remove_file(&temporary);
            failed("write", path)(error)
        })
}

fn write_new(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let permissions = if mode == Mode::Public { 0o644 } else { 0o600 };
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(permissions).open(path)?;
    file.write_all(bytes)?;
    if mode == Mode::Cache { Ok(()) } else { file.sync_all() }
}

/// Reads a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, HomeError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > FILE_LEN_MAX => {
            Err(failed("read", path)(io::ErrorKind::FileTooLarge.into()))
        }
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn create_dir(path: &Path) -> Result<(), HomeError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("create directory", path))
}

/// Returns the names in a directory in ascending order; none if there is no directory.
fn names(dir: &Path) -> Result<Vec<String>, HomeError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", dir)(error)),
    };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

/// Returns the number in a name of exactly `digits` lower-case hexadecimal digits and `suffix`.
fn hex_name(name: &str, suffix: &str, digits: usize) -> Option<u64> {
    let hex = name.strip_suffix(suffix)?;
    let valid =
        hex.len() == digits && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if valid { u64::from_str_radix(hex, 16).ok() } else { None }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use zt_protocol::rng::Rng;
    use zt_protocol::world::{Root, WorldKey};

    use super::*;

    #[test]
    fn an_identity_is_saved_for_its_owner_only_and_read_back() {
        let (dir, home) = empty();
        let identity = some_identity();

        home.save_identity(&identity).unwrap();

        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("identity.secret") & 0o777, 0o600);
        assert_eq!(mode("identity.public") & 0o777, 0o644);
        assert_eq!(home.identity().unwrap().unwrap().to_text(), identity.to_text());
        assert_eq!(
            fs::read_to_string(dir.path().join("identity.public")).unwrap(),
            identity.public().to_string()
        );
    }

    #[test]
    fn an_identity_is_not_replaced() {
        let (dir, home) = empty();
        home.save_identity(&some_identity()).unwrap();
        let before = fs::read(dir.path().join("identity.secret")).unwrap();

        let result = home.save_identity(&SecretIdentity::generate(&mut Rng::from_seed([2; 32])));

        assert!(matches!(result, Err(HomeError::Io { .. })));
        assert_eq!(fs::read(dir.path().join("identity.secret")).unwrap(), before);
    }

    #[test]
    fn an_identity_that_is_retired_is_kept_and_makes_room_for_another() {
        let (dir, home) = empty();
        let (old, new) = (some_identity(), SecretIdentity::generate(&mut Rng::from_seed([2; 32])));
        home.save_identity(&old).unwrap();

        let retired = home.retire_identity().unwrap();

        assert!(home.identity().unwrap().is_none());
        assert_eq!(retired, dir.path().join(format!("identity.{}.retired", old.address())));
        assert_eq!(fs::read_to_string(&retired).unwrap(), *old.to_text());
        assert_eq!(fs::metadata(&retired).unwrap().permissions().mode() & 0o777, 0o600);
        home.save_identity(&new).unwrap();
        assert_eq!(home.existing_identity().unwrap().address(), new.address());
    }

    #[test]
    fn moons_that_are_waited_for_are_read_back() {
        let (dir, home) = empty();
        fs::create_dir(dir.path().join("moons.d")).unwrap();
        let (moon, seed) = (MoonId(7), Address::from_u64(0x01_0203_0405));

        home.save(StoreKey::WantedMoon(moon), Some(b"0102030405\nnobody\n")).unwrap();

        assert_eq!(home.wanted_moons().unwrap(), [(moon, vec![seed])]);
        home.save(StoreKey::WantedMoon(moon), None).unwrap();
        assert!(home.wanted_moons().unwrap().is_empty());
    }

    #[test]
    fn a_missing_identity_is_not_an_error_until_one_is_needed() {
        let (_dir, home) = empty();

        assert!(home.identity().unwrap().is_none());
        assert!(matches!(home.existing_identity(), Err(HomeError::NoIdentity { .. })));
    }

    #[test]
    fn a_corrupt_identity_is_named_and_left_alone() {
        let (dir, home) = empty();
        let path = dir.path().join("identity.secret");
        let text = some_identity().to_text();
        let forged = format!("1122334455{}", &text[10..]);

        for corrupt in ["", "\u{0}", &text[..200], &text.replace(":0:", ":1:"), &forged] {
            fs::write(&path, corrupt).unwrap();

            let error = home.identity().unwrap_err();

            assert!(error.to_string().contains("identity.secret is corrupt"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), corrupt.as_bytes());
            assert!(!dir.path().join("identity.public").exists());
        }
    }

    #[test]
    fn a_corrupt_world_is_named_and_left_alone() {
        let (dir, home) = empty();
        fs::create_dir(dir.path().join("moons.d")).unwrap();
        let planet = dir.path().join("planet");
        let moon = dir.path().join("moons.d/0000000000000001.moon");
        fs::write(&planet, b"earth").unwrap();
        fs::write(&moon, some_world(WorldKind::Planet).to_bytes()).unwrap();

        let planet_error = home.planet().unwrap_err().to_string();
        let moon_error = home.moons().unwrap_err().to_string();

        assert!(planet_error.contains("planet is corrupt (not a planet)"), "{planet_error}");
        assert!(
            moon_error.contains("0000000000000001.moon is corrupt (not a moon)"),
            "{moon_error}"
        );
        assert_eq!(fs::read(&planet).unwrap(), b"earth");
    }

    #[test]
    fn state_is_found_again_under_the_references_names() {
        let (dir, home) = empty();
        let network = NetworkId(0x8056_c2e2_1c00_0001);
        let world = some_world(WorldKind::Planet);

        home.save(StoreKey::Planet, Some(&world.to_bytes())).unwrap();
        home.save(StoreKey::Network(network), Some(b"\n")).unwrap();
        home.save(StoreKey::Peer(Address::from_u64(0xab)), Some(b"peer")).unwrap();
        fs::write(dir.path().join("networks.d/8056c2e21c000001.local.conf"), b"").unwrap();

        assert_eq!(home.planet().unwrap(), Some(world));
        assert_eq!(home.networks().unwrap(), [network]);
        assert_eq!(home.load(StoreKey::Network(network)).unwrap(), Some(b"\n".to_vec()));
        assert_eq!(home.peers(), [b"peer"]);
        assert!(dir.path().join("networks.d/8056c2e21c000001.conf").exists());
        assert!(dir.path().join("peers.d/00000000ab.peer").exists());
    }

    #[test]
    fn removing_what_is_not_there_is_no_error() {
        let (_dir, home) = empty();
        let key = StoreKey::Network(NetworkId(1));

        home.save(key, None).unwrap();
        home.save(key, Some(b"\n")).unwrap();
        home.save(key, None).unwrap();

        assert_eq!(home.networks().unwrap(), []);
    }

    /// A write that fails half-way is shown by making the rename impossible: the target is a
    /// directory.
    #[test]
    fn a_failed_write_leaves_what_was_there_and_nothing_else() {
        let (dir, home) = empty();
        fs::create_dir(dir.path().join("planet")).unwrap();

        let result = home.save(StoreKey::Planet, Some(b"world"));

        assert!(result.is_err());
        let left: Vec<_> = names(dir.path()).unwrap();
        assert_eq!(left, ["planet"]);
        assert!(dir.path().join("planet").is_dir());
    }

    #[test]
    fn unchanged_content_is_not_written_again() {
        let (dir, home) = empty();
        home.save(StoreKey::Planet, Some(b"world")).unwrap();
        let path = dir.path().join("planet");
        let before = fs::metadata(&path).unwrap().modified().unwrap();

        home.save(StoreKey::Planet, Some(b"world")).unwrap();

        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    }

    fn empty() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        (dir, home)
    }

    fn some_identity() -> SecretIdentity {
        SecretIdentity::generate(&mut Rng::from_seed([1; 32]))
    }

    fn some_world(kind: WorldKind) -> World {
        let key = WorldKey::generate(&mut Rng::from_seed([3; 32]));
        let root = Root {
            identity: *some_identity().public(),
            endpoints: vec![([192, 0, 2, 1], 9993).into()],
        };
        World::sign(kind, 1, zt_protocol::time::UnixMillis(1), vec![root], &key, key.public())
            .unwrap()
    }
}
