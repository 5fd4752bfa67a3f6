//! How a node shall run.

use std::ffi::{c_char, c_void};
use std::net::SocketAddr;
use std::sync::Arc;

use super::hints::{Protector, zt_protect_callback};
use super::result::Failure;
use super::structs::{Growing, read_optional, read_slice, read_text};
use crate::facade::{Config, Profile, SocketProtector};

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

/// How a node shall run. Everything but `struct_size` and `home` may be zero. All of it is the
/// caller's, and read during the call only.
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
    /// The directory everything that outlives the node is kept in. It is made if it does not exist.
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
}

// SAFETY: integers, raw pointers and a function that may be null only, the first of which is the size.
unsafe impl Growing for zt_config {
    const NAME: &'static str = "zt_config";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl zt_config {
    /// # Safety
    ///
    /// Pointers are null, or point to what the members' descriptions say.
    pub(super) unsafe fn read(&self) -> Result<Config, Failure> {
        // SAFETY: as the caller promises.
        let (home, identity, planet, bind) = unsafe {
            (
                read_text(self.home, "zt_config.home")?,
                read_optional(self.identity, "zt_config.identity")?,
                read_slice(self.planet, self.planet_len, "zt_config.planet")?,
                read_slice(self.bind, self.bind_count, "zt_config.bind")?,
            )
        };
        if self.flags & !(ZT_CONFIG_CONTROLLER | ZT_CONFIG_ALLOW_LOOPBACK) != 0 {
            return Err(Failure::argument("zt_config.flags has flags this library does not know"));
        }
        let endpoint = |&text: &*const c_char| -> Result<SocketAddr, Failure> {
            // SAFETY: as the caller promises.
            let text = unsafe { read_text(text, "zt_config.bind") }?;
            text.parse().map_err(|_| Failure::argument(format!("{text:?} is no address and port")))
        };
        Ok(Config {
            home: home.to_owned(),
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
        })
    }

    /// Returns what looks at sockets, if anything does.
    pub(super) fn protector(&self) -> Option<Arc<dyn SocketProtector>> {
        let user_data = self.protect_user_data;
        self.protect.map(|function| Arc::new(Protector { function, user_data }) as Arc<_>)
    }

    fn port(&self) -> Result<Option<u16>, Failure> {
        match self.port {
            0 => Ok(None),
            ZT_PORT_ANY => Ok(Some(0)),
            port => u16::try_from(port)
                .map(Some)
                .map_err(|_| Failure::argument(format!("{port} is no UDP port"))),
        }
    }
}
