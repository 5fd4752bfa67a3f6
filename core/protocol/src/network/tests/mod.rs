//! Stories of one member, with the controller and the other members played by the test.

mod bridges;
mod configuration;
mod credentials;
mod memory;
mod multicasts;
mod next_hops;
mod rules;

use core::net::Ipv4Addr;
use core::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use super::*;
use crate::config::Specialist;
use crate::credential::revocation::CredentialKind;
use crate::credential::{Membership, Revocation, Tag};
use crate::endpoint::{Path, SocketId};
use crate::event::Standing;
use crate::fastpath::tables::{MemberView, Tables};
use crate::identity::{Identity, SecretIdentity};
use crate::neighbor::{arp, ndp};
use crate::outbox::{Outbox, OwnedFrame, Received};
use crate::rng::Rng;
use crate::rules::{Kind, Rule};
use crate::time::UnixMillis;
use crate::vectors;
use crate::verb::{ErrorCode, Verb};
use crate::wire::credentials::Credentials as ShownCredentials;
use crate::wire::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::wire::multicast::{self as wire_multicast, Gather, Gathered, MulticastFrame};
use crate::wire::netconf;

const NETWORK: NetworkId = NetworkId(0x3f6e_a8ef_0000_0001);
const UNIX: UnixMillis = UnixMillis(1_700_000_000_000);

/// How far certificates of membership may be apart.
const WINDOW_MS: u64 = 1_800_000;

const LAST: Instant = Instant::from_millis(10_000_000);

fn secs(secs: u64) -> Instant {
    Instant::from_millis(1_000_000 + secs * 1_000)
}

