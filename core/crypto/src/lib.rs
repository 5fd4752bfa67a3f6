//! Placeholder.
/// The 48-byte key shared with a peer.
pub struct PeerKey(pub(crate) [u8; 48]);
