//! How a network gets its configuration, and what follows from it.
//!
//! Source: spec 03 §2, §3.3 to §3.5.

use core::time::Duration;

use super::adhoc::{self, AdHoc};
use super::{Network, PLACEHOLDER, holdings};
use crate::address::Address;
use crate::config::{NetworkConfig, Specialist, Sso};
use crate::dictionary::{Dictionary, DictionaryWriter};
use crate::error::Rejected;
use crate::event::{Event, NetworkKind, NetworkStatus, Standing, StoreKey};
use crate::fastpath::tables::Admission;
use crate::identity::Directory;
use crate::limits::{
    CONFIG_CAPABILITIES_MAX, CONFIG_LEN_STEP, CONFIG_REFRESH_PERIOD, CONFIG_RETRY_DELAYS,
    CONFIG_RULES_MAX, CONFIG_TAGS_MAX, GATHER_RETRY_PERIOD, LOGIN_EXPIRY_SLACK,
    LOW_BANDWIDTH_PERIOD, NETWORK_CHECK_PERIOD, NETWORK_MTU_DEFAULT, PROTOCOL_VERSION,
    RULES_PER_CAPABILITY_MAX, SOFTWARE_VERSION,
};
use crate::outbox::{Ctx, Received};
use crate::rules::Filter;
use crate::time::Instant;
use crate::verb::Verb;
use crate::wire::netconf::{self, Chunk, Request};
use crate::wire::reply::AuthenticationRequired;

/// Version of the configuration's dictionary that is understood.
const CONFIG_VERSION: u64 = 7;

/// The vendor whose behaviour this node has. Controllers are only known to have seen this one.
const VENDOR: u64 = 1;

/// Version of the rules that is understood.
const RULES_ENGINE: u64 = 1;

/// Why a controller does not configure this member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// There is no such network, or no controller.
    NotFound,
    /// The member may not join.
    AccessDenied,
    /// The user has to log in first, as it says here.
    AuthenticationRequired(Box<Sso>),
    /// Whoever is at its address is somebody else.
    IdentityConflict,
}

impl Network {
    /// Asks the controller for a configuration, or makes one if there is no controller.
    pub(super) fn request(&mut self, ctx: &mut Ctx<'_>, platform: &str) {
        self.requested = Some(ctx.now);
        self.login_ends = self.login_ends.filter(|login_ends| *login_ends > ctx.now);
        self.attempts = self.attempts.saturating_add(1);
        if self.id.is_ad_hoc() {
            return self.configure_itself(ctx);
        }
        let metadata = metadata(platform);
        let held = self.config.as_ref();
        let request = Request {
            network: self.id,
            metadata: &metadata,
            revision: held.map_or(0, |config| config.revision),
            timestamp: held.map_or(0, |config| config.timestamp.0),
        };
        ctx.out.send(self.id.controller(), Verb::NetworkConfigRequest, request.write());
    }

    /// Returns when to ask next (spec 03 §2.1).
    ///
    /// The reference notices the end of a log-in at its next refresh, up to a minute late. A node
    /// that asks when it ends can tell the user when it matters.
    ///
    /// An ad-hoc network is configured once: what the reference renews every minute is a
    /// timestamp nobody looks at.
    pub(super) fn request_due(&self) -> Instant {
        if self.id.is_ad_hoc() && self.requested.is_some() {
            return Instant::FAR_FUTURE;
        }
        let retry = self.requested.map_or(Instant::ZERO, |requested| {
            let delay = self.attempts.checked_sub(1).and_then(|n| CONFIG_RETRY_DELAYS.get(n));
            requested + *delay.unwrap_or(&NETWORK_CHECK_PERIOD)
        });
        let period = if self.low_bandwidth { LOW_BANDWIDTH_PERIOD } else { CONFIG_REFRESH_PERIOD };
        let is_settled = self.failure.is_none() && !self.doubted;
        let updated = self.updated.filter(|_| is_settled);
        let refresh = updated.map_or(retry, |updated| retry.max(updated + period));
        self.login_ends.map_or(refresh, |login_ends| refresh.min(login_ends))
    }

    /// Asks the controller whether this member is one still, until it says.
    ///
    /// Only what it answers to that counts: whatever else comes from it may have been sent before it
    /// gave cause to ask. A single request would not do, for a controller ignores those that come
    /// within a second of another one.
    pub(super) fn doubt(&mut self, ctx: &mut Ctx<'_>, platform: &str) {
        self.doubted = true;
        self.attempts = 0;
        self.request(ctx, platform);
    }

    fn configure_itself(&mut self, ctx: &mut Ctx<'_>) {
        match adhoc::configure(self.id, ctx.me.address(), ctx.unix) {
            AdHoc::Configured(config) => {
                self.updated = Some(ctx.now);
                self.adopt(ctx, *config);
            }
            AdHoc::NotFound => self.fail(ctx, Failure::NotFound),
            AdHoc::Undefined => {}
        }
    }

