//! What members say to each other: pings, and as many bytes by TCP as get through.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use smoltcp::socket::{icmp, tcp};

use crate::stack::{Closed, Stack};

/// How long a ping waits for its reply before another is sent.
const PING_INTERVAL: Duration = Duration::from_millis(200);

/// Tells this program's pings from others'.
const PING_IDENTIFIER: u16 = 0x7a74;

/// What a TCP socket holds in each direction, in bytes: more than is ever on the way between two
/// nodes on one machine, and less than their UDP sockets hold, so that nothing need be lost.
const TCP_BUFFER_LEN: usize = 256 * 1024;

/// Why bytes did not get through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// The stack has no more network.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// There is no connection to be had.
    #[error("cannot connect: {0}")]
    Connect(#[from] tcp::ConnectError),
    /// There is no listening on the port.
    #[error("cannot listen: {0}")]
    Listen(#[from] tcp::ListenError),
    /// The connection ended before all was said.
    #[error("the connection broke after {0} bytes")]
    Broken(u64),
    /// TCP delivered something else than was sent.
    #[error("the bytes received differ from those sent, at {0} or shortly after")]
    Corrupt(u64),
}

/// What a receiver got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) bytes: u64,
    /// From the first byte to the last.
    pub(crate) elapsed: Duration,
}

impl Stack {
    /// Answers pings and whatever else needs no socket, for as long as it is awaited.
    pub(crate) async fn answer(&mut self) -> Closed {
        match self.until(|_| None::<Infallible>).await {
            Ok(never) => match never {},
            Err(closed) => closed,
        }
    }

    /// Pings until there is a reply; returns how long the reply took.
    pub(crate) async fn ping(&mut self, to: IpAddr) -> Result<Duration, Closed> {
        let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 512]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        socket.bind(icmp::Endpoint::Ident(PING_IDENTIFIER)).expect("the socket is not bound yet");
        let handle = self.add(socket);

        let mut sequence = 0_u16;
        let result = loop {
            let sent = Instant::now();
            let (socket, _) = self.socket::<icmp::Socket<'_>>(handle);
            // A request there is no room for is one more that is not answered.
            let _ = socket.send_slice(&echo_request(to, sequence), to.into());

            let replied = self.until(|sockets| {
                let socket = sockets.get_mut::<icmp::Socket<'_>>(handle);
                while let Ok((message, from)) = socket.recv() {
                    if from == to.into() && is_echo_reply(message, sequence) {
                        return Some(sent.elapsed());
                    }
                }
                None
            });
            if let Ok(result) = tokio::time::timeout(PING_INTERVAL, replied).await {
                break result;
            }
            sequence = sequence.wrapping_add(1);
        };
        self.remove(handle);
        result
    }

    /// Sends a stream of bytes for so long, and says how many it was once all have arrived.
    pub(crate) async fn send(
        &mut self,
        to: SocketAddr,
        lasting: Duration,
    ) -> Result<u64, TransferError> {
        let handle = self.add(tcp_socket());
        let (socket, context) = self.socket::<tcp::Socket<'_>>(handle);
        socket.connect(context, (to.ip(), to.port()), to.port())?;

        let pattern = Pattern::new();
        let end = Instant::now() + lasting;
        let mut sent = 0;
        let result = self.until(|sockets| {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
            if Instant::now() >= end {
                socket.close();
            }
            while socket.can_send() {
                let filled = socket.send(|buffer| {
                    let len = pattern.fill(sent, buffer);
                    (len, len)
                });
                sent += filled.map_or(0, |len| len as u64);
            }
            match socket.state() {
                // The other side has acknowledged that this was all.
                tcp::State::FinWait2 | tcp::State::TimeWait => Some(Ok(sent)),
                tcp::State::Closed => Some(Err(TransferError::Broken(sent))),
                _ => None,
            }
        });
        let result = result.await;
        self.remove(handle);
        result?
    }

    /// Receives a stream of bytes on `port`, to its end, and compares it with what was sent.
    pub(crate) async fn receive(&mut self, port: u16) -> Result<Received, TransferError> {
        let mut socket = tcp_socket();
        socket.listen(port)?;
        let handle = self.add(socket);

        let pattern = Pattern::new();
        let (mut bytes, mut first, mut last) = (0, None, Instant::now());
        let result = self.until(|sockets| {
            let socket = sockets.get_mut::<tcp::Socket<'_>>(handle);
            while socket.can_recv() {
                let is_as_sent = socket
                    .recv(|data| (data.len(), pattern.matches(bytes, data).then_some(data.len())));
                let Ok(Some(len)) = is_as_sent else {
                    return Some(Err(TransferError::Corrupt(bytes)));
                };
                bytes += len as u64;
                last = Instant::now();
                first.get_or_insert(last);
            }
            match socket.state() {
                tcp::State::CloseWait => {
                    Some(Ok(Received { bytes, elapsed: last - first.unwrap_or(last) }))
                }
                tcp::State::Closed => Some(Err(TransferError::Broken(bytes))),
                _ => None,
            }
        });
        let result = result.await;
        // The socket stays, to acknowledge the end again should the first time be lost.
        result?
    }
}

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; TCP_BUFFER_LEN]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    // Packets come in batches, each of which is acknowledged at once anyway.
    socket.set_ack_delay(None);
    socket
}

