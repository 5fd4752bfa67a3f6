//! The roots in force: the planet's and those of accepted moons; and moons that are wanted.
//!
//! | a world | comes from | and is accepted if |
//! |---|---|---|
//! | any | the host's files | it is a planet or moon at all: the disk is trusted |
//! | a later revision | a root, or a seed | the key that the revision in force names signed it |
//! | the first copy of a moon | the seed the host named | the seed is a root of it |
//!
//! Like the reference, a first copy is taken whoever signed it: there is no earlier key to hold it
//! to, one it names itself proves nothing, and after a key has changed hands the copy is not even
//! signed by that. What vouches for it is the seed. So unlike the reference, which takes it from
//! any root, it must come from the seed itself; and whatever comes over the network must list
//! roots whose addresses are derived from their keys.
//!
//! Unlike the reference's, the list of wanted moons is saved: who orbits a moon while its root is
//! down has it when both are up.
//!
//! Source: spec 02 §1.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, MoonId};
use crate::command::CommandError;
use crate::event::{Event, StoreKey};
use crate::fastpath::tables::Tables;
use crate::identity::Identity;
use crate::limits::{MOONS_MAX, SEEDS_PER_MOON_MAX, WORLD_CHECK_INTERVAL};
use crate::outbox::Ctx;
use crate::status::{
    Contact, RefusedWorld, Role, RootStatus, WantedMoon, WorldStatus, WorldsStatus,
};
use crate::time::{Instant, UnixMillis};
use crate::wire::hello::WorldRevision;
use crate::world::{Root, World, WorldKind, WorldRefused};

/// The worlds in force and the roots they list.
pub struct Roots {
    me: Address,
    planet: World,
    moons: BTreeMap<MoonId, World>,
    /// Moons asked for that are not here, and who is asked for them.
    wanted: BTreeMap<MoonId, BTreeSet<Address>>,
    /// The last offer not accepted under the planet's ID (`None`) or that of a moon in force or
    /// wanted, and when it came.
    refused: BTreeMap<Option<MoonId>, (Instant, RefusedWorld)>,
    /// Every root but this node, with the union of its stable endpoints.
    upstreams: BTreeMap<Address, Vec<SocketAddr>>,
}

impl Roots {
    /// Takes worlds into force as they are: local files are trusted (spec 02 §1.4).
    ///
    /// Of more than [`MOONS_MAX`] moons those with the lowest IDs count.
    #[must_use]
    pub fn new(me: Address, planet: World, moons: Vec<World>) -> Self {
        let moons = moons.into_iter().filter(|moon| moon.kind == WorldKind::Moon);
        let mut moons: BTreeMap<_, _> = moons.map(|moon| (MoonId(moon.id), moon)).collect();
        while moons.len() > MOONS_MAX {
            if let Some((moon, _)) = moons.pop_last() {
                log::warn!("moon {moon} is left out: {}", WorldRefused::TooManyMoons);
            }
        }
        let (wanted, refused) = (BTreeMap::new(), BTreeMap::new());
        let upstreams = BTreeMap::new();
        let mut roots = Self { me, planet, moons, wanted, refused, upstreams };
        roots.upstreams = roots.collect_upstreams();
        roots
    }

    /// Takes a moon the host has into force, or has it asked for.
    ///
    /// # Errors
    ///
    /// [`CommandError::World`], [`CommandError::NobodyToAsk`], [`CommandError::TooMany`].
    pub fn orbit(
        &mut self,
        ctx: &mut Ctx<'_>,
        moon: MoonId,
        seed: Option<Address>,
        definition: Option<World>,
    ) -> Result<(), CommandError> {
        match (definition, self.moons.get(&moon)) {
            (Some(world), _) if (world.kind, world.id) != (WorldKind::Moon, moon.0) => {
                Err(WorldRefused::OtherWorld.into())
            }
            (Some(world), Some(current)) if world == *current => Ok(()),
            (Some(world), Some(current)) => match world.supersedes(current) {
                Ok(()) => {
                    self.accept(ctx, world);
                    Ok(())
                }
                Err(why) => {
                    self.refuse(ctx.now, Some(moon), None, world.timestamp, why);
                    Err(why.into())
                }
            },
            (Some(world), None) => {
                self.make_room(moon)?;
                self.accept(ctx, world);
                Ok(())
            }
            (None, Some(_)) => Ok(()),
            (None, None) => self.want(ctx, moon, seed),
        }
    }

