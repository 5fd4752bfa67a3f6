//! How much memory a test takes, counted by an allocator of its own.
//!
//! A test binary that wants to know declares it:
//!
//! ```text
//! #[global_allocator]
//! static MEMORY: zt_tests::memory::Counting = zt_tests::memory::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, with counters for each thread.
pub struct Counting;

/// Returns how many bytes this thread holds, or was given by others to free.
#[must_use]
pub fn held() -> isize {
    HELD.get()
}

/// Returns how many bytes this thread has ever asked for.
#[must_use]
pub fn taken() -> usize {
    TAKEN.get()
}

fn count(layout: Layout) {
    // Threads that are ending are not counted.
    let _ = HELD.try_with(|held| held.set(held.get() + layout.size().cast_signed()));
    let _ = TAKEN.try_with(|taken| taken.set(taken.get() + layout.size()));
}

// SAFETY: all is done by the system's allocator, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get() - layout.size().cast_signed()));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
