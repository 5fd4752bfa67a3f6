//! `zt planet`: planets.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Subcommand;
use zeroize::Zeroizing;
use zt_protocol::endpoint::is_usable_endpoint;
use zt_protocol::world::json::read_endpoint;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::store::read_world;

use crate::failure::{Failure, KEY_LEN};
use crate::{id, world};

/// Make and look at planets.
#[derive(Debug, Subcommand)]
pub(crate) enum Planet {
    /// Make a planet: list the roots, sign the list.
    ///
    /// Copy the file to the home directory of every node, the roots included, or pass it to
    /// `zt node --planet`. Roots need nothing else: a node that finds itself listed is one.
    Make {
        /// Where to write the planet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The key to sign with, made if it does not exist.
        ///
        /// Keep it: with it a changed list reaches all nodes through the roots; without it every
        /// node has to be visited. One key is one planet.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The roots: a file with each one's identity, and where it is found. At most 4.
        #[arg(required = true, value_name = "IDENTITY_FILE=IP/PORT[,IP/PORT]…")]
        roots: Vec<RootArgument>,
    },
    /// Print what a planet says.
    Show {
        /// The planet.
        file: PathBuf,
    },
}

/// A root as named on the command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RootArgument {
    identity: PathBuf,
    endpoints: Vec<SocketAddr>,
}

impl Planet {
    pub(crate) fn run(self) -> Result<String, Failure> {
        match self {
            Self::Make { out, key, roots } => make(&out, key.as_deref(), roots),
            Self::Show { file } => Ok(world::show(&read_world(&file, WorldKind::Planet)?)),
        }
    }
}

impl FromStr for RootArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (identity, endpoints) =
            text.rsplit_once('=').ok_or("expected IDENTITY_FILE=IP/PORT[,IP/PORT]…")?;
        let endpoints = endpoints.split(',').map(parse_endpoint).collect::<Result<_, _>>()?;
        Ok(Self { identity: identity.into(), endpoints })
    }
}

fn parse_endpoint(text: &str) -> Result<SocketAddr, String> {
    let endpoint = read_endpoint(text).ok_or_else(|| {
        format!("`{text}` is no endpoint: expected IP/PORT, such as 192.0.2.1/9993")
    })?;
    // Nodes would take in such a planet and never send anything there.
    if !is_usable_endpoint(endpoint.ip()) {
        return Err(format!("no node can reach a root at `{text}`: give it another address"));
    }
    Ok(endpoint)
}

fn make(out: &Path, key: Option<&Path>, roots: Vec<RootArgument>) -> Result<String, Failure> {
    let roots = roots
        .into_iter()
        .map(|root| {
            let identity = id::read_public(&root.identity)?;
            Ok(Root { identity, endpoints: root.endpoints })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let signer = match key {
        Some(path) => load_or_make_key(path)?,
        None => WorldKey::generate(&mut id::rng()?),
    };

    let planet = World::sign(
        WorldKind::Planet,
        id_of(&signer),
        world::now(),
        roots,
        &signer,
        signer.public(),
    )?;
    fs::write(out, planet.to_bytes()).map_err(Failure::file("write", out))?;

    let mut text = world::show(&planet);
    if key.is_none() {
        text.push_str("no --key: this planet cannot be changed later\n");
    }
    Ok(text)
}

/// Returns the ID of the planets a key signs, so that a later one is a revision of an earlier.
fn id_of(key: &WorldKey) -> u64 {
    let mut id = [0; 8];
    // The second half is the signing key, whose bytes are as good as random.
    id.copy_from_slice(&key.public()[32..40]);
    u64::from_be_bytes(id)
}

fn load_or_make_key(path: &Path) -> Result<WorldKey, Failure> {
    match fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => {
            let bytes = <&[u8; KEY_LEN]>::try_from(bytes.as_slice())
                .map_err(|_| Failure::KeyLength(path.to_owned()))?;
            WorldKey::from_bytes(bytes).map_err(|why| Failure::Key { path: path.to_owned(), why })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = WorldKey::generate(&mut id::rng()?);
            world::save_secret(path, key.to_bytes().as_slice())
                .map_err(Failure::file("write", path))?;
            Ok(key)
        }
        Err(error) => Err(Failure::file("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_file_and_where_it_is_found() {
        let root: RootArgument = "a=b/id.public=192.0.2.1/9993,2001:db8::1/7".parse().unwrap();

        assert_eq!(root.identity, Path::new("a=b/id.public"));
        assert_eq!(
            root.endpoints,
            ["192.0.2.1:9993".parse().unwrap(), "[2001:db8::1]:7".parse().unwrap()]
        );
    }

    #[test]
    fn endpoints_without_address_or_port_are_refused() {
        for text in ["id.public", "id.public=", "id.public=192.0.2.1", "id.public=example.org/1"] {
            assert!(text.parse::<RootArgument>().is_err(), "{text}");
        }
    }

    #[test]
    fn endpoints_no_node_sends_to_are_refused() {
        for text in ["id.public=127.0.0.1/9993", "id.public=169.254.1.1/9993", "id.public=::1/1"] {
            assert!(text.parse::<RootArgument>().is_err(), "{text}");
        }
    }
}