    /// Has `seed` asked for a moon that is not here.
    fn want(
        &mut self,
        ctx: &mut Ctx<'_>,
        moon: MoonId,
        seed: Option<Address>,
    ) -> Result<(), CommandError> {
        let seed = seed.filter(|&seed| !seed.is_reserved() && seed != self.me);
        let seed = seed.ok_or(CommandError::NobodyToAsk(moon))?;
        self.make_room(moon)?;
        let seeds = self.wanted.entry(moon).or_default();
        if seeds.len() >= SEEDS_PER_MOON_MAX && !seeds.contains(&seed) {
            return Err(CommandError::TooMany("roots to ask for one moon"));
        }
        if seeds.insert(seed) {
            let lines: String = seeds.iter().map(|seed| format!("{seed}\n")).collect();
            let value = Some(lines.into_bytes());
            ctx.out.events.push_back(Event::Store { key: StoreKey::WantedMoon(moon), value });
        }
        Ok(())
    }

    /// Checks that there may be a moon of this ID beside those there are.
    fn make_room(&self, moon: MoonId) -> Result<(), CommandError> {
        let is_new = !self.moons.contains_key(&moon) && !self.wanted.contains_key(&moon);
        if is_new && self.moons.len() + self.wanted.len() >= MOONS_MAX {
            return Err(WorldRefused::TooManyMoons.into());
        }
        Ok(())
    }

    /// Gives a moon up, or no longer asks for it.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotOrbiting`].
    pub fn deorbit(&mut self, ctx: &mut Ctx<'_>, moon: MoonId) -> Result<(), CommandError> {
        let had = self.moons.remove(&moon).is_some();
        let wanted = self.wanted.remove(&moon).is_some();
        if !had && !wanted {
            return Err(CommandError::NotOrbiting(moon));
        }
        self.refused.remove(&Some(moon));
        if wanted {
            let key = StoreKey::WantedMoon(moon);
            ctx.out.events.push_back(Event::Store { key, value: None });
        }
        if had {
            let key = StoreKey::Moon(moon);
            ctx.out.events.push_back(Event::Store { key, value: None });
            self.changed(ctx);
        }
        Ok(())
    }

    /// Offers a world received from `from`, a root or a seed (spec 02 §1.3, §1.6).
    ///
    /// If it is accepted, it is saved and the data plane told. Takes tens of milliseconds for
    /// every root that is not listed yet and of whose identity `is_valid` does not say that it was
    /// validated before, if the world is signed well or comes from a seed.
    ///
    /// # Errors
    ///
    /// [`WorldRefused`] if it is not accepted.
    pub fn offer(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Address,
        world: World,
        is_valid: impl Fn(&Identity) -> bool,
    ) -> Result<(), WorldRefused> {
        let key = match world.kind {
            WorldKind::Planet => None,
            WorldKind::Moon => Some(MoonId(world.id)),
        };
        match self.check(ctx.now, from, key, &world, is_valid) {
            Ok(()) => {
                self.accept(ctx, world);
                Ok(())
            }
            Err(why) => {
                self.refuse(ctx.now, key, Some(from), world.timestamp, why);
                Err(why)
            }
        }
    }

    /// Decides whether a world from the network comes into force.
    fn check(
        &self,
        now: Instant,
        from: Address,
        key: Option<MoonId>,
        world: &World,
        is_valid: impl Fn(&Identity) -> bool,
    ) -> Result<(), WorldRefused> {
        let lists = |address| world.roots.iter().any(|root| root.identity.address() == address);
        match key.map_or(Some(&self.planet), |moon| self.moons.get(&moon)) {
            Some(current) => world.supersedes(current)?,
            None => {
                let seeds = key.and_then(|moon| self.wanted.get(&moon));
                let seeds = seeds.ok_or(WorldRefused::Unwanted)?;
                if !seeds.contains(&from) || !lists(from) {
                    return Err(WorldRefused::NotFromSeed);
                }
            }
        }
        if let Some(&(then, RefusedWorld { why: why @ WorldRefused::InvalidRoot(_), .. })) =
            self.refused.get(&key)
            && now.since(then) < WORLD_CHECK_INTERVAL
        {
            return Err(why);
        }
        let is_listed = |identity: &Identity| self.listed().any(|root| root.identity == *identity);
        let mut identities = world.roots.iter().map(|root| &root.identity);
        match identities.find(|one| !(is_listed(one) || is_valid(one) || one.is_valid())) {
            Some(forged) => Err(WorldRefused::InvalidRoot(forged.address())),
            None => Ok(()),
        }
    }

