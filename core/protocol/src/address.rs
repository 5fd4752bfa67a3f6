//! Names on the virtual network: node addresses, network IDs, MAC addresses, multicast groups.
//!
//! Source: spec 01 §1.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A node's 40-bit address, as its five big-endian bytes.
#[derive(
    Clone,
    Copy,
    Default,
    Eq,
    FromBytes,
    Hash,
    Immutable,
    IntoBytes,
    KnownLayout,
    Ord,
    PartialEq,
    PartialOrd,
    Unaligned,
)]
#[repr(transparent)]
pub struct Address([u8; 5]);

impl Address {
    /// The address that names nobody.
    pub const NULL: Self = Self([0; 5]);

    /// Length on the wire, in bytes.
    pub const LEN: usize = 5;

    /// Returns the address in the low 40 bits of `value`; the rest is ignored.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        let [_, _, _, a, b, c, d, e] = value.to_be_bytes();
        Self([a, b, c, d, e])
    }

    /// Returns the address as a number below 2⁴⁰.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
    }

    /// Returns the five bytes, most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 5] {
        self.0
    }

    /// Returns whether no node may have this address: null, or a first byte of 0xff.
    #[must_use]
    pub const fn is_reserved(self) -> bool {
        self.to_u64() == 0 || self.0[0] == 0xff
    }
}

impl From<[u8; 5]> for Address {
    fn from(bytes: [u8; 5]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010x}", self.to_u64())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text names no address, network or MAC.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not {expected}")]
pub struct ParseError {
    /// What the text should have been.
    pub expected: &'static str,
}

/// Reads exactly `digits` hexadecimal digits of either case.
fn parse_hex(text: &str, digits: usize, expected: &'static str) -> Result<u64, ParseError> {
    let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !valid {
        return Err(ParseError { expected });
    }
    u64::from_str_radix(text, 16).map_err(|_| ParseError { expected })
}

impl FromStr for Address {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_hex(text, 10, "a node address of 10 hexadecimal digits").map(Self::from_u64)
    }
}

/// Names a moon: 64 bits, by convention the address of its first root.
///
/// Written as 16 hexadecimal digits; read from those, or from the 10 of an address.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MoonId(pub u64);

impl From<Address> for MoonId {
    fn from(address: Address) -> Self {
        Self(address.to_u64())
    }
}

impl fmt::Display for MoonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for MoonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MoonId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let digits = if text.len() == 10 { 10 } else { 16 };
        let id = parse_hex(text, digits, "a moon ID of 16 or 10 hexadecimal digits")?;
        if id == 0 { Err(ParseError { expected: "a moon ID other than 0" }) } else { Ok(Self(id)) }
    }
}

/// A 64-bit network ID: the controller's address, then 24 bits the controller chose.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NetworkId(pub u64);

impl NetworkId {
    /// Returns the network numbered `number` (24 bits) at `controller`.
    #[must_use]
    pub const fn new(controller: Address, number: u32) -> Self {
        Self(controller.to_u64() << 24 | (number & 0xff_ffff) as u64)
    }

    /// Returns the address of the network's controller. Meaningless if [`is_ad_hoc`](Self::is_ad_hoc).
    #[must_use]
    pub const fn controller(self) -> Address {
        Address::from_u64(self.0 >> 24)
    }

    /// Returns whether the network has no controller and configures itself.
    #[must_use]
    pub const fn is_ad_hoc(self) -> bool {
        self.0 >> 56 == 0xff
    }

    /// Returns the eight bytes n0 … n7, most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Returns the RFC 4193 address of `member`, which is used with prefix length 88.
    #[must_use]
    pub fn rfc4193(self, member: Address) -> Ipv6Addr {
        let mut bytes = [0; 16];
        bytes[0] = 0xfd;
        bytes[1..9].copy_from_slice(&self.to_bytes());
        bytes[9..11].copy_from_slice(&[0x99, 0x93]);
        bytes[11..].copy_from_slice(&member.to_bytes());
        bytes.into()
    }

    /// Returns the 6PLANE address of `member`, which is used with prefix length 40.
    #[must_use]
    pub fn six_plane(self, member: Address) -> Ipv6Addr {
        let mut bytes = [0; 16];
        bytes[0] = 0xfc;
        bytes[1..5].copy_from_slice(&self.six_plane_prefix());
        bytes[5..10].copy_from_slice(&member.to_bytes());
        bytes[15] = 1;
        bytes.into()
    }

    /// Returns bytes 1..5 of every 6PLANE address of this network.
    #[must_use]
    pub const fn six_plane_prefix(self) -> [u8; 4] {
        let [.., a, b, c, d] = (self.0 ^ (self.0 >> 32)).to_be_bytes();
        [a, b, c, d]
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NetworkId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_hex(text, 16, "a network ID of 16 hexadecimal digits").map(Self)
    }
}

/// An Ethernet address.
#[derive(
    Clone,
    Copy,
    Default,
    Eq,
    FromBytes,
    Hash,
    Immutable,
    IntoBytes,
    KnownLayout,
    Ord,
    PartialEq,
    PartialOrd,
    Unaligned,
)]
#[repr(transparent)]
pub struct Mac([u8; 6]);

