//! Certificates of ownership (spec 03 §7.4).
use core::net::IpAddr;

use crate::address::{Address, Mac, NetworkId};
use crate::credential::CredentialError;
use crate::error::Malformed;
use crate::identity::Directory;
use crate::identity::SecretIdentity;
use crate::time::UnixMillis;

/// Something a member owns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Thing {
    Mac(Mac),
    Ip(IpAddr),
    Unknown { kind: u8, value: [u8; 16] },
}
/// Says which addresses a member owns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ownership {
    pub network: NetworkId,
    pub timestamp: UnixMillis,
    pub flags: u64,
    pub id: u32,
    pub things: Vec<Thing>,
    pub issued_to: Address,
    pub signer: Address,
    pub signature: Option<[u8; 96]>,
}
impl Ownership {
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        todo!()
    }
    pub fn write(&self, out: &mut Vec<u8>) {
        todo!()
    }
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: Address,
        timestamp: UnixMillis,
        id: u32,
        things: Vec<Thing>,
    ) -> Self {
        todo!()
    }
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        todo!()
    }
    pub fn owns_ip(&self, ip: IpAddr) -> bool {
        todo!()
    }
    pub fn owns_mac(&self, mac: Mac) -> bool {
        todo!()
    }
}
