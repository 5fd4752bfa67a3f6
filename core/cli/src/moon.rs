//! `zt moon`: moons.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use zeroize::Zeroizing;
use zt_protocol::world::WorldKind;
use zt_protocol::world::json::Draft;
use zt_runtime::store::read_world;

use crate::failure::Failure;
use crate::{id, world};

/// Make and look at moons.
#[derive(Debug, Subcommand)]
pub(crate) enum Moon {
    /// Start a moon: make a signing key and list the first root, after which it is named.
    ///
    /// Without --out the draft is printed, private key and all. Add `stableEndpoints` to it, such as
    /// "192.0.2.1/9993", and up to three more roots; then `zt moon make` it. Keep it: made again,
    /// it is a later revision that reaches all nodes through the roots.
    Init {
        /// Where to write the draft.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// identity.public of the first root
        identity: PathBuf,
    },
    /// Sign the moon in a draft, which may also be one of ZeroTier's own `initmoon`.
    ///
    /// Copy the file into moons.d of every root's home directory. Other nodes do the same, or orbit
    /// the moon and name a root of it.
    Make {
        /// Where to write the moon, under its usual name if this is a directory.
        #[arg(long, value_name = "PATH", default_value = ".")]
        out: PathBuf,
        /// The draft.
        draft: PathBuf,
    },
    /// Print what a moon says.
    Show {
        /// The moon.
        file: PathBuf,
    },
}

impl Moon {
    pub(crate) fn run(self) -> Result<String, Failure> {
        match self {
            Self::Init { out, identity } => init(out.as_deref(), &identity),
            Self::Make { out, draft } => make(out, &draft),
            Self::Show { file } => Ok(world::show(&read_world(&file, WorldKind::Moon)?)),
        }
    }
}

fn init(out: Option<&Path>, identity: &Path) -> Result<String, Failure> {
    let draft = Draft::of_moon(&id::read_public(identity)?, &mut id::rng()?).to_json();
    match out {
        Some(path) => {
            world::save_secret(path, draft.as_bytes()).map_err(Failure::file("write", path))?;
            Ok(String::new())
        }
        None => Ok(draft.to_string()),
    }
}

fn make(mut out: PathBuf, path: &Path) -> Result<String, Failure> {
    let json = fs::read(path).map(Zeroizing::new).map_err(Failure::file("read", path))?;
    let draft = Draft::from_json(&json);
    let draft = draft.map_err(|why| Failure::Draft { path: path.to_owned(), why })?;
    let signed = draft.sign(world::now())?;
    if out.is_dir() {
        // A planet too, as scripts written for the reference's tool expect.
        out.push(format!("{:016x}.moon", signed.id));
    }
    fs::write(&out, signed.to_bytes()).map_err(Failure::file("write", &out))?;
    Ok(format!("{}wrote      {}\n", world::show(&signed), out.display()))
}
