//! What a [`SocketId`] stands for: a socket, and the address its datagrams leave from.

use std::net::IpAddr;

use zt_protocol::endpoint::SocketId;

use crate::limits::LOCAL_ADDRESSES_MAX;

/// The table of [`SocketId`]s. The first stand for the sockets, the others for the addresses
/// datagrams have arrived at on wildcard sockets.
#[derive(Debug)]
pub(super) struct Sources {
    sockets: usize,
    known: Vec<Source>,
}

/// Where datagrams leave from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Source {
    /// Which socket.
    pub(super) socket: usize,
    /// From which address; `None` leaves it to the kernel.
    pub(super) ip: Option<IpAddr>,
    /// The address this entry was made for, which may have left the machine since.
    made_for: IpAddr,
}

impl Sources {
    /// Returns the table of sockets bound to the addresses `bound`.
    pub(super) fn new(bound: impl IntoIterator<Item = IpAddr>) -> Self {
        let known: Vec<_> = bound
            .into_iter()
            .enumerate()
            .map(|(socket, made_for)| Source { socket, ip: None, made_for })
            .collect();

        Self { sockets: known.len(), known }
    }

    /// Returns the ID of what arrives at address `ip` on socket number `socket`.
    pub(super) fn id(&mut self, socket: usize, ip: Option<IpAddr>) -> SocketId {
        let itself = socket;
        let wildcard = self.known[itself].made_for.is_unspecified();
        let Some(ip) = ip.filter(|_| wildcard) else {
            return id_of(itself);
        };

        if let Some(index) = self.known.iter().position(|source| source.made_for == ip) {
            self.known[index].ip = Some(ip);
            return id_of(index);
        }
        if self.known.len() >= LOCAL_ADDRESSES_MAX {
            return id_of(itself);
        }
        self.known.push(Source { socket, ip: Some(ip), made_for: ip });
        id_of(self.known.len() - 1)
    }

    /// Returns where datagrams on `id` leave from: from every socket if the ID is
    /// [`SocketId::ALL`] or none this table has given.
    pub(super) fn of(&self, id: SocketId) -> &[Source] {
        let all = &self.known[..self.sockets];
        usize::try_from(id.0).ok().and_then(|index| self.known.get(index..=index)).unwrap_or(all)
    }

    /// Leaves the choice of address to the kernel where the machine no longer has it. Returns
    /// whether that was so anywhere.
    pub(super) fn keep(&mut self, addresses: &[IpAddr]) -> bool {
        let mut lost = false;
        for source in &mut self.known {
            if source.ip.take_if(|ip| !addresses.contains(ip)).is_some() {
                lost = true;
            }
        }
        lost
    }
}

fn id_of(index: usize) -> SocketId {
    // The table has at most `LOCAL_ADDRESSES_MAX` entries.
    SocketId(u32::try_from(index).unwrap_or(SocketId::ALL.0))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn each_address_of_a_wildcard_socket_answers_for_itself() {
        let mut sources = Sources::new([Ipv4Addr::UNSPECIFIED.into()]);

        let first = sources.id(0, Some(FIRST));
        let second = sources.id(0, Some(SECOND));

        assert_ne!(first, second);
        assert_eq!(sources.id(0, Some(FIRST)), first);
        assert_eq!(sources.of(first)[0].ip, Some(FIRST));
        assert_eq!(sources.of(second)[0].ip, Some(SECOND));
    }

    #[test]
    fn a_socket_bound_to_one_address_has_one_id() {
        let mut sources = Sources::new([FIRST, SECOND]);

        assert_eq!(sources.id(1, Some(SECOND)), SocketId(1));
        assert_eq!(sources.of(SocketId(1))[0].socket, 1);
        assert_eq!(sources.of(SocketId::ALL).len(), 2);
        assert_eq!(sources.of(SocketId(7)).len(), 2);
    }

    #[test]
    fn an_address_that_left_the_machine_is_not_sent_from_until_it_is_back() {
        let mut sources = Sources::new([Ipv4Addr::UNSPECIFIED.into()]);
        let id = sources.id(0, Some(FIRST));

        assert!(sources.keep(&[SECOND]));
        assert_eq!(sources.of(id)[0].ip, None);
        assert!(!sources.keep(&[SECOND]));

        assert_eq!(sources.id(0, Some(FIRST)), id);
        assert_eq!(sources.of(id)[0].ip, Some(FIRST));
    }

    #[test]
    fn addresses_beyond_the_bound_share_the_sockets_own_id() {
        let mut sources = Sources::new([Ipv4Addr::UNSPECIFIED.into()]);

        for last in 0..=255 {
            sources.id(0, Some(IpAddr::from([198, 51, 100, last])));
        }

        assert_eq!(sources.known.len(), LOCAL_ADDRESSES_MAX);
        assert_eq!(sources.id(0, Some(FIRST)), SocketId(0));
    }
}
