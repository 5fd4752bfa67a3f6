//! Planets and moons: signed lists of roots.
//!
//! ```text
//!  0      1    9           17          81          177     178
//!  +------+----+-----------+-----------+-----------+-------+---------+------
//!  | type | id | timestamp | next key  | signature | count | root .. | tail
//!  +------+----+-----------+-----------+-----------+-------+---------+------
//!    `- 1 planet, 127 moon   `- signs the successor                    `- moons: u16 n, n bytes
//!
//!  root:  | identity (71) | count | endpoint (7 or 19) .. |
//! ```
//!
//! A world names the key that must sign the world that replaces it, so keys rotate by publishing.
//! The first world a node has is not checked against anything; it must come from a trusted file.
//!
//! Source: spec 02 §1, spec 04 §12.3–12.4.

pub mod json;

use core::fmt;
use core::net::SocketAddr;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::error::Malformed;
use crate::identity::Identity;
use crate::limits::{MOONS_MAX, ROOT_ENDPOINTS_MAX, ROOTS_MAX};
use crate::rng::Rng;
use crate::secret_key::{self, SecretKey};
use crate::time::UnixMillis;
use crate::wire::cursor::{Put, Reader};
use crate::wire::inet;

/// ID of the planet of Earth.
pub const EARTH: u64 = 149_604_618;

/// What is signed begins with eight of these, so that a signed world is nothing else signed.
const SIGNED_BEGIN: [u8; 8] = [0x7f; 8];

/// What is signed ends with eight of these.
const SIGNED_END: [u8; 8] = [0xf7; 8];

/// What a world is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WorldKind {
    /// The one world in force.
    Planet,
    /// One added by the user, besides the planet.
    Moon,
}

impl WorldKind {
    const fn code(self) -> u8 {
        match self {
            Self::Planet => 1,
            Self::Moon => 127,
        }
    }

    const fn from_code(code: u8) -> Result<Self, Malformed> {
        match code {
            1 => Ok(Self::Planet),
            127 => Ok(Self::Moon),
            _ => Err(Malformed::Undefined { field: "world type", value: code as u64 }),
        }
    }
}

/// One root and where it is found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Root {
    /// Who it is.
    pub identity: Identity,
    /// Where it is found; at most 32. A root that lists none may be anywhere.
    pub endpoints: Vec<SocketAddr>,
}

/// A signed list of at most 4 roots.
#[derive(Clone, Eq, PartialEq)]
pub struct World {
    /// What it is for.
    pub kind: WorldKind,
    /// Which planet or moon this is; by convention the address of a moon's first root.
    pub id: u64,
    /// When it was signed; a world is replaced by later ones only.
    pub timestamp: UnixMillis,
    /// The key that must sign the next revision: X25519 (32), Ed25519 (32).
    pub updates_signed_by: [u8; 64],
    /// The signature of this revision, by the key the previous one named.
    pub signature: [u8; 96],
    /// The roots.
    pub roots: Vec<Root>,
}

impl World {
    /// Returns the planet compiled in (spec 02 §1.5).
    #[must_use]
    pub fn default_planet() -> Self {
        let bytes = include_bytes!("world/earth.planet");
        let (planet, _) = Self::read_prefix(bytes).expect("the compiled-in planet is well formed");
        planet
    }

    /// Makes and signs a world (offline tool). Roots and endpoints keep their order.
    ///
    /// `signer` holds the key that the revision to be replaced names in `updates_signed_by`, and
    /// `next` is the public key that will have to sign the one after this; the same unless keys
    /// rotate. Takes some tens of milliseconds, for the roots' identities are validated.
    ///
    /// # Errors
    ///
    /// [`WorldRefused`] if readers would refuse the world or nobody could use it, which the
    /// reference's tool does not check.
    pub fn sign(
        kind: WorldKind,
        id: u64,
        timestamp: UnixMillis,
        roots: Vec<Root>,
        signer: &WorldKey,
        next: &[u8; 64],
    ) -> Result<Self, WorldRefused> {
        if id == 0 {
            return Err(WorldRefused::NoId);
        }
        check_roots(&roots)?;

        let unsigned =
            Self { kind, id, timestamp, updates_signed_by: *next, signature: [0; 96], roots };
        let signature = signer.secret.sign(&signer.public, &[&unsigned.signed_message()]);
        Ok(Self { signature, ..unsigned })
    }

