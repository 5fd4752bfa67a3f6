//! A network's configuration, as its controller writes it for one member.
//!
//! Source: spec 03 §5, spec 04 §3.

use core::net::IpAddr;

use crate::address::{Address, NetworkId};
use crate::credential::{Capability, Membership, Ownership, Tag};
use crate::dictionary::Dictionary;
use crate::error::Malformed;
use crate::event::Route;
use crate::rules::Rule;
use crate::time::UnixMillis;

/// One member's configuration of one network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkConfig {
    pub network: NetworkId,
    pub timestamp: UnixMillis,
    pub credential_window_ms: u64,
    pub revision: u64,
    pub issued_to: Address,
    pub trace_target: Address,
    pub trace_level: u64,
    pub flags: u64, // with accessors broadcast(), ndp_emulation(), unknown_match_is_true(), no_multicast_compression()
    pub multicast_limit: u32,
    pub public: bool,
    pub name: String,
    pub mtu: u16,
    pub membership: Option<Membership>,
    pub capabilities: Vec<Capability>,
    pub tags: Vec<Tag>,
    pub ownerships: Vec<Ownership>,
    pub specialists: Vec<Specialist>,
    pub routes: Vec<Route>,
    pub addresses: Vec<(IpAddr, u8)>,
    pub rules: Vec<Rule>,
    pub dns: Dns,
    pub sso: Sso,
}
/// A member with a special role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Specialist {
    pub address: Address,
    pub roles: u64,
} // accessors is_active_bridge(), is_anchor(), is_replicator()
/// The network's name servers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dns {
    pub domain: String,
    pub servers: Vec<IpAddr>,
}
/// What the user needs to log in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sso {
    pub enabled: bool,
    pub version: u64,
    pub authentication_url: String,
    pub expiry_ms: i64,
    pub issuer_url: String,
    pub central_url: String,
    pub nonce: String,
    pub state: String,
    pub client_id: String,
    pub provider: String,
}

impl NetworkConfig {
    /// Reads a dictionary of version 6 or 7.
    pub fn from_dictionary(bytes: &[u8]) -> Result<Self, Malformed> {
        todo!()
    }
    /// Writes the dictionary in the reference's order.
    pub fn to_dictionary(&self) -> Vec<u8> {
        todo!()
    }
}
