//! Packets for programs on a JVM: batches in direct byte buffers.
//!
//! uniffi costs microseconds a call, so packets do not go through it. A [`SlabPort`] is opened by it,
//! and handed over as a number; the calls below move as many packets at once as there are. They look
//! up no class, make no object, throw no exception and attach no thread: what goes wrong is a
//! negative number, that of `zt_result`. The class `org.libzt.NativePackets` turns it into an
//! exception, and sees to it that no port is used once it is freed.

mod port;
mod slab;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use jni::errors::ErrorPolicy;
use jni::objects::{JByteBuffer, JClass};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use zt_protocol::address::NetworkId;

use self::port::SlabPort;
use self::slab::Reader;
use crate::facade::{Node, ZtError};

#[uniffi::export]
impl Node {
    /// Opens the packets of a network that is joined by them, for the JVM.
    ///
    /// The number returned is worth nothing to anybody but `org.libzt.NativePackets`, which has to
    /// free it.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`] and [`ZtError::NotPackets`].
    pub async fn open_slab_port(&self, network: NetworkId) -> Result<u64, ZtError> {
        let packets = self.handle.packets(network).await?;
        let port = Box::new(SlabPort::new(packets, Arc::clone(&self.runtime)));
        Ok(Box::into_raw(port).expose_provenance() as u64)
    }
}

/// Sends `count` packets of `slab`, beginning with number `first`, which is at byte `start`; all of
/// them if the thread `waits`.
///
/// Returns how many were sent; [`slab`](self::slab) says how packets lie there.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn Java_org_libzt_NativePackets_send<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    port: jlong,
    slab: JByteBuffer<'local>,
    first: jint,
    start: jint,
    count: jint,
    waits: jboolean,
) -> jint {
    env.with_env(|env| {
        let Memory { address, length } = Memory::of(env, &slab)?;
        // SAFETY: the buffer has so many bytes, and lives as long as this call, its argument.
        // NativePackets leaves it alone until the call has returned.
        let slab = unsafe { slice::from_raw_parts(address, length) };
        let (Ok(first), Ok(start), Ok(count)) =
            (usize::try_from(first), usize::try_from(start), usize::try_from(count))
        else {
            return Err(Failed::no_packets());
        };
        let packets = Reader::new(slab, first, start, count).ok_or_else(Failed::no_packets)?;
        Ok(number_of(borrow(port).send(packets, waits)?))
    })
    .resolve::<AsNumber>()
}

/// Fills `slab` with packets received, after waiting up to `patience_ms` for the first; for any length
/// of time if that is negative. Returns how many they are.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn Java_org_libzt_NativePackets_receive<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    port: jlong,
    slab: JByteBuffer<'local>,
    patience_ms: jlong,
) -> jint {
    env.with_env(|env| {
        let Memory { address, length } = Memory::of(env, &slab)?;
        // SAFETY: as above; a buffer NativePackets has made may be written.
        let slab = unsafe { slice::from_raw_parts_mut(address, length) };
        let patience = u64::try_from(patience_ms).ok().map(Duration::from_millis);
        Ok::<_, Failed>(number_of(borrow(port).receive(slab, patience)?))
    })
    .resolve::<AsNumber>()
}

/// Ends the calls of a port that wait, and has others fail.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn Java_org_libzt_NativePackets_shut(
    _env: EnvUnowned<'_>,
    _class: JClass<'_>,
    port: jlong,
) {
    // It only wakes whoever waits; nobody could be told of a panic.
    let _ = catch_unwind(|| borrow(port).shut());
}

/// Frees a port. No other call may be under way, and none may follow.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn Java_org_libzt_NativePackets_free(
    _env: EnvUnowned<'_>,
    _class: JClass<'_>,
    port: jlong,
) {
    let port: *mut SlabPort = with_exposed_provenance_mut(number(port));
    // SAFETY: the number comes from `open_slab_port`, and NativePackets frees each one once, when
    // every other call has returned.
    let port = unsafe { Box::from_raw(port) };
    let _ = catch_unwind(AssertUnwindSafe(|| drop(port)));
}

/// Where a direct buffer is.
struct Memory {
    address: *mut u8,
    length: usize,
}

impl Memory {
    fn of(env: &Env<'_>, buffer: &JByteBuffer<'_>) -> Result<Self, Failed> {
        let address = env.get_direct_buffer_address(buffer)?;
        Ok(Self { address, length: env.get_direct_buffer_capacity(buffer)? })
    }
}

/// Returns the port a number of [`Node::open_slab_port`] stands for.
fn borrow<'a>(port: jlong) -> &'a SlabPort {
    let port: *const SlabPort = with_exposed_provenance(number(port));
    // SAFETY: the number comes from `open_slab_port`, and NativePackets frees no port before every
    // other call with it has returned. It is shared: no call takes it exclusively.
    unsafe { &*port }
}

/// Java has no unsigned numbers.
const fn number(port: jlong) -> usize {
    port.cast_unsigned() as usize
}

/// A direct buffer has at most 2 GiB, which have room for no more packets.
fn number_of(packets: usize) -> jint {
    jint::try_from(packets).unwrap_or(jint::MAX)
}

/// Why a call of the JVM's was not carried out.
struct Failed(ZtError);

impl Failed {
    fn no_packets() -> Self {
        Self(ZtError::InvalidArgument("the packets are not in the buffer".to_owned()))
    }
}

impl From<ZtError> for Failed {
    fn from(error: ZtError) -> Self {
        Self(error)
    }
}

impl From<jni::errors::Error> for Failed {
    fn from(_: jni::errors::Error) -> Self {
        Self(ZtError::InvalidArgument("not a direct buffer".to_owned()))
    }
}

/// Has errors returned as negative numbers, so that nothing is thrown from here.
struct AsNumber;

impl ErrorPolicy<jint, Failed> for AsNumber {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        _env: &mut Env<'unowned_env_local>,
        (): &mut (),
        Failed(error): Failed,
    ) -> jni::errors::Result<jint> {
        Ok(-error.code())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        _env: &mut Env<'unowned_env_local>,
        (): &mut (),
        _payload: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<jint> {
        Ok(-ZtError::Panic.code())
    }
}
