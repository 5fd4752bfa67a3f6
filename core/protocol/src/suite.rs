//! The only code that sees keys: how packets are sealed and opened.
//!
//! Source: spec 01 §6, §7.

/// A peer's keys, expanded once.
pub struct PeerKeys {
    _private: (),
}
