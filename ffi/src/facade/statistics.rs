//! What a node has dropped, and why it woke.

use super::error::ZtError;
use super::node::Node;

/// What a node has counted since it started.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Statistics {
    /// Packets and frames dropped, by reason; only reasons that happened.
    pub drops: Vec<DropCount>,
    /// Datagrams the system did not send, and those that came in from a virtual network.
    pub lost_datagrams: u64,
    /// Frames the host did not take.
    pub lost_frames: u64,
    /// Events nobody took.
    pub lost_events: u64,
}

/// How often something was dropped for a reason.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct DropCount {
    /// The reason's name, for instance `not_authentic`; the same in every language.
    pub reason: String,
    /// How often.
    pub count: u64,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Returns what the node has counted since it started.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn statistics(&self) -> Result<Statistics, ZtError> {
        let (drops, losses) = self.handle.drops().await?;
        let drop = |(reason, count): (zt_protocol::error::Rejected, u64)| DropCount {
            reason: reason.name().to_owned(),
            count,
        };
        Ok(Statistics {
            drops: drops.iter().map(drop).collect(),
            lost_datagrams: losses.datagrams,
            lost_frames: losses.frames,
            lost_events: losses.events,
        })
    }
}
