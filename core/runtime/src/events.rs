//! What a running node tells its host, in a queue that never makes the node wait.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::{IdentitySource, NetworkStatus};
use zt_protocol::fingerprint::{Expected, Fingerprint};
use zt_protocol::plan::{PlanChange, TunPlan};

use crate::limits::EVENTS_MAX;
use crate::mapping::PortMapping;

/// Something a host may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A root answered, or none has for a while.
    Online(bool),
    /// A network's status changed. Its interface, if it has one, is configured already.
    Network(Box<NetworkStatus>),
    /// What a network means for this machine changed, because of what it asks for or of what the
    /// user allows. An interface of the node's own is configured already; whoever made another
    /// carries the plan out.
    Plan {
        /// Which network.
        network: NetworkId,
        /// The plan, default routes included. They count only while the node is
        /// [online](Self::Online).
        plan: Box<TunPlan>,
        /// How much of it is news.
        change: PlanChange,
    },
    /// The network was left.
    NetworkLeft(NetworkId),
    /// The way to a peer changed.
    Peer {
        /// The peer.
        address: Address,
        /// The path in use, `None` if packets are relayed.
        path: Option<SocketAddr>,
    },
    /// A connection to the TCP relay was made, as no root answers by UDP or none shall be asked by
    /// it, or it was lost or ended.
    TcpRelay(bool),
    /// The roots in force changed: a planet or moon was updated, learned or given up; see
    /// [`Handle::worlds`](crate::Handle::worlds).
    Worlds,
    /// Another node has this node's address, say roots.
    ///
    /// If several do and fewer contradict, it is confirmed: shut the node down, call
    /// [`Home::retire_identity`](crate::store::Home::retire_identity), and start it anew. If the
    /// only root there is says so it is not, and what to do is for a person to decide; the node
    /// goes on asking.
    IdentityCollision {
        /// Whether it is confirmed.
        is_confirmed: bool,
    },
    /// Somebody showed a valid identity whose address is another's, as far as this node knows. It
    /// was refused. Either that is an attack, or what is known is one: compare fingerprints by
    /// other ways than the network, and [pin](crate::Handle::pin) the right one.
    IdentityConflict {
        /// The address.
        address: Address,
        /// The fingerprint its holder has, by what is pinned or known.
        known: Expected,
        /// That of the other.
        offered: Fingerprint,
        /// Where it came from.
        source: IdentitySource,
    },
    /// The network's interface is gone. The node goes on without, and the network stands at
    /// `PORT_ERROR`, until it is joined anew.
    InterfaceLost(NetworkId),
    /// The gateway maps a port to this node, or no longer, or cannot be brought to; see
    /// [`Handle::port_mapping`](crate::Handle::port_mapping).
    PortMapping(Box<PortMapping>),
}

/// Events nobody has taken yet. When there are too many, the oldest are forgotten: what is worth
/// knowing is how things stand.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: Mutex<Queue>,
    changed: Notify,
}

/// Closes the queue when dropped.
pub(crate) struct Closing(pub(crate) Arc<Events>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    forgotten: u64,
    closed: bool,
    signal: Option<Signal>,
}

/// A pipe with one byte in it while there is an event to take, or there will be no more. Neither end
/// blocks, so that a host that reads from it, which it should not, holds up nobody.
#[derive(Debug)]
struct Signal {
    reader: UnixStream,
    writer: UnixStream,
    is_set: bool,
}

impl Signal {
    fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer, is_set: false })
    }

    fn set(&mut self, wanted: bool) {
        if self.is_set == wanted {
            return;
        }
        // One byte finds room in the pipe, and is there unless the host has read it.
        let _ = if wanted { self.writer.write(&[0]) } else { self.reader.read(&mut [0]) };
        self.is_set = wanted;
    }
}

impl Queue {
    fn update_signal(&mut self) {
        let wanted = self.closed || !self.events.is_empty();
        if let Some(signal) = &mut self.signal {
            signal.set(wanted);
        }
    }

    fn take(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        self.update_signal();
        event
    }
}

impl Events {
    /// Adds an event.
    pub(crate) fn push(&self, event: Event) {
        let mut queue = self.queue();
        if queue.events.len() == EVENTS_MAX {
            queue.events.pop_front();
            queue.forgotten += 1;
        }
        queue.events.push_back(event);
        queue.update_signal();
        drop(queue);
        self.changed.notify_one();
    }

    /// Says that no more will come.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.update_signal();
        drop(queue);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Waits for the oldest event; `None` once there will be no more.
    pub(crate) async fn next(&self) -> Option<Event> {
        loop {
            let changed = self.changed.notified();
            {
                let mut queue = self.queue();
                if let Some(event) = queue.take() {
                    // A waiter may have been passed over while this one was busy.
                    if !queue.events.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(event);
                }
                if queue.closed {
                    self.changed.notify_one();
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Takes the oldest event, if there is one.
    pub(crate) fn try_next(&self) -> Option<Event> {
        self.queue().take()
    }

    /// Returns a descriptor that is readable while there is an event to take, or there will be no
    /// more. It is for waiting only: whoever reads from it breaks it for everybody.
    pub(crate) fn signal(&self) -> io::Result<OwnedFd> {
        let mut queue = self.queue();
        let signal = match queue.signal.take() {
            Some(signal) => signal,
            None => Signal::new()?,
        };
        let reader = signal.reader.try_clone();
        queue.signal = Some(signal);
        queue.update_signal();
        reader.map(OwnedFd::from)
    }

    /// Gives back the room nothing waits in.
    pub(crate) fn trim(&self) {
        self.queue().events.shrink_to_fit();
    }

    /// Returns how many events were forgotten.
    pub(crate) fn forgotten(&self) -> u64 {
        self.queue().forgotten
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing that can panic happens while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_come_in_order_and_end_when_closed() {
        let events = Events::default();
        events.push(Event::Online(true));
        events.push(Event::Online(false));
        events.close();

        assert_eq!(events.next().await, Some(Event::Online(true)));
        assert_eq!(events.next().await, Some(Event::Online(false)));
        assert_eq!(events.next().await, None);
        assert_eq!(events.next().await, None);
    }

    #[test]
    fn the_signal_is_set_while_there_is_something_to_take() {
        let events = Events::default();
        events.push(Event::Online(true));
        let signal = UnixStream::from(events.signal().unwrap());
        let is_set = || events.queue().signal.as_ref().is_some_and(|signal| signal.is_set);

        assert!(is_set());
        events.push(Event::Online(false));
        assert!(events.try_next().is_some() && is_set());
        assert!(events.try_next().is_some() && !is_set());
        assert_eq!((&signal).read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(events.try_next().is_none());
        events.close();
        assert!(events.try_next().is_none() && is_set());
        assert_eq!((&signal).read(&mut [0]).unwrap(), 1);
    }

    #[tokio::test]
    async fn the_oldest_events_are_forgotten_first() {
        let events = Events::default();
        let left = |n: usize| Event::NetworkLeft(NetworkId(n as u64));
        for n in 0..EVENTS_MAX + 3 {
            events.push(left(n));
        }

        assert_eq!(events.next().await, Some(left(3)));
        assert_eq!(events.forgotten(), 3);
    }

    #[tokio::test]
    async fn every_waiter_is_woken_by_the_end() {
        let events = Arc::new(Events::default());
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let events = Arc::clone(&events);
                tokio::spawn(async move { events.next().await })
            })
            .collect();
        tokio::task::yield_now().await;

        events.close();

        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), None);
        }
    }
}
