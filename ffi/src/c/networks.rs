//! Networks a node is on, and what they mean for this machine.

use std::ffi::c_char;

use zt_protocol::address::NetworkId;

use super::boundary::boundary;
use super::node::{wait, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{
    Growing, ZT_NAME_LEN, fill, output, read_optional, read_struct, text, write_slice,
    write_struct, write_text, zt_ip,
};
use crate::facade::{
    Dns, Framing, PlanChange, PlannedRoute, Port, PortMode, Prefix, Settings, Standing, TunPlan,
    diff_plans,
};

/// The controller has not answered.
pub const ZT_STANDING_REQUESTING: u32 = 0;
/// The network is configured.
pub const ZT_STANDING_OK: u32 = 1;
/// The controller refuses this member.
pub const ZT_STANDING_ACCESS_DENIED: u32 = 2;
/// The controller knows no such network, or is none.
pub const ZT_STANDING_NOT_FOUND: u32 = 3;
/// The user has to log in.
pub const ZT_STANDING_AUTHENTICATION_REQUIRED: u32 = 4;
/// There is no interface for it.
pub const ZT_STANDING_PORT_ERROR: u32 = 5;
/// Not configured, and whoever is found at the controller's address has another fingerprint than the one
/// given, or seen first. Compare it, and pin the right one (`zt_peer_pin`).
pub const ZT_STANDING_IDENTITY_CONFLICT: u32 = 6;

/// Nothing of a plan is news.
pub const ZT_CHANGE_NOTHING: u32 = 0;
/// Only the name servers are.
pub const ZT_CHANGE_DNS: u32 = 1;
/// MTU, addresses or routes are: a host that cannot change those of an interface needs another.
pub const ZT_CHANGE_REESTABLISH: u32 = 2;

/// A port for IP packets: the node resolves addresses itself.
pub const ZT_MODE_L3: u32 = 0;
/// A port for Ethernet frames with their 14-byte headers.
pub const ZT_MODE_L2: u32 = 1;

/// Nothing stands in front of packets on a descriptor.
pub const ZT_FRAMING_PLAIN: u32 = 0;
/// 4 bytes of address family do, as on utun devices of Apple's systems.
pub const ZT_FRAMING_ADDRESS_FAMILY: u32 = 1;
/// 10 bytes of `struct virtio_net_hdr` do, with offloads off.
pub const ZT_FRAMING_VIRTIO: u32 = 2;

/// Addresses of a network at most.
pub const ZT_ADDRESSES_MAX: usize = 32;
/// Routes of a network at most.
pub const ZT_ROUTES_MAX: usize = 128;
/// Name servers of a network at most.
pub const ZT_DNS_SERVERS_MAX: usize = 4;

/// A network a node is on.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_network {
    /// `sizeof(zt_network)`.
    pub struct_size: u32,
    /// One of `ZT_STANDING_*`.
    pub standing: u32,
    /// Its ID.
    pub id: u64,
    /// The controller's revision of it, 0 while unknown.
    pub revision: u64,
    /// This node's MAC on it.
    pub mac: [u8; 6],
    /// The MTU of its interface, in bytes.
    pub mtu: u16,
    /// 1 if members have to be allowed, and while unknown.
    pub is_private: u8,
    /// 1 if devices behind this node may take part.
    pub bridge: u8,
    /// 1 if frames to ff:ff:ff:ff:ff:ff may be sent.
    pub broadcast: u8,
    /// 1 if the user has to log in.
    pub needs_login: u8,
    /// How many addresses.
    pub address_count: u32,
    /// This node's managed addresses.
    pub addresses: [zt_ip; ZT_ADDRESSES_MAX],
    /// Its name, empty while unknown.
    pub name: [c_char; ZT_NAME_LEN],
}

// SAFETY: integers and arrays of them only, the first of which is the size.
unsafe impl Growing for zt_network {
    const NAME: &'static str = "zt_network";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// A route through a network's interface. A default route is one whose target has no bits.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_route {
    /// Destination, host bits zero.
    pub target: zt_ip,
    /// Gateway; of version 0 if on-link.
    pub via: zt_ip,
    /// The address packets are sent from.
    pub source: zt_ip,
}

/// The state a network's interface should be in.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_plan {
    /// `sizeof(zt_plan)`.
    pub struct_size: u32,
    /// MTU, in bytes.
    pub mtu: u32,
    /// How many addresses.
    pub address_count: u32,
    /// How many routes.
    pub route_count: u32,
    /// How many name servers.
    pub dns_server_count: u32,
    /// This node's addresses, whose prefixes are on the link.
    pub addresses: [zt_ip; ZT_ADDRESSES_MAX],
    /// Routes, those without gateway first. Default routes count only while the node is online.
    pub routes: [zt_route; ZT_ROUTES_MAX],
    /// Name servers.
    pub dns_servers: [zt_ip; ZT_DNS_SERVERS_MAX],
    /// The domain they are for.
    pub dns_domain: [c_char; ZT_NAME_LEN],
}

