//! Certificates of ownership: which addresses are a member's to use.
//!
//! ```text
//!  0         8           16      24   28    30
//!  +---------+-----------+-------+----+-----+------+-------+----+-----------+--------+--------------+
//!  | network | timestamp | flags | id | n   | type | value | .. | issued to | signer | signature .. |
//!  +---------+-----------+-------+----+-----+------+-------+----+-----------+--------+--------------+
//!                                             `- n things, 1 + 16 bytes each
//! ```
//!
//! Source: spec 03 §7.4.

use core::net::IpAddr;

use super::{CredentialError, signed};
use crate::address::{Address, Mac, NetworkId};
use crate::error::Malformed;
use crate::identity::{Directory, SecretIdentity};
use crate::limits::THINGS_PER_OWNERSHIP_MAX;
use crate::memory;
use crate::time::UnixMillis;
use crate::wire::cursor::{Put, Reader};

/// Something a member owns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Thing {
    /// A MAC address.
    Mac(Mac),
    /// An IP address.
    Ip(IpAddr),
    /// Something of a type to come, or not padded with zeros; kept because it is signed.
    Unknown {
        /// Its type.
        kind: u8,
        /// Its value.
        value: [u8; 16],
    },
}

impl Thing {
    const MAC: u8 = 1;
    const IPV4: u8 = 2;
    const IPV6: u8 = 3;

    fn from_parts(kind: u8, value: [u8; 16]) -> Self {
        match (kind, value) {
            (Self::MAC, [a, b, c, d, e, f, padding @ ..]) if padding == [0; 10] => {
                Self::Mac(Mac::from([a, b, c, d, e, f]))
            }
            (Self::IPV4, [a, b, c, d, padding @ ..]) if padding == [0; 12] => {
                Self::Ip(IpAddr::from([a, b, c, d]))
            }
            (Self::IPV6, octets) => Self::Ip(IpAddr::from(octets)),
            (kind, value) => Self::Unknown { kind, value },
        }
    }

    fn to_parts(self) -> (u8, [u8; 16]) {
        let mut padded = [0; 16];
        match self {
            Self::Mac(mac) => {
                padded[..6].copy_from_slice(&mac.to_bytes());
                (Self::MAC, padded)
            }
            Self::Ip(IpAddr::V4(v4)) => {
                padded[..4].copy_from_slice(&v4.octets());
                (Self::IPV4, padded)
            }
            Self::Ip(IpAddr::V6(v6)) => (Self::IPV6, v6.octets()),
            Self::Unknown { kind, value } => (kind, value),
        }
    }
}

/// Says which addresses a member owns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ownership {
    /// The network it is for.
    pub network: NetworkId,
    /// When it was issued, by the controller's clock.
    pub timestamp: UnixMillis,
    /// Flags, of which none is defined.
    pub flags: u64,
    /// Which of the member's certificates it is.
    pub id: u32,
    /// What is owned; at most 16.
    pub things: Vec<Thing>,
    /// The member.
    pub issued_to: Address,
    /// Who claims to have signed it.
    pub signer: Address,
    /// The signature; `None` if it is of a type this version does not know.
    pub signature: Option<[u8; 96]>,
}

