//! Sockets shown to the host before they are used.

use std::sync::Arc;

use super::config::Config;
use super::error::ZtError;
use super::node::Node;

/// Keeps the node's own datagrams out of the virtual network, as `VpnService.protect` does.
pub trait SocketProtector: Send + Sync {
    /// Prepares a socket before it is used; false has it closed. It must not wait, and must not call
    /// the node: a thread of the library runs it.
    fn protect(&self, fd: i32) -> bool;
}

impl Node {
    /// Starts a node that shows `protector` every socket, from the first on, and waits for it on this
    /// thread.
    ///
    /// # Errors
    ///
    /// As of [`start_blocking`](Self::start_blocking), and [`ZtError::NotPermitted`].
    pub fn start_protected(
        config: Config,
        protector: Arc<dyn SocketProtector>,
    ) -> Result<Arc<Self>, ZtError> {
        Self::start_with(config, move |builder| builder.protect(move |fd| protector.protect(fd)))
    }

    /// Has `protector` look at every socket from here on, those there are included.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotPermitted`] if it refused one that was in use, which is closed.
    pub async fn set_protector(&self, protector: Arc<dyn SocketProtector>) -> Result<(), ZtError> {
        Ok(self.handle.set_protect(move |fd| protector.protect(fd)).await?)
    }
}
