//! What is saved of a peer: who it is and where it was.
//!
//! ```text
//!  0         1          72         74      76      78         80
//!  +---------+----------+----------+-------+-------+----------+-------+-----------
//!  | version | identity | protocol | major | minor | revision | count | paths ..
//!  | 2       | (71)     |          |       |       |          |       | (inet)
//!  +---------+----------+----------+-------+-------+----------+-------+-----------
//! ```
//!
//! Source: spec 02 §12.

use core::net::SocketAddr;
use core::time::Duration;

use crate::address::Address;
use crate::error::{Malformed, Rejected};
use crate::event::{Event, IdentitySource, StoreKey};
use crate::identity::Identity;
use crate::limits::{GREETED_AT_START_MAX, GREETED_AT_START_MAX_ROOT, PATHS_PER_PEER_MAX};
use crate::outbox::Ctx;
use crate::peer::path::Known;
use crate::peer::{Peer, Peers, hello, is_usable};
use crate::roots::Roots;
use crate::time::Instant;
use crate::wire::cursor::{Put as _, Reader};
use crate::wire::inet;

const RECORD_VERSION: u8 = 2;

/// How often a peer whose paths take turns is saved.
const SAVE_PERIOD: Duration = Duration::from_secs(60);

impl Peer {
    /// Returns whether the peer is due to be saved, and counts that as done.
    ///
    /// Members of this node's networks are saved as soon as they are reached directly: a host may
    /// end without notice, and they shall be found again even if no root is there to ask.
    pub(super) fn take_saving(&mut self, now: Instant, is_root: bool) -> bool {
        if self.selected.is_none() || !(is_root || self.is_trusted(now)) {
            return false;
        }
        let due = self
            .saved
            .is_none_or(|(at, path)| path != self.selected && now.since(at) >= SAVE_PERIOD);
        if due {
            self.saved = Some((now, self.selected));
        }
        due
    }

    /// Returns the record of this peer.
    pub(super) fn to_record(&self) -> Vec<u8> {
        let version =
            self.version.map(|v| [v.protocol.into(), v.major.into(), v.minor.into(), v.revision]);
        let mut out = vec![RECORD_VERSION];
        out.put(&self.identity.to_bytes());
        for number in version.unwrap_or_default() {
            out.put_u16(number);
        }
        // What the TCP relay says may be anybody's address.
        let by_udp = self.paths.iter().map(Known::path).filter(|path| !path.is_through_tcp_relay());
        let count = by_udp.clone().count();
        out.put_u16(u16::try_from(count).expect("a peer has at most 64 paths"));
        for path in by_udp {
            inet::write(&mut out, Some(path.remote));
        }
        out
    }
}

/// Reads who a record is of, and where the peer was. Addresses after a malformed one are lost.
fn read(record: &[u8]) -> Result<(Identity, Vec<SocketAddr>), Malformed> {
    let mut reader = Reader::new("peer record", record);
    let version = reader.u8()?;
    if version != RECORD_VERSION {
        return Err(Malformed::Undefined { field: "peer record version", value: version.into() });
    }
    let identity = reader.value(Identity::read_prefix)?;
    let _announced: [u16; 4] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let count = usize::from(reader.u16()?).min(PATHS_PER_PEER_MAX);
    let addresses = core::iter::from_fn(|| inet::read(&mut reader).ok());
    Ok((identity, addresses.take(count).flatten().collect()))
}

impl Peers {
    /// Remembers a peer saved earlier and, if it is one of the first, greets it wherever it was.
    ///
    /// The identity is not validated again. If it contradicts what is known, it is removed.
    ///
    /// # Errors
    ///
    /// [`Rejected::Malformed`], and what [`learn`](Self::learn) refuses.
    pub fn load(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        record: &[u8],
    ) -> Result<(), Rejected> {
        let (identity, addresses) = read(record)?;
        let is_root = ctx.tables.is_upstream;
        let max = if is_root { GREETED_AT_START_MAX_ROOT } else { GREETED_AT_START_MAX };
        let is_known = match self.knows(ctx, &identity) {
            Err(Rejected::IdentityCollision) => {
                let key = StoreKey::Peer(identity.address());
                ctx.out.events.push_back(Event::Store { key, value: None });
                self.refused(ctx, &identity, IdentitySource::Saved);
                return Ok(());
            }
            // It may be wanted again later.
            Err(Rejected::NotPinned) => return Ok(()),
            known => known?,
        };
        if self.greeted_at_start >= max {
            if !is_known {
                let has_room = !ctx.is_full;
                if has_room {
                    self.acquaintances.add(identity, is_root);
                }
            }
            return Ok(());
        }
        self.greeted_at_start += 1;
        self.learn(ctx, &identity)?;
        self.try_configured(ctx, roots, identity.address());
        for remote in addresses {
            if is_usable(ctx.tables, roots, identity.address(), remote.ip()) {
                hello::greet(ctx, roots, identity.address(), remote);
            }
        }
        Ok(())
    }

    /// Has a peer saved without whom others cannot be judged, such as the controller that signs
    /// their certificates.
    pub fn remember(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        self.see(ctx, address);
        if let Some(peer) = self.peers.get_mut(&address)
            && peer.saved.is_none()
        {
            peer.saved = Some((ctx.now, peer.selected));
            save(ctx, address, peer);
        }
    }

    /// Has every peer saved.
    pub fn save_all(&self, ctx: &mut Ctx<'_>) {
        for (&address, peer) in &self.peers {
            save(ctx, address, peer);
        }
    }
}

/// Has a peer saved.
pub(super) fn save(ctx: &mut Ctx<'_>, address: Address, peer: &Peer) {
    let (key, value) = (StoreKey::Peer(address), Some(peer.to_record()));
    ctx.out.events.push_back(Event::Store { key, value });
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;
    use crate::endpoint::{Path, SocketId};
    use crate::time::Instant;
    use crate::wire::hello::Version;

    /// From peer_cache.json, "record of A".
    const RECORD: [u8; 89] = hex!(
        "02"
        "9cf5fc3d2f00712c556f12709c19210eb118342dfd34ed00f817254a0415bb21549b18ae5a380ad6"
        "bf8c83b5ffd8c7e6a3b2d6e593d2d91aa7a2a0c829e3d68c3997a11d358200"
        "000c0001000e0001"
        "0001"
        "04050200012709"
    );

    #[test]
    fn a_record_is_the_references() {
        let (identity, addresses) = read(&RECORD).unwrap();
        assert_eq!(identity.address().to_string(), "9cf5fc3d2f");
        assert_eq!(addresses, ["5.2.0.1:9993".parse().unwrap()]);

        let mut peer = Peer::new(Instant::ZERO, identity);
        peer.version = Some(Version { protocol: 12, major: 1, minor: 14, revision: 1 });
        let path = Path { local: SocketId(1), remote: addresses[0] };
        peer.paths.arrived(Instant::ZERO, path, true, false, || true);
        assert_eq!(peer.to_record(), RECORD);
    }

    #[test]
    fn a_record_cut_within_its_addresses_keeps_those_before() {
        for len in 0..RECORD.len() {
            let cut = read(&RECORD[..len]);

            assert_eq!(cut.is_ok(), len >= RECORD.len() - 7, "{len}");
            assert!(cut.is_err() || cut.unwrap().1.is_empty(), "{len}");
        }
    }

    #[test]
    fn other_versions_are_refused() {
        let mut record = RECORD;
        record[0] = 1;

        assert!(read(&record).is_err());
    }
}
