//! Real outputs of the reference, case by case, against ours.
//!
//! ```text
//! cargo test -p zt-tests --test vectors                  every case of every file
//! cargo test -p zt-tests --test vectors -- com.json      only files or cases whose name contains it
//! ZT_EXTRA_VECTORS=DIR cargo test …                      DIR's files as well, same names and format
//! ```
//!
//! Each module here runs the files of one subject; [`RUNNERS`] says which. To add one, write
//! `fn run(file: &Value, report: &mut Report)` and a line in the table. A case that is not run is
//! listed with the reason; a case nobody accounts for fails, so that none is lost silently.
#![allow(clippy::print_stdout, reason = "what was run has to be seen")]
#![allow(clippy::unwrap_used, reason = "a panic in a case is how the case fails")]

mod bench;
mod config;
mod controller;
mod controller_exchange;
mod controller_records;
mod credentials;
mod dictionary;
mod exchange_node;
mod fields;
mod fragments;
mod frames;
mod hello;
mod identity;
mod intake;
mod member;
mod member_node;
mod membership_node;
mod multicast_node;
mod multicasts;
mod names;
mod neighbors;
mod networks;
mod packets;
mod paths;
mod peer_cache;
mod physical;
mod primitives;
mod records;
mod relays;
mod report;
mod rules;
mod stories;
mod transcript;
mod whois;
mod worlds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use serde_json::Value;

use self::report::{Report, Totals};

/// Runs the cases of one file.
type Runner = fn(&Value, &mut Report);

/// Which module runs which file. Some are run twice: by the subsystem they concern, and by a whole
/// node.
const RUNNERS: &[(&str, Runner)] = &[
    ("adhoc.json", networks::adhoc),
    ("aes_gmac_siv_packets.json", packets::sealed),
    ("agreement.json", primitives::agreement),
    ("arp.json", neighbors::arp),
    ("capability.json", credentials::capability),
    ("com.json", credentials::com),
    ("config_chunks.json", membership_node::config_chunks),
    ("config_chunks.json", networks::chunks),
    ("controller_api.json", controller_records::run),
    ("controller_cases.json", controller::run),
    ("controller_exchange.json", controller_exchange::run),
    ("controller_exchange.json", exchange_node::run),
    ("credentials.json", membership_node::credentials),
    ("credentials.json", records::credentials),
    ("default_planet.json", worlds::default_planet),
    ("dictionary.json", dictionary::run),
    ("echo.json", paths::echo),
    ("error.json", paths::error),
    ("fragments.json", fragments::run),
    ("fragments_even.json", intake::fragments_even),
    ("frames.json", frames::run),
    ("hello.json", hello::hello),
    ("identity.json", identity::run),
    ("inetaddress.json", physical::run),
    ("kbkdf.json", primitives::kbkdf),
    ("keepalive.json", stories::keepalive),
    ("lz4_packets.json", packets::compressed),
    ("mac.json", names::mac),
    ("moon_tools.json", worlds::moon_tools),
    ("multicast.json", multicast_node::run),
    ("multicast.json", multicasts::run),
    ("nat_traversal.json", stories::nat_traversal),
    ("network_config.json", config::run),
    ("network_requests.json", membership_node::network_requests),
    ("network_requests.json", networks::requests),
    ("ownership.json", credentials::ownership),
    ("packet_reject.json", intake::packet_reject),
    ("peer_cache.json", peer_cache::run),
    ("push_direct_paths.json", paths::push_direct_paths),
    ("relay.json", relays::relay),
    ("relay_unite.json", relays::unite),
    ("rendezvous.json", paths::rendezvous),
    ("revocation.json", credentials::revocation),
    ("rfc4193_6plane.json", neighbors::computable),
    ("rules.json", rules::rules),
    ("rules_json.json", rules::rules_json),
    ("salsa_poly_packets.json", packets::sealed),
    ("self_awareness.json", paths::self_awareness),
    ("signatures.json", primitives::signatures),
    ("tag.json", credentials::tag),
    ("transcript_bootstrap.json", transcript::run),
    ("whois.json", whois::run),
    ("worlds.json", worlds::worlds),
];

fn main() -> ExitCode {
    // The test harness of cargo passes flags such as --nocapture, which mean nothing here.
    let filter = env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")];
    directories.extend(env::var_os("ZT_EXTRA_VECTORS").map(PathBuf::from));

    report::quiet_panics();
    let mut totals = Totals::default();
    for directory in directories {
        println!("{}", directory.display());
        for path in json_files(&directory) {
            totals.add(run_file(&path, &filter));
        }
    }
    totals.print()
}

/// Runs one file and returns what came of it.
fn run_file(path: &Path, filter: &str) -> Report {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));

    let mut report = Report::new(&name, filter);
    let mut runners = RUNNERS.iter().filter(|(runs, _)| *runs == name).peekable();
    if runners.peek().is_none() {
        report.none_run(&file, "no runner for this file");
    }
    for (_, run) in runners {
        report.run_all(&file, *run);
    }
    report
}

/// Returns the JSON files of `directory` in order.
fn json_files(directory: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}
