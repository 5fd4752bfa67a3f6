//! Networks this node is on, and what they mean for this machine.

use std::net::IpAddr;

use zt_protocol::address::{Mac, NetworkId};
use zt_protocol::event::{self, NetworkKind};
use zt_protocol::fingerprint::Invitation;
use zt_protocol::plan;
use zt_protocol::prefix;
use zt_protocol::settings::{self, Managed};

use super::error::ZtError;
use super::node::Node;
use super::pins::parse_fingerprint;
use super::ports::Port;

/// What a host needs to know of a network.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct NetworkStatus {
    /// Which network.
    pub id: NetworkId,
    /// Where it stands.
    pub standing: Standing,
    /// Whether members have to be allowed; so while unknown.
    pub is_private: bool,
    /// Its name, empty while unknown.
    pub name: String,
    /// The controller's revision of the network, 0 while unknown.
    pub revision: u64,
    /// This node's MAC on it.
    pub mac: Mac,
    /// The MTU of its interface, in bytes.
    pub mtu: u16,
    /// Whether devices behind this node may take part with MACs of their own.
    pub bridge: bool,
    /// Whether frames to ff:ff:ff:ff:ff:ff may be sent.
    pub broadcast: bool,
    /// This node's managed addresses.
    pub addresses: Vec<Prefix>,
    /// Managed routes.
    pub routes: Vec<Route>,
    /// Managed name servers, if there are any.
    pub dns: Option<Dns>,
    /// How the user logs in, if the network wants them to.
    pub login: Option<Login>,
}

/// Where a network stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Standing {
    /// The controller has not answered.
    Requesting,
    /// Configured.
    Ok,
    /// The controller refuses this member.
    AccessDenied,
    /// The controller knows no such network, or is none.
    NotFound,
    /// The user has to log in.
    AuthenticationRequired,
    /// There is no interface for it.
    PortError,
    /// Not configured, and whoever is found at the controller's address has another fingerprint than
    /// the one given, or seen first. Compare it, and pin the right one.
    IdentityConflict,
}

/// An address and how many of its bits name the network it is on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix, in bits.
    pub bits: u8,
}

/// A route the network asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Route {
    /// Destination, host bits zero.
    pub target: IpAddr,
    /// Its prefix length.
    pub bits: u8,
    /// Gateway; `None` if on-link.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub via: Option<IpAddr>,
}

/// Name servers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Dns {
    /// The domain they are for.
    pub domain: String,
    /// The servers, at most 4.
    pub servers: Vec<IpAddr>,
}

/// What the user needs to log in, by OpenID Connect. What is not used is empty.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Login {
    /// Which of the fields below are used: 0 or 1.
    pub version: u64,
    /// Where to log in.
    pub authentication_url: String,
    /// When the log-in ends, in ms since the Unix epoch (version 0).
    pub expiry_ms: i64,
    /// The issuer (version 1).
    pub issuer_url: String,
    /// The hosted service's endpoint (version 1).
    pub central_url: String,
    /// The nonce (version 1).
    pub nonce: String,
    /// The state (version 1).
    pub state: String,
    /// The client's ID (version 1).
    pub client_id: String,
    /// The provider (version 1).
    pub provider: String,
}

/// What the user allows a network to do to this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Settings {
    /// Whether managed addresses and routes are taken at all.
    #[cfg_attr(feature = "uniffi", uniffi(default = true))]
    pub managed: bool,
    /// If not empty, only those within these.
    #[cfg_attr(feature = "uniffi", uniffi(default = []))]
    pub only: Vec<Prefix>,
    /// Whether they may be public addresses.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub global: bool,
    /// Whether the network may become the default route.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub default_route: bool,
    /// Whether the network may set name servers.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub dns: bool,
}

/// The state a network's interface should be in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct TunPlan {
    /// MTU, in bytes.
    pub mtu: u16,
    /// This node's addresses, whose prefixes are on the link.
    pub addresses: Vec<Prefix>,
    /// Routes through the interface, those without gateway first. A default route is one of no bits.
    pub routes: Vec<PlannedRoute>,
    /// Name servers and the domain they are for.
    pub dns: Option<Dns>,
}

