use thiserror::Error;

/// A message's tag does not match it: corrupt, forged, or sealed with another key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the message does not match its authentication tag")]
pub struct NotAuthentic;

/// A public key agrees on the same, all-zero secret with everybody.
///
/// Honest key generation cannot produce such a key. Whoever holds it wants a secret the whole
/// world knows; do not talk to them.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the peer's public key is of small order and yields no secret")]
pub struct WeakKey;
