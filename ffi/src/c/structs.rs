//! Structs that may grow, and what goes into arrays of C.

use std::ffi::{CStr, c_char};
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};
use std::slice;

use super::result::{Failure, zt_result};

/// Longest text of an IP address and port, with its end.
pub const ZT_ENDPOINT_LEN: usize = 64;

/// Longest name of a network, and longest domain, with their ends.
pub const ZT_NAME_LEN: usize = 128;

/// A fingerprint in full, with its end.
pub const ZT_FINGERPRINT_LEN: usize = 97;

/// An IP address.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_ip {
    /// 4 or 6; 0 if there is none.
    pub version: u8,
    /// How many bits name the network it is on, where that is of interest.
    pub bits: u8,
    /// The address, in the first 4 bytes or in all.
    pub bytes: [u8; 16],
}

/// A struct whose first member is its size as the caller knows it.
///
/// # Safety
///
/// The type is `repr(C)`, begins with a `u32` that is its size, and is made of integers, arrays and
/// raw pointers only, so that any bytes are a value of it, zeroes above all.
pub(super) unsafe trait Growing: Copy {
    /// What it is called.
    const NAME: &'static str;
    /// Its size in the first version of the library.
    const FIRST_SIZE: usize;
}

/// Reads a struct of the caller's. What an older caller does not know is zero.
///
/// # Safety
///
/// `from` is null, or points to a struct that is as long as its first member says.
pub(super) unsafe fn read_struct<T: Growing>(from: *const T) -> Result<T, Failure> {
    // SAFETY: as the caller promises.
    let given = unsafe { struct_size::<T>(from) }?;
    // SAFETY: the caller promises that so many bytes are there.
    let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), given) };
    let (known, unknown) = bytes.split_at(given.min(size_of::<T>()));
    if unknown.iter().any(|&byte| byte != 0) {
        let message = format!("{} asks for what this library does not know", T::NAME);
        return Err(Failure::new(zt_result::ZT_ERROR_STRUCT_SIZE, message));
    }
    // SAFETY: any bytes are a value of such a type, and what is written is within it.
    unsafe {
        let mut value = std::mem::zeroed::<T>();
        std::ptr::copy_nonoverlapping(known.as_ptr(), (&raw mut value).cast(), known.len());
        Ok(value)
    }
}

/// Checks that there is a struct to write to, before anything is done that should be told.
///
/// # Safety
///
/// `to` is null, or points to a struct that is as long as its first member says.
pub(super) unsafe fn check_struct<T: Growing>(to: *const T) -> Result<(), Failure> {
    // SAFETY: as the caller promises.
    unsafe { struct_size::<T>(to) }.map(drop)
}

/// Writes a struct as far as the caller knows it. Its first member stays as it is.
///
/// # Safety
///
/// `to` is null, or points to a struct that is as long as its first member says and nobody else's.
pub(super) unsafe fn write_struct<T: Growing>(to: *mut T, value: &T) -> Result<(), Failure> {
    // SAFETY: as the caller promises.
    let given = unsafe { struct_size::<T>(to) }?;
    let (first, len) = (size_of::<u32>(), given.min(size_of::<T>()));
    // SAFETY: both are at least `len` bytes long, and the caller's is nobody else's.
    unsafe {
        let from = (&raw const *value).cast::<u8>().add(first);
        std::ptr::copy_nonoverlapping(from, to.cast::<u8>().add(first), len - first);
    }
    Ok(())
}

/// # Safety
///
/// `at` is null, or points to a struct that begins with its size.
unsafe fn struct_size<T: Growing>(at: *const T) -> Result<usize, Failure> {
    const SIZE_MAX: usize = 1 << 20;

    if at.is_null() {
        return Err(Failure::null(T::NAME));
    }
    // SAFETY: the first member is there, whatever version the caller knows; callers that pack their
    // structs need not have aligned it.
    let given = unsafe { at.cast::<u32>().read_unaligned() } as usize;
    if !(T::FIRST_SIZE..=SIZE_MAX).contains(&given) {
        let message = format!("{}.struct_size is {given}: set it to sizeof", T::NAME);
        return Err(Failure::new(zt_result::ZT_ERROR_STRUCT_SIZE, message));
    }
    Ok(given)
}

/// Reads a text of the caller's.
///
/// # Safety
///
/// `text` is null or ends with a zero, and stays as it is for `'a`.
pub(super) unsafe fn read_text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::null(what));
    }
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|_| Failure::new(zt_result::ZT_ERROR_UTF8, format!("{what} is not UTF-8")))
}

/// Reads a text of the caller's that may be missing.
///
/// # Safety
///
/// As of [`read_text`].
pub(super) unsafe fn read_optional<'a>(
    text: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { read_text(text, what) }.map(Some)
}

/// Reads bytes of the caller's; a null pointer is none only if `len` is 0.
///
/// # Safety
///
/// `bytes` is null, or points to `len` values that stay as they are for `'a`.
pub(super) unsafe fn read_slice<'a, T>(
    bytes: *const T,
    len: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    if bytes.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(Failure::null(what)) };
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { slice::from_raw_parts(bytes, len) })
}

