//! A home directory, as files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use zt_protocol::rng::Rng;
use zt_protocol::world::{Root, WorldKey};

use super::*;

#[test]
fn an_identity_is_saved_for_its_owner_only_and_read_back() {
    let (dir, home) = empty();
    let identity = some_identity();

    home.save_identity(&identity).unwrap();

    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("identity.secret") & 0o777, 0o600);
    assert_eq!(mode("identity.public") & 0o777, 0o644);
    assert_eq!(home.identity().unwrap().unwrap().to_text(), identity.to_text());
    assert_eq!(
        fs::read_to_string(dir.path().join("identity.public")).unwrap(),
        identity.public().to_string()
    );
}

#[test]
fn an_identity_is_not_replaced() {
    let (dir, home) = empty();
    home.save_identity(&some_identity()).unwrap();
    let before = fs::read(dir.path().join("identity.secret")).unwrap();

    let result = home.save_identity(&SecretIdentity::generate(&mut Rng::from_seed([2; 32])));

    assert!(matches!(result, Err(HomeError::Io { .. })));
    assert_eq!(fs::read(dir.path().join("identity.secret")).unwrap(), before);
}

#[test]
fn an_identity_that_is_retired_is_kept_and_makes_room_for_another() {
    let (dir, home) = empty();
    let (old, new) = (some_identity(), SecretIdentity::generate(&mut Rng::from_seed([2; 32])));
    home.save_identity(&old).unwrap();

    let retired = home.retire_identity().unwrap();

    assert!(home.identity().unwrap().is_none());
    assert_eq!(retired, dir.path().join(format!("identity.{}.retired", old.address())));
    assert_eq!(fs::read_to_string(&retired).unwrap(), *old.to_text());
    assert_eq!(fs::metadata(&retired).unwrap().permissions().mode() & 0o777, 0o600);
    home.save_identity(&new).unwrap();
    assert_eq!(home.existing_identity().unwrap().address(), new.address());
}

#[test]
fn moons_that_are_waited_for_are_read_back() {
    let (dir, home) = empty();
    fs::create_dir(dir.path().join("moons.d")).unwrap();
    let (moon, seed) = (MoonId(7), Address::from_u64(0x01_0203_0405));

    home.save(StoreKey::WantedMoon(moon), Some(b"0102030405\nnobody\n")).unwrap();

    assert_eq!(home.wanted_moons().unwrap(), [(moon, vec![seed])]);
    home.save(StoreKey::WantedMoon(moon), None).unwrap();
    assert!(home.wanted_moons().unwrap().is_empty());
}

#[test]
fn a_missing_identity_is_not_an_error_until_one_is_needed() {
    let (_dir, home) = empty();

    assert!(home.identity().unwrap().is_none());
    assert!(matches!(home.existing_identity(), Err(HomeError::NoIdentity { .. })));
}

#[test]
fn a_corrupt_identity_is_named_and_left_alone() {
    let (dir, home) = empty();
    let path = dir.path().join("identity.secret");
    let text = some_identity().to_text();
    let forged = format!("1122334455{}", &text[10..]);

    for corrupt in ["", "\u{0}", &text[..200], &text.replace(":0:", ":1:"), &forged] {
        fs::write(&path, corrupt).unwrap();

        let error = home.identity().unwrap_err();

        assert!(error.to_string().contains("identity.secret is corrupt"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), corrupt.as_bytes());
        assert!(!dir.path().join("identity.public").exists());
    }
}

#[test]
fn a_corrupt_world_is_named_and_left_alone() {
    let (dir, home) = empty();
    fs::create_dir(dir.path().join("moons.d")).unwrap();
    let planet = dir.path().join("planet");
    let moon = dir.path().join("moons.d/0000000000000001.moon");
    fs::write(&planet, b"earth").unwrap();
    fs::write(&moon, some_world(WorldKind::Planet).to_bytes()).unwrap();

    let planet_error = home.planet().unwrap_err().to_string();
    let moon_error = home.moons().unwrap_err().to_string();

    assert!(planet_error.contains("planet is corrupt (not a planet)"), "{planet_error}");
    assert!(moon_error.contains("0000000000000001.moon is corrupt (not a moon)"), "{moon_error}");
    assert_eq!(fs::read(&planet).unwrap(), b"earth");
}

#[test]
fn state_is_found_again_under_the_references_names() {
    let (dir, home) = empty();
    let network = NetworkId(0x8056_c2e2_1c00_0001);
    let world = some_world(WorldKind::Planet);

    home.save(StoreKey::Planet, Some(&world.to_bytes())).unwrap();
    home.save(StoreKey::Network(network), Some(b"\n")).unwrap();
    home.save(StoreKey::Peer(Address::from_u64(0xab)), Some(b"peer")).unwrap();
    fs::write(dir.path().join("networks.d/8056c2e21c000001.local.conf"), b"").unwrap();

    assert_eq!(home.planet().unwrap(), Some(world));
    assert_eq!(home.networks().unwrap(), [network]);
    assert_eq!(home.load(StoreKey::Network(network)).unwrap(), Some(b"\n".to_vec()));
    assert_eq!(home.peers(), [b"peer"]);
    assert!(dir.path().join("networks.d/8056c2e21c000001.conf").exists());
    assert!(dir.path().join("peers.d/00000000ab.peer").exists());
}