impl Mac {
    /// All ones.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// All zeros, which no frame may come from.
    pub const ZERO: Self = Self([0; 6]);

    /// Returns the MAC of node `address` on `network` (spec 01 §1.2).
    #[must_use]
    pub const fn of_member(address: Address, network: NetworkId) -> Self {
        let [_, _, n2, n3, n4, n5, n6, _] = network.to_bytes();
        let [a, b, c, d, e] = address.to_bytes();
        Self([Self::first_octet(network), a ^ n6, b ^ n5, c ^ n4, d ^ n3, e ^ n2])
    }

    /// Returns the node this MAC belongs to on `network`, or `None` for a bridged device's.
    #[must_use]
    pub const fn to_member(self, network: NetworkId) -> Option<Address> {
        if self.0[0] != Self::first_octet(network) {
            return None;
        }
        Some(self.to_member_unchecked(network))
    }

    /// As [`to_member`](Self::to_member), but lets any first octet pass, as the reference's own
    /// reverse function does.
    #[must_use]
    pub const fn to_member_unchecked(self, network: NetworkId) -> Address {
        let [_, _, n2, n3, n4, n5, n6, _] = network.to_bytes();
        let [_, a, b, c, d, e] = self.0;
        Address([a ^ n6, b ^ n5, c ^ n4, d ^ n3, e ^ n2])
    }

    /// Returns the first octet of every node's MAC on `network`.
    const fn first_octet(network: NetworkId) -> u8 {
        match (network.to_bytes()[7] & 0xfe) | 0x02 {
            // Taken by libvirt's and other hypervisors' interfaces.
            0x52 => 0x32,
            octet => octet,
        }
    }

    /// Returns the MAC an IPv4 multicast group is mapped to: 01:00:5e and the low 23 bits.
    #[must_use]
    pub const fn of_ipv4_group(group: Ipv4Addr) -> Self {
        let [_, b, c, d] = group.octets();
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// Returns the MAC an IPv6 multicast group is mapped to: 33:33 and the last four bytes.
    #[must_use]
    pub const fn of_ipv6_group(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }

    /// Returns the six bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 6] {
        self.0
    }

    /// Returns whether a single device may have this address.
    #[must_use]
    pub fn is_station(self) -> bool {
        !self.is_multicast() && self != Self::ZERO
    }

    /// Returns whether frames to this address go to a group, broadcast included.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// Returns the link-local address derived from this MAC (spec 01 §1.3).
    ///
    /// Unlike EUI-64 the 0x02 bit is cleared, not flipped.
    #[must_use]
    pub const fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let octets = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a & 0xfd, b, c, 0xff, 0xfe, d, e, f];
        Ipv6Addr::from_octets(octets)
    }
}

impl From<[u8; 6]> for Mac {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A multicast group: a MAC and additional distinguishing information.
///
/// The latter is zero except in the groups that resolve IPv4 addresses, where it is the address
/// asked for, so that an ARP request reaches only those who may answer (spec 03 §9.2).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MulticastGroup {
    /// Where frames to the group are addressed.
    pub mac: Mac,
    /// Additional distinguishing information.
    pub adi: u32,
}

impl MulticastGroup {
    /// The group of everybody.
    pub const BROADCAST: Self = Self { mac: Mac::BROADCAST, adi: 0 };

    /// Returns the group of all frames to `mac`.
    #[must_use]
    pub const fn of_mac(mac: Mac) -> Self {
        Self { mac, adi: 0 }
    }

    /// Returns the group in which `address` is resolved to a MAC by ARP or neighbour discovery.
    #[must_use]
    pub fn resolving(address: core::net::IpAddr) -> Self {
        match address {
            core::net::IpAddr::V4(v4) => Self { mac: Mac::BROADCAST, adi: v4.to_bits() },
            core::net::IpAddr::V6(v6) => {
                let [.., a, b, c] = v6.octets();
                Self::of_mac(Mac([0x33, 0x33, 0xff, a, b, c]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of spec 01 §1.2.
    #[test]
    fn a_members_mac_is_derived_and_reversed() {
        let address: Address = "8056c2e21c".parse().unwrap();
        let network: NetworkId = "8056c2e21c000001".parse().unwrap();

        let mac = Mac::of_member(address, network);

        assert_eq!(mac.to_string(), "02:80:56:de:00:de");
        assert_eq!(mac.to_member(network), Some(address));
        assert_eq!(network.controller(), address);
    }

    #[test]
    fn only_whole_hexadecimal_texts_are_names() {
        assert!("8056c2e21".parse::<Address>().is_err());
        assert!("+056c2e21c".parse::<Address>().is_err());
        assert!("8056c2e21c00000".parse::<NetworkId>().is_err());
        assert!("8056c2e21c00000".parse::<MoonId>().is_err());
        assert!("0000000000".parse::<MoonId>().is_err());
    }

    #[test]
    fn a_moon_is_named_by_an_address_or_in_full() {
        let address: Address = "8056c2e21c".parse().unwrap();

        for text in ["8056c2e21c", "0000008056c2e21c"] {
            let moon: MoonId = text.parse().unwrap();
            assert_eq!(moon, MoonId::from(address));
            assert_eq!(moon.to_string(), "0000008056c2e21c");
        }
    }
}
