//! Bytes and the values they stand for.
//!
//! One file per layout, its picture at the top. Fixed headers are views over the bytes
//! ([`header`], [`fragment`]); everything of varying length is read once, front to back, with a
//! [`Reader`](cursor::Reader), and written onto a `Vec<u8>` with [`Put`](cursor::Put).
//!
//! Nothing here knows keys, state or time. All integers are big-endian. A *body* is what follows
//! a packet's verb byte, decompressed.

pub mod cursor;

pub mod datagram;
pub mod fragment;
pub mod header;

pub mod inet;

pub mod bond;
pub mod credentials;
pub mod ethernet;
pub mod frame;
pub mod hello;
pub mod multicast;
pub mod netconf;
pub mod push_paths;
pub mod rendezvous;
pub mod reply;
pub mod whois;
