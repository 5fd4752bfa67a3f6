//! A port of the gateway's that leads to this node, so that strangers' datagrams get through a
//! translator that would let in nobody (spec 02 §9.3).
//!
//! ```text
//!   driver ──Surroundings──► Mapper ─┬─ gateway   whom to ask
//!                              │     ├─ pcp ──────┐
//!   driver ◄──PortMapping──────┤     ├─ nat_pmp ──┴─ exchange   a datagram and its answer
//!   hosts  ◄───────────────────┘     ├─ upnp      SSDP, HTTP, XML and SOAP
//!                                    └─ lease     until when, and does the gateway remember
//! ```
//!
//! A task beside the driver asks the gateway of the default route, by PCP first, then NAT-PMP, then
//! UPnP, and whatever worked last before the others. It renews what it was granted half way, asks
//! each minute whether a gateway that restarts has forgotten it, begins anew when the network
//! changes, and gives the port back in the end.
//!
//! The gateway, and whoever can forge its datagrams, decides nothing but what address this node
//! tells peers, who probe it as sparingly as any other. It has to be a public one outside of all
//! virtual networks.
//!
//! PCP and NAT-PMP are written here and not taken from `crab_nat` (0.8): that takes the first
//! datagram from the gateway for the answer, so that one forged, or late, ends the attempt; it does
//! not look at the gateway's count of seconds; it gives up NAT-PMP where a gateway is deaf to PCP;
//! and it can neither be told which address to ask from, nor another port than 5351, without which
//! no test can play the gateway. `upnp` says why it is written here as well.

mod exchange;
mod gateway;
mod lease;
mod mapper;
mod nat_pmp;
mod pcp;
mod status;
#[cfg(test)]
mod tests;
mod upnp;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use zt_protocol::address::Address;
use zt_protocol::prefix::Prefix;

use crate::events::Events;
use crate::limits::MAPPING_CHECK;
use exchange::Patience;
use mapper::Mapper;
pub use status::{IgnoredAnswers, MappedPort, MappingError, MappingMethod, PortMapping};

/// Keeps a port mapped while the driver goes on.
#[derive(Debug)]
pub(crate) struct Mapping {
    surroundings: watch::Sender<Surroundings>,
    status: watch::Receiver<PortMapping>,
    changed: mpsc::Receiver<()>,
    task: JoinHandle<()>,
}

/// What the driver knows of the network.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Surroundings {
    /// This machine's addresses.
    local: Vec<SocketAddr>,
    /// The virtual networks.
    networks: Vec<Prefix>,
    /// Nothing is to be asked for a while.
    is_paused: bool,
}

/// Whom to ask, and how patiently: every machine's usual answers, or a test's.
#[derive(Clone, Copy, Debug)]
struct Inquiry {
    /// The gateway; found by the default route if `None`.
    gateway: Option<Ipv4Addr>,
    /// Where it takes PCP and NAT-PMP.
    port: u16,
    /// Where devices listen for searches.
    ssdp: SocketAddr,
    patience: Patience,
    search: Duration,
    /// How often it is asked whether it still knows what it granted.
    check: Duration,
}

impl Inquiry {
    const USUAL: Self = Self {
        gateway: None,
        port: 5_351,
        ssdp: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1_900),
        patience: Patience { first: Duration::from_millis(250), tries: 4 },
        search: Duration::from_secs(3),
        check: MAPPING_CHECK,
    };
}

impl Mapping {
    /// Starts to keep UDP port `port` of node `me` mapped, on the current tokio runtime. Changes are
    /// told to `events`.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub(crate) fn start(
        me: Address,
        port: u16,
        events: Arc<Events>,
    ) -> Result<Self, getrandom::Error> {
        Self::by(Inquiry::USUAL, me, port, events)
    }

    fn by(
        inquiry: Inquiry,
        me: Address,
        port: u16,
        events: Arc<Events>,
    ) -> Result<Self, getrandom::Error> {
        let (surroundings, seen) = watch::channel(Surroundings::default());
        let (told, status) = watch::channel(PortMapping::default());
        let (wake, changed) = mpsc::channel(1);
        let mapper = Mapper::new(inquiry, me, port, mapper::Audience { told, wake, events })?;
        let task = tokio::spawn(mapper.run(seen));
        Ok(Self { surroundings, status, changed, task })
    }

    /// Returns how the mapping stands, for others to look at.
    pub(crate) fn watch(&self) -> watch::Receiver<PortMapping> {
        self.status.clone()
    }

    /// Returns where anybody may reach this node, if a port is mapped.
    pub(crate) fn external(&self) -> Option<SocketAddr> {
        self.status.borrow().mapped.map(|mapped| mapped.external)
    }

    /// Says which addresses this machine has. If they are others than before, the network may be
    /// another.
    pub(crate) fn set_local(&self, local: &[SocketAddr]) {
        self.surroundings.send_if_modified(|seen| {
            let is_news = seen.local != local;
            if is_news {
                seen.local = local.to_vec();
            }
            is_news
        });
    }

    /// Says which virtual networks there are: no gateway has its address in one of them.
    pub(crate) fn set_networks(&self, networks: Vec<Prefix>) {
        self.surroundings.send_if_modified(|seen| {
            let is_news = seen.networks != networks;
            seen.networks = networks;
            is_news
        });
    }

    /// Sets whether the gateway is left alone for a while. What it has granted ends by itself then,
    /// unless that while is short.
    pub(crate) fn pause(&self, is_paused: bool) {
        self.surroundings.send_if_modified(|seen| {
            std::mem::replace(&mut seen.is_paused, is_paused) != is_paused
        });
    }

    /// Waits for the mapping to change.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.changed.poll_recv(cx) {
            Poll::Ready(Some(())) => Poll::Ready(()),
            // Without the task nothing changes any more.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Gives the port back, if that does not take long.
    pub(crate) async fn finish(self) {
        drop(self.surroundings);
        // It ends by itself; if it panicked, the mapping does.
        let _ = self.task.await;
    }
}
