//! What comes from C as pointers, and what goes there.

use std::ffi::{CStr, c_char};
use std::{ptr, slice};

use crate::code::Failure;

/// Bytes that somebody else owns. `data` may be null if `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kv_bytes {
    /// The first byte.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

impl From<&[u8]> for kv_bytes {
    fn from(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }
}

/// Returns the bytes of a string that ends with a zero, without the zero. A null pointer is an empty string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kv_text(text: *const c_char) -> kv_bytes {
    if text.is_null() {
        return kv_bytes { data: ptr::null(), len: 0 };
    }
    // SAFETY: it is not null, and the caller says that it ends with a zero.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_bytes().into()
}

/// The bytes that C owns.
///
/// # Safety
/// `data` is null, or has `len` bytes that nobody changes while `'a` lasts.
pub(crate) unsafe fn bytes<'a>(bytes: kv_bytes) -> Result<&'a [u8], Failure> {
    match bytes {
        kv_bytes { len: 0, .. } => Ok(&[]),
        kv_bytes { data, .. } if data.is_null() => {
            Err(Failure::argument("bytes have a length, and their data is null"))
        }
        kv_bytes { len, .. } if isize::try_from(len).is_err() => Err(Failure::argument("bytes longer than memory")),
        // SAFETY: the caller says so, and that it fits into memory was checked.
        kv_bytes { data, len } => Ok(unsafe { slice::from_raw_parts(data, len) }),
    }
}

/// The same, if the pointer to them is not null.
///
/// # Safety
/// `pointer` is null, or points to bytes that are as [`bytes`] wants them.
pub(crate) unsafe fn optional<'a>(pointer: *const kv_bytes) -> Result<Option<&'a [u8]>, Failure> {
    // SAFETY: the caller says so.
    unsafe { pointer.as_ref().map(|found| bytes(*found)).transpose() }
}

/// A thing that C holds, for reading.
///
/// # Safety
/// `pointer` is null, or points to a `T` that nobody changes while `'a` lasts.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller says so.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A thing that C holds, for changing.
///
/// # Safety
/// `pointer` is null, or points to a `T` that nobody else uses while `'a` lasts.
pub(crate) unsafe fn exclusive<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller says so.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Takes a thing back that [`lend`] has given to C.
///
/// # Safety
/// `pointer` is null, or comes from [`lend`] and has not been taken back.
pub(crate) unsafe fn take_back<T>(pointer: *mut T, name: &str) -> Result<Box<T>, Failure> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: it comes from `Box::into_raw`, and nobody else has it.
    Ok(unsafe { Box::from_raw(pointer) })
}

/// Gives a thing to C.
///
/// # Safety
/// As [`set`].
pub(crate) unsafe fn lend<T>(target: *mut *mut T, thing: T) -> Result<(), Failure> {
    // SAFETY: the caller says so.
    unsafe { set(target, Box::into_raw(Box::new(thing))) }
}

/// Writes a result.
///
/// # Safety
/// `target` is null, or points to memory for a `T` that nobody else uses.
pub(crate) unsafe fn set<T>(target: *mut T, value: T) -> Result<(), Failure> {
    if target.is_null() {
        return Err(null("the place for the result"));
    }
    // SAFETY: it is not null, and the caller says that there is memory for it.
    unsafe { target.write(value) };
    Ok(())
}

/// Refuses a null pointer before something is done whose result would have no place.
pub(crate) fn place<T>(target: *mut T) -> Result<(), Failure> {
    if target.is_null() { Err(null("the place for the result")) } else { Ok(()) }
}

fn null(name: &str) -> Failure {
    Failure::argument(format!("{name} is null"))
}
