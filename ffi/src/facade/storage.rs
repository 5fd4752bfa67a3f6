//! State the host keeps itself, in place of a home directory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zt_runtime::store;

/// Keeps what outlives a node, in place of a home directory.
///
/// Names are those of the files there would be (`identity.secret`, `networks.d/….conf`): letters,
/// digits, dots and slashes. Whatever is written has to be read back, by this node and the next, and
/// while it is written the old is not to be lost. No two nodes share a storage.
///
/// Calls come one at a time, on threads of the library that may wait. They must not call the node. What
/// the host throws, or fails with, is a failed call.
#[cfg_attr(feature = "uniffi", uniffi::export(with_foreign))]
pub trait Storage: Send + Sync {
    /// Returns what is kept under a name; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// [`StorageFailure`]; the node does not start, or does not do what it was asked.
    fn read(&self, name: String) -> Result<Option<Vec<u8>>, StorageFailure>;

    /// Keeps this under a name, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`StorageFailure`]; what was there is still there.
    fn write(&self, name: String, bytes: Vec<u8>) -> Result<(), StorageFailure>;

    /// Keeps nothing under a name any more. It is no error if there was nothing.
    ///
    /// # Errors
    ///
    /// [`StorageFailure`].
    fn remove(&self, name: String) -> Result<(), StorageFailure>;

    /// Returns the names something is kept under and that begin with `prefix`, in any order.
    ///
    /// # Errors
    ///
    /// [`StorageFailure`].
    fn list(&self, prefix: String) -> Result<Vec<String>, StorageFailure>;
}

/// Why a [`Storage`] did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Error))]
pub enum StorageFailure {
    /// In the host's own words.
    #[error("{reason}")]
    Failed {
        /// What went wrong.
        reason: String,
    },
}

/// What a host throws that is no [`StorageFailure`].
#[cfg(feature = "uniffi")]
impl From<uniffi::UnexpectedUniFFICallbackError> for StorageFailure {
    fn from(thrown: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: thrown.reason }
    }
}

/// A storage of the host's, as nodes know them.
pub(super) struct OfHost(pub(super) Arc<dyn Storage>);

impl OfHost {
    /// A host that panics has failed; nobody else is to suffer from that.
    fn ask<T>(
        &self,
        ask: impl FnOnce(&dyn Storage) -> Result<T, StorageFailure>,
    ) -> Result<T, store::StorageError> {
        let panicked = |_| Err(StorageFailure::Failed { reason: "it panicked".to_owned() });
        catch_unwind(AssertUnwindSafe(|| ask(&*self.0)))
            .unwrap_or_else(panicked)
            .map_err(|failure| store::StorageError(failure.to_string()))
    }
}

impl store::Storage for OfHost {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, store::StorageError> {
        self.ask(|storage| storage.read(name.to_owned()))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), store::StorageError> {
        self.ask(|storage| storage.write(name.to_owned(), bytes.to_vec()))
    }

    fn remove(&self, name: &str) -> Result<(), store::StorageError> {
        self.ask(|storage| storage.remove(name.to_owned()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, store::StorageError> {
        self.ask(|storage| storage.list(prefix.to_owned()))
    }
}
