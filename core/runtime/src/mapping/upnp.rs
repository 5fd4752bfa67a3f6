//! UPnP's Internet Gateway Device, by the crate `igd-next`.
//!
//! Anybody on the local network may answer the search for one, so only the gateway of the default
//! route is believed, where that is known. What such a device sends is bounded by the crate: XML of
//! 1 MiB and 64 levels, which at worst takes 50 MB for a moment, and no addresses of other machines.
//! What it says in words goes no further than here.

use std::iter::successors;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{
    AddPortError, GetExternalIpError, PortMappingProtocol, RequestError, SearchOptions,
};
use zt_protocol::endpoint::Scope;

use super::gateway::Site;
use super::nat_pmp::seconds;
use super::status::{MappingError, MappingMethod};
use crate::limits::MAPPED_PORTS_TRIED;

/// A gateway that was found.
pub(super) type Igd = Gateway<Tokio>;

/// Result codes of the device that the crate has put into words.
const NOT_AUTHORIZED: u16 = 606;
const CONFLICT: u16 = 718;
const SAME_PORTS_REQUIRED: u16 = 724;
const PERMANENT_ONLY: u16 = 725;

/// Searches the local network for the gateway; `ssdp` is where all devices listen.
///
/// # Errors
///
/// [`MappingError::NoAnswer`].
pub(super) async fn find(
    site: Site,
    ssdp: SocketAddr,
    patience: Duration,
) -> Result<Igd, MappingError> {
    // All devices first, as some hear nothing else. If one is quicker than the gateway to answer,
    // or the network carries no groups, the gateway alone.
    let alone = site.gateway.map(|gateway| (gateway, ssdp.port()).into());
    for target in [Some(ssdp), alone].into_iter().flatten() {
        let mut search = SearchOptions::default();
        search.bind_addr = (site.local, 0).into();
        search.broadcast_address = target;
        search.timeout = Some(patience);
        search.allowed_gateway_ips = site.gateway.map(IpAddr::V4).into_iter().collect();
        match search_gateway(search).await {
            Ok(igd) if is_meant(&igd, site) => return Ok(igd),
            Ok(igd) => log::debug!(device:% = igd.addr; "a device that is not the gateway"),
            Err(error) => log::debug!(error:%; "no gateway by UPnP"),
        }
    }
    Err(MappingError::NoAnswer)
}

fn is_meant(igd: &Igd, site: Site) -> bool {
    let ip = igd.addr.ip();
    site.gateway.map_or_else(|| Scope::of(ip) == Scope::Private, |gateway| ip == gateway)
}

/// Asks for the gateway's own address.
///
/// # Errors
///
/// [`MappingError`].
pub(super) async fn external_ip(igd: &Igd) -> Result<IpAddr, MappingError> {
    igd.get_external_ip().await.map_err(|error| match error {
        GetExternalIpError::ActionNotAuthorized => refused(NOT_AUTHORIZED),
        GetExternalIpError::RequestError(error) => of_request(&error),
    })
}

/// Has an external port lead to `internal`, `preferred` or one close to it; returns which, and for
/// how long, `None` if for ever.
///
/// # Errors
///
/// [`MappingError`].
pub(super) async fn map(
    igd: &Igd,
    internal: SocketAddr,
    preferred: u16,
    lifetime: Duration,
    name: &str,
) -> Result<(u16, Option<Duration>), MappingError> {
    let mut granted = Some(lifetime);
    for port in ports_from(preferred) {
        let mut added = add(igd, internal, port, granted, name).await;
        if matches!(added, Err(AddPortError::OnlyPermanentLeasesSupported)) && granted.is_some() {
            granted = None;
            added = add(igd, internal, port, granted, name).await;
        }
        match added {
            Ok(()) => return Ok((port, granted)),
            Err(AddPortError::PortInUse) => {}
            Err(error) => return Err(of_add(&error)),
        }
    }
    Err(refused(CONFLICT))
}

async fn add(
    igd: &Igd,
    internal: SocketAddr,
    port: u16,
    lifetime: Option<Duration>,
    name: &str,
) -> Result<(), AddPortError> {
    let lifetime = lifetime.map_or(0, seconds);
    igd.add_port(PortMappingProtocol::UDP, port, internal, lifetime, name).await
}

/// Has an external port lead nowhere.
pub(super) async fn unmap(igd: &Igd, port: u16) {
    if let Err(error) = igd.remove_port(PortMappingProtocol::UDP, port).await {
        log::debug!(error:%; "a mapped port was not given back");
    }
}

/// Returns the external ports to try, the best first (spec 02 §9.3).
fn ports_from(preferred: u16) -> impl Iterator<Item = u16> {
    /// Where to go on after the last port.
    const AGAIN: u16 = 1_025;

    successors(Some(preferred), |port| Some(port.checked_add(1).unwrap_or(AGAIN)))
        .take(MAPPED_PORTS_TRIED)
}

fn of_add(error: &AddPortError) -> MappingError {
    match error {
        AddPortError::ActionNotAuthorized => refused(NOT_AUTHORIZED),
        AddPortError::PortInUse => refused(CONFLICT),
        AddPortError::SamePortValuesRequired => refused(SAME_PORTS_REQUIRED),
        AddPortError::OnlyPermanentLeasesSupported => refused(PERMANENT_ONLY),
        AddPortError::InternalPortZeroInvalid
        | AddPortError::ExternalPortZeroInvalid
        | AddPortError::DescriptionTooLong => refused(0),
        AddPortError::RequestError(error) => of_request(error),
    }
}

fn of_request(error: &RequestError) -> MappingError {
    match error {
        RequestError::ErrorCode(code, _) => refused(*code),
        RequestError::UnsupportedAction(_) => refused(0),
        RequestError::IoError(_)
        | RequestError::HyperError(_)
        | RequestError::HyperClientError(_) => MappingError::NoAnswer,
        RequestError::InvalidResponse(_)
        | RequestError::HttpError(_)
        | RequestError::Utf8Error(_) => MappingError::Unintelligible(MappingMethod::Upnp),
    }
}

const fn refused(code: u16) -> MappingError {
    MappingError::Refused { method: MappingMethod::Upnp, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_close_to_the_preferred_one_are_tried_and_none_below_1025() {
        let ports: Vec<_> = ports_from(65_534).collect();

        assert_eq!(ports[..4], [65_534, 65_535, 1_025, 1_026]);
        assert_eq!(ports.len(), MAPPED_PORTS_TRIED);
    }
}
