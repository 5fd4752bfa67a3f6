//! What every host gets, whatever language it is in.
//!
//! A [`Node`] runs on threads of the library, which all nodes of a process share. What is asked of it
//! is asynchronous and needs no runtime of the caller's: futures may be polled on any thread, and
//! [`Node::block_on`] waits for one of them.
//!
//! Records are plain data. Addresses and IDs keep the types of [`zt_protocol`], which uniffi passes
//! as text and C as numbers.

mod config;
mod engine;
mod error;
mod events;
mod hints;
mod hooks;
mod hosting;
mod identities;
mod logging;
mod networks;
mod node;
mod packets;
mod pages;
mod peers;
mod pins;
mod ports;
mod runtime;
mod statistics;
mod storage;
mod worlds;

pub use config::{Bonding, Config, Profile, TcpRelay};
pub use engine::{Engine, EngineConfig, Stored};
pub use error::ZtError;
pub use events::Event;
pub use hints::{Conditions, MappedPort, PortMapping};
pub use hooks::{Hooks, SocketProtector};
pub use hosting::HostedNetwork;
pub use identities::{
    NodeIdentity, PlanetFile, PlanetRoot, generate_identity, make_planet, read_identity,
};
pub use logging::{
    LogLevel, LogRecord, next_log_record, set_log_level, take_log_record, wait_for_log_record,
};
pub use networks::{
    Dns, Login, NetworkStatus, PlanChange, PlannedRoute, Prefix, Route, Settings, Standing,
    TunPlan, diff_plans,
};
pub use node::{Node, NodeStatus, TcpRelayStatus, TrustedPath};
pub use packets::PacketChannel;
pub use peers::{
    Candidate, Mapping, NamedBy, Outcome, PathExplanation, PeerStatus, Reason, Role, Version,
};
pub use pins::{DecidedBy, Direction, Pin, PinsStatus, TagValues, Verdict};
pub use ports::{Framing, Port, PortMode};
pub use statistics::{DropCount, MemoryUse, Statistics, TimerCount, Wakeups};
pub use storage::{Storage, StorageFailure};
pub use worlds::{Contact, RefusedWorld, RootStatus, WantedMoon, WorldStatus, WorldsStatus};

#[cfg(feature = "jni")]
pub(crate) use runtime::Runtime;
pub use zt_protocol::address::{Address, Mac, MoonId, NetworkId};
