//! Where the way to the Internet leads: the gateway of the default route.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::status::MappingError;

/// A gateway and how this machine stands to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Site {
    /// The gateway; `None` where the system does not say and whoever answers has to be believed.
    pub(super) gateway: Option<Ipv4Addr>,
    /// This machine's address on the way there.
    pub(super) local: Ipv4Addr,
}

impl Site {
    /// Returns the site at which `gateway` is asked, or, without one, whoever is on the way to
    /// `beyond`.
    ///
    /// # Errors
    ///
    /// [`MappingError::NoGateway`] if nothing leads there.
    pub(super) fn towards(
        gateway: Option<Ipv4Addr>,
        beyond: SocketAddr,
    ) -> Result<Self, MappingError> {
        // Nothing is sent; the system chooses the address it would send from.
        let target = gateway.map_or(beyond, |gateway| (gateway, beyond.port()).into());
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
        let local = socket.and_then(|socket| {
            socket.connect(target)?;
            socket.local_addr()
        });
        match local.map(|local| local.ip()) {
            Ok(IpAddr::V4(local)) if !local.is_unspecified() => Ok(Self { gateway, local }),
            Ok(_) | Err(_) => Err(MappingError::NoGateway),
        }
    }
}

/// Returns the gateway of the default route the system would choose.
///
/// Routes of this node's own are in another table and do not count.
#[cfg(target_os = "linux")]
pub(super) fn of_default_route() -> Result<Option<Ipv4Addr>, MappingError> {
    use std::io::Read as _;

    use crate::limits::ROUTE_LIST_LEN_MAX;

    let mut routes = String::new();
    std::fs::File::open("/proc/net/route")
        .and_then(|file| file.take(ROUTE_LIST_LEN_MAX).read_to_string(&mut routes))
        .map_err(|error| MappingError::Unreachable(error.kind()))?;
    let best = routes.lines().filter_map(default_route).min_by_key(|&(metric, _)| metric);
    best.map(|(_, gateway)| Some(gateway)).ok_or(MappingError::NoGateway)
}

/// Elsewhere no file tells it, and whoever answers is believed.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_default_route() -> Result<Option<Ipv4Addr>, MappingError> {
    Ok(None)
}

/// Returns metric and gateway of a line of `/proc/net/route` that is a default route through one.
#[cfg(target_os = "linux")]
fn default_route(line: &str) -> Option<(u32, Ipv4Addr)> {
    // RTF_UP and RTF_GATEWAY of linux/route.h.
    const USABLE: u32 = 0x1 | 0x2;

    let columns: Vec<_> = line.split_ascii_whitespace().take(8).collect();
    let [_, destination, gateway, flags, _, _, metric, mask] = *columns.as_slice() else {
        return None;
    };
    let hex = |column| u32::from_str_radix(column, 16).ok();
    let is_default = hex(destination)? == 0 && hex(mask)? == 0;
    // Written as the integer that the address's bytes are in memory.
    let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
    (is_default && hex(flags)? & USABLE == USABLE).then_some((metric.parse().ok()?, gateway))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_default_routes_through_a_gateway_count() {
        let gateway = u32::from_ne_bytes([192, 168, 1, 1]);
        let line = |destination: u32, gateway: u32, flags: u32, mask: u32| {
            format!(
                "eth0\t{destination:08X}\t{gateway:08X}\t{flags:04X}\t0\t0\t100\t{mask:08X}\t0\t0\t0"
            )
        };

        let found = default_route(&line(0, gateway, 3, 0));
        assert_eq!(found, Some((100, Ipv4Addr::new(192, 168, 1, 1))));
        assert_eq!(default_route(&line(gateway, gateway, 3, u32::MAX)), None);
        assert_eq!(default_route(&line(0, gateway, 3, 0x80)), None, "half of the addresses");
        assert_eq!(default_route(&line(0, 0, 1, 0)), None, "an interface without gateway");
        assert_eq!(default_route(&line(0, gateway, 2, 0)), None, "a route that is down");
        assert_eq!(default_route("Iface\tDestination\tGateway \tFlags"), None);
        assert_eq!(default_route(""), None);
    }

    #[test]
    fn the_local_address_is_the_one_on_the_way() {
        let beyond = SocketAddr::from(([127, 0, 0, 1], 5_351));

        let site = Site::towards(Some(Ipv4Addr::LOCALHOST), beyond).unwrap();

        assert_eq!(site.local, Ipv4Addr::LOCALHOST);
    }
}