/// Returns the identity the vectors call `name`: the controller, a, b or c.
fn secret(name: &str) -> SecretIdentity {
    let vectors = vectors::load("credentials.json");
    SecretIdentity::from_text(vectors["identities"][name]["secret"].as_str().unwrap()).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Node a, and everybody it knows.
struct Host {
    me: SecretIdentity,
    controller: SecretIdentity,
    b: SecretIdentity,
    c: SecretIdentity,
    known: Known,
    now: Instant,
    rng: Rng,
    tables: Tables,
    out: Outbox,
    networks: Networks,
    packets: u64,
    is_full: bool,
}

struct Known(BTreeMap<Address, Identity>);

impl Directory for Known {
    fn identity(&self, address: Address) -> Option<&Identity> {
        self.0.get(&address)
    }
}

impl Host {
    fn new() -> Self {
        let [me, controller, b, c] = ["a", "controller", "b", "c"].map(secret);
        let everybody = [&me, &controller, &b, &c].map(|node| (node.address(), *node.public()));
        let tables = Tables::new(me.address(), 1);
        Self {
            me,
            controller,
            b,
            c,
            known: Known(everybody.into_iter().collect()),
            now: secs(0),
            rng: Rng::from_seed([3; 32]),
            tables,
            out: Outbox::default(),
            networks: Networks::new("linux/x86_64"),
            packets: 0,
            is_full: false,
        }
    }

    /// A host on the network, with `change` made to a public configuration.
    fn on(mode: PortMode, change: impl FnOnce(&mut NetworkConfig)) -> Self {
        let mut host = Self::new();
        host.call(|networks, ctx, _| networks.join(ctx, NETWORK, mode, None)).unwrap();
        let mut config = host.config();
        change(&mut config);
        host.configure(&config).unwrap();
        host.settle();
        host
    }

    /// A host on the network, which is private.
    fn on_private() -> Self {
        let mut host = Self::new();
        host.call(|networks, ctx, _| networks.join(ctx, NETWORK, PortMode::L3, None)).unwrap();
        let mut config = host.config();
        config.public = false;
        config.membership = Some(host.certificate(host.me.public(), UNIX));
        host.configure(&config).unwrap();
        host.settle();
        host
    }

    /// Lets what is due happen, and forgets it.
    fn settle(&mut self) {
        self.pass(self.now);
        self.out = Outbox::default();
    }

    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Networks, &mut Ctx<'_>, &dyn Directory) -> R,
    ) -> R {
        let ctx = &mut Ctx {
            now: self.now,
            unix: UNIX + self.now.since(secs(0)),
            rng: &mut self.rng,
            me: &self.me,
            is_full: self.is_full,
            tables: &mut self.tables,
            out: &mut self.out,
        };
        call(&mut self.networks, ctx, &self.known)
    }

    /// Lets time pass up to `until`, waking whenever that is asked for. Returns how often.
    fn pass(&mut self, until: Instant) -> usize {
        let mut wakeups = 0;
        while let Some((at, _)) = self.networks.poll_timeout().filter(|(at, _)| *at <= until) {
            assert!(wakeups == 0 || at > self.now, "wakes in vain at {at:?}");
            self.now = self.now.max(at);
            self.call(|networks, ctx, known| networks.handle_timeout(ctx, known));
            wakeups += 1;
        }
        self.now = until;
        wakeups
    }

    fn receive<R>(
        &mut self,
        from: Address,
        verb: Verb,
        body: &[u8],
        call: impl FnOnce(&mut Networks, &mut Ctx<'_>, &dyn Directory, &Received<'_>) -> R,
    ) -> R {
        self.packets += 1;
        let path = Path { local: SocketId(1), remote: "192.0.2.1:9993".parse().unwrap() };
        let rx = Received { from, path, hops: 0, verb, packet_id: self.packets, body };
        self.call(|networks, ctx, known| call(networks, ctx, known, &rx))
    }

    /// A public configuration of the host's with one address.
    fn config(&self) -> NetworkConfig {
        let text = format!("v=7\nnwid={NETWORK}\nid={}\nml=20\nf=6\nt=1", self.me.address());
        let mut config = NetworkConfig::from_dictionary(text.as_bytes()).unwrap();
        config.timestamp = UNIX;
        config.credential_window_ms = WINDOW_MS;
        config.name = "earth".to_owned();
        config.rules = vec![Rule::accept()];
        config.addresses = vec![(ip("10.147.17.5"), 24)];
        config
    }

    fn configure(&mut self, config: &NetworkConfig) -> Result<(), Rejected> {
        let dictionary = config.to_dictionary();
        let controller = secret("controller");
        let sign = |message: &[u8]| controller.sign(&[message]);
        self.packets += 1;
        let chunks: Vec<_> =
            netconf::write_chunks(NETWORK, self.packets, &dictionary, sign).collect();
        for chunk in chunks {
            let from = controller.address();
            self.receive(from, Verb::NetworkConfig, &chunk, |networks, ctx, known, rx| {
                networks.handle_config(ctx, known, rx, rx.body).map(drop)
            })?;
        }
        Ok(())
    }

    fn certificate(&self, member: &Identity, timestamp: UnixMillis) -> Membership {
        Membership::issue(&self.controller, NETWORK, member, timestamp, WINDOW_MS)
    }

    fn show(
        &mut self,
        from: Address,
        shown: &ShownCredentials,
    ) -> Vec<Result<Credentials, Rejected>> {
        let show = |body: &Vec<u8>| {
            self.receive(from, Verb::NetworkCredentials, body, |networks, ctx, known, rx| {
                networks.handle_credentials(ctx, known, rx)
            })
        };
        shown.write().iter().map(show).collect()
    }

    /// Has `member` show a certificate of its own.
    fn show_certificate(&mut self, member: &Identity, timestamp: UnixMillis) {
        let memberships = vec![self.certificate(member, timestamp)];
        let shown = ShownCredentials { memberships, ..ShownCredentials::default() };
        assert_eq!(self.show(member.address(), &shown), [Ok(Credentials::Accepted(true))]);
    }

    fn revoke(&mut self, from: Address, target: Address, threshold: u64) {
        let kind = CredentialKind::Membership;
        self.revoke_one(from, target, (kind, 0), threshold);
    }

    fn revoke_one(
        &mut self,
        from: Address,
        target: Address,
        what: (CredentialKind, u32),
        threshold: u64,
    ) {
        let revocation = Revocation::issue(&self.controller, NETWORK, target, what, 1, threshold);
        let shown =
            ShownCredentials { revocations: vec![revocation], ..ShownCredentials::default() };
        assert_eq!(self.show(from, &shown), [Ok(Credentials::Accepted(true))]);
    }

    fn error(&mut self, from: Address, in_re: Verb, code: ErrorCode) -> Result<(), Rejected> {
        self.receive(from, Verb::Error, &NETWORK.to_bytes(), |networks, ctx, _, rx| {
            networks.handle_error(ctx, rx, (in_re, 1), code)
        })
    }

    /// Takes what was sent: to whom, what.
    fn sent(&mut self) -> Vec<(Address, Verb)> {
        self.out.packets.drain(..).map(|packet| (packet.to, packet.verb)).collect()
    }

    fn frames(&mut self) -> Vec<OwnedFrame> {
        self.out.frames.drain(..).collect()
    }

    fn standing(&self) -> Standing {
        self.networks.statuses()[0].standing
    }

    fn view(&self) -> &NetworkView {
        self.tables.network(NETWORK).unwrap()
    }

    fn member(&self, address: Address) -> MemberView {
        self.view().members[&address].clone()
    }
}

