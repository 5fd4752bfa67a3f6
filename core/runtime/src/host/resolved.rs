//! Name servers per interface and domain, kept by systemd-resolved.
//!
//! Set with `resolvectl`, forgotten by systemd-resolved when the interface goes.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::LinkDns;
use crate::limits::{RESOLVECTL_PATIENCE, RESOLVECTL_POLL};

/// What systemd-resolved has been told.
#[derive(Debug)]
pub(super) struct Resolved {
    program: PathBuf,
    socket: PathBuf,
    links: Vec<LinkDns>,
}

impl Resolved {
    /// Returns what is told by `program`, if somebody listens on `socket`.
    pub(super) const fn new(program: PathBuf, socket: PathBuf) -> Self {
        Self { program, socket, links: Vec::new() }
    }

    /// Returns whether systemd-resolved runs.
    pub(super) fn is_running(&self) -> bool {
        UnixStream::connect(&self.socket).is_ok()
    }

    /// Has the servers of `links` asked about their domains, and no longer those set before.
    ///
    /// What is refused is logged and left out.
    pub(super) fn set(&mut self, links: &[LinkDns]) {
        for link in std::mem::take(&mut self.links) {
            if links.contains(&link) {
                self.links.push(link);
            } else if is_there(&link)
                && let Err(error) = self.run(&["revert", &link.interface])
            {
                log::warn!(interface = link.interface.as_str(), error:%; "name servers stay set");
            }
        }
        for link in links {
            if self.links.contains(link) {
                continue;
            }
            match self.add(link) {
                Ok(()) => self.links.push(link.clone()),
                Err(error) => {
                    let interface = link.interface.as_str();
                    log::warn!(interface, error:%; "cannot set the network's name servers");
                }
            }
        }
    }

    fn add(&self, link: &LinkDns) -> io::Result<()> {
        let servers: Vec<_> = link.servers.iter().map(ToString::to_string).collect();
        let mut dns = vec!["dns", &link.interface];
        dns.extend(servers.iter().map(String::as_str));
        self.run(&dns)?;
        // The tilde makes it a domain to ask about, not one to complete names with.
        self.run(&["domain", &link.interface, &format!("~{}", link.domain)])
    }

    fn run(&self, arguments: &[&str]) -> io::Result<()> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let deadline = Instant::now() + RESOLVECTL_PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() >= deadline {
                child.kill()?;
                child.wait()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(RESOLVECTL_POLL);
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        // A pipe holds no more than 64 KiB.
        let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
        Err(io::Error::other(format!("{}: {}", self.program.display(), said.trim_end())))
    }
}

/// Returns whether the interface is still the one that was configured.
fn is_there(link: &LinkDns) -> bool {
    let index = std::fs::read_to_string(format!("/sys/class/net/{}/ifindex", link.interface));
    index.is_ok_and(|index| index.trim().parse() == Ok(link.index))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn each_interface_is_told_its_servers_and_domain_once() {
        let (dir, mut resolved) = fake("");
        let link = loopback("corp.example");

        resolved.set(std::slice::from_ref(&link));
        resolved.set(&[link]);

        let said = fs::read_to_string(dir.path().join("said")).unwrap();
        assert_eq!(said, "dns lo 10.42.0.1 fd00::1\ndomain lo ~corp.example\n");
    }

    #[test]
    fn what_is_not_wanted_any_more_is_reverted() {
        let (dir, mut resolved) = fake("");
        let gone = LinkDns { interface: "gone".to_owned(), ..loopback("gone.example") };
        resolved.set(&[loopback("corp.example"), gone]);
        fs::remove_file(dir.path().join("said")).unwrap();

        resolved.set(&[]);

        assert_eq!(fs::read_to_string(dir.path().join("said")).unwrap(), "revert lo\n");
    }

    #[test]
    fn what_was_refused_is_tried_again() {
        let (dir, mut resolved) = fake("exit 1");
        resolved.set(&[loopback("corp.example")]);
        resolved.set(&[loopback("corp.example")]);

        let said = fs::read_to_string(dir.path().join("said")).unwrap();
        assert_eq!(said.matches("dns lo").count(), 2);
    }

    #[test]
    fn it_runs_while_somebody_listens() {
        let (dir, resolved) = fake("");
        assert!(!resolved.is_running());

        let _listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        assert!(resolved.is_running());
    }

    /// A `resolvectl` that writes down how it is called, and then does `more`.
    fn fake(more: &str) -> (tempfile::TempDir, Resolved) {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("resolvectl");
        let said = dir.path().join("said");
        fs::write(&program, format!("#!/bin/sh\necho \"$@\" >>{}\n{more}\n", said.display()))
            .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let resolved = Resolved::new(program, dir.path().join("socket"));
        (dir, resolved)
    }

    fn loopback(domain: &str) -> LinkDns {
        LinkDns {
            interface: "lo".to_owned(),
            index: 1,
            domain: domain.to_owned(),
            servers: vec![[10, 42, 0, 1].into(), "fd00::1".parse().unwrap()],
        }
    }
}