/// A route through a network's interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PlannedRoute {
    /// Destination, host bits zero.
    pub target: IpAddr,
    /// Its prefix length.
    pub bits: u8,
    /// Gateway; `None` if on-link.
    pub via: Option<IpAddr>,
    /// The address packets are sent from.
    pub source: IpAddr,
}

/// How much of a plan is news.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum PlanChange {
    /// Nothing.
    Nothing,
    /// Only the name servers.
    Dns,
    /// MTU, addresses or routes: a host that cannot change those of an interface needs another.
    Reestablish,
}

/// Returns how much of `plan` is news to a host that has carried out `old`.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn diff_plans(old: TunPlan, plan: TunPlan) -> PlanChange {
    plan::TunPlan::from(plan).diff(&old.into()).into()
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Joins a network, or changes the port of one that is joined.
    ///
    /// Returns once the port is open; the controller's answer follows as [`Event::Network`](super::Event::Network). The
    /// membership outlives the node: a node started anew has to be told only by which port.
    ///
    /// With the fingerprint of its controller nobody else is taken for that. Without, whoever
    /// configures the network first is its controller from then on.
    ///
    /// # Errors
    ///
    /// [`ZtError`]; the network is then not joined, or as it was.
    pub async fn join(
        &self,
        network: NetworkId,
        port: Port,
        fingerprint: Option<String>,
    ) -> Result<(), ZtError> {
        let controller = fingerprint.as_deref().map(parse_fingerprint).transpose()?;
        let port = port.open()?;
        Ok(self.handle.join(Invitation { network, controller }, port).await?)
    }

    /// Leaves a network and forgets everything about it.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`].
    pub async fn leave(&self, network: NetworkId) -> Result<(), ZtError> {
        Ok(self.handle.leave(network).await?)
    }

    /// Returns every joined network, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn networks(&self) -> Result<Vec<NetworkStatus>, ZtError> {
        Ok(self.handle.networks().await?.into_iter().map(NetworkStatus::from).collect())
    }

    /// Returns a joined network.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`].
    pub async fn network(&self, network: NetworkId) -> Result<NetworkStatus, ZtError> {
        let all = self.handle.networks().await?;
        let status = all.into_iter().find(|status| status.id == network);
        Ok(status.ok_or(ZtError::NotJoined(network))?.into())
    }

    /// Returns the networks that were joined when the node last ran, or are joined, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`ZtError::Storage`].
    pub async fn memberships(&self) -> Result<Vec<NetworkId>, ZtError> {
        let handle = self.handle.clone();
        Ok(self.runtime.run(async move { handle.memberships().await }).await??)
    }

    /// Returns what the user allows a network, joined or not.
    ///
    /// # Errors
    ///
    /// [`ZtError`].
    pub async fn settings(&self, network: NetworkId) -> Result<Settings, ZtError> {
        Ok(self.handle.settings(network).await?.into())
    }

    /// Allows a network this much and no more, at once and from now on, until it is left.
    ///
    /// # Errors
    ///
    /// [`ZtError::Storage`] if that cannot be saved; it is then as it was.
    pub async fn set_settings(
        &self,
        network: NetworkId,
        settings: Settings,
    ) -> Result<(), ZtError> {
        let handle = self.handle.clone();
        let set = async move { handle.set_settings(network, settings.into()).await };
        Ok(self.runtime.run(set).await??)
    }

    /// Returns what a network means for this machine.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`].
    pub async fn plan(&self, network: NetworkId) -> Result<TunPlan, ZtError> {
        Ok(self.handle.plan(network).await?.into())
    }
}

impl From<event::NetworkStatus> for NetworkStatus {
    fn from(status: event::NetworkStatus) -> Self {
        Self {
            id: status.id,
            standing: status.standing.into(),
            is_private: status.kind == NetworkKind::Private,
            name: status.name,
            revision: status.revision,
            mac: status.mac,
            mtu: status.mtu,
            bridge: status.bridge,
            broadcast: status.broadcast,
            addresses: status.addresses.into_iter().map(Prefix::from).collect(),
            routes: status.routes.into_iter().map(Route::from).collect(),
            dns: status.dns.map(Dns::from),
            login: status.login.map(|login| (*login).into()),
        }
    }
}

