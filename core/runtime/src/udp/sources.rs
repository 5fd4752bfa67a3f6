//! The [`SocketId`]s of addresses that datagrams have arrived at on wildcard sockets.

use std::net::IpAddr;

use zt_protocol::endpoint::SocketId;

use crate::limits::LOCAL_ADDRESSES_MAX;
use crate::udp::Ids;

/// The table of such IDs.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

/// Where datagrams leave from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Source {
    id: SocketId,
    /// From which socket.
    pub(super) socket: SocketId,
    /// From which address.
    pub(super) ip: IpAddr,
}

impl Sources {
    /// Returns the ID of what arrives at address `ip` on a wildcard socket: the socket's own if
    /// there are too many addresses.
    pub(super) fn id(&mut self, ids: &mut Ids, socket: SocketId, ip: IpAddr) -> SocketId {
        let known = self.0.iter().find(|source| (source.socket, source.ip) == (socket, ip));
        if let Some(source) = known {
            return source.id;
        }
        if self.0.len() >= LOCAL_ADDRESSES_MAX {
            return socket;
        }
        let id = ids.next();
        self.0.push(Source { id, socket, ip });
        id
    }

    /// Returns what `id` stands for, if it is that of an address.
    pub(super) fn of(&self, id: SocketId) -> Option<&Source> {
        self.0.iter().find(|source| source.id == id)
    }

    /// Forgets addresses the machine does not have any more; returns their IDs.
    pub(super) fn keep(&mut self, addresses: &[IpAddr]) -> Vec<SocketId> {
        self.forget(|source| !addresses.contains(&source.ip))
    }

    /// Forgets the addresses of sockets that are closed; returns their IDs.
    pub(super) fn close(&mut self, sockets: &[SocketId]) -> Vec<SocketId> {
        self.forget(|source| sockets.contains(&source.socket))
    }

    fn forget(&mut self, is_gone: impl Fn(&Source) -> bool) -> Vec<SocketId> {
        self.0.extract_if(.., |source| is_gone(source)).map(|source| source.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    const PRIMARY: SocketId = SocketId(90);
    const SECONDARY: SocketId = SocketId(91);

    #[test]
    fn each_address_of_each_socket_answers_for_itself() {
        let (mut sources, mut ids) = (Sources::default(), Ids::default());

        let first = sources.id(&mut ids, PRIMARY, FIRST);
        let second = sources.id(&mut ids, PRIMARY, SECOND);
        let third = sources.id(&mut ids, SECONDARY, FIRST);

        assert_eq!(sources.id(&mut ids, PRIMARY, FIRST), first);
        assert_eq!(sources.of(second).unwrap().ip, SECOND);
        assert_eq!(sources.of(third).unwrap().socket, SECONDARY);
        assert_eq!(sources.of(PRIMARY), None);
    }

    #[test]
    fn an_address_that_left_the_machine_is_another_when_it_is_back() {
        let (mut sources, mut ids) = (Sources::default(), Ids::default());
        let id = sources.id(&mut ids, PRIMARY, FIRST);

        assert_eq!(sources.keep(&[SECOND]), [id]);
        assert_eq!(sources.keep(&[SECOND]), []);
        assert_eq!(sources.of(id), None);
        assert_ne!(sources.id(&mut ids, PRIMARY, FIRST), id);
    }

    #[test]
    fn a_socket_that_is_closed_takes_its_addresses_along() {
        let (mut sources, mut ids) = (Sources::default(), Ids::default());
        let first = sources.id(&mut ids, PRIMARY, FIRST);
        let second = sources.id(&mut ids, SECONDARY, FIRST);

        assert_eq!(sources.close(&[PRIMARY]), [first]);
        assert!(sources.of(second).is_some());
    }

    #[test]
    fn addresses_beyond_the_bound_share_the_sockets_own_id() {
        let (mut sources, mut ids) = (Sources::default(), Ids::default());

        for last in 0..=255 {
            sources.id(&mut ids, PRIMARY, IpAddr::from([198, 51, 100, last]));
        }

        assert_eq!(sources.0.len(), LOCAL_ADDRESSES_MAX);
        assert_eq!(sources.id(&mut ids, PRIMARY, FIRST), PRIMARY);
    }
}
