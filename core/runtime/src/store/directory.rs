//! A directory of files, which are replaced whole: written beside, flushed to the disk, renamed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::HomeError;
use crate::limits::FILE_LEN_MAX;

/// Who may read a file, and whether it must survive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// The owner; yes.
    Secret,
    /// Everybody; yes.
    Public,
    /// The owner; no, it can be learned again.
    Cache,
}

/// Makes `path` a file of exactly `bytes`, or leaves it as it is.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: Mode) -> Result<(), HomeError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    create_dir(dir)?;
    // Two processes that write the same file do not write the same temporary one.
    let temporary = dir.join(format!(".{name}.{}", std::process::id()));

    write_new(&temporary, bytes, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| match mode {
            Mode::Cache => Ok(()),
            // The rename itself has to reach the disk.
            Mode::Secret | Mode::Public => File::open(dir)?.sync_all(),
        })
        .map_err(|error| {
            let _ = fs::remove_file(&temporary);
            failed("write", path)(error)
        })
}

fn write_new(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let permissions = if mode == Mode::Public { 0o644 } else { 0o600 };
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(permissions).open(path)?;
    file.write_all(bytes)?;
    if mode == Mode::Cache { Ok(()) } else { file.sync_all() }
}

/// Removes what processes that ended while they wrote `path` have left beside it.
pub(super) fn remove_leftovers(path: &Path) -> Result<(), HomeError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let beginning = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    for name in names(dir)?.iter().filter(|name| name.starts_with(&beginning)) {
        remove(&dir.join(name))?;
    }
    Ok(())
}

/// Reads a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, HomeError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > FILE_LEN_MAX => {
            Err(failed("read", path)(io::ErrorKind::FileTooLarge.into()))
        }
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> Result<(), HomeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Returns how long ago a file was written; `None` if nobody can tell.
pub(super) fn age(path: &Path) -> Option<Duration> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or_default())
}

pub(super) fn create_dir(path: &Path) -> Result<(), HomeError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("create directory", path))
}

/// Returns the names in a directory in ascending order; none if there is no directory.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, HomeError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", dir)(error)),
    };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    let path = path.to_owned();
    move |source| HomeError::Io { action, path, source }
}
