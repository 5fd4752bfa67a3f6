//! What OK and ERROR begin with.
//!
//! ```text
//!  0             1                   9
//!  +-------------+-------------------+------ ..
//!  | in-re verb  | in-re packet id   | OK: by the verb
//!  +-------------+-------------------+------+--------+ ..
//!                                    | code | ERROR: usually a network ID
//!                                    9      10
//! ```
//!
//! The verb is without flag bits; the ID is that of the request as it was on the wire.
//!
//! Source: spec 01 §13, §14; spec 02 §2.3; spec 03 §2.4.

use crate::address::NetworkId;
use crate::error::Malformed;
use crate::verb::{ErrorCode, Verb};
use crate::wire::cursor::{Put, Reader};

/// What a reply answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InReplyTo {
    /// What was asked; `None` if the number is unassigned.
    pub verb: Option<Verb>,
    /// The request's ID on the wire.
    pub packet_id: u64,
}

impl InReplyTo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { verb: Verb::from_u8(reader.u8()?), packet_id: reader.u64()? })
    }
}

/// Splits the body of an OK into what it answers and the answer.
///
/// # Errors
///
/// [`Malformed::Truncated`].
pub fn read_ok(body: &[u8]) -> Result<(InReplyTo, &[u8]), Malformed> {
    let mut reader = Reader::new("OK", body);
    Ok((InReplyTo::read(&mut reader)?, reader.rest()))
}

/// Splits the body of an ERROR into what it answers, why that failed (`None` if the code is
/// unassigned), and the rest.
///
/// # Errors
///
/// [`Malformed::Truncated`].
pub fn read_error(body: &[u8]) -> Result<(InReplyTo, Option<ErrorCode>, &[u8]), Malformed> {
    let mut reader = Reader::new("ERROR", body);
    let in_reply_to = InReplyTo::read(&mut reader)?;
    let code = ErrorCode::from_u8(reader.u8()?);
    Ok((in_reply_to, code, reader.rest()))
}

/// Returns the beginning of an OK's body, to append the answer to.
#[must_use]
pub fn ok(in_re: Verb, packet_id: u64) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u8(in_re as u8);
    out.put_u64(packet_id);
    out
}

/// Returns an ERROR's body.
#[must_use]
pub fn error(in_re: Verb, packet_id: u64, code: ErrorCode, network: Option<NetworkId>) -> Vec<u8> {
    let mut out = ok(in_re, packet_id);
    out.put_u8(code as u8);
    if let Some(network) = network {
        out.put_network(network);
    }
    out
}

/// What follows the code of an ERROR NETWORK_AUTHENTICATION_REQUIRED.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuthenticationRequired<'a> {
    /// Which network the user has to log in to.
    pub network: NetworkId,
    /// Where and how, as a dictionary; empty if the controller does not say.
    pub login: &'a [u8],
}

impl<'a> AuthenticationRequired<'a> {
    /// Reads what follows the code.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`], also if the dictionary is longer than the rest.
    pub fn read(rest: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("NETWORK_AUTHENTICATION_REQUIRED", rest);
        let network = reader.network()?;
        // A rest of up to two bytes is no dictionary, whatever it says its length is.
        let login = match reader.remaining() {
            0..=2 => &[],
            _ => {
                let len = reader.u16()?;
                reader.bytes(usize::from(len))?
            }
        };
        Ok(Self { network, login })
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    const NETWORK: NetworkId = NetworkId(0x3f6e_a8ef_0000_0001);

    /// From frames.json, "EXT_FRAME with ACK requested".
    #[test]
    fn an_ok_says_what_it_answers() {
        let body = hex!(
            "07"               // EXT_FRAME
            "ecc2c98f1ee51dde" // its packet ID
            "3f6ea8ef00000001" // the network
        );

        let (in_reply_to, answer) = read_ok(&body).unwrap();

        assert_eq!(in_reply_to.verb, Some(Verb::ExtFrame));
        assert_eq!(in_reply_to.packet_id, 0xecc2_c98f_1ee5_1dde);
        assert_eq!(answer, NETWORK.to_bytes());
    }

    /// From frames.json, "private network, sender's COM unknown".
    #[test]
    fn an_error_is_written_as_the_reference_does() {
        let body = hex!("06 58d24593d9e0d788 06 3f6ea8ef00000001");
        let code = ErrorCode::NeedMembershipCertificate;

        assert_eq!(error(Verb::Frame, 0x58d2_4593_d9e0_d788, code, Some(NETWORK)), body);

        let (in_reply_to, read_code, rest) = read_error(&body).unwrap();
        assert_eq!(in_reply_to.verb, Some(Verb::Frame));
        assert_eq!(read_code, Some(code));
        assert_eq!(rest, NETWORK.to_bytes());
    }

    #[test]
    fn every_proper_prefix_of_a_reply_is_refused() {
        let body = error(Verb::Hello, 1, ErrorCode::IdentityCollision, None);

        assert_eq!(read_error(&body).map(|(_, _, rest)| rest), Ok([].as_slice()));
        for len in 0..body.len() {
            assert!(read_error(&body[..len]).is_err(), "{len}");
            assert_eq!(read_ok(&body[..len]).is_err(), len < 9, "{len}");
        }
    }

    /// From network_requests.json, the cases AUTHENTICATION_REQUIRED.
    #[test]
    fn a_login_is_a_dictionary_that_may_be_missing() {
        let bare = hex!("3f6ea8ef00000001");
        let with = hex!("3f6ea8ef00000001 0004 61563d32");
        let too_long = hex!("3f6ea8ef00000001 0064 61563d31");

        let login = |rest| AuthenticationRequired::read(rest).map(|it| (it.network, it.login));

        assert_eq!(login(&bare), Ok((NETWORK, [].as_slice())));
        assert_eq!(login(&with), Ok((NETWORK, b"aV=2".as_slice())));
        assert!(login(&too_long).is_err());
        assert!(login(&bare[..7]).is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics(body: Vec<u8>) {
            let _ = read_ok(&body);
            let _ = read_error(&body);
            let _ = AuthenticationRequired::read(&body);
        }

        #[test]
        fn what_is_written_is_read_back(packet_id: u64, answer: Vec<u8>) {
            let mut body = ok(Verb::Echo, packet_id);
            body.put(&answer);

            let (in_reply_to, read) = read_ok(&body).unwrap();

            prop_assert_eq!(in_reply_to, InReplyTo { verb: Some(Verb::Echo), packet_id });
            prop_assert_eq!(read, answer);
        }
    }
}
