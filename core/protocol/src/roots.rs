//! The roots in force: the planet's and those of accepted moons.
//!
//! Source: spec 02 §1.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use crate::address::Address;
use crate::event::{Event, StoreKey};
use crate::fastpath::tables::Tables;
use crate::identity::Identity;
use crate::outbox::Ctx;
use crate::status::Role;
use crate::world::{Root, World, WorldKind, WorldRefused};

/// The worlds in force and the roots they list.
pub struct Roots {
    me: Address,
    planet: World,
    /// By world ID.
    moons: BTreeMap<u64, World>,
    /// Every root but this node, with the union of its stable endpoints.
    upstreams: BTreeMap<Address, Vec<SocketAddr>>,
}

impl Roots {
    /// Takes worlds into force as they are: local files are trusted (spec 02 §1.4).
    #[must_use]
    pub fn new(me: Address, planet: World, moons: Vec<World>) -> Self {
        let moons = moons.into_iter().filter(|moon| moon.kind == WorldKind::Moon);
        let moons = moons.map(|moon| (moon.id, moon)).collect();
        let mut roots = Self { me, planet, moons, upstreams: BTreeMap::new() };
        roots.upstreams = roots.collect_upstreams();
        roots
    }

    /// Offers a world received from an upstream (spec 02 §1.3).
    ///
    /// If it replaces one in force, it is saved and the data plane told.
    ///
    /// # Errors
    ///
    /// [`WorldRefused`] if it replaces none: unknown, not newer, or signed with another key.
    pub fn offer(&mut self, ctx: &mut Ctx<'_>, world: World) -> Result<(), WorldRefused> {
        let (current, key) = match world.kind {
            WorldKind::Planet => (&mut self.planet, StoreKey::Planet),
            WorldKind::Moon => {
                let moon = self.moons.get_mut(&world.id).ok_or(WorldRefused::Unwanted)?;
                (moon, StoreKey::Moon(world.id))
            }
        };
        world.supersedes(current)?;
        ctx.out.events.push_back(Event::Store { key, value: Some(world.to_bytes()) });
        *current = world;
        self.upstreams = self.collect_upstreams();
        self.publish(ctx.tables);
        Ok(())
    }

    /// Tells the data plane who the roots are.
    pub fn publish(&self, tables: &mut Tables) {
        tables.is_upstream = self.lists_me();
        tables.upstreams = self.upstreams.keys().copied().collect();
    }

    /// Returns the planet in force.
    #[must_use]
    pub const fn planet(&self) -> &World {
        &self.planet
    }

    /// Returns the moons in force, by ascending ID.
    pub fn moons(&self) -> impl Iterator<Item = &World> {
        self.moons.values()
    }

    /// Returns every root but this node, with its stable endpoints.
    #[must_use]
    pub const fn upstreams(&self) -> &BTreeMap<Address, Vec<SocketAddr>> {
        &self.upstreams
    }

    /// Returns whether `address` is a root other than this node.
    #[must_use]
    pub fn is_upstream(&self, address: Address) -> bool {
        self.upstreams.contains_key(&address)
    }

    /// Returns whether this node is a root itself.
    #[must_use]
    pub fn lists_me(&self) -> bool {
        self.listed().any(|root| root.identity.address() == self.me)
    }

    /// Returns what the peer at `address` is to this node.
    #[must_use]
    pub fn role(&self, address: Address) -> Role {
        let is_in =
            |world: &World| world.roots.iter().any(|root| root.identity.address() == address);
        if is_in(&self.planet) {
            Role::Planet
        } else if self.moons.values().any(is_in) {
            Role::Moon
        } else {
            Role::Leaf
        }
    }

    /// Returns the identities of all roots but this node; a root in several worlds comes several
    /// times.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.listed().map(|root| &root.identity).filter(|identity| identity.address() != self.me)
    }

    /// Returns whether `ip` may lead to the peer at `address`: a root is reached only at its
    /// stable endpoints, if it has any (spec 02 §1.7).
    #[must_use]
    pub fn allows_endpoint(&self, address: Address, ip: IpAddr) -> bool {
        let mut entries =
            self.listed().filter(|root| root.identity.address() == address).peekable();
        entries.peek().is_none()
            || entries.any(|root| {
                root.endpoints.is_empty() || root.endpoints.iter().any(|known| known.ip() == ip)
            })
    }

    /// Returns every entry of every world in force, the planet's first.
    fn listed(&self) -> impl Iterator<Item = &Root> {
        self.planet.roots.iter().chain(self.moons.values().flat_map(|moon| &moon.roots))
    }

    fn collect_upstreams(&self) -> BTreeMap<Address, Vec<SocketAddr>> {
        let mut upstreams: BTreeMap<Address, Vec<SocketAddr>> = BTreeMap::new();
        for root in self.listed().filter(|root| root.identity.address() != self.me) {
            let endpoints = upstreams.entry(root.identity.address()).or_default();
            endpoints.extend(&root.endpoints);
            endpoints.sort_unstable();
            endpoints.dedup();
        }
        upstreams
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;

    const ME: Address = Address::from_u64(0x9c_f5fc_3d2f);
    const IN_BOTH: Address = Address::from_u64(0xd5_b4de_ab9d);
    const IN_MOON: Address = Address::from_u64(0x59_e377_7b55);
    const ANYWHERE: Address = Address::from_u64(0xda_1bbc_2518);

    fn root(address: Address, endpoints: &[&str]) -> Root {
        let endpoints = endpoints.iter().map(|text| text.parse().unwrap()).collect();
        Root { identity: Identity::from_parts(address, [0; 64]), endpoints }
    }

    fn world(kind: WorldKind, roots: Vec<Root>) -> World {
        World {
            kind,
            id: 1,
            timestamp: UnixMillis(1),
            updates_signed_by: [0; 64],
            signature: [0; 96],
            roots,
        }
    }

    fn roots() -> Roots {
        let planet = vec![root(IN_BOTH, &["5.1.0.1:9993"]), root(ANYWHERE, &[])];
        let moon = vec![
            root(ME, &["5.2.0.1:9993"]),
            root(IN_BOTH, &["5.1.0.1:9993", "5.1.0.2:9993"]),
            root(IN_MOON, &["5.3.0.1:9993"]),
        ];
        let moons = vec![world(WorldKind::Moon, moon)];
        Roots::new(ME, world(WorldKind::Planet, planet), moons)
    }

    #[test]
    fn upstreams_are_the_roots_of_all_worlds_but_this_node() {
        let roots = roots();

        let upstreams: Vec<Address> = roots.upstreams().keys().copied().collect();

        assert_eq!(upstreams, [IN_MOON, IN_BOTH, ANYWHERE]);
        assert_eq!(roots.upstreams()[&IN_BOTH].len(), 2);
        assert!(roots.lists_me());
    }

    #[test]
    fn the_planet_decides_the_role_before_moons() {
        let roots = roots();

        assert_eq!(roots.role(IN_BOTH), Role::Planet);
        assert_eq!(roots.role(IN_MOON), Role::Moon);
        assert_eq!(roots.role(Address::from_u64(7)), Role::Leaf);
    }

    #[test]
    fn a_root_is_reached_at_its_stable_endpoints_only() {
        let roots = roots();
        let allows = |address, ip: &str| roots.allows_endpoint(address, ip.parse().unwrap());

        assert!(allows(IN_BOTH, "5.1.0.2"));
        assert!(!allows(IN_BOTH, "5.9.9.9"));
        assert!(allows(ANYWHERE, "5.9.9.9"));
        assert!(allows(Address::from_u64(7), "5.9.9.9"));
    }
}
