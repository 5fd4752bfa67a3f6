//! Planets and moons: signed lists of roots.
//!
//! Source: spec 02 §1, spec 04 §12.3–12.4.

use core::net::SocketAddr;

use crate::error::Malformed;
use crate::identity::Identity;
use crate::time::UnixMillis;

/// ID of the planet of Earth.
pub const EARTH: u64 = 149_604_618;

/// What a world is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WorldKind {
    /** The one world in force. */
    Planet,
    /** An additional one. */
    Moon,
}

/// One root and where it is found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Root {
    /** Who. */
    pub identity: Identity,
    /** Where; at most 32. */
    pub endpoints: Vec<SocketAddr>,
}

/// A signed list of at most 4 roots.
#[derive(Clone, Eq, PartialEq)]
pub struct World {
    pub kind: WorldKind,
    pub id: u64,
    pub timestamp: UnixMillis,
    /// The key that must sign the next revision: X25519 (32), Ed25519 (32).
    pub updates_signed_by: [u8; 64],
    pub signature: [u8; 96],
    pub roots: Vec<Root>,
}

/// The pair of keys a world is signed with (128 bytes on disk: public 64, private 64).
pub struct WorldKey {
    public: [u8; 64],
    secret: zeroize::Zeroizing<[u8; 64]>,
}

impl World {
    /// Reads a world from the start of `bytes`; returns it and its length.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        todo!()
    }
    /// Returns the serialized form.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
    /// Returns whether `self` replaces `current` (spec 02 §1.3): same id and kind, newer, signed by current's key.
    pub fn supersedes(&self, current: &World) -> Result<(), WorldRefused> {
        todo!()
    }
    /// Signs a new world (offline tool).
    pub fn sign(
        kind: WorldKind,
        id: u64,
        timestamp: UnixMillis,
        roots: Vec<Root>,
        signer: &WorldKey,
        next: &[u8; 64],
    ) -> Result<Self, WorldRefused> {
        todo!()
    }
    /// The planet compiled in (spec 02 §1.5).
    pub fn default_planet() -> Self {
        todo!()
    }
}

/// Why a world is not accepted. (wrong id, not newer, bad signature, no roots, too many roots, …)
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[error("refused")]
pub enum WorldRefused {
    NotNewer,
}
