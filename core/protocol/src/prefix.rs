//! Prefixes: an address, and how much of it counts.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix<A = IpAddr> {
    /// The address, host bits as they came.
    pub address: A,
    /// The number of bits; more than there are count as all.
    pub bits: u8,
}

impl Prefix<Ipv4Addr> {
    /// Returns whether the bits of `address` that count are those of the prefix.
    #[must_use]
    pub const fn contains(&self, address: Ipv4Addr) -> bool {
        let differing = self.address.to_bits() ^ address.to_bits();
        differing.leading_zeros() >= if self.bits < 32 { self.bits as u32 } else { 32 }
    }
}

impl Prefix<Ipv6Addr> {
    /// Returns whether the bits of `address` that count are those of the prefix.
    #[must_use]
    pub const fn contains(&self, address: Ipv6Addr) -> bool {
        let differing = self.address.to_bits() ^ address.to_bits();
        differing.leading_zeros() >= if self.bits < 128 { self.bits as u32 } else { 128 }
    }

    /// As [`contains`](Self::contains) if the prefix has no host bits; with host bits it is the
    /// network of no address (spec 03 §8.1, types 33 and 34).
    #[must_use]
    pub const fn is_network_of(&self, address: Ipv6Addr) -> bool {
        let mask = match u128::MAX.checked_shr(self.bits as u32) {
            Some(host_bits) => !host_bits,
            None => u128::MAX,
        };
        address.to_bits() & mask == self.address.to_bits()
    }
}

impl Prefix {
    /// Returns whether `address` is of the prefix's family and its bits that count are the prefix's.
    #[must_use]
    pub const fn contains(&self, address: IpAddr) -> bool {
        let bits = self.bits;
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(v4)) => Prefix { address: own, bits }.contains(v4),
            (IpAddr::V6(own), IpAddr::V6(v6)) => Prefix { address: own, bits }.contains(v6),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Returns the prefix without host bits, and with no more bits than there are.
    #[must_use]
    pub fn network(&self) -> Self {
        match self.address {
            IpAddr::V4(v4) => {
                let bits = self.bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Self { address: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = self.bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), bits }
            }
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// A text is no prefix such as `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[error("not an address and its number of leading bits, such as 10.1.0.0/16")]
pub struct NotAPrefix;

impl FromStr for Prefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        let (address, bits) = text.split_once('/').ok_or(NotAPrefix)?;
        let address: IpAddr = address.parse().map_err(|_| NotAPrefix)?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        match bits.parse() {
            Ok(bits) if bits <= bits_max => Ok(Self { address, bits }),
            Ok(_) | Err(_) => Err(NotAPrefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_contains_what_shares_its_leading_bits() {
        let v4 = |bits| Prefix { address: Ipv4Addr::new(10, 1, 2, 99), bits };

        assert!(v4(24).contains(Ipv4Addr::new(10, 1, 2, 3)));
        assert!(!v4(32).contains(Ipv4Addr::new(10, 1, 2, 3)));
        assert!(!v4(200).contains(Ipv4Addr::new(10, 1, 2, 3)));
        assert!(v4(0).contains(Ipv4Addr::new(192, 0, 2, 1)));
    }

    #[test]
    fn an_ipv6_prefix_with_host_bits_is_the_network_of_nothing() {
        let v6 = |address: &str, bits| Prefix { address: address.parse().unwrap(), bits };
        let address = "fd00::5".parse().unwrap();

        assert!(v6("fd00::", 64).is_network_of(address));
        assert!(!v6("fd00::5", 64).is_network_of(address));
        assert!(v6("fd00::5", 64).contains(address));
        assert!(v6("fd00::5", 128).is_network_of(address));
        assert!(v6("fd00::5", 255).is_network_of(address));
        assert!(v6("::", 0).is_network_of(address));
        assert!(!v6("fd00::5", 0).is_network_of(address));
    }

    #[test]
    fn a_prefix_contains_no_address_of_the_other_family() {
        assert!(prefix("0.0.0.0/0").contains([10, 1, 2, 3].into()));
        assert!(!prefix("0.0.0.0/0").contains("fd00::1".parse().unwrap()));
        assert!(!prefix("::/0").contains([10, 1, 2, 3].into()));
    }

    #[test]
    fn a_network_is_what_is_left_without_host_bits() {
        assert_eq!(prefix("10.1.2.3/20").network().to_string(), "10.1.0.0/20");
        assert_eq!(prefix("10.1.2.3/32").network(), prefix("10.1.2.3/32"));
        assert_eq!(prefix("10.1.2.3/0").network(), prefix("0.0.0.0/0"));
        assert_eq!(prefix("fd00::1:2/112").network(), prefix("fd00::1:0/112"));
        assert_eq!(prefix("fd00::1/0").network(), prefix("::/0"));
    }

    #[test]
    fn texts_that_are_no_prefix_are_refused() {
        for text in ["", "10.1.0.0", "10.1.0.0/", "10.1.0.0/33", "fd00::/129", "x/8", "10.1/16"] {
            assert_eq!(text.parse::<Prefix>(), Err(NotAPrefix), "{text}");
        }
    }

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }
}
