//! What outlives this process on the machine, so that the next one can take it away.
//!
//! Addresses and routes go with their interface, and interfaces go with the process. Policy rules
//! and lines in `/etc/resolv.conf` stay. Before such a change is made it is written into a file in
//! the home directory, and after it was undone it is taken out again; a node that finds the file
//! when it starts undoes what it names first. The file does not exist while there is nothing, and
//! where there is no home directory for it nothing of that kind is changed.
//!
//! ```text
//! # changed on this machine by zt, which undoes it when it stops, or at its next start
//! rules
//! nameserver 10.42.0.1
//! ```
//!
//! `rules` stands for the policy rules of [`policy`](super::policy), each `nameserver` for a line of
//! [`resolv_conf`](super::resolv_conf). Lines of other kinds are ignored.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::store::{self, HomeError, Mode};

const HEADING: &str =
    "# changed on this machine by zt, which undoes it when it stops, or at its next start\n";

/// The file, and what it says.
#[derive(Debug)]
pub(super) struct Journal {
    /// `None` if there is no home directory.
    file: Option<PathBuf>,
    changes: Changes,
}

/// What was changed on the machine and outlives this process.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Changes {
    /// Policy rules are in place.
    pub(super) rules: bool,
    /// Name servers added to `/etc/resolv.conf`.
    pub(super) servers: Vec<IpAddr>,
}

impl Journal {
    /// Reads the journal of a process that may have crashed.
    ///
    /// One that cannot be read says nothing: what it cannot tell cannot be undone.
    pub(super) fn open(file: Option<PathBuf>) -> Self {
        let text = file.as_deref().map_or(Ok(None), store::read).unwrap_or_else(|error| {
            log::warn!(error:%; "what an earlier run left on this machine is not known");
            None
        });
        let changes = Changes::from_text(&String::from_utf8_lossy(&text.unwrap_or_default()));
        Self { file, changes }
    }

    /// Returns what is to be undone.
    pub(super) const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Writes down what is about to change, or what was undone.
    ///
    /// # Errors
    ///
    /// [`HomeError`]; the change must not be made then.
    pub(super) fn update(&mut self, edit: impl FnOnce(&mut Changes)) -> Result<(), HomeError> {
        let mut changes = self.changes.clone();
        edit(&mut changes);
        if changes != self.changes {
            match &self.file {
                Some(file) if changes == Changes::default() => remove(file)?,
                Some(file) => store::replace(file, changes.to_text().as_bytes(), Mode::Secret)?,
                None => return Err(HomeError::NoDirectory),
            }
            self.changes = changes;
        }
        Ok(())
    }
}

fn remove(file: &Path) -> Result<(), HomeError> {
    match fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(HomeError::Io { action: "remove", path: file.to_owned(), source })
        }
        _ => Ok(()),
    }
}

impl Changes {
    fn from_text(text: &str) -> Self {
        let mut changes = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                None if line == "rules" => changes.rules = true,
                Some(("nameserver", ip)) => {
                    changes.servers.extend(ip.parse::<IpAddr>());
                }
                _ => {}
            }
        }
        changes
    }

    fn to_text(&self) -> String {
        let rules = if self.rules { "rules\n" } else { "" };
        let servers: String = self.servers.iter().map(|ip| format!("nameserver {ip}\n")).collect();
        format!("{HEADING}{rules}{servers}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_process_reads_what_an_earlier_one_changed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("journal");
        let servers = vec!["10.42.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];

        let mut journal = Journal::open(Some(file.clone()));
        journal.update(|changes| changes.rules = true).unwrap();
        journal.update(|changes| changes.servers.clone_from(&servers)).unwrap();
        drop(journal);

        assert_eq!(Journal::open(Some(file)).changes(), &Changes { rules: true, servers });
    }

    #[test]
    fn there_is_no_journal_while_there_is_nothing_to_undo() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("journal");
        let mut journal = Journal::open(Some(file.clone()));

        journal.update(|_| ()).unwrap();
        assert!(!file.exists());

        journal.update(|changes| changes.rules = true).unwrap();
        assert!(file.exists());

        journal.update(|changes| changes.rules = false).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_an_error_and_remembers_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        fs::write(&blocked, "").unwrap();
        let mut journal =
            Journal { file: Some(blocked.join("journal")), changes: Changes::default() };

        assert!(journal.update(|changes| changes.rules = true).is_err());
        assert_eq!(journal.changes(), &Changes::default());
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        let text = "# rules\nnameserver\nnameserver x\nrules of old\nnameserver 10.0.0.1\n";

        let changes = Changes::from_text(text);

        assert_eq!(changes, Changes { rules: false, servers: vec![[10, 0, 0, 1].into()] });
    }
}
