//! What a world is signed from, as the reference's tools keep it.
//!
//! ```json
//! { "id": "69656de7cb", "objtype": "world", "worldType": "moon",
//!   "roots": [ { "identity": "69656de7cb:0:…", "stableEndpoints": [ "192.0.2.1/9993" ] } ],
//!   "signingKey": "…", "signingKey_SECRET": "…", "updatesMustBeSignedBy": "…" }
//! ```
//!
//! Whoever publishes a moon keeps this file: signed again, it is a later revision. To hand over to
//! another key, its public half goes into `updatesMustBeSignedBy` one revision before it signs.
//!
//! Source: spec 04 §12.3.

use core::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Root, World, WorldKey, WorldKind, WorldRefused};
use crate::identity::Identity;
use crate::rng::Rng;
use crate::time::UnixMillis;

/// A world that is not signed yet, and the key to do it with.
#[derive(Debug)]
pub struct Draft {
    kind: WorldKind,
    id: u64,
    roots: Vec<Root>,
    signer: WorldKey,
    /// The public key that must sign the next revision.
    next: [u8; 64],
}

/// Why a file is no draft.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum DraftError {
    /// It is not a JSON object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A field is missing or wrong.
    #[error("`{field}` should be {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The two halves of the signing key do not belong together.
    #[error("`signingKey_SECRET` does not belong to `signingKey`")]
    KeyMismatch,
}

impl Draft {
    /// Starts a moon that is named after its first root. Its endpoints are for a person to add.
    #[must_use]
    pub fn of_moon(root: &Identity, rng: &mut Rng) -> Self {
        let signer = WorldKey::generate(rng);
        Self {
            kind: WorldKind::Moon,
            id: root.address().to_u64(),
            roots: vec![Root { identity: *root, endpoints: Vec::new() }],
            next: *signer.public(),
            signer,
        }
    }

    /// Reads a draft.
    ///
    /// # Errors
    ///
    /// [`DraftError`].
    pub fn from_json(json: &[u8]) -> Result<Self, DraftError> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(json) else {
            return Err(DraftError::NotAnObject);
        };
        let wrong = |field, expected| DraftError::Field { field, expected };
        let kind = match text(&fields, "worldType") {
            Some("moon") => WorldKind::Moon,
            Some("planet") => WorldKind::Planet,
            _ => return Err(wrong("worldType", "\"moon\" or \"planet\"")),
        };
        let id = text(&fields, "id").and_then(|id| u64::from_str_radix(id, 16).ok());
        let id = id.filter(|&id| id != 0);
        let roots = fields.get("roots").and_then(Value::as_array).into_iter().flatten();
        let key = |field| key(&fields, field).ok_or(wrong(field, "128 hexadecimal digits"));
        let mut pair = Zeroizing::new([0; 128]);
        pair[..64].copy_from_slice(&*key("signingKey")?);
        pair[64..].copy_from_slice(&*key("signingKey_SECRET")?);
        Ok(Self {
            kind,
            id: id.ok_or(wrong("id", "a hexadecimal number other than 0"))?,
            roots: roots.map(read_root).collect::<Result<_, _>>()?,
            signer: WorldKey::from_bytes(&pair).map_err(|_| DraftError::KeyMismatch)?,
            next: *key("updatesMustBeSignedBy")?,
        })
    }

    /// Returns the file, private key and all.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let root = |root: &Root| {
            let endpoints: Vec<_> =
                root.endpoints.iter().map(|at| format!("{}/{}", at.ip(), at.port())).collect();
            json!({ "identity": root.identity.to_string(), "stableEndpoints": endpoints })
        };
        let id = match self.kind {
            WorldKind::Moon => format!("{:010x}", self.id),
            WorldKind::Planet => format!("{:x}", self.id),
        };
        let kind = match self.kind {
            WorldKind::Moon => "moon",
            WorldKind::Planet => "planet",
        };
        let pair = self.signer.to_bytes();
        let draft = json!({
            "id": id,
            "objtype": "world",
            "worldType": kind,
            "roots": self.roots.iter().map(root).collect::<Vec<_>>(),
            "signingKey": hex::encode(&pair[..64]),
            "signingKey_SECRET": hex::encode(&pair[64..]),
            "updatesMustBeSignedBy": hex::encode(self.next),
        });
        Zeroizing::new(format!("{draft:#}\n"))
    }

    /// Makes the revision of this time, roots and endpoints in the order of the reference's tool.
    ///
    /// # Errors
    ///
    /// [`WorldRefused`] if readers would refuse it or nobody could use it.
    pub fn sign(&self, timestamp: UnixMillis) -> Result<World, WorldRefused> {
        let mut roots = self.roots.clone();
        roots.sort_by_key(|root| (root.identity.address(), *root.identity.public_key()));
        for root in &mut roots {
            root.endpoints.sort_by_key(|at| match at.ip() {
                // Order has no meaning to readers; this one comes from a little-endian machine.
                IpAddr::V4(ip) => {
                    (false, at.port().swap_bytes(), u32::from_le_bytes(ip.octets()).into())
                }
                IpAddr::V6(ip) => (true, at.port().swap_bytes(), u128::from_be_bytes(ip.octets())),
            });
        }
        World::sign(self.kind, self.id, timestamp, roots, &self.signer, &self.next)
    }
}