impl From<event::Standing> for Standing {
    fn from(standing: event::Standing) -> Self {
        match standing {
            event::Standing::RequestingConfiguration => Self::Requesting,
            event::Standing::Ok => Self::Ok,
            event::Standing::AccessDenied => Self::AccessDenied,
            event::Standing::NotFound => Self::NotFound,
            event::Standing::AuthenticationRequired => Self::AuthenticationRequired,
            event::Standing::PortError => Self::PortError,
            event::Standing::IdentityConflict => Self::IdentityConflict,
        }
    }
}

impl From<(IpAddr, u8)> for Prefix {
    fn from((address, bits): (IpAddr, u8)) -> Self {
        Self { address, bits }
    }
}

impl From<event::Route> for Route {
    fn from(event::Route { target, bits, via }: event::Route) -> Self {
        Self { target, bits, via }
    }
}

impl From<Route> for event::Route {
    fn from(Route { target, bits, via }: Route) -> Self {
        Self { target, bits, via }
    }
}

impl From<event::Dns> for Dns {
    fn from(event::Dns { domain, servers }: event::Dns) -> Self {
        Self { domain, servers }
    }
}

impl From<Dns> for event::Dns {
    fn from(Dns { domain, servers }: Dns) -> Self {
        Self { domain, servers }
    }
}

impl From<event::Sso> for Login {
    fn from(sso: event::Sso) -> Self {
        Self {
            version: sso.version,
            authentication_url: sso.authentication_url,
            expiry_ms: sso.expiry_ms,
            issuer_url: sso.issuer_url,
            central_url: sso.central_url,
            nonce: sso.nonce,
            state: sso.state,
            client_id: sso.client_id,
            provider: sso.provider,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        settings::Settings::default().into()
    }
}

impl From<settings::Settings> for Settings {
    fn from(settings: settings::Settings) -> Self {
        let prefix = |prefix: prefix::Prefix| Prefix { address: prefix.address, bits: prefix.bits };
        let (managed, only) = match settings.managed {
            Managed::No => (false, Vec::new()),
            Managed::All => (true, Vec::new()),
            Managed::Only(prefixes) => (true, prefixes.into_iter().map(prefix).collect()),
        };
        let settings::Settings { global, default_route, dns, .. } = settings;
        Self { managed, only, global, default_route, dns }
    }
}

impl From<Settings> for settings::Settings {
    fn from(settings: Settings) -> Self {
        let Settings { managed, only, global, default_route, dns } = settings;
        let prefix = |Prefix { address, bits }: Prefix| prefix::Prefix { address, bits };
        let managed = match (managed, only.is_empty()) {
            (false, _) => Managed::No,
            (true, true) => Managed::All,
            (true, false) => Managed::Only(only.into_iter().map(prefix).collect()),
        };
        Self { managed, global, default_route, dns }
    }
}

impl From<plan::TunPlan> for TunPlan {
    fn from(plan: plan::TunPlan) -> Self {
        let route = |route: plan::PlannedRoute| {
            let plan::PlannedRoute { target, bits, via, source } = route;
            PlannedRoute { target, bits, via, source }
        };
        Self {
            mtu: plan.mtu,
            addresses: plan.addresses.into_iter().map(Prefix::from).collect(),
            routes: plan.routes.into_iter().map(route).collect(),
            dns: plan.dns.map(Dns::from),
        }
    }
}

impl From<TunPlan> for plan::TunPlan {
    fn from(plan: TunPlan) -> Self {
        let route = |PlannedRoute { target, bits, via, source }: PlannedRoute| plan::PlannedRoute {
            target,
            bits,
            via,
            source,
        };
        let address = |Prefix { address, bits }: Prefix| (address, bits);
        Self {
            mtu: plan.mtu,
            addresses: plan.addresses.into_iter().map(address).collect(),
            routes: plan.routes.into_iter().map(route).collect(),
            dns: plan.dns.map(event::Dns::from),
        }
    }
}

impl From<plan::PlanChange> for PlanChange {
    fn from(change: plan::PlanChange) -> Self {
        match change {
            plan::PlanChange::Nothing => Self::Nothing,
            plan::PlanChange::Dns => Self::Dns,
            plan::PlanChange::Reestablish => Self::Reestablish,
        }
    }
}
