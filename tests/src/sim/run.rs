//! How time passes in a world.

use std::hash::Hasher;
use std::time::Duration;

use zt_protocol::endpoint::Path;
use zt_protocol::node::Wakeup;
use zt_protocol::time::Instant;

use super::host::Power;
use super::internet::Datagram;
use super::observe::Unsettled;
use super::recording::Overheard;
use super::trace;
use super::world::{Happening, NodeId, World};
use crate::wires::Sent;

/// How often nodes may be woken, on average, without time passing before they count as stuck.
const WAKEUPS_AT_ONCE: usize = 1_000;

impl World {
    /// Lets time pass until `settled`, but no longer than `limit`; returns how long it took.
    ///
    /// # Errors
    ///
    /// [`Unsettled`] says what the world is waiting for instead.
    ///
    /// # Panics
    ///
    /// If a node logs at level error.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut settled: impl FnMut(&Self) -> bool,
    ) -> Result<Duration, Unsettled> {
        self.start();
        let begin = self.now;
        let end = begin + limit;
        while !settled(self) {
            if !self.step(end) {
                return Err(self.unsettled(limit));
            }
        }
        Ok(self.now.since(begin))
    }

    /// Lets time pass for exactly `duration`.
    ///
    /// # Panics
    ///
    /// If a node logs at level error.
    pub fn run_for(&mut self, duration: Duration) {
        self.start();
        let end = self.now + duration;
        while self.step(end) {}
    }

    /// Lets the next thing happen that happens before `end`; returns whether there was one.
    fn step(&mut self, end: Instant) -> bool {
        let happening = self.queue.first_key_value().map(|(&(at, _), _)| at);
        let wakeup = self.earliest_wakeup();
        let next = [happening, wakeup.map(|(_, wakeup)| wakeup.at)].into_iter().flatten().min();
        let Some(next) = next.filter(|&next| next < end) else {
            self.now = end;
            return false;
        };
        self.pass_to(next.max(self.now));

        match wakeup {
            Some((node, Wakeup { at, why }))
                if happening.is_none_or(|happening| at <= happening) =>
            {
                self.wake_up(node, why);
            }
            _ => self.happen(),
        }
        let errors = trace::errors();
        assert!(errors.is_empty(), "seed {}: a node logged {errors:#?}", self.seed);
        true
    }

    fn pass_to(&mut self, now: Instant) {
        if now > self.now {
            self.wakeups_at_once = 0;
        }
        self.now = now;
    }

    /// Returns who wants to be woken next, and why.
    pub(super) fn earliest_wakeup(&self) -> Option<(NodeId, Wakeup)> {
        let (&(at, node), &why) = self.wakeups.first_key_value()?;
        Some((node, Wakeup { at, why }))
    }

    /// Takes in when `node` wants to be woken, after anything has happened to it.
    pub(super) fn reschedule(&mut self, node: NodeId) {
        let host = &mut self.hosts[node.0];
        let wakeup = host.wakeup();
        let before = std::mem::replace(&mut host.scheduled, wakeup.map(|wakeup| wakeup.at));
        if let Some(before) = before {
            self.wakeups.remove(&(before, node));
        }
        if let Some(Wakeup { at, why }) = wakeup {
            self.wakeups.insert((at, node), why);
        }
    }

    fn wake_up(&mut self, node: NodeId, why: &'static str) {
        self.wakeups_at_once += 1;
        let name = &self.hosts[node.0].name;
        assert!(
            self.wakeups_at_once < WAKEUPS_AT_ONCE * self.hosts.len(),
            "seed {}: {name} is woken again and again at {:?} for {why}",
            self.seed,
            self.now,
        );
        let sent = self.hosts[node.0].timeout(self.now, why);
        self.send(node, sent);
    }

    /// Lets the first happening in the queue happen.
    fn happen(&mut self) {
        let Some((_, happening)) = self.queue.pop_first() else {
            return;
        };
        match happening {
            Happening::Arrival(datagram) => self.arrive(datagram),
            Happening::Ping(series) => self.ping_in_series(series),
            Happening::TcpRelayConnected(node) => self.tcp_relay_connected(node),
        }
    }

    fn arrive(&mut self, datagram: Datagram) {
        let Some((node, local)) = self.internet.arrive(self.now, &datagram) else {
            return;
        };
        if self.hosts[node.0].power != Power::On {
            return;
        }
        if let Some(recording) = &mut self.recording {
            let (at, datagram) = (self.now, datagram.clone());
            recording.push(Overheard { at, to: node, datagram });
        }
        let path = self.internet.as_told(Path { local, remote: datagram.source });
        let sent = self.hosts[node.0].datagram(self.now, path, datagram.bytes);
        self.send(node, sent);
    }

    /// Puts what `node` has sent on its way, after something has happened to it.
    pub(super) fn send(&mut self, node: NodeId, sent: Vec<Sent>) {
        self.reschedule(node);
        self.follow_tcp_relay(node);
        for Sent { path, hops, bytes } in sent {
            self.trace.write_u64(self.now.as_micros());
            self.trace.write_u64(node.0 as u64);
            self.trace.write(path.remote.to_string().as_bytes());
            self.trace.write(&bytes);
            if !path.is_through_tcp_relay() {
                *self.sent_to.entry(path.remote).or_default() += bytes.len();
            }
            let arrivals = self.internet.send(self.now, &mut self.rng, node, path, hops, &bytes);
            for (at, datagram) in arrivals {
                self.queue(at, Happening::Arrival(datagram));
            }
        }
    }
}
