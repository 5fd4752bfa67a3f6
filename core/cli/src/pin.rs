//! `zt pin`: which keys hold which addresses.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use zt_protocol::address::Address;
use zt_protocol::fingerprint::Claim;
use zt_runtime::store::Home;

use crate::failure::Failure;

/// Pin nodes and controllers to the fingerprints their people told you.
///
/// A pinned address accepts its one key and no other. A node that is running goes by it from its
/// next start on.
#[derive(Debug, Subcommand)]
pub(crate) enum Pin {
    /// Pin an address, or pin it anew.
    Add {
        /// The node's home directory.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The fingerprint as `zt id fingerprint` prints it where the other is, in full or in short,
        /// or all of what its QR code says.
        #[arg(value_name = "ADDRESS@FINGERPRINT")]
        claim: Claim,
    },
    /// Take a pin back, or forget who was first seen at an address.
    Remove {
        /// The node's home directory.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The address.
        address: Address,
    },
    /// Print what is pinned, and who was first seen at the others.
    List {
        /// The node's home directory.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
    },
    /// Talk to nobody but roots and pinned peers; controllers are to be pinned as well then.
    Require {
        /// The node's home directory.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// Talk to everybody again.
        #[arg(long)]
        off: bool,
    },
}

impl Pin {
    pub(crate) fn run(self) -> Result<String, Failure> {
        match self {
            Self::Add { home, claim } => {
                Home::new(home).pin(claim.address, claim.expected)?;
                Ok(String::new())
            }
            Self::Remove { home, address } => match Home::new(home).unpin(address)? {
                true => Ok(String::new()),
                false => Err(Failure::NotPinned(address)),
            },
            Self::List { home } => list(&Home::new(home)),
            Self::Require { home, off } => {
                Home::new(home).require_pinned(!off)?;
                Ok(String::new())
            }
        }
    }
}

fn list(home: &Home) -> Result<String, Failure> {
    let pins = home.pins()?;
    let mut text = String::new();
    if pins.is_required() {
        text.push_str("only roots and pinned peers are talked to\n");
    }
    for (address, expected) in pins.pinned() {
        let _ = writeln!(text, "pinned      {address}@{expected}");
    }
    for (address, fingerprint) in pins.first_seen() {
        let _ = writeln!(text, "first seen  {address}@{fingerprint}");
    }
    Ok(text)
}
