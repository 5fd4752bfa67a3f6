//! An interface this node has made: its name, addresses, MTU and routes.

use std::io;
use std::net::IpAddr;

use tun_rs::{AsyncDevice, DeviceBuilder, Layer};
use zt_protocol::address::Mac;
use zt_protocol::plan::{PlannedRoute, TunPlan};
use zt_protocol::transmit::PortMode;

use super::device::PortError;
use super::link::Link;

/// The part of an interface that the system's administrator sees.
///
/// It goes with the device, and its addresses and routes go with it.
pub(super) struct Interface {
    name: String,
    link: Link,
    /// What the interface should have.
    plan: TunPlan,
    /// What of it the interface has.
    set: TunPlan,
}

impl Interface {
    /// Creates an interface, which lasts as long as the device returned.
    pub(super) fn create(
        name: &str,
        mode: PortMode,
        mac: Mac,
    ) -> Result<(AsyncDevice, Self), PortError> {
        if !is_interface_name(name) {
            return Err(PortError::BadName(name.to_owned()));
        }
        let builder = match mode {
            PortMode::L3 => DeviceBuilder::new().layer(Layer::L3),
            PortMode::L2 => DeviceBuilder::new().layer(Layer::L2).mac_addr(mac.to_bytes()),
        };
        let device = builder
            .name(name)
            // Super packets are taken apart by IP and TCP header; frames have another in front.
            .with(|device| {
                device.offload(mode == PortMode::L3);
            })
            .build_async()
            .map_err(|error| explain(error, name))?;

        let name = device.name()?;
        keep_secondary_addresses(&name);
        let link = Link::open(device.if_index()?)?;
        let set = TunPlan { mtu: device.mtu()?, ..TunPlan::default() };
        Ok((device, Self { name, link, plan: set.clone(), set }))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number by which the kernel knows the interface.
    pub(super) const fn index(&self) -> u32 {
        self.link.index()
    }

    /// Returns whether a default route of IPv4 and one of IPv6 lead through the interface.
    pub(super) fn default_routes(&self) -> (bool, bool) {
        let mut defaults = self.set.routes.iter().filter(|route| route.is_default());
        let v4 = defaults.clone().any(|route| route.target.is_ipv4());
        (v4, defaults.any(|route| route.target.is_ipv6()))
    }

    /// Gives the interface the MTU, the addresses and the routes of `plan`, and takes away
    /// those of the plan before. What both have stays in place throughout.
    ///
    /// What the system refuses is logged and left out, and tried again with the next plan: the rest
    /// of the network works.
    pub(super) fn configure(&mut self, device: &AsyncDevice, plan: &TunPlan) {
        // The same news twice are no news.
        let level = if self.plan == *plan { log::Level::Debug } else { log::Level::Warn };
        self.plan.clone_from(plan);

        self.set_mtu(device, level);
        // The new comes before the old goes: without any address the kernel drops all routes.
        self.set_addresses(level);
        self.set_routes(level);
        self.remove_routes();
        if self.remove_addresses() {
            // With an address the kernel may take away others of its subnet, and routes.
            (self.set.addresses, self.set.routes) = (Vec::new(), Vec::new());
            self.set_addresses(level);
            self.set_routes(level);
        }
    }

    fn set_mtu(&mut self, device: &AsyncDevice, level: log::Level) {
        let mtu = self.plan.mtu;
        if self.set.mtu == mtu {
            return;
        }
        match device.set_mtu(mtu) {
            Ok(()) => self.set.mtu = mtu,
            Err(error) => {
                log::log!(level, interface = self.name.as_str(), mtu, error:%; "cannot set the MTU");
            }
        }
    }

    fn set_addresses(&mut self, level: log::Level) {
        for &address in &self.plan.addresses {
            if self.set.addresses.contains(&address) {
                continue;
            }
            let (ip, bits) = address;
            match self.link.set_address(ip, bits) {
                Ok(()) => self.set.addresses.push(address),
                Err(error) => self.log(level, "set the address", ip, &error),
            }
        }
    }

    fn set_routes(&mut self, level: log::Level) {
        for (index, &route) in self.plan.routes.iter().enumerate() {
            let is_first =
                !self.plan.routes[..index].iter().any(|other| same_target(other, &route));
            if !is_first || self.set.routes.contains(&route) {
                continue;
            }
            match self.link.set_route(&route) {
                Ok(()) => {
                    self.set.routes.retain(|other| !same_target(other, &route));
                    self.set.routes.push(route);
                }
                Err(error) => self.log(level, "set the route", route.target, &error),
            }
        }
    }

    fn remove_routes(&mut self) {
        for route in std::mem::take(&mut self.set.routes) {
            if self.plan.routes.contains(&route) {
                self.set.routes.push(route);
            } else if let Err(error) = self.link.remove_route(&route) {
                self.log(log::Level::Warn, "remove the route", route.target, &error);
            }
        }
    }

    /// Returns whether an address was removed.
    fn remove_addresses(&mut self) -> bool {
        let old = std::mem::take(&mut self.set.addresses);
        let (kept, gone): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|address| self.plan.addresses.contains(address));
        self.set.addresses = kept;
        for &(ip, bits) in &gone {
            if let Err(error) = self.link.remove_address(ip, bits) {
                self.log(log::Level::Warn, "remove the address", ip, &error);
            }
        }
        !gone.is_empty()
    }

    fn log(&self, level: log::Level, action: &str, what: IpAddr, error: &io::Error) {
        log::log!(level, interface = self.name.as_str(), error:%; "cannot {action} {what}");
    }
}

impl Drop for Interface {
    /// Takes away what was set: an interface made to stay (`ip tuntap add`) outlives its device.
    fn drop(&mut self) {
        // Of any other interface all this is gone already, as the kernel says.
        for route in &self.set.routes {
            let _ = self.link.remove_route(route);
        }
        for &(ip, bits) in &self.set.addresses {
            let _ = self.link.remove_address(ip, bits);
        }
    }
}

fn same_target(a: &PlannedRoute, b: &PlannedRoute) -> bool {
    (a.target, a.bits) == (b.target, b.bits)
}

/// Has the kernel keep the other addresses of a subnet when the first one is taken away.
fn keep_secondary_addresses(name: &str) {
    let setting = format!("/proc/sys/net/ipv4/conf/{name}/promote_secondaries");
    if let Err(error) = std::fs::write(&setting, "1") {
        log::debug!(setting, error:%; "addresses may be away for a moment when others go");
    }
}

fn is_interface_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=15).contains(&name.len()) && name.bytes().all(is_plain) && name != "." && name != ".."
}

fn explain(error: io::Error, name: &str) -> PortError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => PortError::NotPermitted,
        io::ErrorKind::NotFound => PortError::NoTun,
        // The kernel finds the name of a physical interface invalid, not in use.
        io::ErrorKind::ResourceBusy
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidInput => PortError::NameInUse(name.to_owned()),
        _ if error.raw_os_error() == Some(libc::ENODEV) => PortError::NoTun,
        _ => PortError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_would_refuse_are_refused() {
        assert!(is_interface_name("zt-lab_0"));
        for name in ["", ".", "..", "a/b", "a b", "sixteen-letters-"] {
            assert!(!is_interface_name(name), "{name:?}");
        }
    }
}