    /// Starts from the configuration that was saved, if it is one and this node's.
    pub(super) fn restore(&mut self, ctx: &mut Ctx<'_>, cached: &[u8]) {
        let config = NetworkConfig::from_dictionary(cached).ok();
        if let Some(config) = config.filter(|config| self.concerns(ctx, config)) {
            self.config_len = cached.len();
            self.adopt(ctx, config);
        }
    }

    /// Takes in a chunk of a configuration. `bytes` is what it was read from, `in_re` the packet it
    /// answers.
    pub(super) fn handle_chunk(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
        (chunk, bytes): (&Chunk<'_>, &[u8]),
        in_re: Option<u64>,
    ) -> Result<(), Rejected> {
        if self.id.is_ad_hoc() {
            return Err(Rejected::NotServed);
        }
        let Some(dictionary) = self.reassemble(ctx, directory, rx, (chunk, bytes))? else {
            return Ok(());
        };
        let config = NetworkConfig::from_dictionary(&dictionary)?;
        if rx.verb == Verb::NetworkConfig && rx.from != ctx.me.address() {
            let ack = netconf::acknowledge(rx.packet_id, self.id, chunk.update_id);
            ctx.out.answer_on(rx.path, rx.from, Verb::Ok, ack);
        }
        // What answers the request sent last cannot be a repetition of something older.
        let is_answer = in_re.is_some() && in_re == self.asked && rx.from == self.id.controller();
        self.doubted &= !is_answer;
        if self.is_older(&config) && !is_answer && rx.from != ctx.me.address() {
            return Err(Rejected::Stale);
        }
        self.apply(ctx, directory, config);
        Ok(())
    }

    /// Returns whether `config` was written before the one in force.
    ///
    /// By the controller's clock, not by the revision, which falls when a controller is restored
    /// from a backup. A clock that was set back is believed as well, in the answer to a request;
    /// the reference believes whatever is signed (spec 03 §3.4), so that whoever has kept an old
    /// configuration can bring it back.
    fn is_older(&self, config: &NetworkConfig) -> bool {
        self.config.as_ref().is_some_and(|held| config.timestamp < held.timestamp)
    }

    /// Returns the dictionary the chunk completes, if it does.
    fn reassemble(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
        (chunk, bytes): (&Chunk<'_>, &[u8]),
    ) -> Result<Option<Vec<u8>>, Rejected> {
        let controller = self.id.controller();
        let Some(signed) = &chunk.signed else {
            // Controllers before 1.2 sign nothing; all there is to go by is who sent it.
            let genuine = rx.from == controller;
            return if genuine {
                Ok(Some(chunk.data.to_vec()))
            } else {
                Err(Rejected::BadSignature)
            };
        };

        let identity = directory.identity(controller);
        if identity.is_none() {
            ctx.out.whois.push_back(controller);
        }
        self.chunks.check(chunk, signed, identity)?;
        // Without one that is hardly longer than the one in force, the network would end.
        let room = self.config_len.next_multiple_of(CONFIG_LEN_STEP);
        if ctx.is_full && chunk.total_len as usize > room {
            return Err(Rejected::Full);
        }
        if chunk.fast_propagate {
            let source = [rx.from, controller, ctx.me.address()];
            for member in self.members.addresses().filter(|member| !source.contains(member)) {
                ctx.out.send(member, Verb::NetworkConfig, bytes.to_vec());
            }
        }
        self.chunks.insert(ctx.now, chunk, signed)
    }

    /// Makes `config` the network's configuration if it is this node's and says anything new.
    fn apply(&mut self, ctx: &mut Ctx<'_>, directory: &dyn Directory, config: NetworkConfig) {
        if !self.concerns(ctx, &config) || self.config.as_ref() == Some(&config) {
            return;
        }
        self.updated = Some(ctx.now);
        self.failure = None;
        if !self.doubted {
            // The controller answers: from here on it is asked at its leisure.
            self.attempts = CONFIG_RETRY_DELAYS.len();
        }
        let key = StoreKey::Network(self.id);
        let dictionary = config.to_dictionary();
        self.config_len = dictionary.len();
        ctx.out.events.push_back(Event::Store { key, value: Some(dictionary) });
        self.adopt(ctx, config);
        self.judge_all(ctx, directory);
    }

    /// Lets everything follow from `config` that follows from it, except who is admitted.
    fn adopt(&mut self, ctx: &mut Ctx<'_>, config: NetworkConfig) {
        let moved = self
            .config
            .as_ref()
            .is_none_or(|held| (&held.addresses, held.flags) != (&config.addresses, config.flags));
        if let Some(view) = ctx.tables.network_mut(self.id) {
            view.filter = Filter::new(&config.rules, config.unknown_match_is_true());
            view.own = holdings::own(&config);
            view.strangers = holdings::strangers(&config, ctx.me.address());
            self.members.weigh_all(&config, &view.strangers);
            self.config_bytes = config.footprint()
                + view.filter.footprint()
                + view.own.footprint()
                + view.strangers.footprint();
            if moved {
                view.neighbors.clear();
            }
        }
        if moved {
            self.neighbors.clear();
        }
        if self.config.is_none() {
            self.settled = ctx.now + GATHER_RETRY_PERIOD;
        }
        self.login_ends = login_ends(ctx, &config.sso);
        self.config = Some(config);
        for (_, member) in self.members.iter_mut() {
            member.expire_push();
        }
        self.expose(ctx);
        self.follow_bridges(ctx);
        self.resubscribe(ctx);
        self.report(ctx);
        self.wake_by(ctx.now);
    }

    fn concerns(&self, ctx: &Ctx<'_>, config: &NetworkConfig) -> bool {
        config.network == self.id && config.issued_to == ctx.me.address()
    }

    /// Takes in that the controller refuses, or that there is none.
    ///
    /// The network keeps working with the configuration it has; only what is reported changes.
    pub(super) fn fail(&mut self, ctx: &mut Ctx<'_>, failure: Failure) {
        self.attempts = CONFIG_RETRY_DELAYS.len();
        self.failure = Some(failure);
        self.report(ctx);
    }

    /// Takes in that whoever is found at the controller's address is not who should be there. It is
    /// asked for as before. What a controller has said itself goes before what others say of it.
    pub(super) fn find_impostor(&mut self, ctx: &mut Ctx<'_>) {
        if self.config.is_none() && self.failure.is_none() {
            self.failure = Some(Failure::IdentityConflict);
            self.report(ctx);
        }
    }

    /// Asks at once, if it was an impostor that was found: who should be there may be another by now.
    pub(super) fn look_again(&mut self, ctx: &mut Ctx<'_>, platform: &str) {
        if self.failure == Some(Failure::IdentityConflict) {
            (self.failure, self.attempts) = (None, 0);
            self.report(ctx);
            self.request(ctx, platform);
        }
    }

    /// Takes in that the user has to log in; `rest` is the ERROR after its code.
    pub(super) fn handle_authentication_required(
        &mut self,
        ctx: &mut Ctx<'_>,
        rest: &[u8],
    ) -> Result<(), Rejected> {
        let login = AuthenticationRequired::read(rest)?.login;
        let sso = if login.is_empty() { Some(required()) } else { read_login(login) };
        let sso = sso.ok_or(Rejected::Malformed)?;
        self.fail(ctx, Failure::AuthenticationRequired(Box::new(sso)));
        Ok(())
    }

    /// Returns how the user logs in, if they have to.
    pub(super) fn login(&self) -> Option<&Sso> {
        match &self.failure {
            Some(Failure::AuthenticationRequired(sso)) => Some(sso),
            Some(Failure::NotFound | Failure::AccessDenied | Failure::IdentityConflict) | None => {
                None
            }
        }
    }

    /// Returns who may exchange frames on the network.
    pub(super) fn admission(&self) -> Admission {
        match &self.config {
            Some(config) if config.public => Admission::Everybody,
            Some(_) => Admission::Members,
            None => Admission::Nobody,
        }
    }

    /// Makes the data plane see the configuration.
    pub(super) fn expose(&self, ctx: &mut Ctx<'_>) {
        let Some(view) = ctx.tables.network_mut(self.id) else { return };
        view.admission = self.admission();
        view.mode = self.mode;
        if let Some(config) = &self.config {
            view.mtu = config.mtu;
            view.multicast_limit = config.multicast_limit;
            view.broadcast = config.broadcast();
            view.bridges = self.with_role(Specialist::is_active_bridge).collect();
            view.addresses.clone_from(&config.addresses);
            view.routes.clone_from(&config.routes);
            view.routes.sort_by_key(|route| core::cmp::Reverse(route.bits));
        }
        for (address, member) in self.members.iter() {
            view.members.insert(address, member.view());
        }
    }

    /// Returns the members that have a role.
    pub(super) fn with_role(
        &self,
        role: impl Fn(&Specialist) -> bool,
    ) -> impl Iterator<Item = Address> {
        let specialists = self.config.iter().flat_map(|config| &config.specialists);
        specialists.filter(move |member| role(member)).map(|member| member.address)
    }

    /// Tells the host what has changed, if anything has.
    pub(super) fn report(&mut self, ctx: &mut Ctx<'_>) {
        let status = self.status();
        if self.reported.as_ref() != Some(&status) {
            ctx.out.events.push_back(Event::Network(Box::new(status.clone())));
            self.reported = Some(status);
        }
    }

    /// Returns what the host needs to know.
    pub(super) fn status(&self) -> NetworkStatus {
        let config = self.config.as_ref();
        let is_public = config.is_some_and(|config| config.public);
        let is_me = |bridge| config.is_some_and(|config| config.issued_to == bridge);
        let login = self.login().or(config.map(|config| &config.sso));
        NetworkStatus {
            id: self.id,
            standing: self.standing(),
            kind: if is_public { NetworkKind::Public } else { NetworkKind::Private },
            name: config.map(|config| config.name.clone()).unwrap_or_default(),
            revision: config.map_or(0, |config| config.revision),
            mac: self.mac,
            mtu: config.map_or(NETWORK_MTU_DEFAULT, |config| config.mtu),
            bridge: self.with_role(Specialist::is_active_bridge).any(is_me),
            broadcast: config.is_some_and(NetworkConfig::broadcast),
            addresses: config.map(|config| config.addresses.clone()).unwrap_or_default(),
            routes: config.map(|config| config.routes.clone()).unwrap_or_default(),
            dns: config.map(|config| &config.dns).filter(|dns| !dns.is_empty()).cloned(),
            login: login.filter(|sso| sso.enabled).cloned().map(Box::new),
            groups: self.all_groups().into_iter().collect(),
        }
    }

    fn standing(&self) -> Standing {
        match (&self.failure, &self.config) {
            (Some(Failure::AccessDenied), _) => Standing::AccessDenied,
            (Some(Failure::NotFound), _) => Standing::NotFound,
            (Some(Failure::AuthenticationRequired(_)), _) => Standing::AuthenticationRequired,
            (Some(Failure::IdentityConflict), _) => Standing::IdentityConflict,
            (None, None) => Standing::RequestingConfiguration,
            (None, Some(_)) => Standing::Ok,
        }
    }

    /// Remembers that the network was joined, though there is no configuration to remember.
    pub(super) fn store_placeholder(&self, ctx: &mut Ctx<'_>) {
        let (key, value) = (StoreKey::Network(self.id), Some(PLACEHOLDER.to_vec()));
        ctx.out.events.push_back(Event::Store { key, value });
    }
}

/// Returns what a request says about this node (spec 03 §2.2).
fn metadata(platform: &str) -> Vec<u8> {
    let (major, minor, revision) = SOFTWARE_VERSION;
    let mut writer = DictionaryWriter::default();
    writer
        .hex("v", CONFIG_VERSION)
        .hex("vend", VENDOR)
        .hex("pv", u64::from(PROTOCOL_VERSION))
        .hex("majv", u64::from(major))
        .hex("minv", u64::from(minor))
        .hex("revv", u64::from(revision))
        .hex("mr", CONFIG_RULES_MAX as u64)
        .hex("mc", CONFIG_CAPABILITIES_MAX as u64)
        .hex("mcr", RULES_PER_CAPABILITY_MAX as u64)
        .hex("mt", CONFIG_TAGS_MAX as u64)
        .hex("f", 0)
        .hex("revr", RULES_ENGINE)
        .text("o", platform);
    writer.finish()
}

/// Returns when the controller, which may be a little behind, takes the user's log-in for ended;
/// `None` if it has ended already or never does.
fn login_ends(ctx: &Ctx<'_>, sso: &Sso) -> Option<Instant> {
    let expiry = u64::try_from(sso.expiry_ms).ok().filter(|_| sso.enabled)?;
    let left = Duration::from_millis(expiry.checked_sub(ctx.unix.0)?);
    Some(ctx.now + left.saturating_add(LOGIN_EXPIRY_SLACK))
}

/// Logging in is required, and nothing is known of how.
fn required() -> Sso {
    Sso { enabled: true, ..Sso::default() }
}

/// Reads how to log in; `None` if the controller wants it done in a way that is not known.
fn read_login(login: &[u8]) -> Option<Sso> {
    let login = Dictionary::new(login);
    // As much as the reference has room for.
    let text = |key, max| login.text(key).map(|text| cut(text, max));
    let mut sso = required();
    sso.version = login.hex("aV").unwrap_or(0);
    match sso.version {
        0 => sso.authentication_url = text("aU", 2047)?,
        1 => {
            sso.issuer_url = text("iU", 2047).unwrap_or_default();
            sso.central_url = text("aCU", 2047).unwrap_or_default();
            sso.nonce = text("aN", 63).unwrap_or_default();
            sso.state = text("aS", 127).unwrap_or_default();
            sso.client_id = text("aCID", 255).unwrap_or_default();
            sso.provider = text("aSSOp", 63).unwrap_or(sso.provider);
        }
        _ => return None,
    }
    Some(sso)
}

/// Cuts `text` to at most `max` bytes, between characters.
fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}
