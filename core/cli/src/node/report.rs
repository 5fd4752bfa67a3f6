//! What a running node tells its user: a log for people, or lines of JSON for programs.

use std::io::{self, Write as _};

use serde_json::{Map, Value, json};
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::error::Drops;
use zt_protocol::event::{Dns, IdentitySource, NetworkStatus, Route, Sso, Standing};
use zt_protocol::plan::{PlanChange, TunPlan};
use zt_protocol::status::{Contact, NodeStatus, PathExplanation, WorldStatus, WorldsStatus};
use zt_runtime::{Event, Handle, Losses};
use zt_service::peers::{endpoint, explanation_to_json};

use super::mapping;
use crate::peers::why;

/// Tells the user.
pub(super) struct Report {
    json: bool,
}

impl Report {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn started(&self, node: &Handle) {
        let (address, ports) = (node.address(), node.local_ports());
        if self.json {
            let address = address.to_string();
            print(&json!({ "event": "started", "address": address, "ports": ports }));
        } else {
            log::info!(ports:?; "node {address} is running");
        }
    }

    /// Says where packets are not encrypted, if there is such a place. People have read it in the
    /// log already.
    pub(super) fn trusted_paths(&self, status: &NodeStatus) {
        if self.json && !status.trusted_paths.is_empty() {
            print(&trusted_paths_to_json(status));
        }
    }

    pub(super) fn stopped(&self) {
        if self.json {
            print(&json!({ "event": "stopped" }));
        } else {
            log::info!("stopped");
        }
    }

    /// Reports what was dropped since the start: by the node, by reason, and around it.
    pub(super) fn drops(&self, drops: &Drops, losses: &Losses) {
        if self.json {
            print(&drops_to_json(drops, losses));
        } else {
            log::info!("dropped by reason {drops:?}, around the node {losses:?}");
        }
    }

    /// Says why a peer is reached the way it is.
    pub(super) fn explanation(&self, explanation: &PathExplanation) {
        let address = explanation.address.to_string();
        let mut object = explanation_to_json(explanation);
        if self.json {
            object["event"] = json!("explanation");
            object["address"] = json!(address);
            print(&object);
        } else {
            log::info!("{address} is {}", why(&object));
        }
    }

    /// Says which worlds the node goes by.
    pub(super) fn worlds(&self, worlds: &WorldsStatus) {
        let WorldsStatus { planet, moons, wanted } = worlds;
        if self.json {
            let wanted = wanted.iter().map(|moon| {
                json!({
                    "id": moon.id.to_string(),
                    "seeds": moon.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "refused": moon.refused.map(|refused| refused.why.to_string()),
                })
            });
            return print(&json!({
                "event": "worlds",
                "planet": world_to_json(planet),
                "moons": moons.iter().map(world_to_json).collect::<Vec<_>>(),
                "wanted": wanted.collect::<Vec<_>>(),
            }));
        }
        log_world("planet", planet);
        for moon in moons {
            log_world("moon", moon);
        }
        for moon in wanted {
            log::info!("moon {}: waiting for its root", moon.id);
        }
    }

    /// Reports an event of node `me`.
    pub(super) fn event(&self, me: Address, event: &Event) {
        if !self.json {
            return log_event(me, event);
        }
        if let Some(object) = to_json(me, event) {
            print(&object);
        }
    }
}

fn trusted_paths_to_json(status: &NodeStatus) -> Value {
    let paths = status.trusted_paths.iter();
    let paths = paths
        .map(|(network, id)| json!({ "network": network.to_string(), "id": format!("{id:x}") }));
    json!({ "event": "NOT_ENCRYPTED", "trusted_paths": paths.collect::<Vec<_>>() })
}

