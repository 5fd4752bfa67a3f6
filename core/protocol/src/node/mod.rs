//! The node: who tells whom.
//!
//! # Driving a node
//!
//! ```text
//! loop {
//!     while let Some(event) = node.poll_event() { … }
//!     wait for a datagram, a frame, a command or node.poll_timeout()
//!     match what { datagram → handle_datagram, frame → handle_frame or handle_packet,
//!                  command → handle_command, timeout → handle_timeout }
//!     send what was written to the Transmit, write to the interface what was written to the FrameSink
//! }
//! ```

use crate::address::NetworkId;
use crate::endpoint::Path;
use crate::error::{Drops, Rejected};
use crate::event::Event;
use crate::identity::SecretIdentity;
use crate::time::{Instant, UnixMillis};
use crate::transmit::{Frame, FrameSink, Transmit};
use crate::world::World;

pub use crate::command::{Command, CommandError};
pub use crate::status::{NodeStatus, PeerStatus, Role};

/// What a node needs to know before it starts.
pub struct Config {
    /// The planet in force, whatever its signature: the local file is trusted (spec 02 §1.4).
    pub planet: World,
    /// Moons accepted earlier.
    pub moons: Vec<World>,
    /// Whether this node serves networks of its own as a controller.
    pub controller: bool,
    /// `platform/arch`, told to controllers (spec 03 §2.2).
    pub platform: &'static str,
}

/// When the driver shall call [`Node::handle_timeout`], and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wakeup {
    /// When.
    pub at: Instant,
    /// For whom: a name for logs.
    pub why: &'static str,
}

/// One ZeroTier node, without its sockets, its clock or its threads.
///
/// (…the contract of style-examples §2…)
pub struct Node {}

impl Node {
    /// Makes a node that knows the time and nobody.
    pub fn new(
        identity: SecretIdentity,
        config: Config,
        seed: [u8; 32],
        now: Instant,
        unix: UnixMillis,
    ) -> Self {
        todo!()
    }

    /// Takes in one datagram that arrived on `path`.
    ///
    /// `datagram` is decrypted in place, so it is clobbered whatever the outcome.
    ///
    /// # Errors
    ///
    /// [`Rejected`] says why the datagram was dropped. The node has already counted it.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        todo!()
    }

    /// Takes in an Ethernet frame the host sends to a network joined in [`PortMode::L2`](crate::transmit::PortMode::L2).
    pub fn handle_frame(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        todo!()
    }

    /// Takes in an IP packet the host sends to a network joined in [`PortMode::L3`](crate::transmit::PortMode::L3).
    pub fn handle_packet(
        &mut self,
        now: Instant,
        network: NetworkId,
        packet: &[u8],
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        todo!()
    }

    /// Lets time pass up to `now`. Calling early or twice is harmless.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) {
        todo!()
    }

    /// Does what the host asks; what follows goes to `transmit` and `sink` like everything else.
    pub fn handle_command(
        &mut self,
        now: Instant,
        command: Command,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), CommandError> {
        todo!()
    }

    /// Tells the node the wall clock's time, which may have jumped.
    pub fn set_unix_time(&mut self, now: Instant, unix: UnixMillis) {
        todo!()
    }

    /// Returns the oldest event not yet taken.
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next, and why.
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        todo!()
    }

    /// Returns how often anything was dropped, by reason.
    pub fn drops(&self) -> &Drops {
        todo!()
    }

    /// Returns the node's own status.
    pub fn status(&self) -> NodeStatus {
        todo!()
    }

    /// Returns every known peer, by ascending address.
    pub fn peers(&self) -> Vec<PeerStatus> {
        todo!()
    }

    /// Returns every joined network, by ascending ID.
    pub fn networks(&self) -> Vec<crate::event::NetworkStatus> {
        todo!()
    }
}