/// Returns an ICMP or ICMPv6 echo request with 56 bytes of data; the stack adds the checksum.
fn echo_request(to: IpAddr, sequence: u16) -> Vec<u8> {
    let kind: u8 = if to.is_ipv4() { 8 } else { 128 };
    let [[i0, i1], [s0, s1]] = [PING_IDENTIFIER.to_be_bytes(), sequence.to_be_bytes()];
    let mut message = vec![kind, 0, 0, 0, i0, i1, s0, s1];
    message.extend(0..56);
    message
}

/// Returns whether a message is a reply to the request of this number.
fn is_echo_reply(message: &[u8], sequence: u16) -> bool {
    matches!(message, [0 | 129, 0, _, _, _, _, s0, s1, ..] if [*s0, *s1] == sequence.to_be_bytes())
}

/// An endless stream of bytes in which every place looks different from those nearby, so that a
/// piece lost, repeated or out of place is noticed.
struct Pattern(Vec<u8>);

impl Pattern {
    /// After how many bytes the pattern repeats: a prime, so no buffer or packet length divides it.
    const PERIOD: usize = 65_521;

    fn new() -> Self {
        // Knuth's linear congruential generator, of which the high bits are the good ones.
        let step = |state: &u64| {
            Some(
                state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407),
            )
        };
        let states = std::iter::successors(Some(1_u64), step);
        Self(states.map(|state| (state >> 56) as u8).take(Self::PERIOD).collect())
    }

    /// Fills `buffer` with what comes `offset` bytes into the stream; returns how far it got.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() {
            let from = self.from(offset + filled as u64);
            let len = from.len().min(buffer.len() - filled);
            buffer[filled..filled + len].copy_from_slice(&from[..len]);
            filled += len;
        }
        filled
    }

    /// Returns whether `data` is what comes `offset` bytes into the stream.
    fn matches(&self, offset: u64, data: &[u8]) -> bool {
        let mut compared = 0;
        while compared < data.len() {
            let from = self.from(offset + compared as u64);
            let len = from.len().min(data.len() - compared);
            if data[compared..compared + len] != from[..len] {
                return false;
            }
            compared += len;
        }
        true
    }

    /// Returns the stream from `offset` to the end of the period.
    fn from(&self, offset: u64) -> &[u8] {
        &self.0[(offset % Self::PERIOD as u64) as usize..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_matches_itself_wherever_it_is_cut() {
        let pattern = Pattern::new();
        let mut stream = vec![0; 200_000];
        assert_eq!(pattern.fill(0, &mut stream), 200_000);

        for cut in [0, 1, 65_520, 65_521, 65_522, 199_999] {
            let (before, after) = stream.split_at(cut);

            assert!(pattern.matches(0, before) && pattern.matches(cut as u64, after), "{cut}");
        }
    }

    #[test]
    fn a_stream_with_a_piece_lost_repeated_or_changed_is_noticed() {
        let pattern = Pattern::new();
        let mut stream = vec![0; 100_000];
        pattern.fill(0, &mut stream);
        let lost = [&stream[..50_000], &stream[52_760..]].concat();
        let repeated = [&stream[..50_000], &stream[47_240..]].concat();
        let mut changed = stream;
        changed[99_999] ^= 1;

        assert!(![lost, repeated, changed].iter().any(|stream| pattern.matches(0, stream)));
    }

    #[test]
    fn replies_belong_to_their_request() {
        let mut reply = echo_request([10, 0, 0, 1].into(), 7);
        reply[0] = 0;

        assert!(is_echo_reply(&reply, 7));
        assert!(!is_echo_reply(&reply, 8));
        assert!(!is_echo_reply(&echo_request([10, 0, 0, 1].into(), 7), 7));
        assert!(!is_echo_reply(&reply[..7], 7));
    }
}