/// What it costs to do nothing.
#[test]
fn an_idle_member_is_woken_a_few_times_a_minute() {
    let mut host = Host::on_private();
    let b = *host.b.public();
    host.show_certificate(&b, UNIX);
    let mut config = host.networks.config(NETWORK).cloned().unwrap();

    let mut wakeups = 0;
    for minute in 1..=10 {
        wakeups += host.pass(secs(60 * minute));
        config.revision += 1;
        host.configure(&config).unwrap();
    }

    assert!(wakeups <= 60, "{wakeups}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a member or stranger sends, in whatever state.
    #[test]
    fn no_packet_panics(
        bodies in proptest::collection::vec((0_u8..9, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..120)), 1..20),
        private: bool,
    ) {
        let mut host = if private { Host::on_private() } else { Host::on(PortMode::L3, |_| {}) };
        let b = host.b.address();
        for (kind, addressed, mut body) in bodies {
            if addressed && body.len() >= 8 {
                body[..8].copy_from_slice(&NETWORK.to_bytes());
            }
            host.receive(b, Verb::Nop, &body, |networks, ctx, known, rx| match kind {
                0 => drop(networks.handle_config(ctx, known, rx, rx.body)),
                1 => drop(networks.handle_credentials(ctx, known, rx)),
                2 => drop(networks.handle_like(ctx, rx, &|_| true)),
                3 => drop(networks.handle_gather(ctx, known, rx, &|_| true)),
                4 => drop(networks.handle_ok_gather(ctx, rx)),
                5 => drop(networks.handle_ok_multicast_frame(ctx, known, rx)),
                6 => drop(networks.handle_multicast_frame(ctx, known, rx)),
                7 => for code in (0..=u8::MAX).filter_map(ErrorCode::from_u8) {
                    let in_re = (Verb::NetworkConfigRequest, 1);
                    let _ = networks.handle_error(ctx, rx, in_re, code);
                },
                _ => for ethertype in [ETHERTYPE_ARP, ETHERTYPE_IPV6] {
                    let source = Mac::of_member(b, NETWORK);
                    let frame = Frame { destination: source, source, ethertype, payload: rx.body };
                    let _ = networks.handle_neighbor(ctx, NETWORK, frame);
                    let _ = networks.send_multicast(ctx, NETWORK, frame);
                },
            });
            host.now = host.now + Duration::from_secs(1);
            host.call(|networks, ctx, known| networks.handle_timeout(ctx, known));
            prop_assert!(host.networks.poll_timeout().is_none_or(|(at, _)| at > host.now));
        }
        host.pass(LAST);
    }
}
