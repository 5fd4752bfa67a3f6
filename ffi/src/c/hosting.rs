//! Networks a node is the controller of.

use std::ffi::c_char;

use zt_protocol::address::{Address, NetworkId};

use super::boundary::boundary;
use super::node::{wait, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{Growing, output, read_optional, read_slice, read_struct, read_text, zt_ip};
use crate::facade::{HostedNetwork, Route};

/// Members get an IPv6 address of 6PLANE, which gives each of them a /80 of its own.
pub const ZT_HOSTED_SIX_PLANE: u32 = 1;
/// Members get an IPv6 address by RFC 4193.
pub const ZT_HOSTED_RFC4193: u32 = 2;
/// Everybody may take part. Otherwise members have to be allowed one by one.
pub const ZT_HOSTED_PUBLIC: u32 = 4;

/// A route members of a network install.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_hosted_route {
    /// Destination and length of its prefix.
    pub target: zt_ip,
    /// Gateway; of version 0 if on-link.
    pub via: zt_ip,
}

/// How a new network shall be. Everything but `struct_size` may be zero.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_hosted_network {
    /// `sizeof(zt_hosted_network)`.
    pub struct_size: u32,
    /// `ZT_HOSTED_*`, or-ed.
    pub flags: u32,
    /// What people call it; may be null.
    pub name: *const c_char,
    /// Ranges members get addresses from, each as text: `10.1.0.1-10.1.0.99`.
    pub pools: *const *const c_char,
    /// How many.
    pub pool_count: usize,
    /// Routes members install. Addresses are assigned only where a route leads.
    pub routes: *const zt_hosted_route,
    /// How many.
    pub route_count: usize,
}

// SAFETY: integers and raw pointers only, the first of which is the size.
unsafe impl Growing for zt_hosted_network {
    const NAME: &'static str = "zt_hosted_network";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl zt_hosted_network {
    /// # Safety
    ///
    /// Pointers are null, or point to what the members' descriptions say.
    unsafe fn read(&self) -> Result<HostedNetwork, Failure> {
        // SAFETY: as the caller promises.
        let (name, pools, routes) = unsafe {
            (
                read_optional(self.name, "zt_hosted_network.name")?,
                read_slice(self.pools, self.pool_count, "zt_hosted_network.pools")?,
                read_slice(self.routes, self.route_count, "zt_hosted_network.routes")?,
            )
        };
        let pool = |&text: &*const c_char| {
            // SAFETY: as the caller promises.
            unsafe { read_text(text, "zt_hosted_network.pools") }.map(str::to_owned)
        };
        let route = |route: &zt_hosted_route| {
            let target = route.target.address();
            let target = target.ok_or_else(|| Failure::argument("a route leads nowhere"))?;
            Ok::<_, Failure>(Route { target, bits: route.target.bits, via: route.via.address() })
        };
        let has = |flag| self.flags & flag != 0;
        Ok(HostedNetwork {
            name: name.unwrap_or_default().to_owned(),
            private: !has(ZT_HOSTED_PUBLIC),
            pools: pools.iter().map(pool).collect::<Result<_, _>>()?,
            routes: routes.iter().map(route).collect::<Result<_, _>>()?,
            six_plane: has(ZT_HOSTED_SIX_PLANE),
            rfc4193: has(ZT_HOSTED_RFC4193),
        })
    }
}

/// Makes a network that this node controls; `*out` is its ID. The node has to have been started with
/// `ZT_CONFIG_CONTROLLER` to serve it.
///
/// Thread-safe. Waits for the disk.
///
/// # Safety
///
/// `network` is null or points to a `zt_hosted_network` whose members are as described; `out` is null or
/// points to an ID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_hosted_create(
    node: zt_node,
    network: *const zt_hosted_network,
    out: *mut u64,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (out, network) = unsafe { (output(out, "out")?, read_struct(network)?.read()?) };
        *out = wait(node, |node| async move { node.create_network(network).await })?.0;
        Ok(())
    })
}

/// Lets a member onto a network this node controls, whether it has asked yet or not.
///
/// Thread-safe. Waits for the disk.
#[unsafe(no_mangle)]
pub extern "C" fn zt_hosted_allow(node: zt_node, network: u64, member: u64) -> zt_result {
    boundary(|| {
        let member = address(member)?;
        wait(node, |node| async move { node.allow(NetworkId(network), member).await })
    })
}

/// Takes a member off a network this node controls.
///
/// Thread-safe. Waits for the disk.
#[unsafe(no_mangle)]
pub extern "C" fn zt_hosted_deny(node: zt_node, network: u64, member: u64) -> zt_result {
    boundary(|| {
        let member = address(member)?;
        wait(node, |node| async move { node.deny(NetworkId(network), member).await })
    })
}

/// Reads an address of 40 bits.
pub(super) fn address(number: u64) -> Result<Address, Failure> {
    let address = Address::from_u64(number);
    if address.to_u64() != number || address.is_reserved() {
        return Err(Failure::argument(format!("{number:#x} is no address of a node")));
    }
    Ok(address)
}
