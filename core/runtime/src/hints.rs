//! What hosts know of the machine's networks, power and memory, and the node cannot find out.
//!
//! | the host says                | the node                                                        |
//! |------------------------------|-----------------------------------------------------------------|
//! | `network_changed`            | opens its sockets anew, tries every path and root at once       |
//! | `set_conditions`: metered or expensive | keeps itself reachable and does no more ([`Conditions`]) |
//! | `set_conditions`: offline    | sends nothing, sets no timer, reads no socket or interface       |
//! | `sleep`                      | saves what it knows, then does as if offline                    |
//! | `wake`                       | does as when a network is back                                  |
//! | `set_protect`                | shows the host each socket, and uses none that it refuses       |
//! | `bind_to_interface`          | uses the addresses and routes of one interface                  |
//! | `set_path_rules`             | leaves paths and closes sockets that are to be avoided          |
//! | `trim_memory`                | gives back what it finds again and what only load needs         |

use std::os::fd::RawFd;
use std::sync::Arc;

pub use zt_protocol::command::Conditions;
use zt_protocol::path_rules::PathRules;

use crate::handle::Handle;
use crate::request::{Request, RequestError};
use crate::udp::Protect;

/// What a host says about the machine.
pub(crate) enum Hint {
    NetworkChanged,
    Conditions(Conditions),
    Sleep,
    Wake,
    Protect(Protect),
    Interface(Option<String>),
    PathRules(Box<PathRules>),
    TrimMemory,
}

/// What the host knows and the node does not.
impl Handle {
    /// Says that the machine may be in another network: sockets are opened anew, no path is trusted
    /// until it has answered, all are tried at once, and roots are greeted as at the start.
    ///
    /// On Linux the kernel says so itself. Phones should call this for each change of the default
    /// network; once too often costs a moment's detour through a root.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn network_changed(&self) -> Result<(), RequestError> {
        self.hint(Hint::NetworkChanged).await
    }

    /// Says what the machine's network is like, until told otherwise; at the start nothing is
    /// assumed.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn set_conditions(&self, conditions: Conditions) -> Result<(), RequestError> {
        self.hint(Hint::Conditions(conditions)).await
    }

    /// Says that the machine is about to sleep: what the node knows is saved, and it does nothing
    /// until [`wake`](Self::wake).
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn sleep(&self) -> Result<(), RequestError> {
        self.hint(Hint::Sleep).await
    }

    /// Says that the machine is awake again, perhaps in another network. Whether there is one, the
    /// [`Conditions`] say that were set last.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn wake(&self) -> Result<(), RequestError> {
        self.hint(Hint::Wake).await
    }

    /// Has `protect` look at every socket from here on, before it is used, those there are included;
    /// see [`Builder::protect`](crate::Builder::protect).
    ///
    /// # Errors
    ///
    /// [`RequestError::Unprotected`] if it refused one that was in use, which is closed.
    pub async fn set_protect(
        &self,
        protect: impl Fn(RawFd) -> bool + Send + Sync + 'static,
    ) -> Result<(), RequestError> {
        self.hint(Hint::Protect(Arc::new(protect))).await
    }

    /// Uses the interface of this name and no other, or all of them if `None`. While there is no such
    /// interface, the node has no sockets.
    ///
    /// Concerns the sockets the node makes itself. Where it was given addresses, each is used by
    /// way of this interface.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn bind_to_interface(&self, name: Option<&str>) -> Result<(), RequestError> {
        self.hint(Hint::Interface(name.map(str::to_owned))).await
    }

    /// Goes by these rules for physical addresses from here on, not by those before, and not by
    /// those in `local.conf`, which hold again at the next start.
    ///
    /// Paths they forbid are left at once, and sockets at addresses they blacklist closed, unless
    /// the node was given its addresses.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn set_path_rules(&self, rules: PathRules) -> Result<(), RequestError> {
        self.hint(Hint::PathRules(Box::new(rules))).await
    }

    /// Says that the machine is short of memory: the node gives back what it can do without, that is
    /// whatever it finds again when it is needed, and room that only load needs. Connections in use go
    /// on, and others are found anew when they are used.
    ///
    /// The memory goes to the allocator, which may keep it for later;
    /// [`statistics`](Self::statistics) say what is left in use. To have the node never take more than
    /// so much, give it a [budget](crate::Builder::memory_budget).
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn trim_memory(&self) -> Result<(), RequestError> {
        self.hint(Hint::TrimMemory).await
    }

    async fn hint(&self, hint: Hint) -> Result<(), RequestError> {
        self.ask(|reply| Request::Hint { hint, reply }).await?
    }
}
