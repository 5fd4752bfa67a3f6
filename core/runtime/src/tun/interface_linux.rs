//! An interface this node has made: its name, addresses, MTU and routes.

use std::io;
use std::net::IpAddr;

use tun_rs::{AsyncDevice, DeviceBuilder, Layer};
use zt_protocol::address::Mac;
use zt_protocol::plan::TunPlan;
use zt_protocol::transmit::PortMode;

use super::device::PortError;
use super::netlink::Link;

/// The part of an interface that the system's administrator sees.
///
/// It goes with the device, and its addresses and routes go with it.
pub(super) struct Interface {
    name: String,
    link: Link,
    plan: TunPlan,
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
        let link = Link::open(device.if_index()?)?;
        let plan = TunPlan { mtu: device.mtu()?, ..TunPlan::default() };
        Ok((device, Self { name, link, plan }))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the interface the MTU, the addresses and the routes of `plan`, and takes away
    /// those of the plan before.
    ///
    /// What the system refuses is logged and left out: the rest of the network works.
    pub(super) fn configure(&mut self, device: &AsyncDevice, plan: &TunPlan) {
        let old = std::mem::replace(&mut self.plan, plan.clone());
        let (new, link, name) = (&self.plan, &mut self.link, self.name.as_str());

        for route in old.routes.iter().filter(|route| !new.routes.contains(route)) {
            let removed = link.remove_route(route);
            log_failure(name, "remove the route", route.target, removed);
        }
        for &(ip, bits) in old.addresses.iter().filter(|ip| !new.addresses.contains(ip)) {
            log_failure(name, "remove the address", ip, link.remove_address(ip, bits));
        }
        if old.mtu != new.mtu
            && let Err(error) = device.set_mtu(new.mtu)
        {
            log::warn!(interface = name, mtu = new.mtu, error:%; "cannot set the MTU");
        }
        for &(ip, bits) in new.addresses.iter().filter(|ip| !old.addresses.contains(ip)) {
            log_failure(name, "set the address", ip, link.add_address(ip, bits));
        }
        for route in new.routes.iter().filter(|route| !old.routes.contains(route)) {
            log_failure(name, "set the route", route.target, link.add_route(route));
        }
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

fn log_failure(name: &str, action: &str, what: IpAddr, result: io::Result<()>) {
    if let Err(error) = result {
        log::warn!(interface = name, error:%; "cannot {action} {what}");
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
