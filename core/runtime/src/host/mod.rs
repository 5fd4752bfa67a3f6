//! What networks want of this machine beyond an interface of their own: that its default route leads
//! through them, and that their name servers are asked.
//!
//! Interfaces take their addresses and routes along when they go. What is done here outlives the
//! process unless it is undone, so it is written down first, and undone at the next start if need
//! be:
//!
//! ```text
//!   driver ──Wishes──► Host ──► Machine ┬── policy       rules that lead to our default routes
//!                                       ├── resolved     name servers, by systemd-resolved, or
//!                                       ├── resolv_conf  name servers, by /etc/resolv.conf
//!                                       └── journal      what is to be undone
//! ```

#[cfg(target_os = "linux")]
mod journal;
#[cfg_attr(target_os = "linux", path = "machine_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "machine_other.rs")]
mod machine;
#[cfg(target_os = "linux")]
pub(crate) mod policy;
#[cfg(target_os = "linux")]
mod resolv_conf;
#[cfg(target_os = "linux")]
mod resolved;

use std::collections::BTreeSet;
use std::net::IpAddr;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use machine::Machine;

/// What the networks want of this machine.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Wishes {
    /// An IPv4 default route leads through an interface.
    pub(crate) default_ipv4: bool,
    /// An IPv6 default route does.
    pub(crate) default_ipv6: bool,
    /// Name servers, at most one entry an interface.
    pub(crate) dns: Vec<LinkDns>,
    /// This node's own UDP ports, whose datagrams no default route concerns.
    pub(crate) own_ports: BTreeSet<u16>,
}

/// Name servers behind an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LinkDns {
    /// The interface's name.
    pub(crate) interface: String,
    /// Its index, which tells it from a later one of that name.
    pub(crate) index: u32,
    /// The domain they are for.
    pub(crate) domain: String,
    /// The servers.
    pub(crate) servers: Vec<IpAddr>,
}

/// Keeps the machine as the networks want it, while the driver goes on.
///
/// Of what is wanted only the latest counts. When this is dropped, everything is undone.
#[derive(Debug)]
pub(crate) struct Host {
    wishes: watch::Sender<Wishes>,
    task: JoinHandle<()>,
}

impl Host {
    /// Starts to look after `machine` on the current tokio runtime.
    pub(crate) fn start(machine: Machine) -> Self {
        let (wishes, wanted) = watch::channel(Wishes::default());
        Self { wishes, task: tokio::spawn(look_after(machine, wanted)) }
    }

    /// Makes `wishes` come true some time soon, and no longer earlier ones.
    pub(crate) fn set(&self, wishes: Wishes) {
        self.wishes.send_if_modified(|current| {
            let is_news = *current != wishes;
            *current = wishes;
            is_news
        });
    }

    /// Undoes everything.
    pub(crate) async fn finish(self) {
        drop(self.wishes);
        // It ends by itself; if it panicked, the next start undoes the rest.
        let _ = self.task.await;
    }
}

async fn look_after(mut machine: Machine, mut wanted: watch::Receiver<Wishes>) {
    loop {
        let is_over = wanted.changed().await.is_err();
        let wishes = if is_over { Wishes::default() } else { wanted.borrow_and_update().clone() };
        // It waits for disks and programs.
        let applied = tokio::task::spawn_blocking(move || {
            machine.apply(&wishes);
            machine
        });
        match applied.await {
            Ok(_) if is_over => return,
            Ok(returned) => machine = returned,
            Err(error) => return log::error!(error:%; "this machine is no longer looked after"),
        }
    }
}
