//! What a node asks of its host while it runs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zt_runtime::Builder;

use super::error::ZtError;
use super::node::Node;
use super::storage::Storage;

/// Keeps the node's own datagrams out of the virtual network, as `VpnService.protect` does.
#[cfg_attr(feature = "uniffi", uniffi::export(with_foreign))]
pub trait SocketProtector: Send + Sync {
    /// Prepares a socket before it is used; false, or a failure, has it closed. It must not wait, and
    /// must not call the node: a thread of the library runs it.
    fn protect(&self, fd: i32) -> bool;
}

/// Who a node asks while it runs. Whoever is not there is not asked.
#[derive(Clone, Default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Hooks {
    /// Is shown every socket before it is used, from the first on. One it refuses is not used.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub protector: Option<Arc<dyn SocketProtector>>,
    /// Keeps what outlives the node, in place of the home directory, which is then to be empty.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub storage: Option<Arc<dyn Storage>>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Has `protector` look at every socket from here on, those there are included.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotPermitted`] if it refused one that was in use, which is closed.
    pub async fn set_protector(&self, protector: Arc<dyn SocketProtector>) -> Result<(), ZtError> {
        Ok(self.handle.set_protect(shown_to(protector)).await?)
    }
}

impl Hooks {
    /// Has a node ask them from the start.
    pub(super) fn install(self, mut builder: Builder) -> Builder {
        if let Some(protector) = self.protector {
            builder = builder.protect(shown_to(protector));
        }
        builder
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("protector", &self.protector.is_some())
            .field("storage", &self.storage.is_some())
            .finish()
    }
}

/// Shows a socket to the host, whose failure is a refusal: no socket is used by accident.
fn shown_to(protector: Arc<dyn SocketProtector>) -> impl Fn(i32) -> bool + Send + Sync + 'static {
    move |fd| catch_unwind(AssertUnwindSafe(|| protector.protect(fd))).unwrap_or(false)
}
