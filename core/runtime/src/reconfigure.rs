//! Going by another `local.conf` than at the start.
//!
//! | what it says                                                      | takes effect          |
//! |-------------------------------------------------------------------|-----------------------|
//! | `physical`, `virtual`, bonding, `lowBandwidthMode`                | at once               |
//! | ports, `bind`, interfaces to avoid, port mapping, the TCP relay   | at the next start     |
//!
//! What the program has said itself goes before it, as at the start.

use tokio::sync::Mutex;
use zt_protocol::command::Command;

use crate::driver::warn_of_trusted_paths;
use crate::handle::Handle;
use crate::request::RequestError;
use crate::store::LocalConf;

/// What a node was configured with.
#[derive(Debug)]
pub(crate) struct Configured {
    /// What the file said at the start.
    at_start: LocalConf,
    /// What it said last.
    last: Mutex<LocalConf>,
    by_program: ByProgram,
}

/// What the program has said, so that the file has no say in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByProgram {
    pub(crate) path_rules: bool,
    pub(crate) low_bandwidth: bool,
    pub(crate) bonding: bool,
}

impl Configured {
    pub(crate) fn new(conf: LocalConf, by_program: ByProgram) -> Self {
        Self { at_start: conf.clone(), last: Mutex::new(conf), by_program }
    }
}

impl Handle {
    /// Reads `local.conf` and `trustedpaths` again and goes by what has changed in them, also where
    /// the program has said something else since the start. What cannot change while the node runs,
    /// its ports and sockets above all, is a warning in the log, and so is what cannot be understood.
    ///
    /// `zt node` does so by itself.
    ///
    /// # Errors
    ///
    /// [`RequestError`]. The node goes on as before if the file cannot be read, or does not say
    /// clearly what is to be avoided.
    pub async fn reload_local_conf(&self) -> Result<(), RequestError> {
        // Where nothing has changed, the driver is asked nothing.
        if self.has_stopped() {
            return Err(RequestError::Stopped);
        }
        let Configured { at_start, last, by_program } = self.configured();
        let mut last = last.lock().await;
        let conf = self.edit(|home| Ok::<_, RequestError>(home.local_conf()?)).await?;
        for problem in &conf.problems {
            log::warn!("local.conf: {problem}");
        }
        for what in needs_restart(at_start, &conf) {
            log::warn!("local.conf: {what} take effect at the next start");
        }
        if !by_program.path_rules && conf.path_rules != last.path_rules {
            warn_of_trusted_paths(&conf.path_rules);
            self.set_path_rules(conf.path_rules.clone()).await?;
        }
        if !by_program.low_bandwidth && conf.low_bandwidth != last.low_bandwidth {
            self.settle(Command::LowBandwidth(conf.low_bandwidth)).await?;
        }
        if !by_program.bonding && conf.bonding != last.bonding {
            self.set_bonding(conf.bonding.clone()).await?;
        }
        *last = conf;
        Ok(())
    }
}

/// Returns what differs that only a start changes.
fn needs_restart(at_start: &LocalConf, conf: &LocalConf) -> Vec<&'static str> {
    let ports = |conf: &LocalConf| {
        (conf.primary_port, conf.secondary_port, conf.secondary_port_allowed, conf.tertiary_port)
    };
    let relay = |conf: &LocalConf| (conf.tcp_relay_allowed, conf.tcp_relay_forced, conf.tcp_relay);
    let differing = [
        (ports(at_start) != ports(conf), "ports"),
        (at_start.bind != conf.bind, "addresses to bind"),
        (at_start.avoided_interfaces != conf.avoided_interfaces, "interfaces to avoid"),
        (at_start.map_ports != conf.map_ports, "settings of the port mapping"),
        (relay(at_start) != relay(conf), "settings of the TCP relay"),
    ];
    differing.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(settings: &str) -> LocalConf {
        LocalConf::parse(format!(r#"{{ "settings": {{ {settings} }} }}"#).as_bytes()).unwrap()
    }

    #[test]
    fn what_only_a_start_changes_is_told_from_what_changes_at_once() {
        let cases = [
            (r#""lowBandwidthMode": true, "defaultBondingPolicy": "active-backup""#, None),
            (r#""primaryPort": 1000"#, Some("ports")),
            (r#""allowSecondaryPort": false"#, Some("ports")),
            (r#""bind": ["192.0.2.1"]"#, Some("addresses to bind")),
            (r#""interfacePrefixBlacklist": ["docker"]"#, Some("interfaces to avoid")),
            (r#""portMappingEnabled": false"#, Some("settings of the port mapping")),
            (r#""forceTcpRelay": true"#, Some("settings of the TCP relay")),
        ];

        for (settings, expected) in cases {
            let differing = needs_restart(&conf(""), &conf(settings));
            assert_eq!(differing, Vec::from_iter(expected), "{settings}");
            assert!(needs_restart(&conf(settings), &conf(settings)).is_empty());
        }
    }
}