// SAFETY: integers and arrays of them only, the first of which is the size.
unsafe impl Growing for zt_plan {
    const NAME: &'static str = "zt_plan";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// What the user allows a network to do to this machine.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_settings {
    /// `sizeof(zt_settings)`.
    pub struct_size: u32,
    /// 1 if managed addresses and routes are taken at all.
    pub managed: u8,
    /// 1 if they may be public addresses.
    pub global: u8,
    /// 1 if the network may become the default route.
    pub default_route: u8,
    /// 1 if the network may set name servers.
    pub dns: u8,
    /// If not 0, only addresses and routes within so many of `only` are taken.
    pub only_count: u32,
    /// Networks.
    pub only: [zt_ip; ZT_ADDRESSES_MAX],
}

// SAFETY: integers and arrays of them only, the first of which is the size.
unsafe impl Growing for zt_settings {
    const NAME: &'static str = "zt_settings";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// How a descriptor is used.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_tun_options {
    /// `sizeof(zt_tun_options)`.
    pub struct_size: u32,
    /// One of `ZT_MODE_*`.
    pub mode: u32,
    /// One of `ZT_FRAMING_*`.
    pub framing: u32,
}

// SAFETY: integers only, the first of which is the size.
unsafe impl Growing for zt_tun_options {
    const NAME: &'static str = "zt_tun_options";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Joins a network. Packets for the host are dropped until something is attached: `zt_network_attach_tun`,
/// `zt_network_attach_interface` or `zt_network_packets_open`. Joining a network twice is no error.
///
/// Returns at once; the controller's answer follows as `ZT_EVENT_NETWORK`. The membership outlives the
/// node, but a node started anew has to be told which networks to join again.
///
/// `fingerprint` of the controller may be null; then whoever configures the network first is its
/// controller from then on.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `fingerprint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_join(
    node: zt_node,
    network: u64,
    fingerprint: *const c_char,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let fingerprint = unsafe { read_optional(fingerprint, "fingerprint") }?.map(str::to_owned);
        wait(
            node,
            |node| async move { node.join(NetworkId(network), Port::None, fingerprint).await },
        )
    })
}

/// Leaves a network and forgets everything about it.
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_network_leave(node: zt_node, network: u64) -> zt_result {
    boundary(|| wait(node, |node| async move { node.leave(NetworkId(network)).await }))
}

/// Writes the IDs of the networks that are joined, or were when the node last ran, `capacity` of them at
/// most; `*count` is how many there are.
///
/// Thread-safe. Waits for the disk.
///
/// # Safety
///
/// `ids` is null or has room for `capacity` IDs; `count` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_list(
    node: zt_node,
    ids: *mut u64,
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (ids, count) = unsafe { (write_slice(ids, capacity, "ids")?, output(count, "count")?) };
        let networks = wait(node, |node| async move { node.memberships().await })?;
        let networks: Vec<_> = networks.into_iter().map(|network| network.0).collect();
        *count = fill(&networks, ids);
        Ok(())
    })
}

/// Writes how a joined network stands.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a `zt_network` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_status(
    node: zt_node,
    network: u64,
    out: *mut zt_network,
) -> zt_result {
    boundary(|| {
        let status = wait(node, |node| async move { node.network(NetworkId(network)).await })?;
        let (addresses, address_count) = ips(&status.addresses);
        let status = zt_network {
            struct_size: 0,
            standing: standing(status.standing),
            id: status.id.0,
            revision: status.revision,
            mac: status.mac.to_bytes(),
            mtu: status.mtu,
            is_private: status.is_private.into(),
            bridge: status.bridge.into(),
            broadcast: status.broadcast.into(),
            needs_login: (status.standing == Standing::AuthenticationRequired).into(),
            address_count,
            addresses,
            name: text(&status.name),
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &status) }
    })
}

/// Writes where the user has to log in, while a network stands at `ZT_STANDING_AUTHENTICATION_REQUIRED`.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_login_url(
    node: zt_node,
    network: u64,
    buffer: *mut c_char,
    capacity: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let buffer = unsafe { write_slice(buffer, capacity, "buffer") }?;
        let status = wait(node, |node| async move { node.network(NetworkId(network)).await })?;
        let none = || Failure::new(zt_result::ZT_ERROR_NOT_FOUND, "nobody has to log in");
        write_text(&status.login.ok_or_else(none)?.authentication_url, buffer)
    })
}