fn world_to_json(world: &WorldStatus) -> Value {
    let roots = world.roots.iter().map(|root| {
        json!({
            "address": root.identity.address().to_string(),
            "endpoints": root.endpoints.iter().copied().map(endpoint).collect::<Vec<_>>(),
            "contact": contact_name(root.contact),
        })
    });
    json!({
        "id": format!("{:016x}", world.id),
        "timestamp": world.timestamp.0,
        "roots": roots.collect::<Vec<_>>(),
        "refused": world.refused.map(|refused| refused.why.to_string()),
    })
}

const fn contact_name(contact: Contact) -> &'static str {
    match contact {
        Contact::Me => "self",
        Contact::Answers(Some(_)) => "direct",
        Contact::Answers(None) => "relay",
        Contact::Silent => "silent",
        Contact::Disputes => "disputes",
    }
}

fn log_world(kind: &str, world: &WorldStatus) {
    let roots: Vec<_> = world
        .roots
        .iter()
        .map(|root| format!("{} {}", root.identity.address(), contact_name(root.contact)))
        .collect();
    log::info!("{kind} {:016x} of {}: {}", world.id, world.timestamp, roots.join(", "));
    if let Some(refused) = world.refused {
        log::warn!("{kind} {:016x}: a revision was refused: {}", world.id, refused.why);
    }
}

/// Prints a line on standard output at once, for a program may be waiting for it.
fn print(object: &Value) {
    let mut out = io::stdout().lock();
    // A reader that has gone away does not stop the node.
    let _ = writeln!(out, "{object}").and_then(|()| out.flush());
}

fn to_json(me: Address, event: &Event) -> Option<Value> {
    let object = match event {
        Event::Online(true) => json!({ "event": "online", "address": me.to_string() }),
        Event::Online(false) => json!({ "event": "offline", "address": me.to_string() }),
        Event::Network(status) => network_to_json(status),
        Event::Plan { network, plan, change } => plan_to_json(*network, plan, *change),
        Event::NetworkLeft(network) => json!({ "event": "left", "id": network.to_string() }),
        Event::TcpRelay(connected) => json!({ "event": "tcp relay", "connected": connected }),
        Event::Peer { address, path } => json!({
            "event": "peer",
            "address": address.to_string(),
            "path": path.map_or_else(|| "relay".to_owned(), endpoint),
        }),
        Event::IdentityCollision { is_confirmed } => {
            json!({ "event": "collision", "address": me.to_string(), "confirmed": is_confirmed })
        }
        Event::IdentityConflict { address, known, offered, source } => {
            let (source, from) = source_to_json(*source);
            json!({
                "event": "identity conflict",
                "address": address.to_string(),
                "known": known.to_string(),
                "offered": offered.to_string(),
                "source": source,
                "from": from,
            })
        }
        Event::InterfaceLost(network) => {
            json!({ "event": "interface lost", "id": network.to_string() })
        }
        Event::PortMapping(stands) => mapping::to_json(stands),
        _ => return None,
    };
    Some(object)
}

/// Returns where an identity came from: in a word, and which node or endpoint that was.
fn source_to_json(source: IdentitySource) -> (&'static str, Option<String>) {
    match source {
        IdentitySource::Hello(path) => ("hello", Some(endpoint(path))),
        IdentitySource::Whois(root) => ("whois", Some(root.to_string())),
        IdentitySource::World => ("world", None),
        IdentitySource::Saved => ("saved", None),
        IdentitySource::Known => ("known", None),
        _ => ("other", None),
    }
}

fn drops_to_json(drops: &Drops, losses: &Losses) -> Value {
    let reasons: Map<_, _> =
        drops.iter().map(|(reason, times)| (reason.name().to_owned(), times.into())).collect();
    json!({
        "event": "drops",
        "reasons": reasons,
        "lost": { "datagrams": losses.datagrams, "frames": losses.frames, "events": losses.events },
    })
}

