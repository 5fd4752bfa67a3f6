//! The threads all nodes of the process share.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinError;

use super::error::ZtError;

/// How long the threads may take to end, once nothing uses them.
///
/// They have nothing to do by then, unless a disk hangs. A thread that has not ended goes on by
/// itself and harms nobody, so the caller is not kept any longer.
const JOIN_PATIENCE: Duration = Duration::from_secs(2);

/// Threads at most: one node keeps one busy, and the disk has others.
const THREADS_MAX: usize = 4;

/// The threads in use, if there are any.
static SHARED: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());

/// A tokio runtime that ends with the last who uses it.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// `None` only while it is dropped.
    tokio: Option<tokio::runtime::Runtime>,
    handle: Handle,
}

impl Runtime {
    /// Returns the process's runtime, which is started if nobody uses it yet.
    ///
    /// # Errors
    ///
    /// [`ZtError::OutOfResources`] if there are no threads to be had.
    pub(crate) fn shared() -> Result<Arc<Self>, ZtError> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            return Ok(runtime);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let tokio = Builder::new_multi_thread()
            .worker_threads(cores.clamp(1, THREADS_MAX))
            .thread_name("zt")
            .enable_all()
            .build()
            .map_err(|error| ZtError::OutOfResources(error.to_string()))?;
        let handle = tokio.handle().clone();
        let runtime = Arc::new(Self { tokio: Some(tokio), handle });
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    /// Runs `future` on the shared threads. It goes on even if nobody waits for it any more, so what
    /// it began is finished.
    ///
    /// # Errors
    ///
    /// [`ZtError::Panic`] if it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ZtError> {
        self.handle.spawn(future).await.map_err(|error| failed(&error))
    }

    /// Waits for `future` on this thread.
    ///
    /// # Errors
    ///
    /// [`ZtError::WouldDeadlock`] on a thread that must not wait, one of the shared ones above all.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, ZtError> {
        if is_asynchronous() {
            return Err(ZtError::WouldDeadlock);
        }
        // As one type, so that tokio's waiting is there once and not for each call of the library.
        let mut output = None;
        self.wait(pin!(async { output = Some(future.await) }));
        Ok(output.expect("a future that has ended has written what it came to"))
    }

    fn wait(&self, future: Pin<&mut dyn Future<Output = ()>>) {
        self.handle.block_on(future);
    }
}

/// Returns whether this thread must not wait: it is one that runs other things meanwhile.
pub(crate) fn is_asynchronous() -> bool {
    Handle::try_current().is_ok()
}

fn failed(error: &JoinError) -> ZtError {
    if error.is_panic() { ZtError::Panic } else { ZtError::Stopped }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let Some(tokio) = self.tokio.take() else { return };
        if is_asynchronous() {
            tokio.shutdown_background();
        } else {
            tokio.shutdown_timeout(JOIN_PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_on_a_shared_thread() {
        let runtime = Runtime::shared().unwrap();
        let inner = Arc::clone(&runtime);

        let waited = runtime.block_on(runtime.run(async move { inner.block_on(async {}) }));

        assert!(matches!(waited, Ok(Ok(Err(ZtError::WouldDeadlock)))));
    }

    #[test]
    fn a_panic_is_an_error() {
        let runtime = Runtime::shared().unwrap();

        let result = runtime.block_on(runtime.run(async { panic!("as tests do") }));

        assert!(matches!(result, Ok(Err::<(), _>(ZtError::Panic))));
    }
}
