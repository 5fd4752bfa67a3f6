//! Identities and planets, made without a node.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;
use zt_protocol::address::Address;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};

use super::error::ZtError;

/// A node's identity.
#[derive(Clone, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct NodeIdentity {
    /// Its address, which is derived from its keys.
    pub address: Address,
    /// Its public half, as text.
    pub public: String,
    /// All of it, as text, if the private key is known. Whoever has this is the node.
    pub secret: Option<String>,
    /// Its fingerprint, in full.
    pub fingerprint: String,
    /// The same in short, for people to compare.
    pub short_fingerprint: String,
}

/// A root to put into a planet.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PlanetRoot {
    /// Its identity, as text; a private key in it is ignored.
    pub identity: String,
    /// Where it is found.
    pub endpoints: Vec<SocketAddr>,
}

/// A planet, and the key that signs the next revision of it.
#[derive(Clone, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PlanetFile {
    /// The planet, as in a planet file: what every node is started with.
    pub planet: Vec<u8>,
    /// The key, 128 bytes. Whoever has this decides on the roots of all who use the planet.
    pub secret_key: Vec<u8>,
}

/// Makes an identity. Takes a second or two.
///
/// # Errors
///
/// [`ZtError::OutOfResources`].
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn generate_identity() -> Result<NodeIdentity, ZtError> {
    let identity = SecretIdentity::generate(&mut rng()?);
    Ok(describe(identity.public(), Some(&identity)))
}

/// Reads an identity, with or without private key, and checks that its address is derived from its
/// keys.
///
/// # Errors
///
/// [`ZtError::InvalidArgument`].
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn read_identity(text: String) -> Result<NodeIdentity, ZtError> {
    let text = Zeroizing::new(text);
    let wrong =
        |why: zt_protocol::identity::IdentityError| ZtError::InvalidArgument(why.to_string());
    let public: Identity = text.trim().parse().map_err(wrong)?;
    let secret = match text.trim().split(':').count() {
        4 => Some(SecretIdentity::from_text(text.trim()).map_err(wrong)?),
        _ => None,
    };
    if !public.is_valid() {
        let text = "the identity's address is not derived from its keys";
        return Err(ZtError::InvalidArgument(text.to_owned()));
    }
    Ok(describe(&public, secret.as_ref()))
}

/// Makes a planet of these roots, or, with the key of the last one, its next revision.
///
/// # Errors
///
/// [`ZtError::InvalidArgument`], [`ZtError::World`] if nobody could use it.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn make_planet(
    id: u64,
    roots: Vec<PlanetRoot>,
    secret_key: Option<Vec<u8>>,
) -> Result<PlanetFile, ZtError> {
    let key = match secret_key.map(Zeroizing::new) {
        Some(bytes) => {
            let wrong = || ZtError::InvalidArgument("this is no key of a planet".to_owned());
            let bytes: &[u8; 128] = bytes.as_slice().try_into().map_err(|_| wrong())?;
            WorldKey::from_bytes(bytes).map_err(|_| wrong())?
        }
        None => WorldKey::generate(&mut rng()?),
    };
    let root = |PlanetRoot { identity, endpoints }: PlanetRoot| {
        let identity = Zeroizing::new(identity);
        let identity = identity.trim().parse();
        let identity = identity.map_err(|why: zt_protocol::identity::IdentityError| {
            ZtError::InvalidArgument(why.to_string())
        })?;
        Ok(Root { identity, endpoints })
    };
    let roots = roots.into_iter().map(root).collect::<Result<_, ZtError>>()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let planet = World::sign(WorldKind::Planet, id, timestamp, roots, &key, key.public())
        .map_err(|why| ZtError::World(why.to_string()))?;
    Ok(PlanetFile { planet: planet.to_bytes(), secret_key: key.to_bytes().to_vec() })
}

fn describe(public: &Identity, secret: Option<&SecretIdentity>) -> NodeIdentity {
    let fingerprint = public.fingerprint();
    NodeIdentity {
        address: public.address(),
        public: public.to_string(),
        secret: secret.map(|secret| secret.to_text().to_string()),
        fingerprint: fingerprint.to_string(),
        short_fingerprint: fingerprint.short(),
    }
}

fn rng() -> Result<Rng, ZtError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|error| ZtError::OutOfResources(error.to_string()))?;
    Ok(Rng::from_seed(*seed))
}

/// Shows no private key.
impl std::fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NodeIdentity").field(&self.address).finish()
    }
}

/// Shows no private key.
impl std::fmt::Debug for PlanetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanetFile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_back_and_makes_a_planet() {
        let identity = generate_identity().unwrap();
        let secret = identity.secret.clone().unwrap();
        let endpoints = vec![([192, 0, 2, 1], 9_993).into()];
        let root = PlanetRoot { identity: secret.clone(), endpoints };

        assert_eq!(read_identity(secret).unwrap(), identity);
        let public = read_identity(identity.public.clone()).unwrap();
        assert_eq!(public, NodeIdentity { secret: None, ..identity });
        let first = make_planet(7, vec![root.clone()], None).unwrap();
        let key = Some(first.secret_key.clone());
        assert_eq!(make_planet(7, vec![root.clone()], key).unwrap().secret_key, first.secret_key);
        let no_key = Some(vec![0; 5]);
        assert!(matches!(make_planet(7, vec![root], no_key), Err(ZtError::InvalidArgument(_))));
        assert!(matches!(make_planet(7, vec![], None), Err(ZtError::World(_))));
    }
}
