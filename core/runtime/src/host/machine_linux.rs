//! The machine this node runs on, as far as networks change it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use netlink_packet_route::AddressFamily;

use super::journal::Journal;
use super::policy::{self, Policy};
use super::resolv_conf::ResolvConf;
use super::resolved::Resolved;
use super::{LinkDns, Wishes};
use crate::limits::NAME_SERVERS_MAX;

/// Where things are on this machine.
#[derive(Debug)]
struct Places {
    /// Where to write down what is to be undone, if anywhere.
    journal: Option<PathBuf>,
    /// The resolver's configuration.
    resolv_conf: PathBuf,
    /// The program that talks to systemd-resolved.
    resolvectl: PathBuf,
    /// A socket on which systemd-resolved listens while it runs.
    resolved: PathBuf,
}

impl Places {
    /// Returns where things are on every Linux system.
    fn usual(journal: Option<PathBuf>) -> Self {
        Self {
            journal,
            resolv_conf: "/etc/resolv.conf".into(),
            resolvectl: "resolvectl".into(),
            resolved: "/run/systemd/resolve/io.systemd.Resolve".into(),
        }
    }
}

/// The machine, and what was changed on it.
#[derive(Debug)]
pub(crate) struct Machine {
    journal: Journal,
    policy: Policy,
    /// Families whose rules are in place.
    families: Vec<AddressFamily>,
    resolved: Resolved,
    resolv_conf: ResolvConf,
    /// Name servers in `resolv_conf`.
    servers: Vec<IpAddr>,
}

impl Machine {
    /// Takes over the machine of a node whose sockets are `bound` there, and undoes what an earlier
    /// run has left on it according to its `journal`.
    pub(crate) fn take_over(journal: Option<PathBuf>, bound: &[SocketAddr]) -> Self {
        let mut ports: Vec<_> = bound.iter().map(SocketAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        Self::with(Places::usual(journal), ports)
    }

    fn with(places: Places, ports: Vec<u16>) -> Self {
        let mut machine = Self {
            journal: Journal::open(places.journal),
            policy: Policy::new(ports),
            families: Vec::new(),
            resolved: Resolved::new(places.resolvectl, places.resolved),
            resolv_conf: ResolvConf::new(places.resolv_conf),
            servers: Vec::new(),
        };
        machine.recover();
        machine
    }

    /// Makes `wishes` come true, and no longer earlier ones. What fails is logged and left out.
    pub(crate) fn apply(&mut self, wishes: &Wishes) {
        if let Err(error) = self.policy.follow_ports(&wishes.own_ports, &self.families) {
            log::warn!(error:%; "a strict reverse-path filter may drop what comes to a new port");
        }
        self.set_rules(AddressFamily::Inet, wishes.default_ipv4);
        self.set_rules(AddressFamily::Inet6, wishes.default_ipv6);

        let dns: Vec<_> = wishes.dns.iter().filter(|link| is_usable(link)).cloned().collect();
        if !dns.is_empty() && self.resolved.is_running() {
            self.set_servers(Vec::new());
            self.resolved.set(&dns);
        } else {
            self.resolved.set(&[]);
            self.set_servers(servers_of(&dns));
        }
    }

    /// Undoes what a run that crashed has left.
    fn recover(&mut self) {
        let left = self.journal.changes().clone();
        if left.rules {
            self.families = vec![AddressFamily::Inet, AddressFamily::Inet6];
            self.set_rules(AddressFamily::Inet, false);
            self.set_rules(AddressFamily::Inet6, false);
        }
        self.servers = left.servers;
        self.set_servers(Vec::new());
    }

    fn set_rules(&mut self, family: AddressFamily, wanted: bool) {
        let is_in_place = self.families.contains(&family);
        if wanted && !is_in_place {
            self.add_rules(family);
        } else if !wanted && is_in_place {
            self.remove_rules(family);
        }
    }

    fn add_rules(&mut self, family: AddressFamily) {
        if let Err(error) = self.journal.update(|changes| changes.rules = true) {
            log::warn!(error:%; "no default route, for it could not be undone after a crash");
            return;
        }
        match self.policy.add(family) {
            Ok(()) => self.families.push(family),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                log::warn!(
                    "another node on this machine leads all traffic through its networks (see \
                     `ip rule`): what applies there applies to this node's default route"
                );
                self.forget_rules();
            }
            Err(error) => {
                log::warn!(error:%; "no default route, for the system refuses policy rules");
                self.remove_rules(family);
            }
        }
    }

    fn remove_rules(&mut self, family: AddressFamily) {
        match policy::remove(family) {
            Ok(()) => {
                self.families.retain(|&other| other != family);
                self.forget_rules();
            }
            Err(error) => log::warn!(error:%; "policy rules stay (see `ip rule`)"),
        }
    }

    /// Notes that there are no rules to take away, if that is so.
    fn forget_rules(&mut self) {
        if self.families.is_empty()
            && let Err(error) = self.journal.update(|changes| changes.rules = false)
        {
            log::warn!(error:%; "the next start will look for policy rules in vain");
        }
    }

