//! Requests to the kernel's routing by route netlink (`rtnetlink(7)`).

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, NetlinkHeader};
use netlink_packet_route::AddressFamily;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// Marks routes and policy rules as set by this program (`/etc/iproute2/rt_protos`: unassigned).
pub(crate) const PROTOCOL: u8 = 93;

/// Room for the kernel's answer: an error and the message it is about.
const ANSWER_LEN: usize = 4_096;

/// A connection to the kernel's routing.
pub(crate) struct Netlink {
    socket: Socket,
}

impl Netlink {
    /// Connects; needs no rights.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket })
    }

    /// Sends one request, of a type such as `RTM_NEWROUTE`, and waits for the kernel's answer, which
    /// comes at once.
    ///
    /// Typed by the message and not by the crate's enum of all: reading and writing all there are
    /// would take as much code as the protocol.
    pub(crate) fn request(
        &mut self,
        kind: u16,
        message: &impl Emitable,
        flags: u16,
    ) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        let len = header.buffer_len() + message.buffer_len();
        header.length = u32::try_from(len).map_err(io::Error::other)?;
        header.message_type = kind;
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut request = vec![0; len];
        header.emit(&mut request);
        message.emit(&mut request[header.buffer_len()..]);
        self.socket.send(&request, 0)?;

        let mut answer = Vec::with_capacity(ANSWER_LEN);
        self.socket.recv(&mut answer, 0)?;
        read(&answer)
    }
}

/// Reads the answer to a request: a header, whose second field is the type, and a code, negative
/// unless all went well (`struct nlmsghdr`, `struct nlmsgerr`).
fn read(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..).and_then(<[u8]>::first_chunk);
    let code = answer.get(16..).and_then(<[u8]>::first_chunk);
    let (Some(&kind), Some(&code)) = (kind, code) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    match (u16::from_ne_bytes(kind), i32::from_ne_bytes(code)) {
        (NLMSG_ERROR, 0) => Ok(()),
        (NLMSG_ERROR, code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

pub(crate) const fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_an_error_with_a_code_or_none() {
        let answer = |kind: u16, code: i32| {
            let head = [&[36, 0, 0, 0][..], &kind.to_ne_bytes(), &[0; 10]].concat();
            [head, code.to_ne_bytes().to_vec(), vec![0; 16]].concat()
        };
        let code = |answer: &[u8]| read(answer).map_err(|error| error.raw_os_error());

        assert_eq!(code(&answer(NLMSG_ERROR, 0)), Ok(()));
        assert_eq!(code(&answer(NLMSG_ERROR, -libc::ESRCH)), Err(Some(libc::ESRCH)));
        assert_eq!(code(&answer(NLMSG_ERROR, i32::MIN)), Err(Some(i32::MAX)));
        assert_eq!(code(&answer(NLMSG_ERROR + 1, 0)), Err(None), "it answers something else");
        for len in 0..20 {
            assert_eq!(code(&answer(NLMSG_ERROR, 0)[..len]), Err(None), "{len}");
        }
    }
}
