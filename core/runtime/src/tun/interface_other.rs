//! Interfaces of systems on which this version makes none: there, a device that somebody else has
//! opened and configured can be adopted.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;

use tun_rs::AsyncDevice;
use zt_protocol::address::{Mac, MulticastGroup};
use zt_protocol::plan::TunPlan;
use zt_protocol::transmit::PortMode;

use super::device::PortError;

/// An interface this node has made, of which there are none.
pub(super) struct Interface(Infallible);

impl Interface {
    pub(super) fn create(
        _name: &str,
        _mode: PortMode,
        _mac: Mac,
    ) -> Result<(AsyncDevice, Self), PortError> {
        Err(PortError::Unsupported)
    }

    pub(super) fn name(&self) -> &str {
        match self.0 {}
    }

    pub(super) fn groups(&self, _mode: PortMode) -> io::Result<BTreeSet<MulticastGroup>> {
        match self.0 {}
    }

    pub(super) const fn index(&self) -> u32 {
        match self.0 {}
    }

    pub(super) const fn default_routes(&self) -> (bool, bool) {
        match self.0 {}
    }

    pub(super) fn configure(&mut self, _device: &AsyncDevice, _plan: &TunPlan) {
        match self.0 {}
    }
}
