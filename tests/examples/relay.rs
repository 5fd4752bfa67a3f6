//! What a packet costs `zt node` as a root that it is passed on by, the kernel's share included.
//!
//! All is on one machine, in a network of its own where addresses look like the internet's:
//!
//! ```text
//! cargo build --release -p zt-cli -p zt-tests --bin zt --example relay
//! unshare --net sh -c 'ip link set lo up && ip link add d0 type veth peer d1 && ip link set d0 up &&
//!     ip address add 5.1.0.1/24 dev d0 && ip route add local 7.0.0.0/8 dev lo &&
//!     target/release/examples/relay target/release/zt'
//! ```
//!
//! Two ends send to each other through the root, in turn, so many packets at once as a line says.
//! One at a time is the worst for the root: as no two that go the same way are neighbours, each is a
//! system call. What a packet costs is told by the CPU time of the root's process, so whoever else
//! uses the machine hardly matters. Over loopback, who sends pays for the kernel's receiving; so the
//! root pays for that too, though for its receiver's and not for its own.
#![allow(clippy::print_stdout, reason = "this is a program that prints what it has measured")]
#![allow(clippy::unwrap_used, reason = "it measures or it fails")]

use std::fs;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use quinn_udp::{RecvMeta, UdpSocketState};
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::endpoint::{self, SocketId};
use zt_protocol::identity::Identity;
use zt_protocol::node::{Config, Node};
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::rng::Rng;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::{Cut, Frame, FrameSink, Transmit};
use zt_protocol::world::{Root, World};
use zt_tests::identities;

const ROOT_AT: &str = "5.1.0.1:9993";
const ENDS_AT: [&str; 2] = ["7.0.0.1:1000", "7.0.1.1:1000"];

/// How long each line is measured.
const TIME: Duration = Duration::from_secs(4);

/// Lengths of packets, and how many of them are sent at once.
const LINES: [(usize, usize); 4] = [(64, 1), (64, 32), (1_400, 1), (1_400, 32)];

/// How many packets are under way at most.
const WINDOW: usize = 256;

/// How long nothing arrives when what is under way counts as lost.
const LOST: Duration = Duration::from_millis(20);

/// How many ticks of `/proc/PID/stat` a second has.
const TICKS: f64 = 100.0;

fn main() {
    let zt = std::env::args().nth(1).expect("the path of zt is given");
    let root = RootProcess::start(&zt);
    let mut ends = [0, 1].map(|index| End::new(index, root.identity));
    meet(&mut ends);

    println!(
        "{:>6} {:>8} {:>12} {:>16} {:>14}",
        "bytes", "at once", "packets/s", "µs of the root", "/s per core"
    );
    for (len, at_once) in LINES {
        let (start, cpu) = (Clock::now(), root.cpu());
        let packets = exchange(&mut ends, len, at_once) as f64;
        let (secs, cpu) = (start.elapsed().as_secs_f64(), root.cpu() - cpu);
        println!(
            "{len:>6} {at_once:>8} {:>12.0} {:>16.2} {:>14.0}",
            packets / secs,
            1e6 * cpu / packets,
            packets / cpu,
        );
    }
}

/// A root, running.
struct RootProcess {
    process: Child,
    identity: Identity,
    directory: PathBuf,
}

