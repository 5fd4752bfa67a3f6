//! The planet and moons a node goes by.

use std::net::SocketAddr;

use zt_protocol::address::{Address, MoonId};
use zt_protocol::status;
use zt_protocol::world::{World, WorldKind};

use super::error::ZtError;
use super::node::Node;

/// The worlds a node goes by, and those it waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct WorldsStatus {
    /// The planet in force.
    pub planet: WorldStatus,
    /// Moons in force, by ascending ID.
    pub moons: Vec<WorldStatus>,
    /// Moons asked for that nobody has told this node of yet, by ascending ID.
    pub wanted: Vec<WantedMoon>,
}

/// A world in force.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct WorldStatus {
    /// Its ID.
    pub id: u64,
    /// Its revision: when it was made, in ms since the Unix epoch.
    pub timestamp: u64,
    /// The roots it lists, in its order.
    pub roots: Vec<RootStatus>,
    /// The last other revision of it that was offered and not accepted.
    pub refused: Option<RefusedWorld>,
}

/// A root that a world in force lists.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct RootStatus {
    /// Its address.
    pub address: Address,
    /// Where the world says it is found; it may be anywhere if it says nothing.
    pub endpoints: Vec<SocketAddr>,
    /// How it is reached.
    pub contact: Contact,
    /// The path on which it answers, if that is direct.
    pub path: Option<SocketAddr>,
}

/// How a root is reached.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Contact {
    /// It is this node.
    Me,
    /// It answers.
    Answers,
    /// It has not answered yet, or not for a while.
    Silent,
    /// It says that another node has this node's address, so it is of no use as a root.
    Disputes,
}

/// A moon asked for that is not there yet.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct WantedMoon {
    /// Which.
    pub id: MoonId,
    /// Who is asked for it.
    pub seeds: Vec<Address>,
    /// The last one offered under this ID that was not accepted.
    pub refused: Option<RefusedWorld>,
}

/// A world that was offered and not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct RefusedWorld {
    /// Its revision: when it was made, in ms since the Unix epoch.
    pub timestamp: u64,
    /// Who offered it; `None` if the host did.
    pub from: Option<Address>,
    /// Why it was not accepted, for people to read.
    pub why: String,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Uses the roots of a moon beside those of the planet; asks `seed`, one of its roots, for it.
    ///
    /// Returns at once; when the seed has answered, [`Event::Worlds`](super::Event::Worlds) follows. The moon, and the wish
    /// for it, outlive the node.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotFound`] if there is neither the moon nor a seed.
    pub async fn orbit(&self, moon: MoonId, seed: Option<Address>) -> Result<(), ZtError> {
        Ok(self.handle.orbit(moon, seed).await?)
    }

    /// Uses the roots of the moon in a moon file. It is trusted as it is, unless it would replace one
    /// that is orbited already: then it has to be a later revision of it.
    ///
    /// # Errors
    ///
    /// [`ZtError::World`].
    pub async fn orbit_file(&self, file: Vec<u8>) -> Result<(), ZtError> {
        Ok(self.handle.orbit_moon(read_world(&file, WorldKind::Moon)?).await?)
    }

    /// Does without a moon, or no longer asks for it.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotFound`].
    pub async fn deorbit(&self, moon: MoonId) -> Result<(), ZtError> {
        Ok(self.handle.deorbit(moon).await?)
    }

    /// Returns which planet and moons are in force and how their roots are reached.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn worlds(&self) -> Result<WorldsStatus, ZtError> {
        let worlds = self.handle.worlds().await?;
        Ok(WorldsStatus {
            planet: worlds.planet.into(),
            moons: worlds.moons.into_iter().map(WorldStatus::from).collect(),
            wanted: worlds.wanted.into_iter().map(WantedMoon::from).collect(),
        })
    }
}

/// Reads a planet or moon file.
pub(super) fn read_world(bytes: &[u8], kind: WorldKind) -> Result<World, ZtError> {
    match World::read_prefix(bytes) {
        Ok((world, _)) if world.kind == kind => Ok(world),
        Ok(_) => Err(ZtError::World(format!("the file is a world, but no {kind:?}"))),
        Err(why) => Err(ZtError::World(format!("the file is no planet or moon: {why}"))),
    }
}

impl From<status::WorldStatus> for WorldStatus {
    fn from(world: status::WorldStatus) -> Self {
        Self {
            id: world.id,
            timestamp: world.timestamp.0,
            roots: world.roots.into_iter().map(RootStatus::from).collect(),
            refused: world.refused.map(RefusedWorld::from),
        }
    }
}

impl From<status::RootStatus> for RootStatus {
    fn from(root: status::RootStatus) -> Self {
        let (contact, path) = match root.contact {
            status::Contact::Me => (Contact::Me, None),
            status::Contact::Answers(path) => (Contact::Answers, path),
            status::Contact::Silent => (Contact::Silent, None),
            status::Contact::Disputes => (Contact::Disputes, None),
        };
        Self { address: root.identity.address(), endpoints: root.endpoints, contact, path }
    }
}

impl From<status::WantedMoon> for WantedMoon {
    fn from(moon: status::WantedMoon) -> Self {
        let refused = moon.refused.map(RefusedWorld::from);
        Self { id: moon.id, seeds: moon.seeds, refused }
    }
}

impl From<status::RefusedWorld> for RefusedWorld {
    fn from(world: status::RefusedWorld) -> Self {
        Self { timestamp: world.timestamp.0, from: world.from, why: world.why.to_string() }
    }
}
