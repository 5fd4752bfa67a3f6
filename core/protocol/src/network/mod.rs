//! PLACEHOLDER by lead so that the node compiles. Owner `net`: on a rebase conflict take YOUR file.
use crate::address::{Address, NetworkId};
use crate::command::CommandError;
use crate::error::Rejected;
use crate::event::NetworkStatus;
use crate::identity::Directory;
use crate::outbox::{Ctx, Received};
use crate::time::Instant;
use crate::transmit::{Frame, PortMode};
use crate::verb::{ErrorCode, Verb};
use core::net::IpAddr;
/// x
pub enum Credentials {
    /** x */
    Accepted(bool),
    /** x */
    NeedIdentity(Address),
}
/// x
pub struct Networks;
#[allow(missing_docs, unused_variables, clippy::unused_self)]
impl Networks {
    pub fn new(platform: &'static str) -> Self {
        Self
    }
    pub fn join(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
        mode: PortMode,
        cached: Option<&[u8]>,
    ) -> Result<(), CommandError> {
        Err(CommandError::InvalidNetwork(network))
    }
    pub fn leave(&mut self, ctx: &mut Ctx<'_>, network: NetworkId) -> Result<(), CommandError> {
        Err(CommandError::NotJoined(network))
    }
    pub fn statuses(&self) -> Vec<NetworkStatus> {
        Vec::new()
    }
    pub fn handle_config(
        &mut self,
        ctx: &mut Ctx<'_>,
        dir: &dyn Directory,
        rx: &Received<'_>,
        chunk: &[u8],
    ) -> Result<(), Rejected> {
        Err(Rejected::UnknownNetwork)
    }
    pub fn handle_error(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
        in_re: Verb,
        code: ErrorCode,
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn handle_credentials(
        &mut self,
        ctx: &mut Ctx<'_>,
        dir: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<Credentials, Rejected> {
        Ok(Credentials::Accepted(false))
    }
    pub fn handle_like(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
        may_serve: &dyn Fn(NetworkId) -> bool,
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn handle_gather(
        &mut self,
        ctx: &mut Ctx<'_>,
        dir: &dyn Directory,
        rx: &Received<'_>,
        may_serve: &dyn Fn(NetworkId) -> bool,
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn handle_ok_gather(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn handle_ok_multicast_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        dir: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn handle_multicast_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        dir: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        Err(Rejected::UnknownNetwork)
    }
    pub fn handle_neighbor(&mut self, ctx: &mut Ctx<'_>, network: NetworkId, frame: Frame<'_>) {}
    pub fn send_multicast(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
        frame: Frame<'_>,
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn resolve(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
        next_hop: IpAddr,
        packet: &[u8],
    ) -> Result<(), Rejected> {
        Ok(())
    }
    pub fn push_credentials(&mut self, ctx: &mut Ctx<'_>, network: NetworkId, to: Address) {}
    pub fn announce(&mut self, ctx: &mut Ctx<'_>, network: NetworkId, to: Address) {}
    pub fn refuse(&mut self, ctx: &mut Ctx<'_>, rx: &Received<'_>, network: NetworkId) {}
    pub fn always_contact(&self) -> Vec<Address> {
        Vec::new()
    }
    pub fn handle_timeout(&mut self, ctx: &mut Ctx<'_>, dir: &dyn Directory) {}
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        None
    }
}
