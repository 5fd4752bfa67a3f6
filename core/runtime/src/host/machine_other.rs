//! Machines on which this version makes no interfaces, and so changes nothing beyond them.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Wishes;

/// A machine that is left as it is.
#[derive(Debug)]
pub(crate) struct Machine;

impl Machine {
    /// Takes over the machine.
    pub(crate) fn take_over(_journal: Option<PathBuf>, _bound: &[SocketAddr]) -> Self {
        Self
    }

    /// Makes `wishes` come true, which without interfaces are always none.
    pub(crate) fn apply(&mut self, _wishes: &Wishes) {}
}
