//! What anybody can do to a node whose public identity is known: HELLOs of made-up identities, sealed
//! as they should be, from made-up addresses all over the internet.
//!
//! ```text
//! flood IDENTITY IP:PORT PER_SECOND SECONDS ROUNDS
//! ```
//!
//! It makes all of them beforehand, no two alike, and says `{"event":"ready"}`. For each line on its
//! standard input it sends those of one round, evenly, and says
//! `{"event":"flooded","sent":N,"seconds":S}`. Needs root for the addresses, which are of IPv4.
#![allow(clippy::print_stdout, reason = "whoever has started it reads what it says")]

use std::error::Error;
use std::io;
use std::net::SocketAddrV4;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};
use zt_protocol::rng::Rng;
use zt_protocol::verb::Verb;
use zt_tests::identities;
use zt_tests::packet::Packet;
use zt_tests::persona::{Hello, Persona};

/// How often some are sent.
const TICK: Duration = Duration::from_millis(1);

/// The protocol number of packets that come with a header of their own.
const IPPROTO_RAW: i32 = 255;

const UDP: u8 = 17;
const UDP_HEADER_LEN: usize = 8;
const IP_HEADER_LEN: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [identity, victim, per_second, seconds, rounds] = &arguments[..] else {
        return Err("usage: flood IDENTITY IP:PORT PER_SECOND SECONDS ROUNDS".into());
    };
    let (identity, victim) = (Persona::from_text(identity), victim.parse()?);
    let (per_second, seconds, rounds): (usize, usize, usize) =
        (per_second.parse()?, seconds.parse()?, rounds.parse()?);
    let each = per_second * seconds;

    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW)))?;
    let packets = made_up(&identity, victim, each * rounds);
    println!(r#"{{"event":"ready"}}"#);
    for (packets, line) in packets.chunks(each).zip(io::stdin().lines()) {
        line?;
        let took = send_evenly(&socket, victim, packets, per_second)?.as_secs_f64();
        println!(r#"{{"event":"flooded","sent":{each},"seconds":{took:.3}}}"#);
    }
    Ok(())
}

/// Sends these, so many a second; returns how long it took.
fn send_evenly(
    socket: &Socket,
    victim: SocketAddrV4,
    packets: &[Vec<u8>],
    per_second: usize,
) -> io::Result<Duration> {
    let start = Instant::now();
    let mut sent = 0;
    while sent < packets.len() {
        let due = (start.elapsed().as_secs_f64() * per_second as f64) as usize;
        let due = due.clamp(sent, packets.len());
        for packet in &packets[sent..due] {
            socket.send_to(packet, &victim.into())?;
        }
        sent = due;
        thread::sleep(TICK);
    }
    Ok(start.elapsed())
}

/// Returns so many HELLOs to `victim`, with all their headers.
fn made_up(identity: &Persona, victim: SocketAddrV4, count: usize) -> Vec<Vec<u8>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = |core| -> Vec<_> {
        let indices = (core..count).step_by(cores);
        indices.map(|index| in_ip(&hello(identity, victim, index), victim, index)).collect()
    };
    thread::scope(|scope| {
        let parts: Vec<_> = (0..cores).map(|core| scope.spawn(move || part(core))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("it only computes")).collect()
    })
}

/// Returns the HELLO of made-up identity number `index`.
fn hello(identity: &Persona, victim: SocketAddrV4, index: usize) -> Vec<u8> {
    let nobody = Persona::from_text(&identities::unproven(index).to_text());
    let key = nobody.key_with(identity);
    let id = Rng::from_seed(seed(index)).bytes();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = since_1970.as_millis() as u64;
    let hello = Hello { protocol: 12, timestamp, sent_to: victim.into(), planet: (0, 0) };
    let packet = Packet {
        id,
        to: identity.address,
        from: nobody.address,
        cipher: 0,
        hops: 0,
        verb: Verb::Hello as u8,
        compressed: false,
        payload: hello.payload(&nobody, id, &key),
    };
    packet.seal(&key)
}

/// Returns a datagram to `victim` from a made-up address, as IP has it.
fn in_ip(datagram: &[u8], victim: SocketAddrV4, index: usize) -> Vec<u8> {
    let [a, b, c, d, high, low] = Rng::from_seed(seed(index)).bytes();
    // Networks that anything may come from, and ports that are not reserved.
    let (source, port) = ([11 + a % 89, b, c, d], [high | 0x80, low]);
    let udp_len = (UDP_HEADER_LEN + datagram.len()) as u16;
    let len = IP_HEADER_LEN as u16 + udp_len;

    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]); // the kernel computes the checksum
    packet.extend(source);
    packet.extend(victim.ip().octets());
    packet.extend(port);
    packet.extend(victim.port().to_be_bytes());
    packet.extend(udp_len.to_be_bytes());
    packet.extend([0, 0]); // no checksum
    packet.extend(datagram);
    packet
}

fn seed(index: usize) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(index as u64).to_be_bytes());
    seed
}