    /// Reads a world from the start of `bytes`; returns it and its length.
    ///
    /// Nothing is verified. What follows a moon's roots is skipped, and so are endpoints that are
    /// no IP address; as both are signed, a world that has them cannot be verified, only trusted.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early, a type is undefined, or there are more than 4 roots or
    /// more than 32 endpoints of one.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("world", bytes);
        let kind = WorldKind::from_code(reader.u8()?)?;
        let id = reader.u64()?;
        let timestamp = UnixMillis(reader.u64()?);
        let updates_signed_by = *reader.array()?;
        let signature = *reader.array()?;

        let count = bounded(reader.u8()?, "list of roots", ROOTS_MAX)?;
        let mut roots = Vec::with_capacity(count);
        for _ in 0..count {
            roots.push(read_root(&mut reader)?);
        }
        if kind == WorldKind::Moon {
            let reserved = reader.u16()?;
            reader.bytes(usize::from(reserved))?;
        }

        let world = Self { kind, id, timestamp, updates_signed_by, signature, roots };
        Ok((world, reader.position()))
    }

    /// Returns the serialized form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, Some(&self.signature));
        out
    }

    /// Returns whether this world replaces `current` (spec 02 §1.3).
    ///
    /// # Errors
    ///
    /// [`WorldRefused`] if it is another planet or moon, is not newer, or is not signed by the key
    /// that `current` names.
    pub fn supersedes(&self, current: &Self) -> Result<(), WorldRefused> {
        if (self.kind, self.id) != (current.kind, current.id) {
            return Err(WorldRefused::OtherWorld);
        }
        if self.timestamp <= current.timestamp {
            return Err(WorldRefused::NotNewer);
        }
        if !self.is_signed_by(&current.updates_signed_by) {
            return Err(WorldRefused::BadSignature);
        }
        Ok(())
    }

    /// Returns whether the holder of `key` (X25519, Ed25519) signed this world.
    #[must_use]
    pub fn is_signed_by(&self, key: &[u8; 64]) -> bool {
        secret_key::verify(key, &[&self.signed_message()], &self.signature)
    }

    fn signed_message(&self) -> Vec<u8> {
        let mut message = SIGNED_BEGIN.to_vec();
        self.write(&mut message, None);
        message.put(&SIGNED_END);
        message
    }

    fn write(&self, out: &mut Vec<u8>, signature: Option<&[u8; 96]>) {
        out.put_u8(self.kind.code());
        out.put_u64(self.id);
        out.put_u64(self.timestamp.0);
        out.put(&self.updates_signed_by);
        out.put(signature.map_or(&[], |signature| signature.as_slice()));
        out.put_u8(self.roots.len() as u8);
        for root in &self.roots {
            out.put(&root.identity.to_bytes());
            out.put_u8(root.endpoints.len() as u8);
            for &endpoint in &root.endpoints {
                inet::write(out, Some(endpoint));
            }
        }
        if self.kind == WorldKind::Moon {
            out.put_u16(0);
        }
    }
}

/// Leaves out keys and signature, which tell a reader nothing.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("kind", &self.kind)
            .field("id", &format_args!("{:016x}", self.id))
            .field("timestamp", &self.timestamp)
            .field("roots", &self.roots)
            .finish_non_exhaustive()
    }
}

fn read_root(reader: &mut Reader<'_>) -> Result<Root, Malformed> {
    let identity = reader.value(Identity::read_prefix)?;
    let count = bounded(reader.u8()?, "list of a root's endpoints", ROOT_ENDPOINTS_MAX)?;
    let mut endpoints = Vec::with_capacity(count);
    for _ in 0..count {
        endpoints.extend(inet::read(reader)?);
    }
    Ok(Root { identity, endpoints })
}

/// Returns `count` if it is at most `max`.
fn bounded(count: u8, what: &'static str, max: usize) -> Result<usize, Malformed> {
    let count = usize::from(count);
    if count > max { Err(Malformed::TooLong { what, max }) } else { Ok(count) }
}

/// Refuses roots that readers would not take or could not use.
fn check_roots(roots: &[Root]) -> Result<(), WorldRefused> {
    if roots.is_empty() {
        return Err(WorldRefused::NoRoots);
    }
    if roots.len() > ROOTS_MAX {
        return Err(WorldRefused::TooManyRoots);
    }
    for (index, root) in roots.iter().enumerate() {
        let address = root.identity.address();
        if roots[..index].iter().any(|other| other.identity.address() == address) {
            return Err(WorldRefused::DuplicateRoot(address));
        }
        if root.endpoints.is_empty() {
            return Err(WorldRefused::NoEndpoints(address));
        }
        if root.endpoints.len() > ROOT_ENDPOINTS_MAX {
            return Err(WorldRefused::TooManyEndpoints(address));
        }
        let is_nowhere = |at: &SocketAddr| at.ip().is_unspecified() || at.port() == 0;
        if let Some(&endpoint) = root.endpoints.iter().find(|at| is_nowhere(at)) {
            return Err(WorldRefused::BadEndpoint(endpoint));
        }
        if !root.identity.is_valid() {
            return Err(WorldRefused::InvalidRoot(address));
        }
    }
    Ok(())
}