/// Reads `ip/port`, as ZeroTier's tools write endpoints.
#[must_use]
pub fn read_endpoint(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once('/')?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}

fn read_root(value: &Value) -> Result<Root, DraftError> {
    let wrong = |field, expected| DraftError::Field { field, expected };
    let identity = value["identity"].as_str().and_then(|text| text.parse().ok());
    let endpoints = value["stableEndpoints"].as_array().into_iter().flatten();
    let endpoints = endpoints.map(|endpoint| read_endpoint(endpoint.as_str()?));
    let endpoints = endpoints.collect::<Option<_>>();
    Ok(Root {
        identity: identity.ok_or(wrong("identity", "an identity as text"))?,
        endpoints: endpoints.ok_or(wrong("stableEndpoints", "a list of \"IP/PORT\""))?,
    })
}

fn text<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    fields.get(field)?.as_str()
}

/// Reads half of a pair of keys.
fn key(fields: &Map<String, Value>, field: &str) -> Option<Zeroizing<[u8; 64]>> {
    let mut key = Zeroizing::new([0; 64]);
    hex::decode_to_slice(text(fields, field)?, key.as_mut_slice()).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SecretIdentity;

    fn draft() -> Draft {
        let mut rng = Rng::from_seed([1; 32]);
        let root = *World::default_planet().roots[0].identity.public_key();
        let address = World::default_planet().roots[0].identity.address();
        Draft::of_moon(&Identity::from_parts(address, root), &mut rng)
    }

    #[test]
    fn a_draft_is_read_back() {
        let mut draft = draft();
        draft.roots[0].endpoints = vec!["192.0.2.1:9993".parse().unwrap()];

        let read = Draft::from_json(draft.to_json().as_bytes()).unwrap();

        assert_eq!(read.to_json(), draft.to_json());
        assert_eq!(read.id, draft.roots[0].identity.address().to_u64());
    }

    #[test]
    fn a_moon_without_endpoints_is_not_signed() {
        let address = draft().roots[0].identity.address();

        let signed = draft().sign(UnixMillis(1));

        assert_eq!(signed, Err(WorldRefused::NoEndpoints(address)));
    }

    #[test]
    fn what_is_wrong_with_a_draft_is_named() {
        let with = |field: &str, value: Value| {
            let mut fields: Value = serde_json::from_str(&draft().to_json()).unwrap();
            fields[field] = value;
            Draft::from_json(fields.to_string().as_bytes()).map(drop)
        };
        let field = |result: Result<(), DraftError>| match result {
            Err(DraftError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        };

        assert_eq!(Draft::from_json(b"[]").map(drop), Err(DraftError::NotAnObject));
        for (name, value) in [
            ("worldType", json!("star")),
            ("id", json!("0")),
            ("signingKey", json!("00")),
            ("updatesMustBeSignedBy", Value::Null),
        ] {
            assert_eq!(field(with(name, value)), name);
        }
        let root = |identity: &str, endpoint: &str| json!([{ "identity": identity, "stableEndpoints": [endpoint] }]);
        let identity = draft().roots[0].identity.to_string();
        assert_eq!(field(with("roots", root("x", "192.0.2.1/1"))), "identity");
        assert_eq!(field(with("roots", root(&identity, "example.org/1"))), "stableEndpoints");
        assert_eq!(field(with("roots", root(&identity, "192.0.2.1"))), "stableEndpoints");
        let other = SecretIdentity::generate(&mut Rng::from_seed([2; 32]));
        let other = json!(hex::encode(other.public().public_key()));
        assert_eq!(with("signingKey", other), Err(DraftError::KeyMismatch));
    }
}
