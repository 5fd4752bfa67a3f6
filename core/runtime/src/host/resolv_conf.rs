//! Name servers in `/etc/resolv.conf`, for machines without systemd-resolved.
//!
//! The file cannot say which server is for which domain, so the networks' servers are asked first
//! about everything. They stand in a block of their own at the top:
//!
//! ```text
//! # zt: name servers of virtual networks, taken out when the node stops
//! nameserver 10.42.0.1
//! # zt: end
//! ```
//!
//! The rest of the file is its owner's and never touched; taking the block out gives back what was
//! there, including whatever somebody has edited since. Somebody who replaced the whole file has
//! taken our lines out already.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const BEGIN: &str = "# zt: name servers of virtual networks, taken out when the node stops";
const END: &str = "# zt: end";

/// Why the file is left as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolvConfError {
    /// It belongs to a program that writes it.
    #[error(
        "{} is a symbolic link: whichever program maintains it has to be told about the servers",
        .0.display()
    )]
    Link(PathBuf),
    /// It is no file, or there is none.
    #[error("{} is not a file", .0.display())]
    NotAFile(PathBuf),
    /// The system refuses.
    #[error("cannot rewrite {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The file.
#[derive(Debug)]
pub(super) struct ResolvConf {
    path: PathBuf,
}

impl ResolvConf {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes `servers` those asked first, in place of `old` ones set before.
    ///
    /// # Errors
    ///
    /// [`ResolvConfError`]; the file is as it was.
    pub(super) fn set(&self, old: &[IpAddr], servers: &[IpAddr]) -> Result<(), ResolvConfError> {
        let meta = fs::symlink_metadata(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ResolvConfError::NotAFile(self.path.clone()),
            _ => self.refused(error),
        })?;
        if meta.is_symlink() {
            return Err(ResolvConfError::Link(self.path.clone()));
        }
        if !meta.is_file() {
            return Err(ResolvConfError::NotAFile(self.path.clone()));
        }

        let text = fs::read_to_string(&self.path).map_err(|error| self.refused(error))?;
        let edited = with_servers(&without_servers(&text, old), servers);
        if edited == text {
            return Ok(());
        }
        self.replace(edited.as_bytes(), &meta).map_err(|error| self.refused(error))
    }

    /// Takes `servers` out, if they are there.
    ///
    /// # Errors
    ///
    /// [`ResolvConfError::Io`]; the file is as it was.
    pub(super) fn unset(&self, servers: &[IpAddr]) -> Result<(), ResolvConfError> {
        match self.set(servers, &[]) {
            // Whoever put that in place has put our lines away.
            Err(ResolvConfError::Link(_) | ResolvConfError::NotAFile(_)) => Ok(()),
            result => result,
        }
    }

    /// Makes the file one of exactly `text`, with the owner and mode that it has.
    fn replace(&self, text: &[u8], meta: &fs::Metadata) -> io::Result<()> {
        let temporary = self.path.with_extension(format!("conf.zt-{}", std::process::id()));
        let replaced =
            write_beside(&temporary, text, meta).and_then(|()| fs::rename(&temporary, &self.path));
        if replaced.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        replaced
    }

    fn refused(&self, source: io::Error) -> ResolvConfError {
        ResolvConfError::Io { path: self.path.clone(), source }
    }
}

fn write_beside(temporary: &Path, text: &[u8], meta: &fs::Metadata) -> io::Result<()> {
    let _ = fs::remove_file(temporary);
    let mut file: File =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(text)?;
    std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
    file.set_permissions(meta.permissions())?;
    file.sync_all()
}

/// Returns `text` with `servers` asked before those it names.
fn with_servers(text: &str, servers: &[IpAddr]) -> String {
    if servers.is_empty() {
        return text.to_owned();
    }
    let lines: String = servers.iter().map(|ip| format!("nameserver {ip}\n")).collect();
    format!("{BEGIN}\n{lines}{END}\n{text}")
}

