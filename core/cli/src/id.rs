//! `zt id`: identities.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use zeroize::Zeroizing;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::rng::Rng;
use zt_runtime::store::Home;

use crate::failure::Failure;

/// Make and look at identities.
#[derive(Debug, Subcommand)]
pub(crate) enum Id {
    /// Make an identity; takes a moment.
    ///
    /// Without --out it is printed, private key and all.
    New {
        /// Write identity.secret and identity.public into this directory.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print what is public of the identity in a file.
    Show {
        /// identity.public or identity.secret
        file: PathBuf,
    },
    /// Check that the identity in a file is valid: address, keys, and that they belong together.
    Check {
        /// identity.public or identity.secret
        file: PathBuf,
    },
    /// Print what people can compare to be sure of an identity, in full and in short, and what a QR
    /// code may say.
    ///
    /// `zt pin add ADDRESS@FINGERPRINT` and `zt node --join NWID@FINGERPRINT` take the first two, and
    /// `zt pin add` the third as it is.
    Fingerprint {
        /// identity.public or identity.secret
        file: PathBuf,
    },
}

impl Id {
    pub(crate) fn run(self) -> Result<String, Failure> {
        match self {
            Self::New { out: None } => Ok(format!("{}\n", *generate()?.to_text())),
            Self::New { out: Some(dir) } => new(dir),
            Self::Show { file } => read(&file).map(|found| show(&found)),
            Self::Check { file } => check(&file),
            Self::Fingerprint { file } => {
                let identity = read(&file)?.identity;
                let (address, fingerprint) = (identity.address(), identity.fingerprint());
                let (short, qr) = (fingerprint.short(), fingerprint.qr(address));
                Ok(format!("{fingerprint}\n{short}\n{qr}\n"))
            }
        }
    }
}

/// Returns a generator seeded by the system.
pub(crate) fn rng() -> Result<Rng, Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(Failure::Randomness)?;
    Ok(Rng::from_seed(seed))
}

/// Reads the public part of the identity in a file.
pub(crate) fn read_public(path: &Path) -> Result<Identity, Failure> {
    read(path).map(|found| found.identity)
}

/// The identity in a file.
struct Found {
    identity: Identity,
    has_secret: bool,
}

fn read(path: &Path) -> Result<Found, Failure> {
    let bytes = fs::read(path).map(Zeroizing::new).map_err(Failure::file("read", path))?;
    let text = str::from_utf8(&bytes).unwrap_or_default().trim();
    let no_identity = |why| Failure::NoIdentity { path: path.to_owned(), why };

    // Four fields are an identity with its private key, three one without.
    if text.split(':').count() == 4 {
        let secret = SecretIdentity::from_text(text).map_err(no_identity)?;
        return Ok(Found { identity: *secret.public(), has_secret: true });
    }
    Ok(Found { identity: text.parse().map_err(no_identity)?, has_secret: false })
}

fn generate() -> Result<SecretIdentity, Failure> {
    Ok(SecretIdentity::generate(&mut rng()?))
}

fn new(dir: PathBuf) -> Result<String, Failure> {
    let secret_path = dir.join("identity.secret");
    if secret_path.exists() {
        return Err(Failure::Exists(secret_path));
    }
    let identity = generate()?;
    Home::new(dir).save_identity(&identity)?;
    Ok(format!("{}\n", identity.address()))
}

fn show(found: &Found) -> String {
    let Found { identity, has_secret } = found;
    let fingerprint = identity.fingerprint();
    let keys = if *has_secret { "public and private" } else { "public" };
    format!(
        "address      {}\nidentity     {identity}\nfingerprint  {fingerprint}\nin short     {}\n\
         keys         {keys}\n",
        identity.address(),
        fingerprint.short(),
    )
}

fn check(path: &Path) -> Result<String, Failure> {
    let identity = read_public(path)?;
    if !identity.is_valid() {
        return Err(Failure::InvalidIdentity { path: path.to_owned() });
    }
    Ok(format!("{} is a valid identity\n", identity.address()))
}
