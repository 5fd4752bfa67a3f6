//! The ZeroTier V1 protocol as a value.
//!
//! A [`Node`](node::Node) is given datagrams, frames and the time, and answers with datagrams,
//! frames and the time it wants to be woken. It opens no socket, reads no clock, starts no thread
//! and draws no randomness but from the seed it was built with, so a whole network of nodes can
//! be run, and run again, inside one test.
//!
//! Start with [`node::Node`]. Its module shows the loop that drives it. From there, top down:
//!
//! - [`node`]: who tells whom,
//! - [`peer`], [`roots`], [`network`], [`controller`] …: one subsystem each,
//! - [`neighbor`]: which MAC a next hop has, for hosts without Ethernet,
//! - [`fastpath`]: what happens to a packet, per packet,
//! - [`identity`], [`world`], [`credential`], [`config`], [`rules`]: the documents nodes sign and
//!   exchange,
//! - [`suite`]: the only code that sees keys,
//! - [`wire`]: bytes and the values they stand for,
//! - [`path_rules`], [`bonding`]: what the user says about paths,
//! - [`settings`], [`plan`]: what the user allows a network, and what the host does about it,
//! - [`address`], [`endpoint`], [`time`], [`error`], [`limits`], [`memory`] …: the words everything is said in.
#![forbid(unsafe_code)]

pub mod address;
pub mod endpoint;
pub mod error;
pub mod limits;
pub mod memory;
pub mod prefix;
pub mod rng;
pub mod time;
pub mod transmit;
pub mod verb;

pub mod compress;
pub mod wire;

pub mod bonding;
pub mod config;
pub mod credential;
pub mod dictionary;
pub mod fingerprint;
pub mod identity;
pub mod nonce;
pub mod path_rules;
pub mod pins;
pub mod rules;
mod secret_key;
pub mod settings;
pub mod suite;
pub mod world;

pub mod controller;

pub mod command;
pub mod event;
pub mod outbox;
pub mod plan;
pub mod status;

pub mod fastpath;

pub mod roots;
pub mod surface;

pub mod neighbor;
pub mod network;
pub mod peer;
mod whois;

pub mod node;

#[cfg(test)]
mod vectors;
