//! Moons, and addresses that are another's.

use zt_protocol::address::MoonId;
use zt_protocol::event::StoreKey;
use zt_protocol::identity::Identity;
use zt_protocol::node::{Command, WorldsStatus};
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World as Definition, WorldKey, WorldKind};

use super::host::Power;
use super::world::{NodeId, World};
use crate::identities;

impl World {
    /// Signs revision `revision` of the moon that is named after the first of `roots`.
    ///
    /// # Panics
    ///
    /// If there are no roots, or more than a moon has room for.
    #[must_use]
    pub fn moon(&self, roots: &[NodeId], revision: u64, signer: &WorldKey) -> Definition {
        let id = MoonId::from(self.address_of(roots[0]));
        let root = |&root: &NodeId| Root {
            identity: *self.identity_of(root).public(),
            endpoints: self.internet.addresses(root),
        };
        let roots = roots.iter().map(root).collect();
        let (kind, timestamp) = (WorldKind::Moon, UnixMillis(revision));
        Definition::sign(kind, id.0, timestamp, roots, signer, signer.public())
            .expect("the roots are of this world")
    }

    /// Lets `node` orbit a moon it has the file of.
    pub fn orbit_moon(&mut self, node: NodeId, moon: &Definition) {
        self.start();
        let (moon, definition) = (MoonId(moon.id), Some(moon.clone()));
        self.command(node, Command::Orbit { moon, seed: None, definition });
    }

    /// Lets `node` orbit the moon named after its first root, which is asked for it.
    pub fn orbit(&mut self, node: NodeId, first_root: NodeId) {
        self.orbit_from(node, first_root, first_root);
    }

    /// Lets `node` orbit the moon named after `first_root` and ask `seed` for it.
    pub fn orbit_from(&mut self, node: NodeId, first_root: NodeId, seed: NodeId) {
        self.start();
        let moon = MoonId::from(self.address_of(first_root));
        let seed = Some(self.address_of(seed));
        self.command(node, Command::Orbit { moon, seed, definition: None });
    }

    /// Lets `node` do without the moon named after `first_root`.
    pub fn deorbit(&mut self, node: NodeId, first_root: NodeId) {
        let moon = MoonId::from(self.address_of(first_root));
        self.command(node, Command::Deorbit(moon));
    }

    /// Returns the worlds `node` goes by.
    #[must_use]
    pub fn worlds(&self, node: NodeId) -> WorldsStatus {
        self.node(node).worlds(self.now)
    }

    /// Makes `root` know another identity under the address of `node`. Before it starts only.
    pub fn give_address_away(&mut self, root: NodeId, node: NodeId) {
        let host = &self.hosts[root.0];
        assert_eq!(host.power, Power::New, "what a root knows is chosen before it starts");
        let address = self.address_of(node);
        let other = identities::identity(identities::COUNT - 1);
        let holder = Identity::from_parts(address, *other.public().public_key());
        let record = [&[2][..], &holder.to_bytes(), &[0; 10]].concat();
        self.hosts[root.0].disk.insert(StoreKey::Peer(address), record);
    }

    /// Gives `node` an identity nobody has had so far and starts it again, as a runtime does that
    /// is told that the address is lost.
    pub fn renew_identity(&mut self, node: NodeId) {
        let identity = identities::identity(identities::COUNT - 2);
        self.hosts[node.0].renew(&identity);
        self.restart(node);
    }
}
