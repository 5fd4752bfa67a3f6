//! The task that keeps a port mapped.

use std::convert::Infallible;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use zt_protocol::address::Address;
use zt_protocol::endpoint::Scope;
use zt_protocol::prefix::Prefix;

use super::exchange::{Answer, Exchange, Misfit};
use super::gateway::{self, Site};
use super::lease::{self, Lease, Means, Term, Up};
use super::status::{MappingError, MappingMethod, PortMapping};
use super::{Inquiry, Surroundings, nat_pmp, pcp, upnp};
use crate::clock::{self, Clock};
use crate::events::{Event, Events};
use crate::limits::{
    MAPPING_FAREWELL, MAPPING_LIFETIME, MAPPING_LIFETIME_MIN, MAPPING_RETRY_FIRST, UPNP_PATIENCE,
};

/// Who is told how the mapping stands.
pub(super) struct Audience {
    pub(super) told: watch::Sender<PortMapping>,
    /// Wakes the driver.
    pub(super) wake: mpsc::Sender<()>,
    pub(super) events: Arc<Events>,
}

/// Keeps one UDP port mapped.
pub(super) struct Mapper {
    inquiry: Inquiry,
    /// What gateways list the mapping as.
    name: String,
    port: u16,
    nonce: pcp::Nonce,
    clock: Clock,
    networks: Vec<Prefix>,
    lease: Option<Lease>,
    /// The last external port granted, which is asked for again.
    wish: u16,
    /// What worked last.
    favourite: MappingMethod,
    failures: u32,
    status: PortMapping,
    audience: Audience,
}

impl Mapper {
    pub(super) fn new(
        inquiry: Inquiry,
        me: Address,
        port: u16,
        audience: Audience,
    ) -> Result<Self, getrandom::Error> {
        let mut nonce = pcp::Nonce::default();
        getrandom::fill(&mut nonce)?;
        Ok(Self {
            inquiry,
            name: format!("ZeroTier/{me}@{port}"),
            port,
            nonce,
            clock: Clock::start(),
            networks: Vec::new(),
            lease: None,
            wish: port,
            favourite: MappingMethod::Pcp,
            failures: 0,
            status: PortMapping::default(),
            audience,
        })
    }

    /// Keeps the port mapped until nobody says any more what the network is like.
    pub(super) async fn run(mut self, mut seen: watch::Receiver<Surroundings>) {
        loop {
            self.networks.clone_from(&seen.borrow_and_update().networks);
            self.failures = 0;
            let is_paused = seen.borrow().is_paused;
            tokio::select! {
                biased;
                changed = seen.changed() => if changed.is_err() { break },
                // What is left half done is done again, or ends by itself.
                never = self.attend(is_paused) => match never {},
            }
        }
        if let Some(lease) = self.lease.take() {
            let _ = timeout(MAPPING_FAREWELL, self.give_back(&lease)).await;
            self.publish();
        }
    }

    async fn attend(&mut self, is_paused: bool) -> Infallible {
        if is_paused { self.bide().await } else { self.keep().await }
    }

    /// Leaves the gateway alone, and stops believing in what it has granted when that ends.
    async fn bide(&mut self) -> Infallible {
        if let Some(lease) = &self.lease {
            tokio::time::sleep(lease.term.end().since(self.clock.now())).await;
            self.lease = None;
            self.publish();
        }
        pending().await
    }

    async fn keep(&mut self) -> Infallible {
        loop {
            let wait = self.look().await;
            tokio::time::sleep(wait).await;
        }
    }

    /// Looks after the mapping; returns how long it can be left alone.
    async fn look(&mut self) -> Duration {
        let looked = self.try_look().await;
        let now = self.clock.now();
        self.lease.take_if(|lease| lease.term.is_over(now));
        self.status.error = looked.err();
        if let Some(error) = self.status.error {
            self.failures = self.failures.saturating_add(1);
            log::debug!(error:%; "no port is mapped");
        } else {
            self.failures = 0;
        }
        self.publish();

        match &self.lease {
            // A gateway that fails to renew is asked again before the mapping ends.
            Some(_) if self.failures > 0 => MAPPING_RETRY_FIRST,
            Some(lease) => lease.term.renewal().since(now).min(self.inquiry.check),
            None => lease::retry_after(self.failures),
        }
    }

    async fn try_look(&mut self) -> Result<(), MappingError> {
        let site = self.site().inspect_err(|_| self.lease = None)?;
        let is_of_here =
            |lease: &Lease| lease.site == site && is_public(&self.networks, lease.external.ip());
        if self.lease.as_ref().is_some_and(|lease| !is_of_here(lease)) {
            self.lease = None;
            self.publish();
        }
        if let Some(lease) = self.lease.clone()
            && self.clock.now() < lease.term.renewal()
            && self.stands(&lease).await
        {
            return Ok(());
        }
        let granted = self.map(site).await?;
        self.favourite = granted.method();
        self.wish = granted.external.port();
        let before = self.lease.replace(granted.clone());
        if let Some(before) = before
            && let Means::Upnp(igd) = &before.means
            && before.external.port() != granted.external.port()
        {
            // The other protocols replace what they have granted for the same port.
            upnp::unmap(igd, before.external.port()).await;
        }
        Ok(())
    }

