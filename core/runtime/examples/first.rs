//! Joins a network, and tells what comes for this node: `first DIRECTORY NETWORK`.
#![allow(clippy::print_stdout, reason = "whoever has started it reads what it says")]

use std::env::args;
use std::error::Error;

use zt_protocol::address::NetworkId;
use zt_runtime::{Builder, Event, Port};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (Some(home), Some(network)) = (args().nth(1), args().nth(2)) else {
        return Err("usage: first DIRECTORY NETWORK".into());
    };
    let network: NetworkId = network.parse()?;

    let node = Builder::new(home).start().await?;
    println!("this is {}, which the controller has to admit", node.address());
    node.join(network, Port::Packets).await?;
    let mut packets = node.packets(network).await?;

    loop {
        tokio::select! {
            Some(event) = node.next_event() => {
                if let Event::Network(status) = event {
                    println!("{}: {:?}", status.standing.name(), status.addresses);
                }
            }
            Some(batch) = packets.receiver.recv() => {
                batch.iter().for_each(|packet| println!("{} bytes", packet.len()));
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    node.shutdown().await;
    Ok(())
}
