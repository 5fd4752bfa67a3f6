//! The `zt` command: nodes, roots, controllers, identities, planets and moons.

mod failure;
mod id;
mod moon;
mod network;
mod node;
mod peers;
mod pin;
mod planet;
mod world;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Private networks over any network: a node, root or controller of ZeroTier V1, and the tools
/// around them.
#[derive(Debug, Parser)]
#[command(
    name = "zt",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed (the message says why and what to do), 2 wrong usage."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make and look at identities.
    #[command(subcommand)]
    Id(id::Id),
    /// Make and look at planets: the signed lists of roots that nodes find each other by.
    #[command(subcommand)]
    Planet(planet::Planet),
    /// Make and look at moons: lists of roots beside the planet's, for whoever orbits them.
    #[command(subcommand)]
    Moon(moon::Moon),
    /// Make networks of a controller, decide who is on them, and what networks may do to this
    /// machine.
    #[command(subcommand)]
    Network(network::Network),
    /// Pin nodes and controllers to the fingerprints their people told you.
    #[command(subcommand)]
    Pin(pin::Pin),
    /// Print the peers of a running node, and why each is reached the way it is.
    Peers(peers::Peers),
    /// Run a node in the foreground until SIGINT or SIGTERM.
    Node(node::Node),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Id(id) => id.run(),
        Command::Planet(planet) => planet.run(),
        Command::Moon(moon) => moon.run(),
        Command::Network(network) => network.run(),
        Command::Pin(pin) => pin.run(),
        Command::Peers(peers) => peers.run(),
        Command::Node(node) => node.run().map(|()| String::new()),
    };

    // A reader that has gone away, such as `head`, has seen enough.
    match result {
        Ok(text) => {
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let _ = writeln!(io::stderr(), "zt: {failure}");
            ExitCode::FAILURE
        }
    }
}
