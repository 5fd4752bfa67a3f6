//! Identities made once, so that worlds are built at once: making one costs a tenth of a second.

use zt_protocol::address::Address;
use zt_protocol::identity::SecretIdentity;

/// One identity a line, in text form with its private key. Made by `make_identities` below.
const TEXTS: &str = include_str!("identities.txt");

/// How many there are.
pub const COUNT: usize = 48;

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
    made_up(Address::from_u64(address), index)
}

/// Returns a made-up identity with the address of `other`.
///
/// # Panics
///
/// Never.
#[must_use]
pub fn double_of(other: &SecretIdentity) -> SecretIdentity {
    made_up(other.address(), usize::MAX)
}

fn made_up(address: Address, index: usize) -> SecretIdentity {
    let mut secret = [0; 64];
    secret[..32].copy_from_slice(&zt_crypto::sha384(&[b"agreement", &index.to_be_bytes()])[..32]);
    secret[32..].copy_from_slice(&zt_crypto::sha384(&[b"signature", &index.to_be_bytes()])[..32]);
    let [agreement, signing] = [0, 32].map(|at| secret[at..at + 32].try_into().expect("32 bytes"));
    let public = [zt_crypto::x25519_public(&agreement), zt_crypto::ed25519_public(&signing)];
    let text = format!("{address}:0:{}:{}", hex::encode(public.concat()), hex::encode(secret));
    SecretIdentity::from_text(&text).expect("the keys match")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use zt_protocol::rng::Rng;

    use super::*;

    #[test]
    fn every_identity_is_genuine_and_another() {
        let addresses: BTreeSet<_> = (0..COUNT).map(|index| identity(index).address()).collect();

        assert_eq!(addresses.len(), COUNT);
        assert!((0..COUNT).all(|index| identity(index).public().is_valid()));
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
