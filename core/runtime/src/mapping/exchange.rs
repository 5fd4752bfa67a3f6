//! One question to a gateway over UDP, and its answer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::status::{IgnoredAnswers, MappingError, MappingMethod};
use crate::limits::{GATEWAY_ANSWER_LEN_MAX, GATEWAY_IGNORED_MAX};

/// What a gateway answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer<T> {
    /// What was asked for.
    Yes(T),
    /// A refusal, by the protocol's result code.
    No(u16),
}

/// Why a datagram is no answer to what was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Misfit {
    /// It is no message of the protocol.
    Malformed,
    /// It answers something else.
    Unexpected,
}

/// How long to wait for answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the first answer to a datagram; twice as long each further time it is sent.
    pub(super) first: Duration,
    /// How often it is sent.
    pub(super) tries: u32,
}

/// A gateway that is asked by datagrams.
#[derive(Debug)]
pub(super) struct Exchange {
    socket: UdpSocket,
    method: MappingMethod,
    patience: Patience,
    /// What came and was no answer.
    pub(super) ignored: IgnoredAnswers,
}

impl Exchange {
    /// Opens a socket to which nobody but `gateway` can send.
    ///
    /// # Errors
    ///
    /// [`MappingError::Unreachable`].
    pub(super) async fn open(
        from: IpAddr,
        gateway: SocketAddr,
        method: MappingMethod,
        patience: Patience,
    ) -> Result<Self, MappingError> {
        let unreachable = |error: std::io::Error| MappingError::Unreachable(error.kind());
        let socket = UdpSocket::bind((from, 0)).await.map_err(unreachable)?;
        socket.connect(gateway).await.map_err(unreachable)?;
        Ok(Self { socket, method, patience, ignored: IgnoredAnswers::default() })
    }

    /// Sends `request`, again if need be, until a datagram comes that `read` takes for its answer.
    ///
    /// # Errors
    ///
    /// [`MappingError::NoAnswer`], [`MappingError::Refused`], [`MappingError::Unreachable`].
    pub(super) async fn ask<T>(
        &mut self,
        request: &[u8],
        read: impl Fn(&[u8]) -> Result<Answer<T>, Misfit>,
    ) -> Result<T, MappingError> {
        let mut wait = self.patience.first;
        for _ in 0..self.patience.tries {
            self.socket
                .send(request)
                .await
                .map_err(|error| MappingError::Unreachable(error.kind()))?;
            match self.listen(Instant::now() + wait, &read).await? {
                Some(Answer::Yes(answer)) => return Ok(answer),
                Some(Answer::No(code)) => {
                    return Err(MappingError::Refused { method: self.method, code });
                }
                None => wait *= 2,
            }
        }
        Err(MappingError::NoAnswer)
    }

    /// Waits for an answer until `deadline`, or until too much came that was none.
    async fn listen<T>(
        &mut self,
        deadline: Instant,
        read: impl Fn(&[u8]) -> Result<Answer<T>, Misfit>,
    ) -> Result<Option<Answer<T>>, MappingError> {
        // What is longer is cut off, and nothing that counts is there.
        let mut datagram = [0; GATEWAY_ANSWER_LEN_MAX];
        for _ in 0..GATEWAY_IGNORED_MAX {
            let Ok(received) = timeout_at(deadline, self.socket.recv(&mut datagram)).await else {
                return Ok(None);
            };
            // The system has it from the gateway that nobody listens there.
            let len = received.map_err(|_| MappingError::NoAnswer)?;
            match read(&datagram[..len]) {
                Ok(answer) => return Ok(Some(answer)),
                Err(Misfit::Malformed) => self.ignored.malformed += 1,
                Err(Misfit::Unexpected) => self.ignored.unexpected += 1,
            }
        }
        Ok(None)
    }
}
