//! What the library says to whoever looks for the cause of something.
//!
//! Records are kept until somebody takes them, as events are: no code of the host's runs on threads
//! of the library.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use log::{LevelFilter, Metadata, Record};
use tokio::sync::Notify;

use super::error::ZtError;

/// Records nobody has taken; when full, the oldest is forgotten.
const RECORDS_MAX: usize = 1_024;

/// How important a record is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum LogLevel {
    /// Nothing is said.
    Off,
    /// What stops a node.
    Error,
    /// What an operator should look at.
    Warn,
    /// What a user would notice.
    Info,
    /// Decisions. Shows physical addresses.
    Debug,
    /// Each packet.
    Trace,
}

/// Something the library said.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct LogRecord {
    /// How important it is.
    pub level: LogLevel,
    /// The module that says it.
    pub target: String,
    /// What it says, with its values.
    pub message: String,
}

#[derive(Debug, Default)]
struct Records {
    queue: Mutex<VecDeque<LogRecord>>,
    changed: Notify,
    /// The same for those who wait on a thread of their own.
    available: Condvar,
}

static RECORDS: Records = Records {
    queue: Mutex::new(VecDeque::new()),
    changed: Notify::const_new(),
    available: Condvar::new(),
};
static INSTALLED: Once = Once::new();

/// Sets what is said from now on, in all nodes of the process. Nothing is unless this is called.
///
/// # Errors
///
/// [`ZtError::Unsupported`] if the program has a logger for Rust code already, which gets it all.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn set_log_level(level: LogLevel) -> Result<(), ZtError> {
    let mut is_ours = true;
    INSTALLED.call_once(|| is_ours = log::set_logger(&RECORDS).is_ok());
    if !is_ours {
        return Err(ZtError::Unsupported("the program has a logger already".to_owned()));
    }
    log::set_max_level(level.into());
    Ok(())
}

/// Waits for the next record.
///
/// There are at most 1024; when more come, the oldest are forgotten.
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub async fn next_log_record() -> LogRecord {
    loop {
        let changed = RECORDS.changed.notified();
        if let Some(record) = take_log_record() {
            return record;
        }
        changed.await;
    }
}

/// Takes the oldest record, if there is one.
pub fn take_log_record() -> Option<LogRecord> {
    RECORDS.queue().pop_front()
}

/// Waits for the next record on this thread, for at most `patience`.
pub fn wait_for_log_record(patience: Duration) -> Option<LogRecord> {
    let waited =
        RECORDS.available.wait_timeout_while(RECORDS.queue(), patience, |queue| queue.is_empty());
    waited.unwrap_or_else(PoisonError::into_inner).0.pop_front()
}

impl Records {
    fn queue(&self) -> MutexGuard<'_, VecDeque<LogRecord>> {
        // Nothing that can panic happens while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl log::Log for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("zt")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut message = record.args().to_string();
        let _ = record.key_values().visit(&mut Values(&mut message));
        let record =
            LogRecord { level: record.level().into(), target: record.target().to_owned(), message };
        let mut queue = self.queue();
        if queue.len() == RECORDS_MAX {
            queue.pop_front();
        }
        queue.push_back(record);
        drop(queue);
        self.changed.notify_one();
        self.available.notify_one();
    }

    fn flush(&self) {}
}

/// Puts values behind what is said.
struct Values<'a>(&'a mut String);

impl<'kvs> log::kv::VisitSource<'kvs> for Values<'_> {
    fn visit_pair(
        &mut self,
        key: log::kv::Key<'kvs>,
        value: log::kv::Value<'kvs>,
    ) -> Result<(), log::kv::Error> {
        // A string takes whatever is written to it.
        let _ = write!(self.0, " {key}={value}");
        Ok(())
    }
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::Off,
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warn,
            log::Level::Info => Self::Info,
            log::Level::Debug => Self::Debug,
            log::Level::Trace => Self::Trace,
        }
    }
}
