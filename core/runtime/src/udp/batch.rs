//! Received datagrams, many per system call.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use quinn_udp::RecvMeta;
use zt_protocol::endpoint::Path;

use crate::limits::{RECEIVE_MESSAGE_LEN, RECEIVE_MESSAGES};

/// What one read of a socket gave.
///
/// A message is a run of datagrams of one sender, equally long but for the last.
pub(crate) struct ReceiveBatch {
    /// Room for every message. The pages of those that never come are never touched.
    bytes: Box<[u8]>,
    meta: [RecvMeta; RECEIVE_MESSAGES],
    /// The path each message came by; `None` if it is not to be looked at.
    paths: [Option<Path>; RECEIVE_MESSAGES],
    messages: usize,
    /// The message the next datagram is taken from, and where in it.
    next: (usize, usize),
}

impl ReceiveBatch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE_MESSAGES * RECEIVE_MESSAGE_LEN].into(),
            meta: [RecvMeta::default(); RECEIVE_MESSAGES],
            paths: [None; RECEIVE_MESSAGES],
            messages: 0,
            next: (0, 0),
        }
    }

    /// Empties the batch, and gives back the pages that were touched.
    pub(crate) fn trim(&mut self) {
        *self = Self::new();
    }

    /// Replaces the batch by what `receive` reads, and empties it if that fails.
    pub(super) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.messages = 0;
        self.next = (0, 0);

        let mut rooms = self.bytes.chunks_exact_mut(RECEIVE_MESSAGE_LEN);
        let mut buffers: [IoSliceMut<'_>; RECEIVE_MESSAGES] =
            std::array::from_fn(|_| IoSliceMut::new(rooms.next().unwrap_or_default()));
        self.messages = receive(&mut buffers, &mut self.meta)?;
        Ok(())
    }

    /// Gives every message the path `path` says, by where it came from and where it arrived.
    pub(super) fn label(
        &mut self,
        mut path: impl FnMut(SocketAddr, Option<IpAddr>) -> Option<Path>,
    ) {
        for (label, meta) in self.paths.iter_mut().zip(&self.meta).take(self.messages) {
            *label = path(meta.addr, meta.dst_ip);
        }
    }

    /// Returns the next datagram and the path it came by.
    pub(crate) fn next(&mut self) -> Option<(Path, &mut [u8])> {
        while self.next.0 < self.messages {
            let (message, start) = self.next;
            let meta = &self.meta[message];
            match self.paths[message] {
                Some(path) if start < meta.len => {
                    let end = meta.len.min(start + meta.stride.max(1));
                    self.next.1 = end;
                    let room = message * RECEIVE_MESSAGE_LEN;
                    return Some((path, &mut self.bytes[room + start..room + end]));
                }
                _ => self.next = (message + 1, 0),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use zt_protocol::endpoint::SocketId;

    use super::*;

    #[test]
    fn messages_are_taken_apart_into_datagrams() {
        let mut batch = ReceiveBatch::new();
        batch
            .fill(|buffers, meta| {
                buffers[0][..7].copy_from_slice(b"aaabbbc");
                (meta[0].len, meta[0].stride) = (7, 3);
                buffers[2][..2].copy_from_slice(b"zz");
                (meta[2].len, meta[2].stride) = (2, 2);
                Ok(3)
            })
            .unwrap();
        batch.label(|remote, _| Some(Path { local: SocketId(0), remote }));

        let mut datagrams = Vec::new();
        while let Some((_, datagram)) = batch.next() {
            datagrams.push(datagram.to_vec());
        }

        assert_eq!(datagrams, [&b"aaa"[..], b"bbb", b"c", b"zz"]);
    }

    #[test]
    fn messages_without_a_path_are_passed_over() {
        let mut batch = ReceiveBatch::new();
        batch
            .fill(|_, meta| {
                (meta[0].len, meta[0].stride) = (2, 2);
                Ok(1)
            })
            .unwrap();
        batch.label(|_, _| None);

        assert!(batch.next().is_none());
    }

    #[test]
    fn a_failed_read_empties_the_batch() {
        let mut batch = ReceiveBatch::new();

        let result = batch.fill(|_, _| Err(io::ErrorKind::WouldBlock.into()));

        assert!(result.is_err());
        assert!(batch.next().is_none());
    }
}