    /// Takes a world into force and has it saved.
    fn accept(&mut self, ctx: &mut Ctx<'_>, world: World) {
        let value = Some(world.to_bytes());
        let key = match world.kind {
            WorldKind::Planet => {
                self.refused.remove(&None);
                self.planet = world;
                StoreKey::Planet
            }
            WorldKind::Moon => {
                let moon = MoonId(world.id);
                self.refused.remove(&Some(moon));
                self.moons.insert(moon, world);
                if self.wanted.remove(&moon).is_some() {
                    let key = StoreKey::WantedMoon(moon);
                    ctx.out.events.push_back(Event::Store { key, value: None });
                }
                StoreKey::Moon(moon)
            }
        };
        ctx.out.events.push_back(Event::Store { key, value });
        self.changed(ctx);
    }

    /// Takes note of an offer that was not accepted, if it is news to whoever asks.
    fn refuse(
        &mut self,
        now: Instant,
        key: Option<MoonId>,
        from: Option<Address>,
        timestamp: UnixMillis,
        why: WorldRefused,
    ) {
        // Several roots may answer one HELLO with the same revision.
        if matches!(why, WorldRefused::NotNewer | WorldRefused::Unwanted) {
            return;
        }
        let is_fresh = |&(then, last): &(Instant, RefusedWorld)| {
            last.why == why && now.since(then) < WORLD_CHECK_INTERVAL
        };
        if !self.refused.get(&key).is_some_and(is_fresh) {
            self.refused.insert(key, (now, RefusedWorld { timestamp, from, why }));
        }
    }

