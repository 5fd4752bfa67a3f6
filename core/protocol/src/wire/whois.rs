//! WHOIS: addresses; OK(WHOIS): the identities that hold them.
//!
//! ```text
//!  WHOIS       address (5), address (5), ..
//!  OK(WHOIS)   identity (71), identity (71), ..
//! ```
//!
//! Source: spec 02 §2.4, §2.5.

use crate::address::Address;
use crate::error::Malformed;
use crate::identity::Identity;
use crate::verb::Verb;
use crate::wire::cursor::{Put, Reader};
use crate::wire::reply;

/// Returns the addresses a WHOIS asks for, in order. Bytes that make no whole address are ignored.
pub fn read(body: &[u8]) -> impl Iterator<Item = Address> + '_ {
    body.as_chunks().0.iter().map(|&bytes: &[u8; Address::LEN]| Address::from(bytes))
}

/// Returns a WHOIS body that asks for `addresses`.
#[must_use]
pub fn write(addresses: &[Address]) -> Vec<u8> {
    addresses.iter().flat_map(|address| address.to_bytes()).collect()
}

/// Returns the identities an OK(WHOIS) brings, in order.
///
/// `answer` is what follows the OK's header. Ends after the first identity that is malformed.
/// Whether an identity is valid is for the caller to check.
pub fn read_reply(answer: &[u8]) -> impl Iterator<Item = Result<Identity, Malformed>> + '_ {
    let mut reader = Reader::new("OK(WHOIS)", answer);
    core::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let identity = reader.value(Identity::read_prefix);
        if identity.is_err() {
            reader.rest();
        }
        Some(identity)
    })
}

/// Returns the body of an OK(WHOIS).
#[must_use]
pub fn write_reply<'a>(
    packet_id: u64,
    identities: impl IntoIterator<Item = &'a Identity>,
) -> Vec<u8> {
    let mut out = reply::ok(Verb::Whois, packet_id);
    for identity in identities {
        out.put(&identity.to_bytes());
    }
    out
}
