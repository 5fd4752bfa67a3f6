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

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From whois.json, the reply to "root asked for one known address".
    const REPLY: [u8; 80] = hex!(
        "04 6ae0015eeca3ba2a" // OK to this WHOIS
        "59e3777b55" "00"     // identity
        "d619a9c0fcae2a1a347c40634e08a5f17d7398baab8fce953c40a4950c752632"
        "d2a0607f5be3483fe3c0c1545cf9e46ef347dcea24a835b89975e9f0e5f3a91a"
        "00"
    );

    #[test]
    fn a_whois_asks_for_whole_addresses() {
        let asked: [Address; 2] = [[1; 5].into(), [2; 5].into()];
        let mut body = write(&asked);

        assert_eq!(body, hex!("0101010101 0202020202"));
        assert!(read(&body).eq(asked));

        body.extend([3; 4]);
        assert!(read(&body).eq(asked));
    }

    #[test]
    fn the_references_reply_is_read_and_written() {
        let identities: Vec<_> = read_reply(&REPLY[9..]).collect::<Result<_, _>>().unwrap();

        assert_eq!(identities.len(), 1);
        assert_eq!(identities[0].address().to_string(), "59e3777b55");
        assert_eq!(write_reply(0x6ae0_015e_eca3_ba2a, &identities), REPLY);
    }

    #[test]
    fn identities_end_at_the_first_that_is_malformed() {
        let good = &REPLY[9..];
        let mut bad = good.to_vec();
        bad[5] = 1;

        let read = |answer: &[u8]| read_reply(answer).map(|read| read.is_ok()).collect::<Vec<_>>();

        assert_eq!(read(&[good, good].concat()), [true, true]);
        assert_eq!(read(&[good, &bad, good].concat()), [true, false]);
        for len in 1..good.len() {
            assert_eq!(read(&[good, &good[..len]].concat()), [true, false], "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(body: Vec<u8>) {
            prop_assert_eq!(read(&body).count(), body.len() / 5);
            prop_assert!(read_reply(&body).count() <= body.len());
        }

        #[test]
        fn what_is_written_is_read_back(packet_id: u64, addresses: Vec<[u8; 5]>) {
            let identities: Vec<_> = addresses
                .iter()
                .map(|&address| Identity::from_parts(address.into(), [7; 64]))
                .collect();

            let reply = write_reply(packet_id, &identities);

            prop_assert_eq!(read_reply(&reply[9..]).collect::<Result<Vec<_>, _>>(), Ok(identities));
        }
    }
}
