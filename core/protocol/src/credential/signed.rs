//! How credentials are signed, and the block a signature travels in.
//!
//! ```text
//!  +------+-----+------------+---------+-------------+
//!  | type | n   | signature  | m       | more fields |
//!  +------+-----+------------+---------+-------------+
//!    `- 1   `- 96, two bytes   `- 0, two bytes
//! ```
//!
//! The signature covers all that comes before the block and the length of the fields after it,
//! which is taken to be 0. Certificates of membership do without the block.
//!
//! Source: spec 03 §7.

use super::CredentialError;
use crate::address::{Address, NetworkId};
use crate::error::Malformed;
use crate::identity::{Directory, SecretIdentity};
use crate::wire::cursor::{Put, Reader};

/// Type of the only signatures there are.
const ED25519: u8 = 1;

/// Length of such a signature, in bytes.
const SIGNATURE_LEN: u16 = 96;

/// Surrounds what is signed, so that a signed credential is nothing else signed.
const MARK: [u8; 8] = [0x7f; 8];

/// The length of no more fields.
const NO_MORE: [u8; 2] = [0; 2];

/// Reads the block up to where more fields may follow; `None` if the signature is of a type to
/// come, which cannot be verified.
pub(super) fn read_signature(reader: &mut Reader<'_>) -> Result<Option<[u8; 96]>, Malformed> {
    let kind = reader.u8()?;
    let len = reader.u16()?;
    match (kind, len) {
        (ED25519, SIGNATURE_LEN) => Ok(Some(*reader.array()?)),
        (ED25519, _) => {
            Err(Malformed::Undefined { field: "signature length", value: u64::from(len) })
        }
        _ => {
            reader.bytes(usize::from(len))?;
            Ok(None)
        }
    }
}

/// Skips fields of later versions.
pub(super) fn skip_more(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let len = reader.u16()?;
    reader.bytes(usize::from(len))?;
    Ok(())
}

/// Writes the block up to where more fields may follow.
pub(super) fn write_signature(signature: Option<&[u8; 96]>, out: &mut Vec<u8>) {
    match signature {
        Some(signature) => {
            out.put_u8(ED25519);
            out.put_u16(SIGNATURE_LEN);
            out.put(signature);
        }
        None => out.put(&[0; 3]),
    }
}

/// Writes that there are no more fields.
pub(super) fn write_no_more(out: &mut Vec<u8>) {
    out.put(&NO_MORE);
}

/// Signs a credential of which `body` is all that comes before the block.
pub(super) fn sign(body: &[u8], signer: &SecretIdentity) -> [u8; 96] {
    signer.sign(&[&MARK, body, &NO_MORE, &MARK])
}

/// Returns whether `signer` signed a credential of which `body` is all that comes before the block.
pub(super) fn check(
    body: &[u8],
    signer: Address,
    signature: Option<&[u8; 96]>,
    directory: &dyn Directory,
) -> Result<(), CredentialError> {
    check_parts(&[&MARK, body, &NO_MORE, &MARK], signer, signature, directory)
}

/// Returns whether `signer` signed the concatenated `parts`.
pub(super) fn check_parts(
    parts: &[&[u8]],
    signer: Address,
    signature: Option<&[u8; 96]>,
    directory: &dyn Directory,
) -> Result<(), CredentialError> {
    let identity = directory.identity(signer).ok_or(CredentialError::UnknownSigner(signer))?;
    match signature {
        Some(signature) if identity.verify(parts, signature) => Ok(()),
        _ => Err(CredentialError::BadSignature),
    }
}

/// Returns whether `signer` may sign credentials of `network`.
pub(super) fn check_signer(signer: Address, network: NetworkId) -> Result<(), CredentialError> {
    if signer != network.controller() || signer.is_reserved() {
        return Err(CredentialError::WrongSigner(signer));
    }
    Ok(())
}