/// Why a world is not accepted, or not made.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum WorldRefused {
    /// It has another ID or kind than the world it would replace.
    #[error("it is another planet or moon")]
    OtherWorld,
    /// The world in force is as new or newer.
    #[error("it is not newer than the world in force")]
    NotNewer,
    /// The key that the world in force names did not sign it.
    #[error("it is not signed by the key that the world in force names")]
    BadSignature,
    /// It is a moon nobody here asked for.
    #[error("nobody asked for this moon")]
    Unwanted,
    /// It is the first copy of a moon, and does not come from the one that was named as its root,
    /// or does not list it.
    #[error("it does not come from the root it was asked of")]
    NotFromSeed,
    /// There are too many moons already.
    #[error("there are {MOONS_MAX} moons already")]
    TooManyMoons,
    /// Making one: the ID is 0.
    #[error("the ID must not be 0")]
    NoId,
    /// Making one: there are no roots.
    #[error("a world needs at least one root")]
    NoRoots,
    /// Making one: there are too many roots.
    #[error("a world has at most {ROOTS_MAX} roots")]
    TooManyRoots,
    /// Making one: a root is listed twice.
    #[error("root {0} is listed twice")]
    DuplicateRoot(Address),
    /// The address of a root is not derived from its keys.
    #[error("the identity of root {0} is not valid")]
    InvalidRoot(Address),
    /// Making one: a root has no endpoint, so nobody could reach it.
    #[error("root {0} needs at least one endpoint")]
    NoEndpoints(Address),
    /// Making one: a root has too many endpoints.
    #[error("root {0} has more than {ROOT_ENDPOINTS_MAX} endpoints")]
    TooManyEndpoints(Address),
    /// Making one: an endpoint lacks its IP address or port.
    #[error("endpoint {0} needs an IP address and a port")]
    BadEndpoint(SocketAddr),
}

/// The pair of keys a world is signed with. The private one is wiped when dropped, never printed.
pub struct WorldKey {
    public: [u8; 64],
    secret: SecretKey,
}

/// The two halves of a key file do not belong together.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the private key does not belong to the public key")]
pub struct KeyMismatch;

impl WorldKey {
    /// Makes a key pair.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        let secret = SecretKey::random(rng);
        Self { public: secret.public(), secret }
    }

    /// Reads the 128 bytes of a key file: public key (64), private key (64).
    ///
    /// # Errors
    ///
    /// [`KeyMismatch`] if the one does not belong to the other.
    pub fn from_bytes(bytes: &[u8; 128]) -> Result<Self, KeyMismatch> {
        let mut halves = Zeroizing::new([[0; 64]; 2]);
        halves.as_flattened_mut().copy_from_slice(bytes);
        let secret = SecretKey::from_bytes(Zeroizing::new(halves[1]));
        if secret.public() != halves[0] {
            return Err(KeyMismatch);
        }
        Ok(Self { public: halves[0], secret })
    }

    /// Returns the 128 bytes of a key file: public key (64), private key (64).
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 128]> {
        let mut bytes = Zeroizing::new([0; 128]);
        bytes[..64].copy_from_slice(&self.public);
        bytes[64..].copy_from_slice(self.secret.as_bytes());
        bytes
    }

    /// Returns the public key: X25519 (32), Ed25519 (32).
    #[must_use]
    pub const fn public(&self) -> &[u8; 64] {
        &self.public
    }
}