/// Returns `text` without the block that was put there for `servers`. Lines that somebody has added
/// inside of the block stay.
fn without_servers(text: &str, servers: &[IpAddr]) -> String {
    let is_ours = |line: &&str| {
        let ip = line.strip_prefix("nameserver ").and_then(|ip| ip.trim_end().parse().ok());
        ip.is_some_and(|ip: IpAddr| servers.contains(&ip))
    };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(begin) = lines.iter().position(|line| line.trim_end() == BEGIN) else {
        return text.to_owned();
    };

    let (before, rest) = (&lines[..begin], &lines[begin + 1..]);
    let end = rest.iter().position(|line| line.trim_end() == END);
    let (block, after) = match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        // Without its end, the block ends where it is not ours.
        None => rest.split_at(rest.iter().take_while(|line| is_ours(line)).count()),
    };
    let theirs = block.iter().filter(|line| !is_ours(line));
    before.iter().chain(theirs).chain(after).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use proptest::prelude::*;

    use super::*;

    const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 42, 0, 1));
    const SECOND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 42, 0, 2));
    const THEIRS: &str = "search example.org\nnameserver 192.0.2.53\noptions edns0";

    #[test]
    fn our_servers_are_asked_first() {
        let text = with_servers(THEIRS, &[FIRST, SECOND]);

        let asked: Vec<_> = text.lines().filter(|line| line.starts_with("nameserver")).collect();
        assert_eq!(
            asked,
            ["nameserver 10.42.0.1", "nameserver 10.42.0.2", "nameserver 192.0.2.53"]
        );
    }

    #[test]
    fn what_was_edited_since_stays() {
        let text = with_servers(THEIRS, &[FIRST])
            .replace("192.0.2.53", "192.0.2.54")
            .replace(END, "nameserver 192.0.2.55\n# zt: end");

        let text = without_servers(&text, &[FIRST]);

        assert_eq!(
            text,
            "nameserver 192.0.2.55\nsearch example.org\nnameserver 192.0.2.54\noptions edns0"
        );
    }

    #[test]
    fn a_server_of_theirs_that_is_ours_as_well_stays() {
        let theirs = "nameserver 10.42.0.1\n";

        let text = with_servers(theirs, &[FIRST]);

        assert_eq!(without_servers(&text, &[FIRST]), theirs);
        let without_end = text.replace("# zt: end\n", "options rotate\n");
        assert_eq!(without_servers(&without_end, &[FIRST]), format!("options rotate\n{theirs}"));
    }

    #[test]
    fn a_file_that_somebody_wrote_anew_is_left_alone() {
        let (_dir, conf) = file(THEIRS);
        conf.set(&[], &[FIRST]).unwrap();
        fs::write(&conf.path, "nameserver 10.42.0.1\n").unwrap();

        conf.unset(&[FIRST]).unwrap();

        assert_eq!(fs::read_to_string(&conf.path).unwrap(), "nameserver 10.42.0.1\n");
    }

    #[test]
    fn the_file_keeps_its_mode_and_gets_back_its_text() {
        let (dir, conf) = file(THEIRS);
        fs::set_permissions(&conf.path, fs::Permissions::from_mode(0o640)).unwrap();

        conf.set(&[], &[FIRST]).unwrap();
        conf.set(&[FIRST], &[SECOND]).unwrap();

        assert_eq!(fs::metadata(&conf.path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(!fs::read_to_string(&conf.path).unwrap().contains("10.42.0.1"));
        conf.unset(&[SECOND]).unwrap();
        assert_eq!(fs::read_to_string(&conf.path).unwrap(), THEIRS);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_or_nothing_at_all_is_refused_and_needs_no_undoing() {
        let (dir, conf) = file(THEIRS);
        let link = ResolvConf::new(dir.path().join("link"));
        symlink(&conf.path, &link.path).unwrap();
        let missing = ResolvConf::new(dir.path().join("missing"));

        assert!(matches!(link.set(&[], &[FIRST]), Err(ResolvConfError::Link(_))));
        assert!(matches!(missing.set(&[], &[FIRST]), Err(ResolvConfError::NotAFile(_))));
        assert!(link.unset(&[FIRST]).is_ok() && missing.unset(&[FIRST]).is_ok());
        assert_eq!(fs::read_to_string(&conf.path).unwrap(), THEIRS);
    }

    proptest! {
        #[test]
        fn any_text_is_given_back_as_it_was(text in "(?s).{0,200}") {
            let servers = [FIRST, SECOND];

            prop_assert_eq!(without_servers(&with_servers(&text, &servers), &servers), text);
        }
    }

    fn file(text: &str) -> (tempfile::TempDir, ResolvConf) {
        let dir = tempfile::tempdir().unwrap();
        let conf = ResolvConf::new(dir.path().join("resolv.conf"));
        fs::write(&conf.path, text).unwrap();
        (dir, conf)
    }
}
