//! Outgoing datagrams, arranged so that one system call sends many.

use zt_protocol::endpoint::Path;
use zt_protocol::transmit::{Cut, Transmit};

use crate::limits::{RUN_DATAGRAMS_MAX, RUN_LEN_MAX, SEND_QUEUE_LEN_HIGH, SEND_QUEUE_LEN_MAX};

/// Datagrams waiting to be sent.
///
/// The node seals packets straight into [`bytes`](Self::bytes). Neighbours of equal length on one
/// path are kept as one [`Run`], which generic segmentation offload sends in one piece.
#[derive(Debug, Default)]
pub(crate) struct GsoQueue {
    /// Runs, back to back. Grows to what was needed at most and is kept, dirty, for the next batch.
    bytes: Vec<u8>,
    used: usize,
    runs: Vec<Run>,
}

/// Datagrams of one path, equally long but for the last, which may be shorter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Run {
    /// Where they go.
    pub(crate) path: Path,
    /// The length of all but the last, in bytes.
    pub(crate) datagram_len: usize,
    /// How many routers they may pass, if that is limited.
    pub(crate) hops: Option<u8>,
    start: usize,
    len: usize,
    count: usize,
}

impl GsoQueue {
    /// Returns whether it is time to send before taking in more.
    pub(crate) const fn is_filling(&self) -> bool {
        self.used >= SEND_QUEUE_LEN_HIGH
    }

    /// Returns the runs in the order they were queued, each with its bytes.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Run, &[u8])> {
        self.runs.iter().map(|run| (*run, &self.bytes[run.start..run.start + run.len]))
    }

    /// Forgets everything queued.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.runs.clear();
    }

    /// Gives back the room nothing is queued in.
    pub(crate) fn trim(&mut self) {
        self.bytes.truncate(self.used);
        self.bytes.shrink_to_fit();
        self.runs.shrink_to_fit();
    }

    /// Returns `len` more bytes at the end, or `None` if there is no room.
    fn extend(&mut self, len: usize) -> Option<&mut [u8]> {
        let start = self.used;
        let end = start + len;
        if end > SEND_QUEUE_LEN_MAX {
            return None;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.used = end;
        Some(&mut self.bytes[start..end])
    }
}

impl Transmit for GsoQueue {
    fn reserve(&mut self, path: Path, cut: Cut) -> Option<&mut [u8]> {
        let start = self.used;
        if start + cut.total_len > SEND_QUEUE_LEN_MAX {
            return None;
        }

        match self.runs.last_mut() {
            Some(run) if run.takes(path, cut) => {
                run.len += cut.total_len;
                run.count += cut.count;
            }
            _ => self.runs.push(Run {
                path,
                datagram_len: cut.datagram_len,
                hops: None,
                start,
                len: cut.total_len,
                count: cut.count,
            }),
        }
        self.extend(cut.total_len)
    }

    fn send_short_lived(&mut self, path: Path, hops: u8, datagram: &[u8]) {
        let start = self.used;
        let len = datagram.len();
        // It is not meant to arrive, so one without room is not missed.
        if let Some(room) = self.extend(len) {
            room.copy_from_slice(datagram);
            self.runs.push(Run { path, datagram_len: len, hops: Some(hops), start, len, count: 1 });
        }
    }
}

impl Run {
    /// Returns whether the datagrams of `cut` can follow on this run.
    fn takes(&self, path: Path, cut: Cut) -> bool {
        self.path == path
            && self.hops.is_none()
            && self.len == self.count * self.datagram_len
            && cut.datagram_len == self.datagram_len
            && self.count + cut.count <= RUN_DATAGRAMS_MAX
            && self.len + cut.total_len <= RUN_LEN_MAX
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zt_protocol::endpoint::SocketId;

    use super::*;

    fn path(port: u16) -> Path {
        Path { local: SocketId(0), remote: ([192, 0, 2, 1], port).into() }
    }

    #[test]
    fn full_frames_on_one_path_are_one_run() {
        let mut queue = GsoQueue::default();
        let cut = Cut::even(2_838, 1_432).unwrap();

        for _ in 0..3 {
            queue.reserve(path(1), cut).unwrap();
        }

        let runs: Vec<_> = queue.runs().collect();
        assert_eq!(runs.len(), 1);
        assert_eq!((runs[0].0.datagram_len, runs[0].1.len()), (1_427, 6 * 1_427));
    }

    #[test]
    fn a_shorter_last_datagram_ends_a_run() {
        let mut queue = GsoQueue::default();
        let odd = Cut::even(1_433, 1_432).unwrap();

        queue.reserve(path(1), odd).unwrap();
        queue.reserve(path(1), odd).unwrap();

        assert_eq!(queue.runs().count(), 2);
    }

    #[test]
    fn a_short_lived_datagram_travels_alone() {
        let mut queue = GsoQueue::default();

        queue.reserve(path(1), Cut::whole(4)).unwrap();
        queue.send_short_lived(path(1), 2, b"open");
        queue.reserve(path(1), Cut::whole(4)).unwrap();

        let hops: Vec<_> = queue.runs().map(|(run, _)| run.hops).collect();
        assert_eq!(hops, [None, Some(2), None]);
    }

    #[test]
    fn a_full_queue_refuses_and_keeps_what_it_has() {
        let mut queue = GsoQueue::default();
        let cut = Cut::whole(1_000);
        let mut taken = 0;
        while queue.reserve(path(1), cut).is_some() {
            taken += 1;
        }

        let queued: usize = queue.runs().map(|(_, bytes)| bytes.len()).sum();

        assert_eq!(taken, SEND_QUEUE_LEN_MAX / 1_000);
        assert_eq!(queued, taken * 1_000);
        assert!(queue.is_filling());
    }

    #[test]
    fn what_is_queued_stays_when_room_is_given_back() {
        let mut queue = GsoQueue::default();
        queue.reserve(path(1), Cut::whole(100_000)).unwrap();
        queue.clear();
        queue.reserve(path(1), Cut::whole(4)).unwrap().copy_from_slice(b"kept");

        queue.trim();

        let queued: Vec<_> = queue.runs().map(|(_, bytes)| bytes.to_vec()).collect();
        assert_eq!(queued, [b"kept"]);
        assert!(queue.bytes.capacity() < 100, "{}", queue.bytes.capacity());
    }

    proptest! {
        /// However packets are arranged into runs, the datagrams that leave, and their order, are
        /// those that would have left one by one.
        #[test]
        fn runs_carry_the_same_datagrams_in_the_same_order(
            packets in proptest::collection::vec((0_u16..3, 28_usize..10_024), 0..80),
        ) {
            let mut queue = GsoQueue::default();
            let mut expected = Vec::new();
            for (tag, &(port, packet_len)) in packets.iter().enumerate() {
                let cut = Cut::even(packet_len, 1_432).unwrap_or(Cut::whole(packet_len));
                let room = queue.reserve(path(port), cut).unwrap();
                prop_assert_eq!(room.len(), cut.total_len);
                room.fill(tag as u8);
                expected.extend(
                    room.chunks(cut.datagram_len).map(|datagram| (path(port), datagram.to_vec())),
                );
            }

            let mut sent = Vec::new();
            for (run, bytes) in queue.runs() {
                prop_assert!(bytes.len() <= RUN_LEN_MAX);
                let datagrams = bytes.chunks(run.datagram_len);
                prop_assert!(datagrams.len() <= RUN_DATAGRAMS_MAX);
                sent.extend(datagrams.map(|datagram| (run.path, datagram.to_vec())));
            }

            prop_assert_eq!(sent, expected);
        }
    }
}
