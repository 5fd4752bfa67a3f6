//! UPnP's Internet Gateway Device.
//!
//! ```text
//!   find ── ssdp          where does the gateway describe itself
//!            └─ http, description ── xml      and which service of it maps ports
//!   external_ip, map, unmap ── soap ── http, xml
//! ```
//!
//! Anybody on the local network may answer the search for one, so only the gateway of the default
//! route is believed, where that is known, and no address of another machine it names is followed.
//! What a device sends is bounded by [`UPNP_ANSWER_LEN_MAX`](crate::limits::UPNP_ANSWER_LEN_MAX), and
//! read without copying what is of no interest. What it says in words goes no further than here.
//!
//! It is written here because the crate for it, `igd-next` (0.18), brings an HTTP/2 client, the
//! Unicode tables for names of hosts and a tree of XML: two of the six megabytes of `libzt.so`, and
//! fifty more of memory whenever somebody on the local network answers as it likes.

mod description;
mod http;
mod soap;
mod ssdp;
mod xml;

use std::io::ErrorKind;
use std::iter::successors;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use super::gateway::Site;
use super::nat_pmp::seconds;
use super::status::{MappingError, MappingMethod};
use crate::limits::{MAPPED_PORTS_TRIED, UPNP_DEVICES_TRIED};
use description::Service;
use http::Location;
use soap::{Failure, call};
use ssdp::Search;

/// Codes with which a device refuses a mapping (WANIPConnection:2 §2.5): the port is somebody
/// else's, by UPnP or by other ways, and it maps for ever or not at all.
const CONFLICT: u16 = 718;
const CONFLICT_WITH_OTHERS: u16 = 729;
const PERMANENT_ONLY: u16 = 725;

/// A gateway that was found.
#[derive(Clone, Debug)]
pub(super) struct Igd {
    service: Service,
}

impl Igd {
    /// Returns the gateway's address on this side.
    pub(super) const fn address(&self) -> IpAddr {
        IpAddr::V4(*self.service.control.at.ip())
    }

    async fn call(&self, action: &str, arguments: &[(&str, &str)]) -> Result<String, MappingError> {
        let Service { name, control } = &self.service;
        call(control, name, action, arguments).await.map_err(|failure| match failure {
            Failure::Refused(code) => refused(code),
            Failure::Unanswered(error) => match error.kind() {
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof => UNINTELLIGIBLE,
                _ => MappingError::NoAnswer,
            },
        })
    }
}

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
    let search = Search::start(site, ssdp, Instant::now() + patience).await;
    let mut search = search.map_err(|_| MappingError::NoAnswer)?;
    let mut asked = Vec::new();
    while asked.len() < UPNP_DEVICES_TRIED
        && let Some(location) = search.next().await
    {
        // Each device answers several times, for itself and for its services.
        if asked.contains(&location) {
            continue;
        }
        if let Some(service) = describe(&location).await {
            return Ok(Igd { service });
        }
        asked.push(location);
    }
    Err(MappingError::NoAnswer)
}

/// Asks the device at `location` for its service that maps ports.
async fn describe(location: &Location) -> Option<Service> {
    let device = location.at;
    let answer = http::get(location)
        .await
        .inspect_err(
            |error| log::debug!(error:%, device:%; "a device that does not describe itself"),
        )
        .ok()?;
    let service = Service::read(&answer.body, location);
    if service.is_none() {
        log::debug!(device:%, status = answer.status; "a device that maps no ports");
    }
    service
}

/// Asks for the gateway's own address.
///
/// # Errors
///
/// [`MappingError`].
pub(super) async fn external_ip(igd: &Igd) -> Result<IpAddr, MappingError> {
    let answer = igd.call("GetExternalIPAddress", &[]).await?;
    let ip = soap::text_of(&answer, "NewExternalIPAddress").and_then(|ip| ip.parse().ok());
    ip.ok_or(UNINTELLIGIBLE)
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
        if added == Err(refused(PERMANENT_ONLY)) && granted.is_some() {
            granted = None;
            added = add(igd, internal, port, granted, name).await;
        }
        match added {
            Ok(()) => return Ok((port, granted)),
            Err(MappingError::Refused { code: CONFLICT | CONFLICT_WITH_OTHERS, .. }) => {}
            Err(error) => return Err(error),
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
) -> Result<(), MappingError> {
    let arguments = [
        ("NewRemoteHost", ""),
        ("NewExternalPort", &port.to_string()),
        ("NewProtocol", "UDP"),
        ("NewInternalPort", &internal.port().to_string()),
        ("NewInternalClient", &internal.ip().to_string()),
        ("NewEnabled", "1"),
        ("NewPortMappingDescription", name),
        ("NewLeaseDuration", &lifetime.map_or(0, seconds).to_string()),
    ];
    igd.call("AddPortMapping", &arguments).await.map(drop)
}

/// Has an external port lead nowhere.
pub(super) async fn unmap(igd: &Igd, port: u16) {
    let port = port.to_string();
    let arguments = [("NewRemoteHost", ""), ("NewExternalPort", &port), ("NewProtocol", "UDP")];
    if let Err(error) = igd.call("DeletePortMapping", &arguments).await {
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

const UNINTELLIGIBLE: MappingError = MappingError::Unintelligible(MappingMethod::Upnp);

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
