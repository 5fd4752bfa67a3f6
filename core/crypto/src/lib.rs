//! The cryptography of the ZeroTier V1 protocol, over byte slices.
//!
//! This crate knows keys, nonces and messages; it does not know packets, peers or addresses. It
//! reads no clock, does no IO, starts no thread and draws no randomness: whatever must be random
//! is an argument. Equal arguments give equal results on every machine.
//!
//! What it promises about secrets: keys it keeps are wiped when dropped as far as the underlying
//! crates allow, never appear in `Debug` or in errors, and are compared in constant time. What
//! fails to authenticate is never handed out in clear.
//!
//! By use:
//!
//! - [`gmac_siv`] seals packets between nodes of protocol 12 and later,
//! - [`salsa_poly`] seals packets to older nodes, authenticates HELLO and masks its tail,
//! - [`agreement`] makes the key two identities share, [`mod@kbkdf`] the keys derived from it,
//! - [`signature`] signs and verifies credentials, worlds and configurations,
//! - [`permutation`] makes counters look random,
//! - [`derivation`] turns a public key into a node address, at a price,
//! - [`hash`] is SHA-2 over several slices.
//!
//! The comments cite chapter 01 of the protocol notes as "spec 01".
#![forbid(unsafe_code)]
#![warn(missing_docs, unnameable_types, unreachable_pub)]

pub mod agreement;
mod blocks;
pub mod derivation;
mod error;
pub mod gmac_siv;
pub mod hash;
pub mod kbkdf;
pub mod permutation;
pub mod salsa_poly;
pub mod signature;

pub use self::agreement::{PeerKey, agree, agree_into, x25519_public};
pub use self::error::{NotAuthentic, WeakKey};
pub use self::gmac_siv::GmacSiv;
pub use self::hash::{sha384, sha512};
pub use self::kbkdf::kbkdf;
pub use self::salsa_poly::{Encrypt, salsa12_poly1305_open, salsa12_poly1305_seal, salsa12_xor};
pub use self::signature::{SIGNATURE_LEN, ed25519_public, sign, verify};