    fn site(&self) -> Result<Site, MappingError> {
        let gateway = match self.inquiry.gateway {
            Some(gateway) => Some(gateway),
            None => gateway::of_default_route()?,
        };
        Site::towards(gateway, self.inquiry.ssdp)
    }

    /// Returns whether the gateway still knows what it has granted.
    async fn stands(&mut self, lease: &Lease) -> bool {
        let stands = match &lease.means {
            Means::Pcp => self.pcp_stands(lease).await,
            Means::NatPmp => self.nat_pmp_stands(lease).await,
            Means::Upnp(igd) => upnp::external_ip(igd).await.map(|ip| ip == lease.external.ip()),
        };
        stands.unwrap_or(false)
    }

    async fn pcp_stands(&mut self, lease: &Lease) -> Result<bool, MappingError> {
        let request = pcp::ask_up(lease.site.local);
        let up = self.ask(lease.site, MappingMethod::Pcp, &request, pcp::read_up).await?;
        Ok(self.follows(lease, up))
    }

    async fn nat_pmp_stands(&mut self, lease: &Lease) -> Result<bool, MappingError> {
        let (method, request) = (MappingMethod::NatPmp, nat_pmp::ASK_ADDRESS);
        let answer = self.ask(lease.site, method, &request, nat_pmp::read_address).await?;
        Ok(lease.external.ip() == answer.external && self.follows(lease, answer.up))
    }

    /// Takes in a gateway's count of seconds; returns whether it goes on from the last.
    fn follows(&mut self, lease: &Lease, seconds: Duration) -> bool {
        let now = self.clock.now();
        let goes_on = lease.term.up.is_none_or(|up| up.goes_on(now, seconds));
        if let Some(lease) = &mut self.lease {
            lease.term.up = Some(Up { seconds, heard: now });
        }
        goes_on
    }

    /// Asks for a mapping by every method, until one succeeds.
    ///
    /// # Errors
    ///
    /// That of the method that got furthest.
    async fn map(&mut self, site: Site) -> Result<Lease, MappingError> {
        let mut methods = [MappingMethod::Pcp, MappingMethod::NatPmp, MappingMethod::Upnp];
        methods.sort_by_key(|&method| method != self.favourite);

        let mut error = MappingError::NoGateway;
        for method in methods {
            let mapped = match method {
                MappingMethod::Pcp => self.map_by_pcp(site).await,
                MappingMethod::NatPmp => self.map_by_nat_pmp(site).await,
                MappingMethod::Upnp => {
                    let mapped = timeout(UPNP_PATIENCE, self.map_by_upnp(site)).await;
                    mapped.unwrap_or(Err(MappingError::NoAnswer))
                }
            };
            match mapped {
                Ok(lease) => return Ok(lease),
                Err(failure) if failure.weight() > error.weight() => error = failure,
                Err(_) => {}
            }
        }
        Err(error)
    }

    async fn map_by_pcp(&mut self, site: Site) -> Result<Lease, MappingError> {
        let method = MappingMethod::Pcp;
        let request = self.pcp_request(site, self.wish, MAPPING_LIFETIME);
        let read = |datagram: &[u8]| request.read(datagram);
        let granted = self.ask(site, method, &request.to_bytes(), read).await?;

        let term = self.term(granted.lifetime, granted.up);
        let lease = self.lease(Means::Pcp, site, granted.external, term);
        match self.judge(&lease) {
            Ok(()) => Ok(lease),
            Err(error) => {
                self.give_back(&lease).await;
                Err(error)
            }
        }
    }

    async fn map_by_nat_pmp(&mut self, site: Site) -> Result<Lease, MappingError> {
        let (method, port) = (MappingMethod::NatPmp, self.port);
        let request = nat_pmp::ASK_ADDRESS;
        let external = self.ask(site, method, &request, nat_pmp::read_address).await?.external;
        self.judge_ip(external.into())?;
        let request = nat_pmp::ask_port(port, self.wish, MAPPING_LIFETIME);
        let read = |datagram: &[u8]| nat_pmp::read_port(datagram, port);
        let granted = self.ask(site, method, &request, read).await?;

        let external = (external, granted.external_port).into();
        let term = self.term(granted.lifetime, granted.up);
        let lease = self.lease(Means::NatPmp, site, external, term);
        self.judge(&lease).map(|()| lease)
    }