/// Writes what the user allows a network, joined or not.
///
/// Thread-safe. Waits for the disk.
///
/// # Safety
///
/// `out` is null or points to a `zt_settings` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_settings(
    node: zt_node,
    network: u64,
    out: *mut zt_settings,
) -> zt_result {
    boundary(|| {
        let settings = wait(node, |node| async move { node.settings(NetworkId(network)).await })?;
        let (only, only_count) = ips(&settings.only);
        let settings = zt_settings {
            struct_size: 0,
            managed: settings.managed.into(),
            global: settings.global.into(),
            default_route: settings.default_route.into(),
            dns: settings.dns.into(),
            only_count,
            only,
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &settings) }
    })
}

/// Allows a network this much and no more, at once and from now on, until it is left.
///
/// Thread-safe. Waits for the disk.
///
/// # Safety
///
/// `settings` is null or points to a `zt_settings`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_set_settings(
    node: zt_node,
    network: u64,
    settings: *const zt_settings,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let settings = unsafe { read_struct(settings) }?;
        let only = settings.only.get(..settings.only_count as usize);
        let prefix = |ip: &zt_ip| {
            let address = ip.address()?;
            Some(Prefix { address, bits: ip.bits })
        };
        let only = only.and_then(|only| only.iter().map(prefix).collect());
        let settings = Settings {
            managed: settings.managed != 0,
            only: only.ok_or_else(|| Failure::argument("zt_settings.only is not addresses"))?,
            global: settings.global != 0,
            default_route: settings.default_route != 0,
            dns: settings.dns != 0,
        };
        wait(node, |node| async move { node.set_settings(NetworkId(network), settings).await })
    })
}

/// Writes what a network means for this machine.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a `zt_plan` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_plan(
    node: zt_node,
    network: u64,
    out: *mut zt_plan,
) -> zt_result {
    boundary(|| {
        let plan = wait(node, |node| async move { node.plan(NetworkId(network)).await })?;
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &zt_plan::from(&plan)) }
    })
}

/// Writes how much of `plan` is news to a host that has carried out `old`: one of `ZT_CHANGE_*`.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `old` and `plan` are null or point to plans, `out` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_plan_diff(
    old: *const zt_plan,
    plan: *const zt_plan,
    out: *mut u32,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (out, old, plan) =
            unsafe { (output(out, "out")?, read_struct(old)?, read_struct(plan)?) };
        *out = change(diff_plans(old.read()?, plan.read()?));
        Ok(())
    })
}

/// Attaches a descriptor of the host's to a joined network: a TUN device, or one end of a socket pair.
/// Each read and write of it is one packet.
///
/// The node uses a duplicate of it, so the host may close it at once; both are non-blocking from then
/// on. A descriptor takes the place of another without loss: what the host has put into the old one is
/// sent before that is closed. With null options: IP packets, and nothing in front of them.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `options` is null or points to `zt_tun_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_attach_tun(
    node: zt_node,
    network: u64,
    fd: i32,
    options: *const zt_tun_options,
) -> zt_result {
    boundary(|| {
        let (mode, framing) = if options.is_null() {
            (PortMode::L3, Framing::Plain)
        } else {
            // SAFETY: as the caller promises.
            let options = unsafe { read_struct(options) }?;
            (port_mode(options.mode)?, framing_of(options.framing)?)
        };
        let port = Port::Descriptor { fd, mode, framing };
        wait(node, |node| async move { node.attach(NetworkId(network), port).await })
    })
}

/// Has the node make an interface for a joined network, and configure it. That needs rights. `name` may
/// be null for one derived from the network's ID.
///
/// Thread-safe. Waits for the system.
///
/// # Safety
///
/// `name` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_attach_interface(
    node: zt_node,
    network: u64,
    mode: u32,
    name: *const c_char,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let name = unsafe { read_optional(name, "name") }?.map(str::to_owned);
        let port = match port_mode(mode)? {
            PortMode::L3 => Port::Tun { name },
            PortMode::L2 => Port::Tap { name },
        };
        wait(node, |node| async move { node.attach(NetworkId(network), port).await })
    })
}

/// Attaches nothing to a joined network: packets for the host are dropped, and what was attached is
/// closed.
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_network_detach(node: zt_node, network: u64) -> zt_result {
    boundary(|| wait(node, |node| async move { node.attach(NetworkId(network), Port::None).await }))
}

pub(super) fn port_mode(mode: u32) -> Result<PortMode, Failure> {
    match mode {
        ZT_MODE_L3 => Ok(PortMode::L3),
        ZT_MODE_L2 => Ok(PortMode::L2),
        _ => Err(Failure::argument(format!("{mode} is none of ZT_MODE_*"))),
    }
}

fn framing_of(framing: u32) -> Result<Framing, Failure> {
    match framing {
        ZT_FRAMING_PLAIN => Ok(Framing::Plain),
        ZT_FRAMING_ADDRESS_FAMILY => Ok(Framing::AddressFamily),
        ZT_FRAMING_VIRTIO => Ok(Framing::Virtio),
        _ => Err(Failure::argument(format!("{framing} is none of ZT_FRAMING_*"))),
    }
}

