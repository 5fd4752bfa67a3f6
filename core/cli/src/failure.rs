//! Why a command failed, in words a person can act on.

use std::io;
use std::path::{Path, PathBuf};

use zt_protocol::address::{Address, MoonId, NetworkId};
use zt_protocol::identity::IdentityError;
use zt_protocol::world::json::DraftError;
use zt_protocol::world::{KeyMismatch, WorldRefused};
use zt_runtime::controller::ControllerError;
use zt_runtime::store::HomeError;
use zt_runtime::{RequestError, StartError};
use zt_service::AskError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot {action} {}: {source}", .path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is no identity: {why}", .path.display())]
    NoIdentity { path: PathBuf, why: IdentityError },
    #[error("{} is no valid identity: its address is not derived from its keys", .path.display())]
    InvalidIdentity { path: PathBuf },
    #[error("{} exists already: choose another directory, or move it away", .0.display())]
    Exists(PathBuf),
    #[error("{} is no key: {KEY_LEN} bytes were expected", .0.display())]
    KeyLength(PathBuf),
    #[error("{} is no key: {why}", .path.display())]
    Key { path: PathBuf, why: KeyMismatch },
    #[error("{} is no moon to be made: {why}", .path.display())]
    Draft { path: PathBuf, why: DraftError },
    #[error("it cannot be signed: {0}")]
    World(#[from] WorldRefused),
    #[error("pool {0} lies in no route: add one that contains it, such as --route {1}")]
    Unrouted(String, String),
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
    #[error("moon {0}: {1}")]
    Orbit(MoonId, RequestError),
    #[error("network {0}: {1}")]
    Join(NetworkId, RequestError),
    #[error(
        "another node has the address {0}, and the roots side with it: move identity.secret away to \
         start as a new node, with new networks"
    )]
    Collision(Address),
    #[error(
        "roots say that another node has the address {0}, which was made a moment ago: they lie, or \
         were lied to; use other roots"
    )]
    LyingRoots(Address),
    #[error("{0} is not pinned, and nobody was seen there first")]
    NotPinned(Address),
    #[error("cannot run: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Controller(#[from] ControllerError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Length of a planet's key file, in bytes: public key (64), private key (64).
pub(crate) const KEY_LEN: usize = 128;

impl Failure {
    /// Says that `action` cannot be done to the file `path`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}
