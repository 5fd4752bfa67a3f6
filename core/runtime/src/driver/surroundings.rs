//! What the machine's networks, and what the host says about them, mean for the sockets and the node.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::sync::watch;
use zt_protocol::command::{Command, Conditions};
use zt_protocol::endpoint::SocketId;
use zt_protocol::path_rules::PathRules;
use zt_protocol::time::Instant;

use super::Running;
use crate::hints::Hint;
use crate::interfaces::{Addresses, Avoided, Changes, Foreign, look_up};
use crate::limits::{INTERFACES_SETTLE, SECONDARY_PORT_PATIENCE};
use crate::request::RequestError;
use crate::udp::{Sockets, ports};

/// What is known of the machine's networks.
pub(crate) struct Surroundings {
    /// `None` if nobody says when interfaces change.
    changes: Option<Changes>,
    /// When to look at them.
    look_due: Instant,
    /// The port of the node's own choice, if it has one.
    secondary: Option<u16>,
    /// When to choose another.
    choice_due: Instant,
    conditions: Conditions,
    is_asleep: bool,
    allow_loopback: bool,
    avoided: Avoided,
    bound: watch::Sender<Vec<SocketAddr>>,
}

impl Surroundings {
    /// Looks around, and follows changes from here on.
    ///
    /// `secondary`: a port that may be exchanged for another.
    pub(crate) fn new(
        sockets: &Sockets,
        secondary: Option<u16>,
        allow_loopback: bool,
        avoided: Avoided,
    ) -> Self {
        let changes = Changes::listen().inspect_err(|error| {
            log::warn!(error:%; "changes of the machine's interfaces go unnoticed");
        });
        Self {
            changes: changes.ok(),
            look_due: Instant::ZERO,
            secondary,
            choice_due: Instant::FAR_FUTURE,
            conditions: Conditions::default(),
            is_asleep: false,
            allow_loopback,
            avoided,
            bound: watch::Sender::new(sockets.bound()),
        }
    }

    /// Returns where the sockets are bound, from here on.
    pub(crate) fn bound(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.bound.subscribe()
    }

    /// Returns whether nothing is to be done: there is no network, or the machine sleeps.
    pub(super) const fn is_parked(&self) -> bool {
        self.conditions.offline || self.is_asleep
    }

    /// Returns when there is something to do.
    pub(super) fn next_due(&self) -> Instant {
        if self.is_parked() { Instant::FAR_FUTURE } else { self.look_due.min(self.choice_due) }
    }

    /// Waits for interfaces to change.
    pub(super) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.changes {
            Some(changes) if !(self.conditions.offline || self.is_asleep) => {
                changes.poll_changed(cx)
            }
            Some(_) | None => Poll::Pending,
        }
    }

    /// Takes in that interfaces have changed. They are looked at when the dust has settled.
    pub(super) fn changed(&mut self, now: Instant) {
        self.look_due = self.look_due.min(now + INTERFACES_SETTLE);
    }

    /// Takes in whether a root answers.
    pub(super) fn set_online(&mut self, now: Instant, online: bool) {
        let is_waiting = self.secondary.is_some() && !online;
        self.choice_due =
            if is_waiting { now + SECONDARY_PORT_PATIENCE } else { Instant::FAR_FUTURE };
    }
}

/// Looks up the machine's addresses before there are networks.
pub(crate) fn first_look(
    interface: Option<&str>,
    allow_loopback: bool,
    avoided: &Avoided,
) -> Addresses {
    let avoided = Some(avoided);
    addresses(look_up(Foreign {
        all_but: interface,
        allow_loopback,
        avoided,
        ..Foreign::default()
    }))
}

/// Says aloud where packets are not encrypted.
pub(crate) fn warn_of_trusted_paths(rules: &PathRules) {
    for (network, id) in rules.trusted_paths() {
        log::warn!("packets from and to {network} are NOT ENCRYPTED: trusted path {id:x}");
    }
}

fn addresses(looked_up: io::Result<Addresses>) -> Addresses {
    looked_up.unwrap_or_else(|error| {
        log::warn!(error:%; "cannot look up the machine's addresses");
        Addresses::default()
    })
}

impl Running {
    /// Does what is due.
    pub(super) fn look_after_surroundings(&mut self, now: Instant) {
        if now >= self.surroundings.choice_due {
            self.surroundings.set_online(now, false);
            self.choose_another_port(now);
        }
        if now >= self.surroundings.look_due {
            self.look_around(now);
        }
    }

    /// Binds what addresses there are, and tells the node.
    pub(super) fn look_around(&mut self, now: Instant) {
        self.surroundings.look_due = Instant::FAR_FUTURE;
        let addresses = self.look_up();
        let closed = self.sockets.follow(&addresses);
        self.tell_sockets(now, &addresses, closed);
    }

