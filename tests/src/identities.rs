//! Identities made once, so that worlds are built at once: making one costs a tenth of a second.

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