    /// Makes everybody go by the worlds in force.
    fn changed(&mut self, ctx: &mut Ctx<'_>) {
        self.upstreams = self.collect_upstreams();
        self.publish(ctx.tables);
        ctx.out.events.push_back(Event::Worlds);
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

    /// Returns what HELLO announces: the moons in force, then those wanted, with timestamp 0.
    #[must_use]
    pub fn announced_moons(&self) -> Vec<WorldRevision> {
        let here = self.moons().map(|moon| (moon.id, moon.timestamp));
        let wanted = self.wanted.keys().map(|moon| (moon.0, UnixMillis(0)));
        here.chain(wanted).map(|(id, timestamp)| WorldRevision { id, timestamp }).collect()
    }

    /// Returns who is asked for moons; who is asked for several comes several times.
    pub fn seeds(&self) -> impl Iterator<Item = Address> {
        self.wanted.values().flatten().copied()
    }

    /// Returns whether worlds from the peer at `address` are looked at: it is a root, or a moon is
    /// wanted of it.
    #[must_use]
    pub fn may_offer(&self, address: Address) -> bool {
        self.is_upstream(address) || self.seeds().any(|seed| seed == address)
    }

    /// Returns how things stand; `contact` says how a root is reached.
    pub fn status(&self, contact: impl Fn(Address) -> Contact) -> WorldsStatus {
        let refused = |key| self.refused.get(&key).map(|&(_, refused)| refused);
        let status = |world: &World, key| WorldStatus {
            id: world.id,
            timestamp: world.timestamp,
            roots: world.roots.iter().map(|root| self.root_status(root, &contact)).collect(),
            refused: refused(key),
        };
        let wanted = self.wanted.iter().map(|(&id, seeds)| WantedMoon {
            id,
            seeds: seeds.iter().copied().collect(),
            refused: refused(Some(id)),
        });
        WorldsStatus {
            planet: status(&self.planet, None),
            moons: self.moons.iter().map(|(&id, moon)| status(moon, Some(id))).collect(),
            wanted: wanted.collect(),
        }
    }

    fn root_status(&self, root: &Root, contact: impl Fn(Address) -> Contact) -> RootStatus {
        let address = root.identity.address();
        RootStatus {
            identity: root.identity,
            endpoints: root.endpoints.clone(),
            contact: if address == self.me { Contact::Me } else { contact(address) },
        }
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

    /// Returns whether this node is a root of moons only, and so defers to the planet's.
    #[must_use]
    pub fn is_moon_root(&self) -> bool {
        self.lists_me() && self.role(self.me) != Role::Planet
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
    use crate::identity::SecretIdentity;
    use crate::outbox::Outbox;
    use crate::rng::Rng;

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

    /// What a subsystem needs to be lent, with nothing in it.
    struct Lent {
        me: SecretIdentity,
        rng: Rng,
        tables: Tables,
        out: Outbox,
    }

    impl Lent {
        fn new() -> Self {
            let mut rng = Rng::from_seed([1; 32]);
            let me = SecretIdentity::generate(&mut rng);
            let (tables, out) = (Tables::new(me.address(), 0), Outbox::default());
            Self { me, rng, tables, out }
        }

        fn ctx(&mut self) -> Ctx<'_> {
            Ctx {
                now: Instant::ZERO,
                unix: UnixMillis(1),
                rng: &mut self.rng,
                me: &self.me,
                is_full: false,
                tables: &mut self.tables,
                out: &mut self.out,
            }
        }
    }

    #[test]
    fn moons_and_wishes_have_one_bound() {
        let mut lent = Lent::new();
        let ctx = &mut lent.ctx();
        let mut roots = roots();
        let too_many = Err(CommandError::World(WorldRefused::TooManyMoons));
        for id in 2..=MOONS_MAX as u64 {
            roots.orbit(ctx, MoonId(id), Some(IN_MOON), None).unwrap();
        }

        assert_eq!(roots.orbit(ctx, MoonId(99), Some(IN_MOON), None), too_many);
        let moon = World { id: 99, ..world(WorldKind::Moon, vec![]) };
        assert_eq!(roots.orbit(ctx, MoonId(99), None, Some(moon)), too_many);
        assert_eq!(roots.announced_moons().len(), MOONS_MAX);
        roots.deorbit(ctx, MoonId(2)).unwrap();
        assert_eq!(roots.orbit(ctx, MoonId(99), Some(IN_MOON), None), Ok(()));
        assert_eq!(roots.deorbit(ctx, MoonId(2)), Err(CommandError::NotOrbiting(MoonId(2))));
    }

    #[test]
    fn somebody_has_to_be_asked_for_a_moon_that_is_not_here() {
        let mut lent = Lent::new();
        let ctx = &mut lent.ctx();
        let mut roots = roots();
        let mut ask = |seed| roots.orbit(ctx, MoonId(7), seed, None);

        assert_eq!(ask(None), Err(CommandError::NobodyToAsk(MoonId(7))));
        assert_eq!(ask(Some(ME)), Err(CommandError::NobodyToAsk(MoonId(7))));
        for seed in 1..=SEEDS_PER_MOON_MAX as u64 {
            assert_eq!(ask(Some(Address::from_u64(seed))), Ok(()));
        }
        assert!(matches!(ask(Some(Address::from_u64(9))), Err(CommandError::TooMany(_))));
        assert_eq!(ask(Some(Address::from_u64(1))), Ok(()), "it is asked already");
    }

    #[test]
    fn a_moon_from_the_network_lists_no_root_that_is_made_up() {
        let mut lent = Lent::new();
        let ctx = &mut lent.ctx();
        let mut roots = roots();
        let seed = Address::from_u64(0x01_0203_0405);
        let moon = World { id: 7, ..world(WorldKind::Moon, vec![root(seed, &[])]) };
        roots.orbit(ctx, MoonId(7), Some(seed), None).unwrap();

        assert_eq!(
            roots.offer(ctx, IN_BOTH, moon.clone(), |_| false),
            Err(WorldRefused::NotFromSeed)
        );
        assert_eq!(roots.offer(ctx, seed, moon, |_| false), Err(WorldRefused::InvalidRoot(seed)));
        assert_eq!(roots.moons().count(), 1);
        let wanted = &roots.status(|_| Contact::Silent).wanted[0];
        assert_eq!(wanted.refused.unwrap().why, WorldRefused::InvalidRoot(seed));
    }
}
