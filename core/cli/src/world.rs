//! What `zt planet` and `zt moon` have in common.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use zt_protocol::time::UnixMillis;
use zt_protocol::world::{World, WorldKind};

/// Returns what a world says, line by line.
pub(crate) fn show(world: &World) -> String {
    let kind = match world.kind {
        WorldKind::Planet => "planet",
        WorldKind::Moon => "moon",
    };
    let mut text = format!(
        "{kind:<10} {:016x}\ntimestamp  {}\nkey        {}\n",
        world.id,
        world.timestamp,
        hex::encode(world.updates_signed_by),
    );
    for root in &world.roots {
        text.push_str(&format!("root       {}", root.identity.address()));
        for endpoint in &root.endpoints {
            text.push_str(&format!(" {}/{}", endpoint.ip(), endpoint.port()));
        }
        text.push('\n');
    }
    text
}

/// Writes a file that only its owner may read, and that is not there yet.
pub(crate) fn save_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(crate) fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
