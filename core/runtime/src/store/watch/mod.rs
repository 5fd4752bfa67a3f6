//! Notices when somebody else changes a record of the controller or the settings of a network.

#[cfg_attr(target_os = "linux", path = "inotify.rs")]
#[cfg_attr(not(target_os = "linux"), path = "interval.rs")]
mod source;

pub(crate) use source::Watch;