fn network_to_json(status: &NetworkStatus) -> Value {
    let addresses: Vec<_> =
        status.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
    let routes: Vec<_> = status.routes.iter().map(route_to_json).collect();
    let groups: Vec<_> =
        status.groups.iter().map(|group| format!("{}/{:08x}", group.mac, group.adi)).collect();
    json!({
        "event": "network",
        "id": status.id.to_string(),
        "status": status.standing.name(),
        "type": status.kind.name(),
        "name": status.name,
        "revision": status.revision,
        "mac": status.mac.to_string(),
        "mtu": status.mtu,
        "bridge": status.bridge,
        "broadcast": status.broadcast,
        "addresses": addresses,
        "routes": routes,
        "dns": status.dns.as_ref().map(dns_to_json),
        "login": status.login.as_deref().map(login_to_json),
        "groups": groups,
    })
}

fn plan_to_json(network: NetworkId, plan: &TunPlan, change: PlanChange) -> Value {
    let addresses: Vec<_> =
        plan.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
    let routes: Vec<_> = plan
        .routes
        .iter()
        .map(|route| {
            json!({
                "target": format!("{}/{}", route.target, route.bits),
                "via": route.via.map(|via| via.to_string()),
                "source": route.source.to_string(),
            })
        })
        .collect();
    let change = match change {
        PlanChange::Nothing => "nothing",
        PlanChange::Dns => "dns",
        PlanChange::Reestablish => "reestablish",
    };
    json!({
        "event": "plan",
        "id": network.to_string(),
        "change": change,
        "mtu": plan.mtu,
        "addresses": addresses,
        "routes": routes,
        "dns": plan.dns.as_ref().map(dns_to_json),
    })
}

fn dns_to_json(dns: &Dns) -> Value {
    let servers: Vec<_> = dns.servers.iter().map(ToString::to_string).collect();
    json!({ "domain": dns.domain, "servers": servers })
}

/// Writes what the user needs to log in: of version 0 a URL, of version 1 what a client needs.
fn login_to_json(login: &Sso) -> Value {
    let mut object = json!({
        "version": login.version,
        "authenticationURL": login.authentication_url,
        "authenticationExpiryTime": login.expiry_ms,
    });
    if login.version == 1 {
        object["issuerURL"] = json!(login.issuer_url);
        object["centralAuthURL"] = json!(login.central_url);
        object["ssoNonce"] = json!(login.nonce);
        object["ssoState"] = json!(login.state);
        object["ssoClientID"] = json!(login.client_id);
        object["ssoProvider"] = json!(login.provider);
    }
    object
}

fn route_to_json(route: &Route) -> Value {
    json!({
        "target": format!("{}/{}", route.target, route.bits),
        "via": route.via.map(|via| via.to_string()),
    })
}

fn log_event(me: Address, event: &Event) {
    match event {
        Event::Online(true) => log::info!("online"),
        Event::Online(false) => log::warn!("offline: no root answers"),
        Event::Network(status) => log_network(status),
        Event::NetworkLeft(network) => log::info!("network {network}: left"),
        Event::TcpRelay(true) => log::warn!("no root answers by UDP: going through the TCP relay"),
        Event::TcpRelay(false) => log::info!("the TCP relay is left, or lost"),
        Event::Plan { network, plan, .. } => log::debug!(plan:?; "network {network}"),
        Event::Peer { address, path: Some(path) } => {
            log::info!("peer {address}: direct");
            log::debug!(path:% = endpoint(*path); "peer {address}");
        }
        Event::Peer { address, path: None } => log::info!("peer {address}: relayed"),
        Event::IdentityCollision { is_confirmed: true } => {
            log::error!("another node has the address {me}, and the roots side with it");
        }
        Event::IdentityCollision { is_confirmed: false } => log::warn!(
            "a root says that another node has the address {me}, and no other contradicts; if it \
             stays so, move identity.secret away to start as a new node"
        ),
        Event::IdentityConflict { address, known, offered, .. } => log::warn!(
            known:%, offered:%;
            "somebody shows another key for {address} than the one known, and is refused: ask its \
             people for the fingerprint and pin it"
        ),
        Event::InterfaceLost(network) => {
            log::warn!("network {network}: its interface is gone; restart to get it back");
        }
        Event::PortMapping(stands) => mapping::log(stands),
        _ => {}
    }
}

