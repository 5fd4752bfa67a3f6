//! How a node shall run.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;
use std::net::SocketAddr;
use std::sync::Arc;

use zt_protocol::limits::MEMORY_BUDGET_MIN;

use super::hints::{Protector, zt_protect_callback};
use super::result::Failure;
use super::storage::zt_storage;
use super::structs::{Growing, read_optional, read_slice, read_struct, read_text};
use crate::facade::{Bonding, Config, Hooks, Profile, TcpRelay};

/// `zt_config.port`: any free port.
pub const ZT_PORT_ANY: u32 = 0x1_0000;

/// `zt_config.profile`: a machine on somebody's desk.
pub const ZT_PROFILE_DESKTOP: u32 = 0;
/// `zt_config.profile`: a phone, where memory and wake-ups are dear.
pub const ZT_PROFILE_PHONE: u32 = 1;
/// `zt_config.profile`: a machine that serves others, on an address of its own.
pub const ZT_PROFILE_SERVER: u32 = 2;

/// `zt_config.flags`: the node serves networks of its own as their controller.
pub const ZT_CONFIG_CONTROLLER: u32 = 1;
/// `zt_config.flags`: peers may be reached at loopback addresses, which the protocol forbids. For a
/// laboratory on one machine, with `bind` at 127.0.0.1.
pub const ZT_CONFIG_ALLOW_LOOPBACK: u32 = 2;
/// `zt_config.flags`: `tcp_relay` is used always, and UDP never.
pub const ZT_CONFIG_TCP_RELAY_FORCED: u32 = 4;
/// `zt_config.flags`: paths are kept open with as little as on a metered network, always.
pub const ZT_CONFIG_LOW_BANDWIDTH: u32 = 8;

const FLAGS: u32 = ZT_CONFIG_CONTROLLER
    | ZT_CONFIG_ALLOW_LOOPBACK
    | ZT_CONFIG_TCP_RELAY_FORCED
    | ZT_CONFIG_LOW_BANDWIDTH;

/// `zt_config.secondary_port`: none.
pub const ZT_PORT_NONE: u32 = 0x1_0001;

/// Length of `zt_config.storage_key`, in bytes.
pub const ZT_STORAGE_KEY_LEN: usize = 32;

/// The least `zt_config.memory_budget`, in bytes: 4 MiB.
pub const ZT_MEMORY_BUDGET_MIN: u64 = 4_194_304;

const _: () = assert!(ZT_MEMORY_BUDGET_MIN == MEMORY_BUDGET_MIN as u64);

/// `zt_config.port_mapping`: the gateway is asked, unless this is a phone.
pub const ZT_PORT_MAPPING_DEFAULT: u32 = 0;
/// `zt_config.port_mapping`: the gateway is asked.
pub const ZT_PORT_MAPPING_ON: u32 = 1;
/// `zt_config.port_mapping`: the gateway is not asked.
pub const ZT_PORT_MAPPING_OFF: u32 = 2;

/// `zt_config.bonding`: as `local.conf` in the home directory says, or `ZT_BONDING_OFF`.
pub const ZT_BONDING_DEFAULT: u32 = 0;
/// `zt_config.bonding`: packets go on the best path, whichever that is at the moment.
pub const ZT_BONDING_OFF: u32 = 1;
/// `zt_config.bonding`: packets go on one path as long as it is well; all are watched, so that another
/// can take over within seconds.
pub const ZT_BONDING_ACTIVE_BACKUP: u32 = 2;

/// How a node shall run. Everything but `struct_size` and one of `home` and `storage` may be zero. All of
/// it is the caller's, and read during the call only.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_config {
    /// `sizeof(zt_config)`.
    pub struct_size: u32,
    /// One of `ZT_PROFILE_*`.
    pub profile: u32,
    /// `ZT_CONFIG_*`, or-ed.
    pub flags: u32,
    /// The UDP port to use at every local address: 0 for 9993, or `ZT_PORT_ANY`.
    pub port: u32,
    /// The directory everything that outlives the node is kept in. It is made if it does not exist. Null
    /// if there is a `storage`.
    pub home: *const c_char,
    /// The planet, as in a planet file; null for the one stored, or that of Earth.
    pub planet: *const u8,
    /// Its length, in bytes.
    pub planet_len: usize,
    /// The identity with its private key, as text. It is stored if there is none, and has to be the
    /// one stored if there is. Null for the one stored, or for a new one.
    pub identity: *const c_char,
    /// The addresses to bind instead of a port, as text (`127.0.0.1:0`), and no others.
    pub bind: *const *const c_char,
    /// How many.
    pub bind_count: usize,
    /// Looks at each socket before it is used, until the node has been freed; may be null.
    pub protect: zt_protect_callback,
    /// What `protect` is called with.
    pub protect_user_data: *mut c_void,
    /// A second UDP port at every local address, for translators that mishandle the first: 0 for one of
    /// the node's own choice, or `ZT_PORT_NONE`. Not used with `bind`.
    pub secondary_port: u32,
    /// One of `ZT_PORT_MAPPING_*`: whether the gateway is asked to let strangers' datagrams through, by
    /// PCP, NAT-PMP or UPnP.
    pub port_mapping: u32,
    /// One of `ZT_BONDING_*`: how several paths to one peer are used.
    pub bonding: u32,
    /// Zero.
    pub reserved: u32,
    /// The address of a TCP relay, as text (`192.0.2.1:443`), that stands in for UDP while no root
    /// answers by that; null for none. Whoever runs it sees with whom the node speaks, but not what.
    pub tcp_relay: *const c_char,
    /// `ZT_STORAGE_KEY_LEN` bytes the host keeps, in its Keychain or Keystore, under which secrets, that
    /// is the private keys of identities, are sealed before they are stored, by XChaCha20-Poly1305; null
    /// to store them in clear. What is stored in clear is sealed at the start; what is sealed is opened
    /// with the same key only (`ZT_ERROR_SEALED`).
    pub storage_key: *const u8,
    /// Keeps what outlives the node in place of `home`; may be null.
    pub storage: *const zt_storage,
    /// How many bytes the node's tables may take, `ZT_MEMORY_BUDGET_MIN` at least. If 0, 16 MiB on a phone,
    /// and elsewhere whatever their own limits allow. At the budget, what costs least to lose makes room;
    /// peers in use never do.
    pub memory_budget: u64,
}

