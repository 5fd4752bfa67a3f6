//! Identities made once, so that worlds are built at once: making one costs a tenth of a second.

use zt_protocol::address::Address;
use zt_protocol::identity::SecretIdentity;

/// One identity a line, in text form with its private key. Made by `make_identities` below.
const TEXTS: &str = include_str!("identities.txt");

/// How many there are.
pub const COUNT: usize = 48;

/// An attempt and an address a line, found by `find_identities` below.
const ATTEMPTS: &str = include_str!("attempts.txt");

/// How many of [`proven`] there are.
pub const PROVEN_COUNT: usize = 512;

/// Returns identity number `index` in text form with its private key.
///
/// # Panics
///
/// If there are not so many.
#[must_use]
pub fn text(index: usize) -> &'static str {
    TEXTS.lines().nth(index).expect("a world has no more nodes than there are identities")
}

/// Returns identity number `index`.
///
/// # Panics
///
/// If there are not so many.
#[must_use]
pub fn identity(index: usize) -> SecretIdentity {
    SecretIdentity::from_text(text(index)).expect("the file holds identities")
}

/// Returns identity number `index` of a larger crowd, which anybody who validates it believes.
///
/// Its keys follow from `index` and the number of an attempt. Which attempt works, and the address
/// that comes of it, take a quarter of a second to find, and ten bytes to note.
///
/// # Panics
///
/// If `index` is not below [`PROVEN_COUNT`].
#[must_use]
pub fn proven(index: usize) -> SecretIdentity {
    let line = ATTEMPTS.lines().nth(index).expect("there are not so many identities");
    let (attempt, address) = line.split_once(' ').expect("a line is an attempt and an address");
    let attempt = attempt.parse().expect("an attempt is a number");
    made_up(address.parse().expect("an address has 10 digits"), &key_seed(index, attempt))
}

/// What the keys of attempt number `attempt` at identity number `index` are made of.
fn key_seed(index: usize, attempt: u64) -> Vec<u8> {
    [&index.to_be_bytes()[..], &attempt.to_be_bytes()].concat()
}

/// Returns an identity made at once: its keys are genuine, its address is made up.
///
/// Whoever validates it does not believe it; whoever remembers it does.
///
/// # Panics
///
/// If `index` is a billion or more.
#[must_use]
pub fn unproven(index: usize) -> SecretIdentity {
    let address = 0x77_0000_0000_u64 + u64::try_from(index).expect("a small number");
    made_up(Address::from_u64(address), &index.to_be_bytes())
}

/// Returns a made-up identity with the address of `other`.
///
/// # Panics
///
/// Never.
#[must_use]
pub fn double_of(other: &SecretIdentity) -> SecretIdentity {
    made_up(other.address(), &usize::MAX.to_be_bytes())
}

/// Returns the identity with this address and the keys that follow from `seed`.
fn made_up(address: Address, seed: &[u8]) -> SecretIdentity {
    let [agreement, signing] = secret_keys(seed);
    let public = [zt_crypto::x25519_public(&agreement), zt_crypto::ed25519_public(&signing)];
    let [public, secret] = [public, [agreement, signing]].map(|keys| hex::encode(keys.concat()));
    SecretIdentity::from_text(&format!("{address}:0:{public}:{secret}")).expect("the keys match")
}

/// Returns the private keys that follow from `seed`, for agreement and for signing.
fn secret_keys(seed: &[u8]) -> [[u8; 32]; 2] {
    [b"agreement", b"signature"].map(|purpose| {
        let digest = zt_crypto::sha384(&[purpose, seed]);
        *digest.first_chunk().expect("48 bytes begin with 32")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use zt_crypto::derivation;
    use zt_protocol::identity::Identity;
    use zt_protocol::rng::Rng;

    use super::*;

    #[test]
    fn every_identity_is_genuine_and_another() {
        let addresses: BTreeSet<_> = (0..COUNT).map(|index| identity(index).address()).collect();

        assert_eq!(addresses.len(), COUNT);
        assert!((0..COUNT).all(|index| identity(index).public().is_valid()));
    }

    #[test]
    fn those_of_the_crowd_are_genuine_and_others() {
        let addresses: BTreeSet<_> = (0..PROVEN_COUNT).map(|i| proven(i).address()).collect();

        assert_eq!(addresses.len(), PROVEN_COUNT);
        assert_eq!(ATTEMPTS.lines().count(), PROVEN_COUNT);
        assert!((0..PROVEN_COUNT).step_by(64).all(|index| proven(index).public().is_valid()));
    }

    #[test]
    #[ignore = "rewrites attempts.txt and takes minutes"]
    fn find_identities() {
        let find = |index| {
            let attempts = (0..).map(|attempt| {
                let [agreement, signing] = secret_keys(&key_seed(index, attempt));
                let public =
                    [zt_crypto::x25519_public(&agreement), zt_crypto::ed25519_public(&signing)];
                let public = public.concat().try_into().expect("two keys are 64 bytes");
                let digest = derivation::derive(&public);
                let address = Address::from(derivation::address(&digest));
                (attempt, Identity::from_parts(address, public))
            });
            let mut good = attempts.filter(|(_, identity)| identity.is_valid());
            let (attempt, identity) = good.next().expect("there is no end of attempts");
            format!("{attempt} {}\n", identity.address())
        };
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/attempts.txt");

        fs::write(path, (0..PROVEN_COUNT).map(find).collect::<String>()).unwrap();
    }

    #[test]
    #[ignore = "rewrites identities.txt, on which every simulated world depends"]
    fn make_identities() {
        let mut rng = Rng::from_seed([1; 32]);
        let lines =
            (0..COUNT).map(|_| format!("{}\n", *SecretIdentity::generate(&mut rng).to_text()));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/identities.txt");

        fs::write(path, lines.collect::<String>()).unwrap();
    }
}
