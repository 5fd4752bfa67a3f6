//! The node as a service: a local API over HTTP, by which other programs of the machine ask the
//! node that runs in a home directory.
//!
//! [`Api`] serves it beside a node, [`ask`] is what a program like `zt peers` needs. Access is the
//! reference's (spec 04 §9.1): by loopback only, on the TCP port that has the number of the node's
//! primary UDP port and is written to `zerotier-one.port`, with the token in `authtoken.secret`.
//!
//! | path | answer |
//! |---|---|
//! | `GET /libzt/peers` | [`peers::to_json`] of every peer, by ascending address |
//!
//! The reference has nothing of that name. Its own paths are not served yet.

pub mod peers;

mod access;
mod client;
mod server;

pub use access::{Token, TokenError};
pub use client::{AskError, ask};
pub use server::{Api, ApiError};