impl RootProcess {
    fn start(zt: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("zt-relay-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (home, planet) = (directory.join("home"), directory.join("planet"));
        let run = |args: &[&str]| {
            let output = Command::new(zt).args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let [home, planet] = [&home, &planet].map(|path| path.to_str().unwrap());
        run(&["id", "new", "--out", home]);
        let place = format!("{home}/identity.public={}", ROOT_AT.replace(':', "/"));
        run(&["planet", "make", "--out", planet, &place]);
        let identity = fs::read_to_string(Path::new(home).join("identity.public")).unwrap();
        let process = Command::new(zt)
            .args(["node", "--home", home, "--planet", planet, "--port", "9993"])
            .args(["--no-tun", "--no-port-mapping", "--json"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, identity: identity.trim().parse().unwrap(), directory }
    }

    /// Returns the CPU time it has taken so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let times = after_name.split_whitespace().skip(11).take(2);
        times.map(|ticks| ticks.parse::<f64>().unwrap() / TICKS).sum()
    }
}

impl Drop for RootProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A node that the root knows, and its socket.
struct End {
    node: Node,
    address: Address,
    socket: UdpSocket,
    state: UdpSocketState,
    buffer: Vec<u8>,
}

impl End {
    fn new(index: usize, root: Identity) -> Self {
        let identity = identities::proven(index);
        let address = identity.address();
        let root = Root { identity: root, endpoints: vec![ROOT_AT.parse().unwrap()] };
        let config = Config {
            planet: World { roots: vec![root], ..World::default_planet() },
            moons: Vec::new(),
            pins: Pins::new(),
            path_rules: PathRules::default(),
            low_bandwidth: false,
            controller: false,
            epoch: None,
            platform: "bench/none",
            memory_budget: None,
            allow_loopback: false,
        };
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let since_1970 = UnixMillis(since_1970.as_millis().try_into().unwrap());
        let seed = Rng::from_seed([index as u8; 32]).bytes();
        let socket = UdpSocket::bind(ENDS_AT[index]).unwrap();
        let state = UdpSocketState::new((&socket).into()).unwrap();
        let node = Node::new(identity, config, seed, Instant::ZERO, since_1970);
        Self { node, address, socket, state, buffer: vec![0; 1 << 16] }
    }

    /// Does what the node wants to do, and takes in what has come.
    fn live(&mut self, now: Instant) {
        let mut sent = Sent::default();
        self.node.handle_timeout(now, &mut sent, &mut NoHost);
        while let Ok((len, from)) = self.socket.recv_from(&mut self.buffer) {
            let path = endpoint::Path { local: SocketId(0), remote: from };
            // What is refused is not answered.
            let _ = self.node.handle_datagram(
                now,
                path,
                &mut self.buffer[..len],
                &mut sent,
                &mut NoHost,
            );
        }
        for (to, datagram) in sent.0 {
            // While the root does not listen yet, that is what comes back.
            let _ = self.socket.send_to(&datagram, to);
        }
    }

    /// Returns a packet for `to` of which nobody on the way can say that it is none.
    fn packet(&self, to: Address, len: usize) -> Vec<u8> {
        let mut packet = Rng::from_seed([7; 32]).bytes::<8>().to_vec();
        packet.extend(to.to_bytes());
        packet.extend(self.address.to_bytes());
        packet.resize(len, 3 << 3);
        packet
    }

    /// Sends packets of `len` bytes; returns whether the kernel took them.
    fn send(&self, packets: &[u8], len: usize) -> bool {
        let transmit = quinn_udp::Transmit {
            destination: ROOT_AT.parse().unwrap(),
            ecn: None,
            contents: packets,
            segment_size: Some(len),
            src_ip: None,
        };
        self.state.try_send((&self.socket).into(), &transmit).is_ok()
    }

    /// Returns how many packets of `len` bytes have come.
    fn receive(&mut self, len: usize) -> usize {
        let mut meta = RecvMeta::default();
        let mut arrived = 0;
        loop {
            let mut buffers = [IoSliceMut::new(&mut self.buffer)];
            match self.state.recv(
                (&self.socket).into(),
                &mut buffers,
                std::slice::from_mut(&mut meta),
            ) {
                Ok(_) if meta.stride == len => arrived += meta.len.div_ceil(len),
                Ok(_) => {}
                Err(_) => return arrived,
            }
        }
    }
}

/// Has both get to know the root, until what one sends comes to the other.
fn meet(ends: &mut [End; 2]) {
    const PROBE_LEN: usize = 100;
    let start = Clock::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(20), "they do not meet");
        let now = Instant::from_millis(start.elapsed().as_millis().try_into().unwrap());
        for end in &mut *ends {
            end.live(now);
        }
        let probe = ends[0].packet(ends[1].address, PROBE_LEN);
        ends[0].send(&probe, PROBE_LEN);
        thread::sleep(Duration::from_millis(20));
        let mut buffer = [0; PROBE_LEN];
        let peeked = ends[1].socket.peek_from(&mut buffer);
        if peeked.is_ok_and(|(len, _)| len == PROBE_LEN && buffer[..18] == probe[..18]) {
            return;
        }
    }
}

/// Has both send to each other for a while; returns how many packets have arrived.
fn exchange(ends: &mut [End; 2], len: usize, at_once: usize) -> usize {
    let packets = [0, 1].map(|from: usize| {
        let packet = ends[from].packet(ends[1 - from].address, len);
        packet.repeat(at_once)
    });
    let (start, mut last) = (Clock::now(), Clock::now());
    let (mut under_way, mut arrived) = (0, 0);
    while start.elapsed() < TIME {
        let here: usize = ends.iter_mut().map(|end| end.receive(len)).sum();
        arrived += here;
        under_way = usize::saturating_sub(under_way, here);
        if here > 0 {
            last = Clock::now();
        } else if last.elapsed() > LOST {
            (under_way, last) = (0, Clock::now());
        }
        if under_way + 2 * at_once > WINDOW {
            thread::sleep(Duration::from_micros(20));
            continue;
        }
        for (end, packets) in ends.iter().zip(&packets) {
            under_way += at_once * usize::from(end.send(packets, len));
        }
    }
    arrived
}

/// Keeps what a node sends.
#[derive(Default)]
struct Sent(Vec<(SocketAddr, Vec<u8>)>);

impl Transmit for Sent {
    fn reserve(&mut self, path: endpoint::Path, cut: Cut) -> Option<&mut [u8]> {
        self.0.push((path.remote, vec![0; cut.total_len]));
        self.0.last_mut().map(|(_, bytes)| bytes.as_mut_slice())
    }

    fn send_short_lived(&mut self, _: endpoint::Path, _: u8, _: &[u8]) {}
}

struct NoHost;

impl FrameSink for NoHost {
    fn deliver(&mut self, _: NetworkId, _: Frame<'_>) {}
}
