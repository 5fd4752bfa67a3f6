//! Has the kernel say which files were touched (`inotify(7)`).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::StoreKey;

use crate::limits::WATCH_EVENTS_LEN;
use crate::store::directory::{create_dir, failed, names};
use crate::store::{CONTROLLER, HomeError, Records, hex_name};

/// Watches the files of a home directory that others may edit.
pub(crate) struct Watch {
    records: Arc<Records>,
    /// The home directory.
    root: PathBuf,
    inotify: AsyncFd<Inotify>,
    watched: HashMap<WatchDescriptor, Dir>,
}

/// A directory that is watched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dir {
    /// `networks.d`.
    Settings,
    /// `controller.d/network`.
    Networks,
    /// `controller.d/network/<network>`.
    Network(NetworkId),
    /// `controller.d/network/<network>/member`.
    Members(NetworkId),
}

impl Watch {
    /// Starts watching the settings of networks and, if this node is a `controller`, its records, in
    /// the directory `root`. What was changed before is not noticed.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`] if a directory cannot be watched.
    pub(crate) fn start(
        records: Arc<Records>,
        root: &Path,
        controller: bool,
    ) -> Result<Self, HomeError> {
        let inotify = Inotify::init().and_then(register).map_err(failed("watch", root))?;
        let root = root.to_owned();
        let mut watch = Self { records, root, inotify, watched: HashMap::new() };

        watch.start_with(Dir::Settings)?;
        if controller {
            watch.start_with(Dir::Networks)?;
            for name in names(&watch.root.join(CONTROLLER))? {
                if let Some(network) = hex_name(&name, "", 16) {
                    watch.enter(NetworkId(network));
                }
            }
        }
        Ok(watch)
    }

    fn start_with(&mut self, dir: Dir) -> Result<(), HomeError> {
        let path = dir.path(&self.root);
        create_dir(&path)?;
        self.add(dir).map_err(failed("watch", &path))
    }

    /// Waits for records and settings that may have changed; returns which.
    pub(crate) fn poll_touched(&mut self, cx: &mut Context<'_>) -> Poll<Vec<StoreKey>> {
        loop {
            let mut buffer = [0; WATCH_EVENTS_LEN];
            let Ok(mut guard) = ready!(self.inotify.poll_read_ready_mut(cx)) else {
                return Poll::Pending;
            };
            let read = guard.try_io(|inotify| {
                let events = inotify.get_mut().read_events(&mut buffer)?;
                Ok(events.map(|event| event.to_owned()).collect::<Vec<_>>())
            });

            match read {
                Ok(Ok(events)) => {
                    let touched: Vec<_> = events
                        .iter()
                        .flat_map(|event| {
                            self.touched(&event.wd, event.mask, event.name.as_deref())
                        })
                        .collect();
                    if !touched.is_empty() {
                        return Poll::Ready(touched);
                    }
                }
                Ok(Err(error)) => {
                    log::warn!(error:%; "changes to the home directory are not noticed");
                    return Poll::Pending;
                }
                Err(_would_block) => {}
            }
        }
    }

    /// Returns what an event may be about.
    fn touched(
        &mut self,
        descriptor: &WatchDescriptor,
        mask: EventMask,
        name: Option<&OsStr>,
    ) -> Vec<StoreKey> {
        if mask.contains(EventMask::Q_OVERFLOW) {
            return self.everything();
        }
        if mask.contains(EventMask::IGNORED) {
            self.watched.remove(descriptor);
            return Vec::new();
        }
        let Some((dir, name)) =
            self.watched.get(descriptor).copied().zip(name.and_then(OsStr::to_str))
        else {
            return Vec::new();
        };

        match dir {
            Dir::Settings => hex_name(name, ".local.conf", 16)
                .map(|network| StoreKey::NetworkSettings(NetworkId(network)))
                .into_iter()
                .collect(),
            Dir::Networks => match hex_name(name, ".json", 16) {
                Some(network) => vec![StoreKey::ControllerNetwork(NetworkId(network))],
                None => {
                    hex_name(name, "", 16).map_or_else(Vec::new, |id| self.enter(NetworkId(id)))
                }
            },
            Dir::Network(network) if name == "member" => self.enter(network),
            Dir::Network(_) => Vec::new(),
            Dir::Members(network) => hex_name(name, ".json", 10)
                .map(|member| StoreKey::ControllerMember(network, Address::from_u64(member)))
                .into_iter()
                .collect(),
        }
    }

    fn everything(&self) -> Vec<StoreKey> {
        let controller = self.watched.values().any(|dir| *dir == Dir::Networks);
        let records = controller.then(|| self.records.list().unwrap_or_default());
        let mut keys = records.unwrap_or_default();
        let networks = self.records.home().networks().unwrap_or_default();
        keys.extend(networks.into_iter().map(StoreKey::NetworkSettings));
        keys
    }

