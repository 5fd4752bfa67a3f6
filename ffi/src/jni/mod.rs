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

/// Sends the packets between bytes `start` and `end` of `slab`, all of them if the thread `waits`.
///
/// Returns how many bytes were sent; [`slab`](self::slab) says how packets lie there.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn Java_org_libzt_NativePackets_send<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    port: jlong,
    slab: JByteBuffer<'local>,
    start: jint,
    end: jint,
    waits: jboolean,
) -> jint {
    env.with_env(|env| {
        let Memory { address, length } = Memory::of(env, &slab, start, end)?;
        // SAFETY: `Memory` lies within the buffer, which lives as long as this call, its argument.
        // NativePackets leaves it alone until the call has returned.
        let slab = unsafe { slice::from_raw_parts(address, length) };
        Ok::<_, Failed>(count(borrow(port).send(slab, waits)?))
    })
    .resolve::<AsNumber>()
}

/// Fills `slab` from byte `start` to `end` with packets received, after waiting up to `patience_ms`
/// for the first; for any length of time if that is negative. Returns how many bytes they take.
#[unsafe(no_mangle)]
pub(crate) extern "system" fn Java_org_libzt_NativePackets_receive<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    port: jlong,
    slab: JByteBuffer<'local>,
    start: jint,
    end: jint,
    patience_ms: jlong,
) -> jint {
    env.with_env(|env| {
        let Memory { address, length } = Memory::of(env, &slab, start, end)?;
        // SAFETY: as above; the buffer may be written, which `Memory` has made sure of.
        let slab = unsafe { slice::from_raw_parts_mut(address, length) };
        let patience = u64::try_from(patience_ms).ok().map(Duration::from_millis);
        Ok::<_, Failed>(count(borrow(port).receive(slab, patience)?))
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

/// A part of a direct buffer.
struct Memory {
    address: *mut u8,
    length: usize,
}

impl Memory {
    /// Returns where bytes `start` to `end` of `buffer` are.
    fn of(env: &Env<'_>, buffer: &JByteBuffer<'_>, start: jint, end: jint) -> Result<Self, Failed> {
        let address = env.get_direct_buffer_address(buffer)?;
        let capacity = env.get_direct_buffer_capacity(buffer)?;
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            return Err(Failed::out_of_bounds());
        };
        if start > end || end > capacity {
            return Err(Failed::out_of_bounds());
        }
        // SAFETY: the buffer has `capacity` bytes, and `start` is not more.
        Ok(Self { address: unsafe { address.add(start) }, length: end - start })
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

/// A direct buffer has at most 2 GiB, so there are no more bytes in it.
fn count(bytes: usize) -> jint {
    jint::try_from(bytes).unwrap_or(jint::MAX)
}

/// Why a call of the JVM's was not carried out.
struct Failed(ZtError);

impl Failed {
    fn out_of_bounds() -> Self {
        Self(ZtError::InvalidArgument("outside of the buffer".to_owned()))
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
