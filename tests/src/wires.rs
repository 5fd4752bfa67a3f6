//! Where a node under test puts what it sends: datagrams and frames, kept in order.

use zt_protocol::address::NetworkId;
use zt_protocol::endpoint::Path;
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::transmit::{Cut, Frame, FrameSink, Transmit};

/// A datagram a node has sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sent {
    /// Where it leaves from and goes to.
    pub path: Path,
    /// How many routers it shall get past, if not all.
    pub hops: Option<u8>,
    /// What it carries.
    pub bytes: Vec<u8>,
}

/// Collects datagrams.
#[derive(Default)]
pub struct Wires {
    sent: Vec<Sent>,
    /// What was lent last, which is filled by the time the next call comes.
    lent: Option<(Path, Cut, Vec<u8>)>,
}

impl Wires {
    /// Takes everything sent since the last call, in order.
    pub fn take(&mut self) -> Vec<Sent> {
        self.cut();
        std::mem::take(&mut self.sent)
    }

    /// Cuts what was lent into datagrams.
    fn cut(&mut self) {
        let Some((path, cut, bytes)) = self.lent.take() else {
            return;
        };
        let datagrams: Vec<_> = bytes.chunks(cut.datagram_len.max(1)).collect();
        assert_eq!(datagrams.len(), cut.count, "a cut is into as many datagrams as it says");
        let sent = |bytes: &[u8]| Sent { path, hops: None, bytes: bytes.to_vec() };
        self.sent.extend(datagrams.into_iter().map(sent));
    }
}

impl Transmit for Wires {
    fn reserve(&mut self, path: Path, cut: Cut) -> Option<&mut [u8]> {
        self.cut();
        // Not zeros, so that bytes nobody filled are seen.
        let (.., bytes) = self.lent.insert((path, cut, vec![0xa5; cut.total_len]));
        Some(bytes)
    }

    fn send_short_lived(&mut self, path: Path, hops: u8, datagram: &[u8]) {
        self.cut();
        self.sent.push(Sent { path, hops: Some(hops), bytes: datagram.to_vec() });
    }
}

/// Collects frames for the host.
#[derive(Default)]
pub struct Port(Vec<OwnedFrame>);

impl Port {
    /// Takes everything delivered since the last call, in order.
    pub fn take(&mut self) -> Vec<OwnedFrame> {
        std::mem::take(&mut self.0)
    }
}

impl FrameSink for Port {
    fn deliver(&mut self, network: NetworkId, frame: Frame<'_>) {
        let Frame { destination, source, ethertype, payload } = frame;
        let payload = payload.to_vec();
        self.0.push(OwnedFrame { network, destination, source, ethertype, payload });
    }
}