    /// Watches a network's directories; returns the members that are in them already.
    fn enter(&mut self, network: NetworkId) -> Vec<StoreKey> {
        for dir in [Dir::Network(network), Dir::Members(network)] {
            match self.add(dir) {
                Ok(()) => {}
                // It is watched when it is made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
                Err(error) => {
                    log::warn!(network:%, error:%; "changes to its members are not noticed");
                    return Vec::new();
                }
            }
        }
        // Files that were there before the watch was.
        self.records.list_members(network).unwrap_or_default()
    }

    fn add(&mut self, dir: Dir) -> io::Result<()> {
        let mut mask =
            WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::CLOSE_WRITE | WatchMask::ONLYDIR;
        if dir == Dir::Settings {
            // Without a file there are the defaults.
            mask |= WatchMask::DELETE | WatchMask::MOVED_FROM;
        }
        let path = dir.path(&self.root);
        let descriptor = self.inotify.get_ref().watches().add(path, mask)?;
        self.watched.insert(descriptor, dir);
        Ok(())
    }
}

fn register(inotify: Inotify) -> io::Result<AsyncFd<Inotify>> {
    // SAFETY: an `Inotify` owns its descriptor: it stays open, and the same, until it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) };
    registered.map_err(|refused| refused.into_parts().1)
}

impl Dir {
    fn path(self, root: &Path) -> PathBuf {
        let records = root.join(CONTROLLER);
        match self {
            Self::Settings => root.join("networks.d"),
            Self::Networks => records,
            Self::Network(network) => records.join(network.to_string()),
            Self::Members(network) => records.join(network.to_string()).join("member"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;
    use crate::store::Home;

    const NETWORK: NetworkId = NetworkId(0x8056_c2e2_1c00_0001);

    #[tokio::test]
    async fn an_edited_record_is_noticed() {
        let (_dir, records) = home_with_a_network();
        let mut watch = start(&records, true);
        let key = StoreKey::ControllerNetwork(NETWORK);

        records.home().save(key, Some(b"edited")).unwrap();

        assert!(touched(&mut watch).await.contains(&key));
    }

    #[tokio::test]
    async fn the_first_member_of_a_network_made_meanwhile_is_noticed() {
        let (_dir, records) = home_with_a_network();
        let mut watch = start(&records, true);
        let key = StoreKey::ControllerMember(NetworkId(NETWORK.0 + 1), Address::from_u64(7));

        records.home().save(key, Some(b"{}")).unwrap();

        assert!(touched(&mut watch).await.contains(&key));
    }

    #[tokio::test]
    async fn a_member_added_to_a_known_network_is_noticed() {
        let (_dir, records) = home_with_a_network();
        let first = StoreKey::ControllerMember(NETWORK, Address::from_u64(1));
        records.home().save(first, Some(b"{}")).unwrap();
        let mut watch = start(&records, true);
        let second = StoreKey::ControllerMember(NETWORK, Address::from_u64(2));

        records.home().save(second, Some(b"{}")).unwrap();

        assert_eq!(touched(&mut watch).await, [second]);
    }

    #[tokio::test]
    async fn settings_made_changed_and_removed_are_noticed_and_nothing_else_is() {
        let (_dir, records) = home_with_a_network();
        let home = records.home();
        let mut watch = start(&records, false);
        let key = StoreKey::NetworkSettings(NETWORK);

        home.save(StoreKey::Network(NETWORK), Some(b"\n")).unwrap();
        home.save(StoreKey::ControllerNetwork(NETWORK), Some(b"edited")).unwrap();
        for value in [Some(b"allowDNS=1".as_slice()), Some(b"allowDNS=0"), None] {
            home.save(key, value).unwrap();
            let touched = touched(&mut watch).await;
            assert!(touched.iter().all(|touched| *touched == key), "{touched:?}");
        }
    }

    fn start(records: &Arc<Records>, controller: bool) -> Watch {
        let root = records.home().dir().unwrap();
        Watch::start(Arc::clone(records), root, controller).unwrap()
    }

    fn home_with_a_network() -> (tempfile::TempDir, Arc<Records>) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        home.save(StoreKey::ControllerNetwork(NETWORK), Some(b"{}")).unwrap();
        (dir, Arc::new(Records::new(home)))
    }

    async fn touched(watch: &mut Watch) -> Vec<StoreKey> {
        let touched = poll_fn(|cx| watch.poll_touched(cx));
        tokio::time::timeout(Duration::from_secs(10), touched).await.unwrap()
    }
}