    async fn map_by_upnp(&mut self, site: Site) -> Result<Lease, MappingError> {
        // One that does not answer any more may have moved to another port.
        let known = match self.lease.as_ref().map(|lease| &lease.means) {
            Some(Means::Upnp(igd)) => upnp::external_ip(igd).await.ok().zip(Some(igd)),
            _ => None,
        };
        let (external, igd) = match known {
            Some((external, igd)) => (external, Arc::clone(igd)),
            None => {
                let igd = upnp::find(site, self.inquiry.ssdp, self.inquiry.search).await?;
                (upnp::external_ip(&igd).await?, Arc::new(igd))
            }
        };
        self.judge_ip(external)?;
        let internal = (site.local, self.port).into();
        let (port, lifetime) =
            upnp::map(&igd, internal, self.wish, MAPPING_LIFETIME, &self.name).await?;

        let term = Term { granted: self.clock.now(), lifetime, up: None };
        Ok(self.lease(Means::Upnp(igd), site, (external, port).into(), term))
    }

    fn term(&self, lifetime: Duration, seconds: Duration) -> Term {
        let now = self.clock.now();
        Term { granted: now, lifetime: Some(lifetime), up: Some(Up { seconds, heard: now }) }
    }

    fn lease(&self, means: Means, site: Site, external: SocketAddr, term: Term) -> Lease {
        let internal = (site.local, self.port).into();
        let expires = term.lifetime.map(|lifetime| clock::wall() + lifetime);
        Lease { means, site, internal, external, term, expires }
    }

    /// Says whether a mapping is of use.
    fn judge(&self, lease: &Lease) -> Result<(), MappingError> {
        let method = lease.method();
        if lease.external.port() == 0 {
            return Err(MappingError::Unintelligible(method));
        }
        match lease.term.lifetime {
            Some(lifetime) if lifetime < MAPPING_LIFETIME_MIN => {
                Err(MappingError::TooShort { method, lifetime })
            }
            _ => self.judge_ip(lease.external.ip()),
        }
    }

    fn judge_ip(&self, ip: IpAddr) -> Result<(), MappingError> {
        if is_public(&self.networks, ip) { Ok(()) } else { Err(MappingError::NotPublic(ip)) }
    }

    /// Tells the gateway that the port is not needed any more. It need not hear it.
    async fn give_back(&mut self, lease: &Lease) {
        let (site, port) = (lease.site, self.port);
        let given = match &lease.means {
            Means::Pcp => {
                let request = self.pcp_request(site, 0, Duration::ZERO);
                let read = |datagram: &[u8]| request.read(datagram);
                self.ask(site, MappingMethod::Pcp, &request.to_bytes(), read).await.map(drop)
            }
            Means::NatPmp => {
                let request = nat_pmp::ask_port(port, 0, Duration::ZERO);
                let read = |datagram: &[u8]| nat_pmp::read_port(datagram, port);
                self.ask(site, MappingMethod::NatPmp, &request, read).await.map(drop)
            }
            Means::Upnp(igd) => {
                upnp::unmap(igd, lease.external.port()).await;
                Ok(())
            }
        };
        if let Err(error) = given {
            log::debug!(error:%; "a mapped port was not given back");
        }
    }

    fn pcp_request(&self, site: Site, external: u16, lifetime: Duration) -> pcp::Request {
        pcp::Request {
            nonce: self.nonce,
            client: site.local,
            internal_port: self.port,
            external: (Ipv4Addr::UNSPECIFIED, external),
            lifetime,
        }
    }

    /// Asks the gateway one thing by datagram.
    async fn ask<T>(
        &mut self,
        site: Site,
        method: MappingMethod,
        request: &[u8],
        read: impl Fn(&[u8]) -> Result<Answer<T>, Misfit>,
    ) -> Result<T, MappingError> {
        let gateway = site.gateway.ok_or(MappingError::NoGateway)?;
        let gateway = (gateway, self.inquiry.port).into();
        let patience = self.inquiry.patience;
        let mut exchange = Exchange::open(site.local.into(), gateway, method, patience).await?;
        let answer = exchange.ask(request, read).await;
        self.status.ignored += exchange.ignored;
        answer
    }

    /// Tells everybody how the mapping stands.
    fn publish(&mut self) {
        self.status.mapped = self.lease.as_ref().map(Lease::as_mapped);
        let Audience { told, wake, events } = &self.audience;
        let before = told.send_replace(self.status.clone());
        let (mapped, was) = (self.status.mapped, before.mapped);
        if mapped.map(|mapped| mapped.external) != was.map(|mapped| mapped.external) {
            // If it has not been woken since the last time, it will see both.
            let _ = wake.try_send(());
        }
        if (mapped, self.status.error) != (was, before.error) {
            events.push(Event::PortMapping(Box::new(self.status.clone())));
        }
    }
}

/// Returns whether everybody can be told that this node is at `ip`.
fn is_public(networks: &[Prefix], ip: IpAddr) -> bool {
    Scope::of(ip) == Scope::Global && !networks.iter().any(|network| network.contains(ip))
}
