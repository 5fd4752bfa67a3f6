//! What hosts know of the machine's networks, power and memory, and what that makes the node do.

use std::net::SocketAddr;

use zt_runtime::MappedPort as RuntimeMapping;

use super::error::ZtError;
use super::node::Node;
use super::pages;

/// What the machine's network is like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Conditions {
    /// Whether somebody pays for each byte.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub metered: bool,
    /// Whether traffic costs more than elsewhere otherwise, in money or power; means the same.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub expensive: bool,
    /// Whether there is none.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub offline: bool,
}

/// What came of asking the gateway for a port.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PortMapping {
    /// The port in force, if there is one.
    pub mapped: Option<MappedPort>,
    /// Why the last attempt to get or keep one failed, for people to read; `None` if it did not.
    pub error: Option<String>,
}

/// A port of the gateway's that leads to this node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct MappedPort {
    /// How it was asked for: `pcp`, `nat-pmp` or `upnp`.
    pub method: String,
    /// Where it leads.
    pub internal: SocketAddr,
    /// Where anybody may reach this node.
    pub external: SocketAddr,
    /// Until when it is granted, in ms since the Unix epoch; `None` if for ever.
    pub expires_ms: Option<u64>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Says that the machine may be in another network: sockets are opened anew, and no path is
    /// trusted until it has answered. On Linux the kernel says so itself.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn network_changed(&self) -> Result<(), ZtError> {
        Ok(self.handle.network_changed().await?)
    }

    /// Says what the machine's network is like, until told otherwise. Nothing is assumed at first.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn set_conditions(&self, conditions: Conditions) -> Result<(), ZtError> {
        Ok(self.handle.set_conditions(conditions.into()).await?)
    }

    /// Says that the machine is about to sleep: what the node knows is saved, and it does nothing
    /// until [`wake`](Self::wake).
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn sleep(&self) -> Result<(), ZtError> {
        Ok(self.handle.sleep().await?)
    }

    /// Says that the machine is awake again, perhaps in another network.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn wake(&self) -> Result<(), ZtError> {
        Ok(self.handle.wake().await?)
    }

    /// Uses the interface of this name and no other, or all of them if `None`. While there is no such
    /// interface, the node has no sockets.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn bind_to_interface(&self, name: Option<String>) -> Result<(), ZtError> {
        Ok(self.handle.bind_to_interface(name.as_deref()).await?)
    }

    /// Says that the machine is short of memory: the node gives back what it can do without, and the
    /// system gets the pages, where the allocator has a call for that. Connections in use go on; others are
    /// found anew when they are used. To have a node never take more than so much:
    /// [`Config::memory_budget`](super::Config).
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn trim_memory(&self) -> Result<(), ZtError> {
        self.handle.trim_memory().await?;
        // It walks through all of the heap, which is too long for whoever polls this.
        let given_back = async { tokio::task::spawn_blocking(pages::give_back).await };
        self.runtime.run(given_back).await?.map_err(|_| ZtError::Panic)
    }

    /// Returns the port of the gateway's that leads to this node, if there is one.
    pub fn mapped_port(&self) -> Option<MappedPort> {
        Some(self.handle.port_mapping()?.mapped?.into())
    }

    /// Returns what came of asking the gateway for a port; `None` if it is not asked.
    pub fn port_mapping(&self) -> Option<PortMapping> {
        let mapping = self.handle.port_mapping()?;
        let error = mapping.error.map(|error| error.to_string());
        Some(PortMapping { mapped: mapping.mapped.map(MappedPort::from), error })
    }
}

impl From<Conditions> for zt_runtime::Conditions {
    fn from(conditions: Conditions) -> Self {
        let Conditions { metered, expensive, offline } = conditions;
        Self { metered, expensive, offline }
    }
}

impl From<RuntimeMapping> for MappedPort {
    fn from(mapped: RuntimeMapping) -> Self {
        Self {
            method: mapped.method.name().to_owned(),
            internal: mapped.internal,
            external: mapped.external,
            expires_ms: mapped.expires.map(|expires| expires.0),
        }
    }
}