    fn look_up(&self) -> Addresses {
        addresses(look_up(Foreign {
            interfaces: &self.ports.interfaces(),
            subnets: &self.plans.subnets(),
            all_but: self.sockets.interface(),
            avoided: Some(&self.surroundings.avoided),
            allow_loopback: self.surroundings.allow_loopback,
        }))
    }

    /// Tells the node, the host and the gateway where the sockets are, and which are gone.
    fn tell_sockets(&mut self, now: Instant, addresses: &Addresses, closed: Vec<SocketId>) {
        let bound = self.sockets.bound();
        self.surroundings.bound.send_if_modified(|known| {
            let is_news = *known != bound;
            *known = bound;
            is_news
        });
        self.ports_changed();

        let mut reachable = self.sockets.reachable_at(addresses);
        if let Some(mapping) = &self.mapping {
            mapping.set_local(&reachable);
            reachable.extend(mapping.external());
        }
        self.command(now, Command::LocalAddresses(reachable));
        if !closed.is_empty() {
            self.command(now, Command::SocketsClosed(closed));
        }
    }

    /// Opens every socket anew and trusts no path.
    fn change_network(&mut self, now: Instant) {
        self.renew_sockets(now);
        self.command(now, Command::NetworkChanged);
    }

    fn renew_sockets(&mut self, now: Instant) {
        let mut closed = self.sockets.rebind();
        let addresses = self.look_up();
        closed.extend(self.sockets.follow(&addresses));
        self.tell_sockets(now, &addresses, closed);
    }

    /// Exchanges the port of the node's own choice: whatever is between it and everybody else may
    /// have had enough of the old one.
    fn choose_another_port(&mut self, now: Instant) {
        let Some(old) = self.surroundings.secondary else { return };
        let addresses = self.look_up();
        let (new, closed) = self.sockets.exchange_port(old, ports::random(), &addresses);
        if let Some(new) = new {
            log::debug!(old, new; "the secondary port is another");
            self.surroundings.secondary = Some(new);
            self.tell_sockets(now, &addresses, closed);
        }
    }

    /// Takes in that the machine has slept without saying so.
    pub(super) fn wake_late(&mut self, now: Instant) {
        log::info!("the machine has slept");
        self.choose_another_port(now);
        self.change_network(now);
    }

    /// Takes in what the host says.
    pub(super) fn take_hint(&mut self, now: Instant, hint: Hint) -> Result<(), RequestError> {
        match hint {
            Hint::Wake if self.surroundings.is_asleep => {
                self.change_conditions(now, |around| around.is_asleep = false);
            }
            Hint::NetworkChanged | Hint::Wake if self.surroundings.is_parked() => {}
            Hint::NetworkChanged | Hint::Wake => self.change_network(now),
            Hint::Conditions(conditions) => {
                self.change_conditions(now, |around| around.conditions = conditions);
            }
            Hint::Sleep => {
                self.command(now, Command::Flush);
                self.trim_buffers();
                self.change_conditions(now, |around| around.is_asleep = true);
            }
            Hint::Protect(protect) => {
                let closed = self.sockets.set_protect(protect);
                self.refit_tcp_relay(now);
                let refused = !closed.is_empty();
                let addresses = self.look_up();
                self.tell_sockets(now, &addresses, closed);
                if refused {
                    return Err(RequestError::Unprotected);
                }
            }
            Hint::Interface(name) => {
                self.sockets.set_interface(name);
                self.refit_tcp_relay(now);
                self.change_network(now);
            }
            Hint::PathRules(rules) => self.go_by(now, *rules),
            Hint::TrimMemory => self.trim_memory(now),
        }
        Ok(())
    }

    /// Leaves what these rules forbid, and closes sockets where they want none.
    fn go_by(&mut self, now: Instant, rules: PathRules) {
        warn_of_trusted_paths(&rules);
        self.surroundings.avoided.rules = rules.clone();
        self.command(now, Command::PathRules(rules));
        // Otherwise that is done when there is a network again.
        if !self.surroundings.is_parked() {
            self.look_around(now);
        }
    }

    /// Connects to the TCP relay as the host wants it by now.
    fn refit_tcp_relay(&mut self, now: Instant) {
        if self.tcp_relay.set_outfit(self.sockets.outfit().clone()) {
            self.command(now, Command::TcpRelayConnected(false));
        }
    }

    /// Has the node go by other conditions, as if there were no network while the machine sleeps.
    fn change_conditions(&mut self, now: Instant, change: impl FnOnce(&mut Surroundings)) {
        let was_parked = self.surroundings.is_parked();
        change(&mut self.surroundings);
        let offline = self.surroundings.is_parked();
        if was_parked && !offline {
            self.renew_sockets(now);
        }
        let conditions = Conditions { offline, ..self.surroundings.conditions };
        if let Some(mapping) = &self.mapping {
            mapping.pause(offline || conditions.is_costly());
        }
        self.command(now, Command::SetConditions(conditions));
    }
}