    fn set_servers(&mut self, wanted: Vec<IpAddr>) {
        if wanted == self.servers {
            return;
        }
        let both: Vec<_> = self.servers.iter().chain(&wanted).copied().collect();
        if let Err(error) = self.journal.update(|changes| changes.servers = both) {
            log::warn!(error:%; "no name servers, for they could not be undone after a crash");
            return;
        }
        let result = if wanted.is_empty() {
            self.resolv_conf.unset(&self.servers)
        } else {
            self.resolv_conf.set(&self.servers, &wanted)
        };
        match result {
            Ok(()) => self.servers = wanted,
            Err(error) => {
                log::warn!(error:%, servers:? = wanted; "the networks' name servers are not set");
            }
        }
        let servers = self.servers.clone();
        if let Err(error) = self.journal.update(|changes| changes.servers = servers) {
            log::warn!(error:%; "the next start will look for name servers in vain");
        }
    }
}

/// Returns the servers of all interfaces in order, each once.
fn servers_of(dns: &[LinkDns]) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for server in dns.iter().flat_map(|link| &link.servers) {
        if !servers.contains(server) && servers.len() < NAME_SERVERS_MAX {
            servers.push(*server);
        }
    }
    servers
}

/// Returns whether these are servers and a domain a resolver can do something with: it was a
/// controller that chose them.
fn is_usable(link: &LinkDns) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let domain = link.domain.as_str();
    let is_usable = !domain.is_empty() && domain.bytes().all(is_plain) && !link.servers.is_empty();
    if !is_usable {
        log::warn!(interface = link.interface.as_str(), domain:?; "name servers for no domain");
    }
    is_usable
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

    const THEIRS: &str = "nameserver 192.0.2.53\n";

    #[test]
    fn name_servers_are_there_while_they_are_wanted() {
        let dir = machine_in_a_directory();
        let mut machine = Machine::with(places(dir.path()), Vec::new());

        machine.apply(&name_servers("corp.example"));
        assert!(resolv_conf(&dir).contains("nameserver 10.42.0.1\n"));
        assert!(dir.path().join("journal").exists());

        machine.apply(&Wishes::default());
        assert_eq!(resolv_conf(&dir), THEIRS);
        assert!(!dir.path().join("journal").exists());
    }

    #[test]
    fn what_a_crashed_run_has_left_is_undone_first() {
        let dir = machine_in_a_directory();
        let mut crashed = Machine::with(places(dir.path()), Vec::new());
        crashed.apply(&name_servers("corp.example"));
        drop(crashed);
        let edited = format!("{}options rotate\n", resolv_conf(&dir));
        fs::write(dir.path().join("resolv.conf"), edited).unwrap();

        Machine::with(places(dir.path()), Vec::new());

        assert_eq!(resolv_conf(&dir), format!("{THEIRS}options rotate\n"));
        assert!(!dir.path().join("journal").exists());
    }

    #[test]
    fn nothing_is_changed_that_could_not_be_undone_after_a_crash() {
        let dir = machine_in_a_directory();
        let journal = Some(dir.path().join("resolv.conf/journal"));
        let mut machine = Machine::with(Places { journal, ..places(dir.path()) }, Vec::new());

        machine.apply(&name_servers("corp.example"));

        assert_eq!(resolv_conf(&dir), THEIRS);
    }

    #[test]
    fn a_file_that_another_program_maintains_is_left_alone() {
        let dir = machine_in_a_directory();
        let link = dir.path().join("link");
        symlink(dir.path().join("resolv.conf"), &link).unwrap();
        let places = Places { resolv_conf: link, ..places(dir.path()) };
        let mut machine = Machine::with(places, Vec::new());

        machine.apply(&name_servers("corp.example"));

        assert_eq!(resolv_conf(&dir), THEIRS);
        assert!(!dir.path().join("journal").exists());
    }

    #[test]
    fn systemd_resolved_is_told_if_it_runs() {
        let dir = machine_in_a_directory();
        let program = dir.path().join("resolvectl");
        let said = dir.path().join("said");
        fs::write(&program, format!("#!/bin/sh\necho \"$@\" >>{}\n", said.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let _listener = UnixListener::bind(dir.path().join("resolved")).unwrap();
        let mut machine = Machine::with(places(dir.path()), Vec::new());

        machine.apply(&name_servers("corp.example"));

        let said = fs::read_to_string(said).unwrap();
        assert_eq!(said, "dns lo 10.42.0.1\ndomain lo ~corp.example\n");
        assert_eq!(resolv_conf(&dir), THEIRS);
    }

    #[test]
    fn a_domain_that_is_none_is_not_passed_on() {
        let dir = machine_in_a_directory();
        let mut machine = Machine::with(places(dir.path()), Vec::new());

        for domain in ["", "two words", "line\nfeed", "semi;colon", "$(reboot)"] {
            machine.apply(&name_servers(domain));

            assert_eq!(resolv_conf(&dir), THEIRS, "{domain:?}");
        }
    }

    fn machine_in_a_directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("resolv.conf"), THEIRS).unwrap();
        dir
    }

    fn places(dir: &Path) -> Places {
        Places {
            journal: Some(dir.join("journal")),
            resolv_conf: dir.join("resolv.conf"),
            resolvectl: dir.join("resolvectl"),
            resolved: dir.join("resolved"),
        }
    }

    fn resolv_conf(dir: &tempfile::TempDir) -> String {
        fs::read_to_string(dir.path().join("resolv.conf")).unwrap()
    }

    fn name_servers(domain: &str) -> Wishes {
        let dns = LinkDns {
            interface: "lo".to_owned(),
            index: 1,
            domain: domain.to_owned(),
            servers: vec![[10, 42, 0, 1].into()],
        };
        Wishes { dns: vec![dns], ..Wishes::default() }
    }
}
