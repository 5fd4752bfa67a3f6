//! The line no panic crosses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::result::{Failure, remember, zt_result};

/// Runs `body`; what goes wrong in it becomes a result and a message.
///
/// A panic becomes [`zt_result::ZT_ERROR_PANIC`]: unwinding into C is undefined. What the body worked
/// on may be half done then, but it is behind locks that do not care or owned by tasks that have ended.
pub(super) fn boundary(body: impl FnOnce() -> Result<(), Failure>) -> zt_result {
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(Failure::new(zt_result::ZT_ERROR_PANIC, "the library has failed: please report this"))
    });
    match outcome {
        Ok(()) => zt_result::ZT_OK,
        Err(failure) => {
            remember(&failure);
            failure.result
        }
    }
}

/// How long a call may wait: milliseconds, or for ever if negative.
pub(super) fn patience(timeout_ms: i32) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_result() {
        assert_eq!(boundary(|| panic!("as tests do")), zt_result::ZT_ERROR_PANIC);
        assert_eq!(boundary(|| Ok(())), zt_result::ZT_OK);
    }
}
