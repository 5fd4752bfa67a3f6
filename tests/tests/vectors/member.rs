//! A member of networks without the rest of its node: fed bodies, heard by its outbox.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::config::NetworkConfig;
use zt_protocol::credential::Membership;
use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::fastpath::tables::Tables;
use zt_protocol::identity::{Directory, Identity, SecretIdentity};
use zt_protocol::network::Networks;
use zt_protocol::outbox::{Ctx, Outbox, Outgoing, OwnedFrame, Received};
use zt_protocol::rng::Rng;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::PortMode;
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_protocol::wire::netconf;
use zt_tests::vector_node::START_MS;

use crate::fields::text;

/// The roots of the default planet, which the reference's member knows.
const ROOTS: [u64; 4] = [0x62_f865_ae71, 0x77_8cde_7190, 0xca_fe04_eba9, 0xca_fe9e_feb9];

/// How far certificates issued on the bench may be apart, in milliseconds.
const WINDOW_MS: u64 = 7_200_000;

/// Node `a` of a file, or another, and whom it knows.
pub(crate) struct Member {
    pub(crate) networks: Networks,
    pub(crate) tables: Tables,
    pub(crate) network: NetworkId,
    pub(crate) now: Instant,
    me: SecretIdentity,
    controller: SecretIdentity,
    known: Known,
    unix: UnixMillis,
    rng: Rng,
    out: Outbox,
    updates: u64,
}

struct Known(BTreeMap<Address, Identity>);

impl Directory for Known {
    fn identity(&self, address: Address) -> Option<&Identity> {
        self.0.get(&address)
    }
}

impl Member {
    /// Returns the node a file calls `name`, which knows the others and has joined nothing.
    pub(crate) fn new(file: &Value, name: &str) -> Self {
        let identities = file["identities"].as_object().unwrap();
        let secret = |name: &str| SecretIdentity::from_text(text(&identities[name], "secret"));
        let (me, controller) = (secret(name).unwrap(), secret("controller").unwrap());
        let known = identities.values().map(|node| text(node, "public").parse().unwrap());
        let known = known.map(|identity: Identity| (identity.address(), identity));
        let mut tables = Tables::new(me.address(), 1);
        tables.upstreams = ROOTS.map(Address::from_u64).to_vec();
        Self {
            networks: Networks::new("linux/x86_64"),
            tables,
            network: text(file, "network_id").parse().unwrap(),
            now: Instant::from_millis(1_000_000),
            me,
            controller,
            known: Known(known.collect()),
            unix: UnixMillis(START_MS),
            rng: Rng::from_seed([1; 32]),
            out: Outbox::default(),
            updates: 0,
        }
    }

    /// Returns the identity of the network's controller.
    pub(crate) fn controller(&self) -> SecretIdentity {
        SecretIdentity::from_text(&self.controller.to_text()).unwrap()
    }

    pub(crate) const fn me(&self) -> Address {
        self.me.address()
    }

    /// Calls a method of the subsystem.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Networks, &mut Ctx<'_>, &dyn Directory) -> R,
    ) -> R {
        let ctx = &mut Ctx {
            now: self.now,
            unix: self.unix,
            rng: &mut self.rng,
            me: &self.me,
            is_full: false,
            tables: &mut self.tables,
            out: &mut self.out,
        };
        call(&mut self.networks, ctx, &self.known)
    }

    /// As [`call`](Self::call), with a packet that has arrived.
    pub(crate) fn receive<R>(
        &mut self,
        (from, verb, packet_id): (Address, Verb, u64),
        body: &[u8],
        call: impl FnOnce(&mut Networks, &mut Ctx<'_>, &dyn Directory, &Received<'_>) -> R,
    ) -> R {
        let path = Path { local: SocketId(1), remote: "192.0.2.1:9993".parse().unwrap() };
        let rx = Received { from, path, hops: 0, verb, packet_id, body };
        self.call(|networks, ctx, known| call(networks, ctx, known, &rx))
    }

    /// Joins the file's network.
    pub(crate) fn join(&mut self, mode: PortMode) {
        let network = self.network;
        self.call(|networks, ctx, _| networks.join(ctx, network, mode, None)).unwrap();
    }

    /// Returns a configuration of this member's that lets everything pass.
    pub(crate) fn config(&self) -> NetworkConfig {
        let text =
            format!("v=7\nnwid={}\nid={}\nml=20\nf=6\nt=1\nR=\u{1}\\0", self.network, self.me());
        let mut config = NetworkConfig::from_dictionary(text.as_bytes()).unwrap();
        config.timestamp = self.unix;
        config.credential_window_ms = WINDOW_MS;
        config
    }

    /// Has the controller answer a request with a configuration, and what follows at once happen and be forgotten.
    pub(crate) fn configure(&mut self, config: &NetworkConfig) {
        self.updates += 1;
        let dictionary = config.to_dictionary();
        let controller = self.controller();
        let sign = |message: &[u8]| controller.sign(&[message]);
        let chunks = netconf::write_chunks(self.network, self.updates, &dictionary, sign);
        let request = [&self.network.to_bytes()[..], &[0, 0]].concat();
        let in_re = self.updates;
        self.call(|networks, _, _| networks.asked(&request, in_re));
        for chunk in chunks {
            let packet = (controller.address(), Verb::Ok, self.updates);
            self.receive(packet, &chunk, |networks, ctx, known, rx| {
                networks.handle_ok_config(ctx, known, rx, in_re)
            })
            .unwrap();
        }
        self.call(|networks, ctx, known| networks.handle_timeout(ctx, known));
        self.out = Outbox::default();
    }

    /// Returns a certificate of membership of the file's node `name`, issued `later_ms` later than
    /// the bench began.
    pub(crate) fn certificate(&self, file: &Value, name: &str, later_ms: u64) -> Membership {
        let holder: Identity = text(&file["identities"][name], "public").parse().unwrap();
        let timestamp = UnixMillis(START_MS + later_ms);
        Membership::issue(&self.controller, self.network, &holder, timestamp, WINDOW_MS)
    }

    /// Has the file's node `name` show such a certificate.
    pub(crate) fn show_certificate(&mut self, file: &Value, name: &str, later_ms: u64) {
        let certificate = self.certificate(file, name, later_ms);
        let packet = (certificate.issued_to(), Verb::NetworkCredentials, 1);
        let shown = Credentials { memberships: vec![certificate], ..Credentials::default() };
        for body in shown.write() {
            self.receive(packet, &body, |networks, ctx, known, rx| {
                networks.handle_credentials(ctx, known, rx)
            })
            .unwrap();
        }
    }

    /// Lets `millis` pass.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.call(|networks, ctx, known| networks.handle_timeout(ctx, known));
    }

    /// Takes the packets sent.
    pub(crate) fn sent(&mut self) -> Vec<Outgoing> {
        self.out.packets.drain(..).collect()
    }

    /// Takes the frames the member itself sent to the network.
    pub(crate) fn frames(&mut self) -> Vec<OwnedFrame> {
        self.out.frames.drain(..).collect()
    }

    /// Takes the frames for the host.
    pub(crate) fn delivered(&mut self) -> Vec<OwnedFrame> {
        self.out.deliveries.drain(..).collect()
    }
}
