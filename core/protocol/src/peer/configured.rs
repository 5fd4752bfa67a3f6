//! What the user says about physical addresses, as far as peers are concerned.
//!
//! Source: spec 02 §4.4, §14.

use core::net::SocketAddr;
use core::time::Duration;

use crate::address::Address;
use crate::endpoint::Path;
use crate::limits::PEER_RULES_MAX;
use crate::outbox::Ctx;
use crate::peer::gates::Gate;
use crate::peer::{Peers, hello, is_usable};
use crate::roots::Roots;
use crate::status::NamedBy;

/// How often the addresses the user names are tried while no better way to the peer is known.
pub(super) const INTERVAL: Duration = Duration::from_secs(30);

impl Peers {
    /// Goes by other rules for physical addresses from here on: leaves paths that may no longer be
    /// used, and tries the addresses the user names.
    pub fn path_rules_changed(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let addresses: Vec<Address> = self.peers.keys().copied().collect();
        for address in addresses {
            if let Some(peer) = self.peers.get_mut(&address) {
                let tables = &*ctx.tables;
                peer.paths.keep(|ip| is_usable(tables, roots, address, ip));
                peer.leads.keep(|ip| is_usable(tables, roots, address, ip));
            }
            self.refresh(ctx, roots, address);
        }
        self.configured = Gate::new(INTERVAL, PEER_RULES_MAX);
        let named: Vec<Address> = ctx.tables.path_rules.tried().collect();
        for address in named {
            self.try_configured(ctx, roots, address);
        }
        self.schedule.wake_now();
    }

    /// Greets a peer wherever the user says it may be, if that is due and no path leads to it.
    ///
    /// The reference tries one of the addresses at random. Here all are tried: there are few, and
    /// nobody but the user names them.
    pub fn try_configured(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, address: Address) {
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let endpoints = ctx.tables.path_rules.endpoints(address).iter().copied();
        let usable = endpoints.filter(|at| is_usable(ctx.tables, roots, address, at.ip()));
        let usable: Vec<SocketAddr> = usable.collect();
        if usable.is_empty()
            || peer.paths.any_unexpired(ctx.now)
            || !self.configured.pass(ctx.now, address)
        {
            return;
        }
        for remote in usable {
            peer.leads.add(ctx.now, ctx.is_full, Path::from_all(remote), (NamedBy::User, 1));
            hello::greet(ctx, roots, address, remote);
        }
        self.weigh(address);
    }
}