// SAFETY: integers, raw pointers and a function that may be null only, the first of which is the size.
unsafe impl Growing for zt_config {
    const NAME: &'static str = "zt_config";
    const FIRST_SIZE: usize = offset_of!(Self, memory_budget);
}

impl zt_config {
    /// # Safety
    ///
    /// Pointers are null, or point to what the members' descriptions say.
    pub(super) unsafe fn read(&self) -> Result<Config, Failure> {
        // SAFETY: as the caller promises.
        let (home, identity, planet, bind, tcp_relay, storage_key) = unsafe {
            (
                read_optional(self.home, "zt_config.home")?,
                read_optional(self.identity, "zt_config.identity")?,
                read_slice(self.planet, self.planet_len, "zt_config.planet")?,
                read_slice(self.bind, self.bind_count, "zt_config.bind")?,
                read_optional(self.tcp_relay, "zt_config.tcp_relay")?,
                self.storage_key.cast::<[u8; ZT_STORAGE_KEY_LEN]>().as_ref(),
            )
        };
        if self.home.is_null() && self.storage.is_null() {
            return Err(Failure::null("zt_config.home"));
        }
        if self.flags & !FLAGS != 0 || self.reserved != 0 {
            return Err(Failure::argument("zt_config asks for what this library does not know"));
        }
        let endpoint = |&text: &*const c_char| -> Result<SocketAddr, Failure> {
            // SAFETY: as the caller promises.
            let text = unsafe { read_text(text, "zt_config.bind") }?;
            parse_endpoint(text)
        };
        Ok(Config {
            home: home.unwrap_or_default().to_owned(),
            planet: (!planet.is_empty()).then(|| planet.to_vec()),
            port: self.port()?,
            bind: bind.iter().map(endpoint).collect::<Result<_, _>>()?,
            identity: identity.map(str::to_owned),
            profile: match self.profile {
                ZT_PROFILE_DESKTOP => Profile::Desktop,
                ZT_PROFILE_PHONE => Profile::Phone,
                ZT_PROFILE_SERVER => Profile::Server,
                _ => return Err(Failure::argument("zt_config.profile is none")),
            },
            controller: self.flags & ZT_CONFIG_CONTROLLER != 0,
            allow_loopback: self.flags & ZT_CONFIG_ALLOW_LOOPBACK != 0,
            secondary_port: match self.secondary_port {
                0 => None,
                ZT_PORT_NONE => Some(0),
                port => Some(udp_port(port)?),
            },
            map_ports: match self.port_mapping {
                ZT_PORT_MAPPING_DEFAULT => None,
                ZT_PORT_MAPPING_ON => Some(true),
                ZT_PORT_MAPPING_OFF => Some(false),
                _ => return Err(Failure::argument("zt_config.port_mapping is none")),
            },
            tcp_relay: self.tcp_relay(tcp_relay)?,
            bonding: match self.bonding {
                ZT_BONDING_DEFAULT => None,
                ZT_BONDING_OFF => Some(Bonding::Off),
                ZT_BONDING_ACTIVE_BACKUP => Some(Bonding::ActiveBackup),
                _ => return Err(Failure::argument("zt_config.bonding is none")),
            },
            low_bandwidth: self.flags & ZT_CONFIG_LOW_BANDWIDTH != 0,
            storage_key: storage_key.map(|key| key.to_vec()),
            memory_budget: (self.memory_budget != 0).then_some(self.memory_budget),
        })
    }

    /// Returns what the node asks of the host while it runs.
    ///
    /// # Safety
    ///
    /// As of [`read`](Self::read).
    pub(super) unsafe fn hooks(&self) -> Result<Hooks, Failure> {
        let user_data = self.protect_user_data;
        let protector =
            self.protect.map(|function| Arc::new(Protector { function, user_data }) as _);
        let storage = if self.storage.is_null() {
            None
        } else {
            // SAFETY: as the caller promises.
            Some(unsafe { read_struct(self.storage) }?.to_storage()?)
        };
        Ok(Hooks { protector, storage })
    }

    fn port(&self) -> Result<Option<u16>, Failure> {
        match self.port {
            0 => Ok(None),
            ZT_PORT_ANY => Ok(Some(0)),
            port => udp_port(port).map(Some),
        }
    }

    fn tcp_relay(&self, address: Option<&str>) -> Result<Option<TcpRelay>, Failure> {
        let forced = self.flags & ZT_CONFIG_TCP_RELAY_FORCED != 0;
        match address {
            Some(address) => Ok(Some(TcpRelay { address: parse_endpoint(address)?, forced })),
            None if forced => Err(Failure::argument("there is no TCP relay to be forced")),
            None => Ok(None),
        }
    }
}

fn udp_port(port: u32) -> Result<u16, Failure> {
    u16::try_from(port).map_err(|_| Failure::argument(format!("{port} is no UDP port")))
}

fn parse_endpoint(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| Failure::argument(format!("{text:?} is no address and port")))
}
