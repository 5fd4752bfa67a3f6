//! Pages of memory nobody uses any more.
//!
//! What is freed goes to the allocator, which keeps it for later. A host that is short of memory wants
//! the system to have it, and most allocators have a call for that. They are those of the process: Rust
//! uses them as well, unless a program that links the library as Rust chooses another.

/// Hands pages that are free back to the system, where the allocator can be told to; others do so by
/// themselves sooner or later. Takes up to some milliseconds.
pub(super) fn give_back() {
    system::give_back();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod system {
    use std::ffi::c_int;

    // SAFETY: that is its signature; it takes any number, and touches no memory but what is free.
    unsafe extern "C" {
        /// glibc's (malloc.h): `pad` is how much to keep at the end of the heap, in bytes.
        safe fn malloc_trim(pad: usize) -> c_int;
    }

    pub(super) fn give_back() {
        malloc_trim(0);
    }
}

#[cfg(target_os = "android")]
mod system {
    use std::ffi::c_int;

    /// bionic's (malloc.h): give all back that is free. Androids before 9 do not know it, and say so.
    const M_PURGE: c_int = -101;

    // SAFETY: that is its signature; options it does not know it refuses, and this one touches no memory
    // but what is free.
    unsafe extern "C" {
        /// bionic's (malloc.h), from Android 8 on.
        safe fn mallopt(option: c_int, value: c_int) -> c_int;
    }

    pub(super) fn give_back() {
        mallopt(M_PURGE, 0);
    }
}

#[cfg(target_vendor = "apple")]
mod system {
    use std::ffi::c_void;
    use std::ptr;

    // SAFETY: that is its signature.
    unsafe extern "C" {
        /// Of malloc/malloc.h: `zone` is one of the process's, or null for all of them; `goal` how much
        /// to give back, in bytes, or 0 for all that is free.
        fn malloc_zone_pressure_relief(zone: *mut c_void, goal: usize) -> usize;
    }

    pub(super) fn give_back() {
        // SAFETY: null stands for all zones, and nothing is done but to memory that is free.
        unsafe { malloc_zone_pressure_relief(ptr::null_mut(), 0) };
    }
}

#[cfg(not(any(
    all(target_os = "linux", target_env = "gnu"),
    target_os = "android",
    target_vendor = "apple"
)))]
mod system {
    pub(super) const fn give_back() {}
}