fn log_network(status: &NetworkStatus) {
    let id = status.id;
    let controller = id.controller();
    match status.standing {
        Standing::RequestingConfiguration => {
            log::info!("network {id}: asking controller {controller}");
        }
        Standing::Ok => {
            let addresses: Vec<_> =
                status.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
            log::info!("network {id}: ok, addresses {}", addresses.join(", "));
        }
        Standing::AccessDenied => {
            log::warn!("network {id}: access denied; have controller {controller} allow this node")
        }
        Standing::NotFound => {
            log::warn!("network {id}: unknown network; controller {controller} has none of this ID")
        }
        Standing::AuthenticationRequired => {
            let url = status.login.as_deref().map_or("", |login| &login.authentication_url);
            log::warn!("network {id}: its users have to log in at {url:?}");
        }
        Standing::PortError => log::warn!("network {id}: it has no interface"),
        Standing::IdentityConflict => log::warn!(
            "network {id}: at {controller} is another than is pinned; compare its fingerprint, and pin the right one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use zt_protocol::address::Mac;
    use zt_protocol::error::Rejected;
    use zt_protocol::event::NetworkKind;
    use zt_protocol::fingerprint::{Expected, Fingerprint};

    use super::*;

    const ME: Address = Address::from_u64(0x80_56c2_e21c);

    #[test]
    fn events_are_objects_named_by_their_kind() {
        let network = Event::Network(Box::new(NetworkStatus {
            id: NetworkId::new(ME, 1),
            standing: Standing::Ok,
            kind: NetworkKind::Private,
            name: "lab".to_owned(),
            revision: 3,
            mac: Mac::ZERO,
            mtu: 2_800,
            bridge: false,
            broadcast: true,
            addresses: vec![("10.1.0.5".parse().unwrap(), 24)],
            routes: Vec::new(),
            dns: Some(Dns { domain: "lab".to_owned(), servers: vec![[10, 1, 0, 1].into()] }),
            login: Some(Box::new(Sso {
                authentication_url: "https://login.example/".to_owned(),
                ..Sso::default()
            })),
            groups: Vec::new(),
        }));
        let relayed = Event::Peer { address: ME, path: None };
        let direct = Event::Peer { address: ME, path: Some("[2001:db8::1]:7".parse().unwrap()) };

        let (known, offered) = (Expected::Full(Fingerprint([1; 48])), Fingerprint([2; 48]));
        let source = IdentitySource::Whois(ME);
        let conflict = Event::IdentityConflict { address: ME, known, offered, source };

        let online = to_json(ME, &Event::Online(true)).unwrap();
        assert_eq!(online, json!({ "event": "online", "address": "8056c2e21c" }));
        let network = to_json(ME, &network).unwrap();
        assert_eq!(network["status"], "OK");
        assert_eq!(network["addresses"], json!(["10.1.0.5/24"]));
        assert_eq!(network["dns"], json!({ "domain": "lab", "servers": ["10.1.0.1"] }));
        assert_eq!(network["login"]["authenticationURL"], "https://login.example/");
        let conflict = to_json(ME, &conflict).unwrap();
        assert_eq!(conflict["known"], "01".repeat(48));
        assert_eq!(
            (&conflict["source"], &conflict["from"]),
            (&json!("whois"), &json!("8056c2e21c"))
        );
        assert_eq!(to_json(ME, &relayed).unwrap()["path"], "relay");
        assert_eq!(to_json(ME, &direct).unwrap()["path"], "2001:db8::1/7");
    }

    #[test]
    fn only_what_was_dropped_is_listed() {
        let mut drops = Drops::default();
        drops.count(Rejected::Filtered);
        drops.count(Rejected::Filtered);

        let object = drops_to_json(&drops, &Losses { frames: 1, ..Losses::default() });

        assert_eq!(object["reasons"], json!({ "filtered": 2 }));
        assert_eq!(object["lost"]["frames"], 1);
    }
}
