//! What an operator does to the networks of a controller: edits of the records in its home
//! directory, which a node that runs there notices at once.

use std::net::IpAddr;

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::controller::{Authority, MemberRecord, NetworkRecord, Pool, RecordError, V6Modes};
use zt_protocol::event::{Route, StoreKey};

use crate::clock::wall;
use crate::request::RequestError;
use crate::store::{Home, HomeError};

/// Numbers tried for a new network before giving up; a controller has room for 2²⁴.
const NUMBERS_TRIED: usize = 1_000;

/// Why a controller's record was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// The home directory cannot be read or written.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The network is another controller's.
    #[error("network {network} belongs to controller {}, this one is {me}", .network.controller())]
    NotOurs {
        /// Which network.
        network: NetworkId,
        /// This controller.
        me: Address,
    },
    /// There is no such network.
    #[error("unknown network {0}: `zt network create` makes one")]
    UnknownNetwork(NetworkId),
    /// A record holds something else.
    #[error("{} is corrupt ({why}): restore it or remove it", .path.display())]
    Corrupt {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: RecordError,
    },
    /// Every network number tried is taken.
    #[error("this controller has no number left for another network")]
    NoNumber,
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
    /// The running node could not be told.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// How a new network shall be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NetworkSettings {
    /// What people call it.
    pub name: String,
    /// Whether members have to be allowed one by one.
    pub private: bool,
    /// Ranges members get IPv4 or IPv6 addresses from, first and last address.
    pub pools: Vec<(IpAddr, IpAddr)>,
    /// Routes members install. Addresses are assigned only where a route leads.
    pub routes: Vec<Route>,
    /// Whether members get an IPv6 address of 6PLANE, which gives each of them a /80 of its own.
    pub six_plane: bool,
    /// Whether members get an IPv6 address by RFC 4193.
    pub rfc4193: bool,
}

/// Makes a network of controller `me`; returns its ID.
///
/// # Errors
///
/// [`ControllerError`].
pub fn create_network(
    home: &Home,
    me: Address,
    settings: &NetworkSettings,
) -> Result<NetworkId, ControllerError> {
    let _lock = home.lock_records()?;
    let network = unused_number(home, me)?;
    let has_pool = |v4: bool| settings.pools.iter().any(|(start, _)| start.is_ipv4() == v4);

    let mut record = NetworkRecord::new(network, wall());
    record.name.clone_from(&settings.name);
    record.private = settings.private;
    record.pools = settings.pools.iter().map(|&(start, end)| Pool { start, end }).collect();
    record.routes.clone_from(&settings.routes);
    record.v4_pools = has_pool(true);
    record.v6 = V6Modes {
        pools: has_pool(false),
        rfc4193: settings.rfc4193,
        six_plane: settings.six_plane,
    };
    record.revision = 1;

    home.save(StoreKey::ControllerNetwork(network), Some(&record.to_json()))?;
    Ok(network)
}

/// Lets a member onto a network, whether it has asked yet or not.
///
/// # Errors
///
/// [`ControllerError`].
pub fn allow(home: &Home, network: NetworkId, member: Address) -> Result<(), ControllerError> {
    edit_member(home, network, member, |record| record.authorize(Authority::Operator, wall()))
}

/// Takes a member off a network, or sees to it that it stays off.
///
/// # Errors
///
/// [`ControllerError`].
pub fn deny(home: &Home, network: NetworkId, member: Address) -> Result<(), ControllerError> {
    edit_member(home, network, member, |record| record.deauthorize(wall()))
}

fn edit_member(
    home: &Home,
    network: NetworkId,
    member: Address,
    edit: impl FnOnce(&mut MemberRecord),
) -> Result<(), ControllerError> {
    let _lock = home.lock_records()?;
    if home.load(StoreKey::ControllerNetwork(network))?.is_none() {
        return Err(ControllerError::UnknownNetwork(network));
    }

    let key = StoreKey::ControllerMember(network, member);
    let mut record = match home.load(key)? {
        Some(json) => MemberRecord::parse(network, &json)
            .map_err(|why| ControllerError::Corrupt { path: home.path(key), why })?,
        None => MemberRecord::new(network, member, wall()),
    };
    edit(&mut record);
    record.revision += 1;
    home.save(key, Some(&record.to_json()))?;
    Ok(())
}

/// Returns the ID of a network that `me` does not have yet.
fn unused_number(home: &Home, me: Address) -> Result<NetworkId, ControllerError> {
    for _ in 0..NUMBERS_TRIED {
        let number = getrandom::u32().map_err(ControllerError::Randomness)?;
        let network = NetworkId::new(me, number);
        let is_taken = home.load(StoreKey::ControllerNetwork(network))?.is_some();
        // The reference's tools take number 0 for a mistake.
        if network != NetworkId::new(me, 0) && !is_taken {
            return Ok(network);
        }
    }
    Err(ControllerError::NoNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Address = Address::from_u64(0x80_56c2_e21c);
    const MEMBER: Address = Address::from_u64(0x01_0203_0405);

    #[test]
    fn a_network_is_stored_as_it_was_asked_for() {
        let (_dir, home) = empty();
        let settings = NetworkSettings {
            name: "lab".to_owned(),
            private: true,
            pools: vec![("10.1.0.1".parse().unwrap(), "10.1.0.99".parse().unwrap())],
            routes: vec![Route { target: "10.1.0.0".parse().unwrap(), bits: 24, via: None }],
            six_plane: true,
            rfc4193: false,
        };

        let network = create_network(&home, ME, &settings).unwrap();

        let json = home.load(StoreKey::ControllerNetwork(network)).unwrap().unwrap();
        let record = NetworkRecord::parse(&json).unwrap();
        assert_eq!(network.controller(), ME);
        assert_eq!((record.name.as_str(), record.private, record.v4_pools), ("lab", true, true));
        assert_eq!(record.routes, settings.routes);
        assert_eq!(record.v6, V6Modes { pools: false, rfc4193: false, six_plane: true });
    }

    #[test]
    fn a_member_can_be_allowed_before_it_asks_and_denied_afterwards() {
        let (_dir, home) = empty();
        let network = create_network(&home, ME, &NetworkSettings::default()).unwrap();
        let is_authorized = || {
            let json = home.load(StoreKey::ControllerMember(network, MEMBER)).unwrap().unwrap();
            MemberRecord::parse(network, &json).unwrap().is_authorized()
        };

        allow(&home, network, MEMBER).unwrap();
        assert!(is_authorized());
        deny(&home, network, MEMBER).unwrap();
        assert!(!is_authorized());
    }

    #[test]
    fn members_of_unknown_networks_are_not_recorded() {
        let (dir, home) = empty();
        let network = NetworkId::new(ME, 7);

        let result = allow(&home, network, MEMBER);

        assert!(matches!(result, Err(ControllerError::UnknownNetwork(_))));
        assert!(!dir.path().join("controller.d/network").join(network.to_string()).exists());
    }

    #[test]
    fn a_corrupt_record_is_named_and_left_alone() {
        let (_dir, home) = empty();
        let network = create_network(&home, ME, &NetworkSettings::default()).unwrap();
        let key = StoreKey::ControllerMember(network, MEMBER);
        home.save(key, Some(b"{corrupt")).unwrap();

        let error = allow(&home, network, MEMBER).unwrap_err();

        assert!(error.to_string().contains("0102030405.json is corrupt"), "{error}");
        assert_eq!(home.load(key).unwrap().unwrap(), b"{corrupt");
    }

    fn empty() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        (dir, home)
    }
}
