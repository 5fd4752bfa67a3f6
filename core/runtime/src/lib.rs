//! Sockets, virtual interfaces, timers and disk for a ZeroTier V1 node, on tokio.
//!
//! The protocol is in [`zt_protocol`]; this crate moves its bytes and decides nothing. Start with
//! [`Builder`], which gives a [`Handle`]:
//!
//! ```no_run
//! # async fn example(network: zt_protocol::address::NetworkId) -> Result<(), Box<dyn std::error::Error>> {
//! use zt_runtime::{Builder, Event, Port};
//!
//! let node = Builder::new("/var/lib/zt").start().await?;
//! node.join(network, Port::Tun { name: None }).await?;
//! while let Some(event) = node.next_event().await {
//!     if let Event::Network(status) = event {
//!         println!("{}: {}", status.id, status.standing.name());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Inside, top down: `driver` is the loop, `interfaces` the machine's addresses, `udp` the sockets at
//! them, `tcp_relay` what stands in for them, `plans`, `port` and `tun` what networks look like to
//! this machine, `host` what else they change on it, `mapping` the gateway's port that leads here,
//! [`store`] the home directory, [`controller`] what operators do to it.

pub mod controller;
pub mod packets;
pub mod store;

mod builder;
mod clock;
mod driver;
mod events;
mod handle;
mod hints;
mod host;
mod interfaces;
mod limits;
mod mapping;
#[cfg(target_os = "linux")]
mod netlink;
mod plans;
mod port;
mod reconfigure;
mod request;
mod statistics;
mod tcp_relay;
mod tun;
mod udp;

pub use builder::{Builder, DEFAULT_PORT, DEFAULT_TCP_RELAY, StartError};
pub use events::Event;
pub use handle::Handle;
pub use hints::Conditions;
pub use mapping::{IgnoredAnswers, MappedPort, MappingError, MappingMethod, PortMapping};
pub use port::Port;
pub use request::RequestError;
pub use statistics::{Losses, Statistics, Wakeups};
pub use tun::{Descriptor, Framing, PortError};
pub use udp::BindError;
