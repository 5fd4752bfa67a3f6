//! Networks this node is the controller of.

use std::net::IpAddr;

use zt_protocol::address::{Address, NetworkId};
use zt_runtime::controller::NetworkSettings;

use super::error::ZtError;
use super::networks::Route;
use super::node::Node;

/// How a new network shall be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct HostedNetwork {
    /// What people call it.
    pub name: String,
    /// Whether members have to be allowed one by one.
    #[cfg_attr(feature = "uniffi", uniffi(default = true))]
    pub private: bool,
    /// Ranges members get addresses from, as `first-last`, for instance `10.1.0.1-10.1.0.99`.
    #[cfg_attr(feature = "uniffi", uniffi(default = []))]
    pub pools: Vec<String>,
    /// Routes members install. Addresses are assigned only where a route leads.
    #[cfg_attr(feature = "uniffi", uniffi(default = []))]
    pub routes: Vec<Route>,
    /// Whether members get an IPv6 address of 6PLANE, which gives each of them a /80 of its own.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub six_plane: bool,
    /// Whether members get an IPv6 address by RFC 4193.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub rfc4193: bool,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Makes a network that this node controls; returns its ID.
    ///
    /// # Errors
    ///
    /// [`ZtError::InvalidArgument`], [`ZtError::Storage`], and [`ZtError::TooMany`].
    pub async fn create_network(&self, network: HostedNetwork) -> Result<NetworkId, ZtError> {
        let settings = settings(network)?;
        let handle = self.handle.clone();
        Ok(self.runtime.run(async move { handle.create_network(settings).await }).await??)
    }

    /// Lets a member onto a network this node controls, whether it has asked yet or not.
    ///
    /// # Errors
    ///
    /// [`ZtError::UnknownNetwork`], [`ZtError::Storage`].
    pub async fn allow(&self, network: NetworkId, member: Address) -> Result<(), ZtError> {
        let handle = self.handle.clone();
        Ok(self.runtime.run(async move { handle.allow(network, member).await }).await??)
    }

    /// Takes a member off a network this node controls.
    ///
    /// # Errors
    ///
    /// [`ZtError::UnknownNetwork`], [`ZtError::Storage`].
    pub async fn deny(&self, network: NetworkId, member: Address) -> Result<(), ZtError> {
        let handle = self.handle.clone();
        Ok(self.runtime.run(async move { handle.deny(network, member).await }).await??)
    }
}

fn settings(network: HostedNetwork) -> Result<NetworkSettings, ZtError> {
    let HostedNetwork { name, private, pools, routes, six_plane, rfc4193 } = network;
    let pools = pools.iter().map(|pool| parse_pool(pool)).collect::<Result<_, _>>()?;
    let routes = routes.into_iter().map(Route::into).collect();
    Ok(NetworkSettings { name, private, pools, routes, six_plane, rfc4193 })
}

fn parse_pool(text: &str) -> Result<(IpAddr, IpAddr), ZtError> {
    let wrong =
        || ZtError::InvalidArgument(format!("{text:?} is no range FIRST-LAST of addresses"));
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let parse = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| wrong());
    let (first, last) = (parse(first)?, parse(last)?);
    if first.is_ipv4() != last.is_ipv4() || first > last {
        return Err(wrong());
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_first_and_a_last_address_of_one_family() {
        let range = ("10.1.0.1".parse().unwrap(), "10.1.0.99".parse().unwrap());
        assert_eq!(parse_pool("10.1.0.1 - 10.1.0.99").unwrap(), range);

        for wrong in ["", "10.1.0.1", "10.1.0.9-10.1.0.1", "10.1.0.1-fd00::1", "a-b"] {
            assert!(matches!(parse_pool(wrong), Err(ZtError::InvalidArgument(_))), "{wrong}");
        }
    }
}
