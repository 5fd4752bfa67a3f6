//! One connection to the relay, and what waits on either side of it.

use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use zt_protocol::endpoint::Path;

use super::framing::{self, RECORD_LEN_MAX};
use crate::limits::{TCP_RELAY_QUEUE_LEN_MAX, TCP_RELAY_SILENCE};

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The relay has closed it.
    #[error("the TCP relay has closed the connection")]
    Closed,
    /// Nothing came, though it was asked for.
    #[error("the TCP relay does not answer")]
    Silent,
    /// What came makes no sense.
    #[error(transparent)]
    Malformed(#[from] framing::Malformed),
    /// The system reports an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connection, from the greeting on.
pub(super) struct Connection {
    stream: TcpStream,
    /// Room for the longest record; `start..end` of it was received and is not yet taken.
    inbox: Box<[u8]>,
    start: usize,
    end: usize,
    /// What waits to be sent, the first `sent` bytes of which were.
    outbox: Vec<u8>,
    sent: usize,
    /// When something was sent to which nothing has come since.
    awaited: Option<Pin<Box<Sleep>>>,
    /// Whether anything ever came.
    has_answered: bool,
}

impl Connection {
    /// Begins to speak with the relay at the other end of `stream`.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            inbox: vec![0; RECORD_LEN_MAX].into(),
            start: 0,
            end: 0,
            outbox: framing::greeting().to_vec(),
            sent: 0,
            awaited: None,
            has_answered: false,
        }
    }

    /// Returns whether the relay has ever said anything.
    pub(super) const fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Queues a datagram; returns whether there was room for it.
    pub(super) fn send(&mut self, destination: SocketAddrV4, datagram: &[u8]) -> bool {
        let Some(header) = framing::header(destination, datagram.len()) else { return false };
        if self.outbox.len() - self.sent >= TCP_RELAY_QUEUE_LEN_MAX {
            return false;
        }
        self.outbox.extend(header);
        self.outbox.extend(datagram);
        self.awaited.get_or_insert_with(|| Box::pin(sleep(TCP_RELAY_SILENCE)));
        true
    }

    /// Writes what the system takes at once.
    ///
    /// # Errors
    ///
    /// [`Ended`]; the connection is of no more use.
    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        while self.sent < self.outbox.len() {
            match self.stream.try_write(&self.outbox[self.sent..]) {
                Ok(0) => return Err(Ended::Closed),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.outbox.drain(..self.sent);
                    self.sent = 0;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.outbox.clear();
        self.sent = 0;
        Ok(())
    }

    /// Writes what waits and reads what has come, until there is a record to [take](Self::take).
    ///
    /// # Errors
    ///
    /// [`Ended`]; the connection is of no more use.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        while self.sent < self.outbox.len() && self.stream.poll_write_ready(cx)?.is_ready() {
            self.flush()?;
        }
        while framing::read(&self.inbox[self.start..self.end])?.is_none() {
            if let Some(awaited) = &mut self.awaited
                && awaited.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Err(Ended::Silent));
            }
            ready!(self.stream.poll_read_ready(cx))?;
            self.fill()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what the system has, as far as there is room.
    fn fill(&mut self) -> Result<(), Ended> {
        self.inbox.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // There is room: a whole record would have been taken out before.
        match self.stream.try_read(&mut self.inbox[self.end..]) {
            Ok(0) => Err(Ended::Closed),
            Ok(read) => {
                self.end += read;
                self.awaited = None;
                self.has_answered = true;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the next datagram that has come, and the path it came by.
    ///
    /// What makes no sense stays for [`poll`](Self::poll) to find.
    pub(super) fn take(&mut self) -> Option<(Path, &mut [u8])> {
        loop {
            let record = framing::read(&self.inbox[self.start..self.end]).ok()??;
            let datagram = self.start + record.datagram_at..self.start + record.len;
            self.start += record.len;
            if let Some(source) = record.source {
                return Some((Path::through_tcp_relay(source), &mut self.inbox[datagram]));
            }
        }
    }
}