impl fmt::Debug for WorldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn key(seed: u8) -> WorldKey {
        WorldKey::generate(&mut Rng::from_seed([seed; 32]))
    }

    fn roots() -> Vec<Root> {
        World::default_planet().roots
    }

    fn moon(timestamp: u64, signer: &WorldKey, next: &WorldKey) -> World {
        World::sign(WorldKind::Moon, 7, UnixMillis(timestamp), roots(), signer, next.public())
            .unwrap()
    }

    #[test]
    fn the_planet_of_earth_is_compiled_in_and_signed_by_its_own_key() {
        let planet = World::default_planet();

        assert_eq!((planet.kind, planet.id), (WorldKind::Planet, EARTH));
        assert_eq!(planet.timestamp, UnixMillis(1_644_592_324_813));
        assert!(planet.is_signed_by(&planet.updates_signed_by));
        assert_eq!(planet.to_bytes(), include_bytes!("world/earth.planet"));
        let addresses = planet.roots.iter().map(|root| root.identity.address().to_string());
        assert!(addresses.eq(["cafe9efeb9", "778cde7190", "62f865ae71", "cafe04eba9"]));
        assert!(planet.roots.iter().all(|root| root.identity.is_valid()));
        assert_eq!(planet.roots[0].endpoints[0], "104.194.8.134:9993".parse().unwrap());
    }

    #[test]
    fn a_world_is_read_back_and_none_of_its_proper_prefixes_is_one() {
        for kind in [WorldKind::Planet, WorldKind::Moon] {
            let key = key(1);
            let world = World::sign(kind, 7, NOW, roots(), &key, key.public()).unwrap();

            let bytes = world.to_bytes();

            assert_eq!(World::read_prefix(&bytes), Ok((world, bytes.len())));
            for end in 0..bytes.len() {
                assert!(World::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
            }
        }
    }

    #[test]
    fn a_key_hands_over_to_the_next() {
        let (old, new) = (key(1), key(2));
        let current = moon(1, &old, &old);
        let rotated = moon(2, &old, &new);

        assert_eq!(rotated.supersedes(&current), Ok(()));
        assert_eq!(moon(3, &new, &new).supersedes(&rotated), Ok(()));
        assert_eq!(moon(3, &old, &old).supersedes(&rotated), Err(WorldRefused::BadSignature));
    }

    #[test]
    fn a_world_is_replaced_by_a_later_revision_of_itself_only() {
        let key = key(1);
        let current = moon(5, &key, &key);
        let other = World { id: 8, ..moon(6, &key, &key) };
        let planet = World { kind: WorldKind::Planet, ..moon(6, &key, &key) };

        assert_eq!(moon(5, &key, &key).supersedes(&current), Err(WorldRefused::NotNewer));
        assert_eq!(other.supersedes(&current), Err(WorldRefused::OtherWorld));
        assert_eq!(planet.supersedes(&current), Err(WorldRefused::OtherWorld));
    }

    #[test]
    fn a_world_nobody_could_use_is_not_made() {
        let made = |change: fn(&mut Vec<Root>)| {
            let (key, mut roots) = (key(1), roots());
            change(&mut roots);
            World::sign(WorldKind::Planet, 7, NOW, roots, &key, key.public()).map(|_| ())
        };
        let first = roots()[0].identity.address();

        assert_eq!(made(|_| ()), Ok(()));
        assert_eq!(made(Vec::clear), Err(WorldRefused::NoRoots));
        assert_eq!(made(|roots| roots.push(roots[0].clone())), Err(WorldRefused::TooManyRoots));
        assert_eq!(
            made(|roots| roots[3] = roots[0].clone()),
            Err(WorldRefused::DuplicateRoot(first))
        );
        assert_eq!(made(|roots| roots[0].endpoints.clear()), Err(WorldRefused::NoEndpoints(first)));
        assert_eq!(
            made(|roots| roots[0].endpoints = vec!["192.0.2.1:1".parse().unwrap(); 33]),
            Err(WorldRefused::TooManyEndpoints(first))
        );
        for nowhere in ["192.0.2.1:0", "0.0.0.0:9993", "[::]:9993"] {
            let endpoint: SocketAddr = nowhere.parse().unwrap();
            let mut roots = roots();
            roots[0].endpoints.push(endpoint);
            assert_eq!(check_roots(&roots), Err(WorldRefused::BadEndpoint(endpoint)));
        }
        assert_eq!(
            made(|roots| {
                let mut public = *roots[0].identity.public_key();
                public[0] ^= 1;
                roots[0].identity = Identity::from_parts(roots[0].identity.address(), public);
            }),
            Err(WorldRefused::InvalidRoot(first))
        );
        let unnamed = World::sign(WorldKind::Moon, 0, NOW, roots(), &key(1), key(1).public());
        assert_eq!(unnamed.map(|_| ()), Err(WorldRefused::NoId));
    }

    #[test]
    fn a_key_file_is_read_back_and_must_be_a_pair() {
        let key = key(1);
        let mut bytes = key.to_bytes();

        let reread = WorldKey::from_bytes(&bytes).unwrap();
        assert_eq!(reread.to_bytes(), bytes);

        bytes[0] ^= 1;
        assert_eq!(WorldKey::from_bytes(&bytes).map(|_| ()), Err(KeyMismatch));
    }

    proptest! {
        #[test]
        fn no_input_panics(at in 0..570_usize, byte: u8, tail: Vec<u8>) {
            let mut bytes = World::default_planet().to_bytes();
            bytes.truncate(at);
            bytes.push(byte);
            bytes.extend(tail);
            if let Ok((_, len)) = World::read_prefix(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
