//! Has the kernel say when interfaces or addresses come and go (`rtnetlink(7)`).

use std::io;
use std::task::{Context, Poll, ready};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::limits::INTERFACE_MESSAGES;

/// The groups of what is told: links, IPv4 and IPv6 addresses.
const GROUPS: u32 =
    (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32;

/// Room for a message, of which nothing counts but that it came.
const MESSAGE_LEN: usize = 256;

/// Word of changes.
pub(crate) struct Changes {
    socket: AsyncFd<Socket>,
}

impl Changes {
    /// Listens from here on; needs no rights.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        socket.set_non_blocking(true)?;
        // SAFETY: a `Socket` owns its descriptor: it stays open, and the same, until it is dropped.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        let socket = registered.map_err(|refused| refused.into_parts().1)?;
        Ok(Self { socket })
    }

    /// Waits for a change.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut message = Vec::with_capacity(MESSAGE_LEN);
        let mut changed = false;
        for _ in 0..INTERFACE_MESSAGES {
            let guard = if changed {
                match self.socket.poll_read_ready(cx) {
                    Poll::Ready(guard) => guard,
                    Poll::Pending => break,
                }
            } else {
                ready!(self.socket.poll_read_ready(cx))
            };
            let Ok(mut guard) = guard else { return Poll::Pending };
            message.clear();
            let read = guard.try_io(|socket| socket.get_ref().recv(&mut message, 0));
            // An error says that there was more than the kernel keeps.
            changed |= read.is_ok();
        }
        if changed { Poll::Ready(()) } else { self.poll_again(cx) }
    }

    /// Has `cx` woken by the next message; only would-blocks came so far.
    fn poll_again(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_read_ready(cx).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_told_while_nothing_changes() {
        let mut changes = Changes::listen().unwrap();

        let told = std::future::poll_fn(|cx| Poll::Ready(changes.poll_changed(cx))).await;

        assert!(told.is_pending());
    }
}
