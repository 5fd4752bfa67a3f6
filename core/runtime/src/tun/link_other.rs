//! Interfaces of systems whose addresses and routes this version does not set.

use std::io;
use std::net::IpAddr;

use super::host::PlannedRoute;

/// An interface of this machine.
pub(super) struct Link;

impl Link {
    pub(super) fn open(_index: u32) -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn add_address(&mut self, _ip: IpAddr, _bits: u8) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove_address(&mut self, _ip: IpAddr, _bits: u8) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn add_route(&mut self, _route: &PlannedRoute) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove_route(&mut self, _route: &PlannedRoute) -> io::Result<()> {
        Ok(())
    }
}