/// Lends memory of the caller's to be written to.
///
/// # Safety
///
/// `bytes` is null, or points to `len` values that are nobody else's for `'a`.
pub(super) unsafe fn write_slice<'a, T>(
    bytes: *mut T,
    len: usize,
    what: &str,
) -> Result<&'a mut [T], Failure> {
    if bytes.is_null() {
        return if len == 0 { Ok(&mut []) } else { Err(Failure::null(what)) };
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { slice::from_raw_parts_mut(bytes, len) })
}

/// Lends an output of the caller's.
///
/// # Safety
///
/// `to` is null, or points to a value that is nobody else's for `'a`.
pub(super) unsafe fn output<'a, T>(to: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: as the caller promises.
    unsafe { to.as_mut() }.ok_or_else(|| Failure::null(what))
}

/// Writes a text with its end into the caller's buffer.
pub(super) fn write_text(text: &str, buffer: &mut [c_char]) -> Result<(), Failure> {
    let Some(end) = buffer.get(text.len()).map(|_| text.len()) else {
        let message = format!("the buffer needs room for {} bytes", text.len() + 1);
        return Err(Failure::new(zt_result::ZT_ERROR_BUFFER_TOO_SMALL, message));
    };
    for (to, &from) in buffer.iter_mut().zip(text.as_bytes()) {
        *to = from.cast_signed() as c_char;
    }
    buffer[end] = 0;
    Ok(())
}

/// Puts a text with its end into an array, cut where a character ends if it has to be.
pub(super) fn text<const N: usize>(text: &str) -> [c_char; N] {
    let mut array = [0; N];
    let mut end = text.len().min(N.saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for (to, &from) in array.iter_mut().zip(&text.as_bytes()[..end]) {
        *to = from.cast_signed() as c_char;
    }
    array
}

/// Puts an endpoint into an array, as text; nothing is an empty text.
pub(super) fn endpoint(endpoint: Option<SocketAddr>) -> [c_char; ZT_ENDPOINT_LEN] {
    endpoint.map_or([0; ZT_ENDPOINT_LEN], |endpoint| text(&endpoint.to_string()))
}

/// Copies as many as there is room for; returns how many there are.
pub(super) fn fill<T: Copy>(from: &[T], to: &mut [T]) -> usize {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    from.len()
}

impl zt_ip {
    pub(super) const NONE: Self = Self { version: 0, bits: 0, bytes: [0; 16] };

    pub(super) fn new(ip: IpAddr, bits: u8) -> Self {
        let mut bytes = [0; 16];
        let version = match ip {
            IpAddr::V4(ip) => {
                bytes[..4].copy_from_slice(&ip.octets());
                4
            }
            IpAddr::V6(ip) => {
                bytes = ip.octets();
                6
            }
        };
        Self { version, bits, bytes }
    }

    /// Returns the address, if there is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.bytes;
        match self.version {
            4 => Some(IpAddr::from([a, b, c, d])),
            6 => Some(IpAddr::from(self.bytes)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    #[repr(C)]
    struct Example {
        struct_size: u32,
        first: u32,
        added: u32,
    }

    // SAFETY: three integers, the first of which is the size.
    unsafe impl Growing for Example {
        const NAME: &'static str = "example";
        const FIRST_SIZE: usize = 8;
    }

    fn read(value: &Example) -> Result<Example, zt_result> {
        // SAFETY: no case says that more is there than is.
        unsafe { read_struct(value) }.map_err(|failure| failure.result)
    }

    #[test]
    fn what_an_older_caller_does_not_know_is_neither_read_nor_written() {
        let mut old = Example { struct_size: 8, first: 1, added: 2 };

        assert_eq!(read(&old), Ok(Example { added: 0, ..old }));
        // SAFETY: the struct is longer than it says.
        unsafe { write_struct(&mut old, &Example { struct_size: 0, first: 3, added: 4 }) }.unwrap();
        assert_eq!(old, Example { struct_size: 8, first: 3, added: 2 });
    }

    #[test]
    fn what_a_newer_caller_knows_has_to_be_zero() {
        let mut newer = [16_u32, 1, 2, 0];
        // SAFETY: there are as many bytes as the first member says.
        let read = |newer: &[u32; 4]| unsafe { read_struct::<Example>(newer.as_ptr().cast()) };

        assert_eq!(read(&newer).unwrap(), Example { struct_size: 16, first: 1, added: 2 });
        newer[3] = 1;
        assert_eq!(read(&newer).unwrap_err().result, zt_result::ZT_ERROR_STRUCT_SIZE);
    }

    #[test]
    fn a_size_nobody_has_is_refused() {
        for struct_size in [0, 7, u32::MAX] {
            let wrong = Example { struct_size, first: 1, added: 2 };
            assert_eq!(read(&wrong), Err(zt_result::ZT_ERROR_STRUCT_SIZE));
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(text::<4>("ab"), [97, 98, 0, 0]);
        assert_eq!(text::<4>("ab\u{e4}"), [97, 98, 0, 0]);
        let mut buffer = [1; 3];
        assert!(write_text("abc", &mut buffer).is_err());
        assert_eq!(buffer, [1; 3]);
        write_text("ab", &mut buffer).unwrap();
        assert_eq!(buffer, [97, 98, 0]);
    }
}
