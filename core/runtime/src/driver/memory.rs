//! Giving memory back that the machine is short of.

use zt_protocol::command::Command;
use zt_protocol::time::Instant;

use super::Running;

impl Running {
    /// Gives back what the node can do without, and what only load needs.
    pub(super) fn trim_memory(&mut self, now: Instant) {
        self.command(now, Command::TrimMemory);
        self.trim_buffers();
    }

    /// Gives back what only load needs. Nothing is in the batches: whatever was, was dealt with before
    /// the host was heard.
    pub(super) fn trim_buffers(&mut self) {
        self.received.trim();
        self.from_host.trim();
        self.out.trim();
        self.ports.trim();
        self.events.trim();
    }
}