pub(super) const fn standing(standing: Standing) -> u32 {
    match standing {
        Standing::Requesting => ZT_STANDING_REQUESTING,
        Standing::Ok => ZT_STANDING_OK,
        Standing::AccessDenied => ZT_STANDING_ACCESS_DENIED,
        Standing::NotFound => ZT_STANDING_NOT_FOUND,
        Standing::AuthenticationRequired => ZT_STANDING_AUTHENTICATION_REQUIRED,
        Standing::PortError => ZT_STANDING_PORT_ERROR,
        Standing::IdentityConflict => ZT_STANDING_IDENTITY_CONFLICT,
    }
}

pub(super) const fn change(change: PlanChange) -> u32 {
    match change {
        PlanChange::Nothing => ZT_CHANGE_NOTHING,
        PlanChange::Dns => ZT_CHANGE_DNS,
        PlanChange::Reestablish => ZT_CHANGE_REESTABLISH,
    }
}

/// Puts addresses into an array; returns it, and how many there are.
fn ips<const N: usize>(from: &[Prefix]) -> ([zt_ip; N], u32) {
    let all: Vec<_> = from.iter().map(|prefix| zt_ip::new(prefix.address, prefix.bits)).collect();
    let mut array = [zt_ip::NONE; N];
    let count = fill(&all, &mut array).min(N);
    (array, u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns the first `count` of an array, if it has so many.
fn first<'a, T>(array: &'a [T], count: u32, what: &str) -> Result<&'a [T], Failure> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    array.get(..count).ok_or_else(|| Failure::argument(format!("{what} has not so many")))
}

impl From<&TunPlan> for zt_plan {
    fn from(plan: &TunPlan) -> Self {
        // SAFETY: of integers and arrays of them zeroes are a value.
        let mut to: Self = unsafe { std::mem::zeroed() };
        to.mtu = plan.mtu.into();
        (to.addresses, to.address_count) = ips(&plan.addresses);
        let route = |route: &PlannedRoute| zt_route {
            target: zt_ip::new(route.target, route.bits),
            via: route.via.map_or(zt_ip::NONE, |via| zt_ip::new(via, 0)),
            source: zt_ip::new(route.source, 0),
        };
        let routes: Vec<_> = plan.routes.iter().map(route).collect();
        let count = fill(&routes, &mut to.routes).min(ZT_ROUTES_MAX);
        to.route_count = u32::try_from(count).unwrap_or(0);
        if let Some(dns) = &plan.dns {
            let servers: Vec<_> = dns.servers.iter().map(|&ip| zt_ip::new(ip, 0)).collect();
            let count = fill(&servers, &mut to.dns_servers).min(ZT_DNS_SERVERS_MAX);
            to.dns_server_count = u32::try_from(count).unwrap_or(0);
            to.dns_domain = text(&dns.domain);
        }
        to
    }
}

impl zt_plan {
    fn read(&self) -> Result<TunPlan, Failure> {
        let wrong = || Failure::argument("zt_plan has something that is no address");
        let prefix = |ip: &zt_ip| -> Result<Prefix, Failure> {
            Ok(Prefix { address: ip.address().ok_or_else(wrong)?, bits: ip.bits })
        };
        let route = |route: &zt_route| -> Result<PlannedRoute, Failure> {
            Ok(PlannedRoute {
                target: route.target.address().ok_or_else(wrong)?,
                bits: route.target.bits,
                via: route.via.address(),
                source: route.source.address().ok_or_else(wrong)?,
            })
        };
        let addresses = first(&self.addresses, self.address_count, "zt_plan.addresses")?;
        let routes = first(&self.routes, self.route_count, "zt_plan.routes")?;
        let servers = first(&self.dns_servers, self.dns_server_count, "zt_plan.dns_servers")?;
        let domain = self.dns_domain.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect();
        let domain = String::from_utf8(domain).map_err(|_| {
            Failure::new(zt_result::ZT_ERROR_UTF8, "zt_plan.dns_domain is not UTF-8")
        })?;
        let servers: Vec<_> =
            servers.iter().map(|ip| ip.address().ok_or_else(wrong)).collect::<Result<_, _>>()?;
        let has_dns = !domain.is_empty() || !servers.is_empty();
        Ok(TunPlan {
            mtu: u16::try_from(self.mtu)
                .map_err(|_| Failure::argument("zt_plan.mtu is too big"))?,
            addresses: addresses.iter().map(prefix).collect::<Result<_, _>>()?,
            routes: routes.iter().map(route).collect::<Result<_, _>>()?,
            dns: has_dns.then_some(Dns { domain, servers }),
        })
    }
}