impl Ownership {
    /// Returns what it holds, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        memory::of_list(&self.things)
    }

    /// Certifies that `member` owns `things`, of which the first 16 are taken.
    #[must_use]
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: Address,
        timestamp: UnixMillis,
        id: u32,
        mut things: Vec<Thing>,
    ) -> Self {
        things.truncate(THINGS_PER_OWNERSHIP_MAX);
        let mut certificate = Self {
            network,
            timestamp,
            flags: 0,
            id,
            things,
            issued_to: member,
            signer: controller.address(),
            signature: None,
        };
        certificate.signature = Some(signed::sign(&certificate.body(), controller));
        certificate
    }

    /// Reads a certificate from the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early, there are more than 16 things, or the signature has
    /// an odd length.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("certificate of ownership", bytes);
        let network = reader.network()?;
        let timestamp = UnixMillis(reader.u64()?);
        let flags = reader.u64()?;
        let id = reader.u32()?;

        let count = usize::from(reader.u16()?);
        if count > THINGS_PER_OWNERSHIP_MAX {
            let max = THINGS_PER_OWNERSHIP_MAX;
            return Err(Malformed::TooLong { what: "list of things owned", max });
        }
        let mut things = Vec::with_capacity(count);
        for _ in 0..count {
            things.push(Thing::from_parts(reader.u8()?, *reader.array()?));
        }

        let issued_to = reader.address()?;
        let signer = reader.address()?;
        let signature = signed::read_signature(&mut reader)?;
        signed::skip_more(&mut reader)?;
        let certificate =
            Self { network, timestamp, flags, id, things, issued_to, signer, signature };
        Ok((certificate, reader.position()))
    }

    /// Appends the certificate to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.body());
        signed::write_signature(self.signature.as_ref(), out);
        signed::write_no_more(out);
    }

    /// Returns whether the network's controller signed the certificate.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; [`UnknownSigner`](CredentialError::UnknownSigner) may pass.
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        signed::check_signer(self.signer, self.network)?;
        signed::check(&self.body(), self.signer, self.signature.as_ref(), directory)
    }

    /// Returns whether `ip` is among the things owned.
    #[must_use]
    pub fn owns_ip(&self, ip: IpAddr) -> bool {
        self.things.contains(&Thing::Ip(ip))
    }

    /// Returns whether `mac` is among the things owned.
    #[must_use]
    pub fn owns_mac(&self, mac: Mac) -> bool {
        self.things.contains(&Thing::Mac(mac))
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(40 + 17 * self.things.len());
        body.put_network(self.network);
        body.put_u64(self.timestamp.0);
        body.put_u64(self.flags);
        body.put_u32(self.id);
        body.put_u16(self.things.len() as u16);
        for thing in &self.things {
            let (kind, value) = thing.to_parts();
            body.put_u8(kind);
            body.put(&value);
        }
        body.put_address(self.issued_to);
        body.put_address(self.signer);
        body
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::super::fixtures::{Known, network, node};
    use super::*;

    const MAC: Mac = Mac::BROADCAST;
    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x1234));

    fn certificate(controller: &SecretIdentity) -> Ownership {
        let unknown = Thing::Unknown { kind: 9, value: [7; 16] };
        let things = vec![Thing::Ip(V4), Thing::Ip(V6), Thing::Mac(MAC), unknown];
        let member = Address::from([2; 5]);
        Ownership::issue(controller, network(controller), member, UnixMillis(9), 3, things)
    }

    fn written(certificate: &Ownership) -> Vec<u8> {
        let mut out = Vec::new();
        certificate.write(&mut out);
        out
    }

    #[test]
    fn an_issued_certificate_verifies_until_it_is_changed() {
        let (controller, other) = (node(1), node(2));
        let certificate = certificate(&controller);
        let mut changed = certificate.clone();
        changed.things.pop();
        let foreign = Ownership { signer: other.address(), ..certificate.clone() };
        let known = Known(&[&controller, &other]);

        assert_eq!(certificate.verify(&known), Ok(()));
        assert_eq!(
            certificate.verify(&Known(&[])),
            Err(CredentialError::UnknownSigner(controller.address()))
        );
        assert_eq!(changed.verify(&known), Err(CredentialError::BadSignature));
        assert_eq!(foreign.verify(&known), Err(CredentialError::WrongSigner(other.address())));
    }

    #[test]
    fn what_is_listed_is_owned_and_nothing_else() {
        let certificate = certificate(&node(1));

        assert!(certificate.owns_ip(V4) && certificate.owns_ip(V6) && certificate.owns_mac(MAC));
        assert!(!certificate.owns_ip("10.1.2.4".parse().unwrap()));
        assert!(!certificate.owns_mac(Mac::ZERO));
    }

    /// Padding is signed as well, so it must survive even if it is not zero.
    #[test]
    fn a_thing_that_is_padded_oddly_is_kept_as_it_is() {
        let mut bytes = written(&certificate(&node(1)));
        bytes[30 + 16] = 1;

        let (read, _) = Ownership::read_prefix(&bytes).unwrap();

        assert_eq!(written(&read), bytes);
        assert!(!read.owns_ip(V4));
    }

    #[test]
    fn no_more_things_are_read_than_there_may_be() {
        let mut bytes = written(&certificate(&node(1)));
        bytes[29] = 17;
        bytes.extend([0; 17 * 17]);

        assert!(matches!(Ownership::read_prefix(&bytes), Err(Malformed::TooLong { .. })));
    }

    #[test]
    fn a_certificate_is_read_back_and_none_of_its_proper_prefixes_is_one() {
        let certificate = certificate(&node(1));
        let bytes = written(&certificate);

        assert_eq!(Ownership::read_prefix(&bytes), Ok((certificate, bytes.len())));
        for end in 0..bytes.len() {
            assert!(Ownership::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn a_thing_of_any_bytes_survives(kind: u8, value: [u8; 16]) {
            prop_assert_eq!(Thing::from_parts(kind, value).to_parts(), (kind, value));
        }

        #[test]
        fn no_input_panics(head: [u8; 28], count in 0..20_u8, tail: Vec<u8>) {
            let bytes = [&head[..], &[0, count], &tail].concat();
            if let Ok((_, len)) = Ownership::read_prefix(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