#[test]
fn removing_what_is_not_there_is_no_error() {
    let (_dir, home) = empty();
    let key = StoreKey::Network(NetworkId(1));

    home.save(key, None).unwrap();
    home.save(key, Some(b"\n")).unwrap();
    home.save(key, None).unwrap();

    assert_eq!(home.networks().unwrap(), []);
}

/// A write that fails half-way is shown by making the rename impossible: the target is a
/// directory.
#[test]
fn a_failed_write_leaves_what_was_there_and_nothing_else() {
    let (dir, home) = empty();
    fs::create_dir(dir.path().join("planet")).unwrap();

    let result = home.save(StoreKey::Planet, Some(b"world"));

    assert!(result.is_err());
    let left = directory::names(dir.path()).unwrap();
    assert_eq!(left, ["planet"]);
    assert!(dir.path().join("planet").is_dir());
}

#[test]
fn unchanged_content_is_not_written_again() {
    let (dir, home) = empty();
    home.save(StoreKey::Planet, Some(b"world")).unwrap();
    let path = dir.path().join("planet");
    let before = fs::metadata(&path).unwrap().modified().unwrap();

    home.save(StoreKey::Planet, Some(b"world")).unwrap();

    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

/// Method: what is left of a crash while the secret was written in clear is there as well.
#[test]
fn a_secret_in_clear_is_sealed_once_there_is_a_key() {
    let (dir, home) = empty();
    let identity = some_identity();
    home.save_identity(&identity).unwrap();
    let retired = dir.path().join("identity.0102030405.retired");
    fs::write(&retired, &*identity.to_text()).unwrap();
    let left_over = dir.path().join(".identity.secret.1");
    fs::write(&left_over, &*identity.to_text()).unwrap();

    let sealed = home.clone().sealed_with(key(7));

    assert_eq!(sealed.identity().unwrap().unwrap().to_text(), identity.to_text());
    for path in [&dir.path().join("identity.secret"), &retired] {
        assert!(fs::read(path).unwrap().starts_with(b"ztsealed\x01"));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!left_over.exists());
    assert_eq!(sealed.identity().unwrap().unwrap().to_text(), identity.to_text());
}

#[test]
fn what_is_sealed_needs_its_key_and_stays_as_it_is_without() {
    let (dir, home) = empty();
    let sealed = home.clone().sealed_with(key(7));
    sealed.save_identity(&some_identity()).unwrap();
    let path = dir.path().join("identity.secret");
    let before = fs::read(&path).unwrap();

    for (home, why) in
        [(&home, SealError::NoKey), (&home.clone().sealed_with(key(8)), SealError::NotOpened)]
    {
        let error = home.identity().unwrap_err();
        assert!(matches!(error, HomeError::Sealed { why: said, .. } if said == why), "{error}");
        assert!(error.to_string().contains("identity.secret"), "{error}");
        let replaced = home.save_identity(&some_identity());
        assert!(matches!(replaced, Err(HomeError::Io { .. })));
        assert!(home.retire_identity().is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    assert!(sealed.identity().unwrap().is_some());
}

/// A write that fails half-way is shown by making the temporary file impossible: a directory has its
/// name. What is in clear stays until it can be sealed.
#[test]
fn a_secret_that_cannot_be_sealed_is_not_lost() {
    let (dir, home) = empty();
    home.save_identity(&some_identity()).unwrap();
    let path = dir.path().join("identity.secret");
    let before = fs::read(&path).unwrap();
    let obstacle = dir.path().join(format!(".identity.secret.{}", std::process::id()));
    fs::create_dir(&obstacle).unwrap();

    let sealed = home.sealed_with(key(7));

    assert!(matches!(sealed.identity(), Err(HomeError::Io { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_dir(&obstacle).unwrap();
    assert!(sealed.identity().unwrap().is_some());
    assert_ne!(fs::read(&path).unwrap(), before);
}

#[test]
fn an_identity_that_is_retired_is_sealed_for_its_name() {
    let (_dir, home) = empty();
    let home = home.sealed_with(key(7));
    let identity = some_identity();
    home.save_identity(&identity).unwrap();

    let retired = home.retire_identity().unwrap();

    assert!(home.identity().unwrap().is_none());
    let name = retired.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(&home.load_secret(&name).unwrap().unwrap()[..], identity.to_text().as_bytes());
}

fn key(byte: u8) -> StorageKey {
    StorageKey::from_bytes(&[byte; 32]).unwrap()
}

fn empty() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::new(dir.path());
    (dir, home)
}

fn some_identity() -> SecretIdentity {
    SecretIdentity::generate(&mut Rng::from_seed([1; 32]))
}

fn some_world(kind: WorldKind) -> World {
    let key = WorldKey::generate(&mut Rng::from_seed([3; 32]));
    let root = Root {
        identity: *some_identity().public(),
        endpoints: vec![([192, 0, 2, 1], 9993).into()],
    };
    World::sign(kind, 1, zt_protocol::time::UnixMillis(1), vec![root], &key, key.public()).unwrap()
}
