//! What a run leaves behind: a hash over all that happened, and what the nodes logged.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// The FNV-1a hash, which is the same on every machine and in every run.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.write(&value.to_be_bytes());
    }
}

/// How many of the last lines are kept for whoever looks into a failure.
const LINES_KEPT: usize = 60;

thread_local! {
    /// What nodes logged on this thread. A test is a thread, and a world stays on its thread.
    static LOGGED: RefCell<Logged> = RefCell::default();
}

#[derive(Default)]
struct Logged {
    last: VecDeque<String>,
    errors: Vec<String>,
}

/// Collects what is logged on each thread.
struct Collector;

impl Log for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!("{:5} {}: {}", record.level(), record.target(), record.args());
        LOGGED.with_borrow_mut(|logged| {
            if record.level() == Level::Error {
                logged.errors.push(line.clone());
            }
            if logged.last.len() == LINES_KEPT {
                logged.last.pop_front();
            }
            logged.last.push_back(line);
        });
    }

    fn flush(&self) {}
}

/// Starts collecting what nodes log on this thread, from nothing.
pub(super) fn collect_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Whoever set another logger first sees the lines instead, and errors go unnoticed.
        if log::set_logger(&Collector).is_ok() {
            log::set_max_level(LevelFilter::Debug);
        }
    });
    LOGGED.with_borrow_mut(|logged| *logged = Logged::default());
}

/// Returns what was logged at level error on this thread.
pub(super) fn errors() -> Vec<String> {
    LOGGED.with_borrow(|logged| logged.errors.clone())
}

/// Returns the last lines logged on this thread.
pub(super) fn last_lines() -> Vec<String> {
    LOGGED.with_borrow(|logged| logged.last.iter().cloned().collect())
}
