//! A gateway that speaks PCP and NAT-PMP, well or badly, in words of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// How a gateway behaves.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    pub(super) pcp: bool,
    pub(super) nat_pmp: bool,
    /// Says nothing to PCP, not even that it does not know it.
    pub(super) is_deaf_to_pcp: bool,
    /// Its own address.
    pub(super) external: Ipv4Addr,
    /// Grants this port instead of the one asked for.
    pub(super) other_port: Option<u16>,
    pub(super) lifetime: Duration,
    /// Refuses everything with this code.
    pub(super) refuses: Option<u8>,
    /// Sends other things before each answer.
    pub(super) babbles: bool,
    /// Thinks before it answers.
    pub(super) late: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            pcp: false,
            nat_pmp: false,
            is_deaf_to_pcp: false,
            external: Ipv4Addr::new(5, 2, 0, 1),
            other_port: None,
            lifetime: Duration::from_secs(600),
            refuses: None,
            babbles: false,
            late: Duration::ZERO,
        }
    }
}

/// A gateway on this machine.
pub(super) struct DatagramGateway {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    manners: Manners,
    /// The internal port that is mapped.
    mapped: Option<u16>,
    since: Instant,
    /// What its count of seconds was then.
    up: u32,
}

impl DatagramGateway {
    pub(super) async fn start(manners: Manners) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let state = State { manners, mapped: None, since: Instant::now(), up: 100_000 };
        let state = Arc::new(Mutex::new(state));
        let task = tokio::spawn(serve(socket, Arc::clone(&state)));
        Self { address, state, task }
    }

    pub(super) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn mapped(&self) -> Option<u16> {
        self.state.lock().unwrap().mapped
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.state.lock().unwrap().manners);
    }

    /// Forgets everything and counts from zero.
    pub(super) fn restart(&self) {
        let mut state = self.state.lock().unwrap();
        (state.mapped, state.up, state.since) = (None, 0, Instant::now());
    }
}

impl Drop for DatagramGateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut request = [0; 2_000];
    loop {
        let (len, from) = socket.recv_from(&mut request).await.unwrap();
        let (answer, manners) = {
            let mut state = state.lock().unwrap();
            (state.answer(&request[..len]), state.manners.clone())
        };
        tokio::time::sleep(manners.late).await;
        if manners.babbles {
            let mut other = answer.clone().unwrap_or_default();
            other.iter_mut().skip(1).for_each(|byte| *byte ^= 0x55);
            for babble in [&b"\x02"[..], &[0xff; 1_500], &[], &request[..len], &other] {
                socket.send_to(babble, from).await.unwrap();
            }
        }
        if let Some(answer) = answer {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

impl State {
    fn up(&self) -> [u8; 4] {
        (self.up + u32::try_from(self.since.elapsed().as_secs()).unwrap()).to_be_bytes()
    }

    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        match request[0] {
            2 if self.manners.pcp => Some(self.answer_pcp(request)),
            2 if self.manners.nat_pmp && !self.manners.is_deaf_to_pcp => {
                Some([&[0, request[1] | 0x80, 0, 1], self.up().as_slice()].concat())
            }
            0 if self.manners.nat_pmp => Some(self.answer_nat_pmp(request)),
            _ => None,
        }
    }

    fn answer_nat_pmp(&mut self, request: &[u8]) -> Vec<u8> {
        let head = [0, request[1] | 0x80, 0, self.manners.refuses.unwrap_or(0)];
        let mut answer = [head, self.up()].concat();
        if request[1] == 0 {
            answer.extend(self.manners.external.octets());
            return answer;
        }
        let (internal, external) = (&request[4..6], &request[6..8]);
        let (external, lifetime) = self.grant(internal, external, &request[8..12]);
        answer.extend_from_slice(internal);
        answer.extend(external.to_be_bytes());
        answer.extend(lifetime.to_be_bytes());
        answer
    }

    fn answer_pcp(&mut self, request: &[u8]) -> Vec<u8> {
        let mut answer = request.to_vec();
        answer[1] |= 0x80;
        answer[3] = self.manners.refuses.unwrap_or(0);
        answer[8..12].copy_from_slice(&self.up());
        answer[12..24].fill(0);
        if request[1] == 1 {
            let (internal, external) = (&request[40..42], &request[42..44]);
            let (external, lifetime) = self.grant(internal, external, &request[4..8]);
            answer[4..8].copy_from_slice(&lifetime.to_be_bytes());
            answer[42..44].copy_from_slice(&external.to_be_bytes());
            answer[56..60].copy_from_slice(&self.manners.external.octets());
        }
        answer
    }

    /// Grants or takes back; returns the external port and the lifetime.
    fn grant(&mut self, internal: &[u8], external: &[u8], lifetime: &[u8]) -> (u16, u32) {
        let number = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
        if lifetime == [0; 4] {
            self.mapped = None;
            return (0, 0);
        }
        if self.manners.refuses.is_none() && !self.manners.lifetime.is_zero() {
            self.mapped = Some(number(internal));
        }
        let external = self.manners.other_port.unwrap_or_else(|| number(external));
        (external, u32::try_from(self.manners.lifetime.as_secs()).unwrap())
    }
}
