//! libzt for every host.
//!
//! ```text
//!  C programs,
//!  Swift's packets zt.h ── c ──┐
//!  JVM, packets           jni ─┤
//!  Python, Kotlin, Swift       ├── facade ── zt-runtime ── zt-protocol
//!            (control) uniffi ─┘
//! ```
//!
//! Everything a host can do is in [`facade`], once, as Rust with plain records; the other modules
//! translate. Ownership and shutdown are the hard part of such a library, so they are decided in one
//! place: `README.md` beside this crate says who owns what, and [`facade`] keeps to it.

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!("zt");

pub mod c;
pub mod facade;

#[cfg(feature = "jni")]
mod jni;
#[cfg(feature = "uniffi")]
#[path = "uniffi/names.rs"]
mod names;
#[cfg(feature = "uniffi")]
#[path = "uniffi/packets.rs"]
pub mod packets;
