//! What a call returns, and the text of its error.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use kv::Error;

/// What a call returns. `kv_error_message` has the text of everything above `KV_END`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum kv_code {
    /// It is done.
    KV_OK = 0,
    /// There is no such key.
    KV_NOT_FOUND = 1,
    /// The scan has no more pairs.
    KV_END = 2,
    /// An argument is null where it may not be, or names nothing of this transaction.
    KV_ARGUMENT = 10,
    /// A key or a bucket's name is empty or longer than 32,768 bytes, or a value longer than 2^31 - 2.
    KV_SIZE = 11,
    /// There is no bucket of this name.
    KV_BUCKET_NOT_FOUND = 12,
    /// The name is that of a bucket where a key is expected, or the other way round.
    KV_INCOMPATIBLE = 13,
    /// The bucket was deleted in this transaction.
    KV_STALE = 14,
    /// The database or transaction is read-only.
    KV_READ_ONLY = 15,
    /// This thread has a write transaction open already, and would wait for itself.
    KV_ALREADY_WRITING = 16,
    /// Transactions are open, so the database cannot be closed.
    KV_IN_USE = 17,
    /// Another process holds the file.
    KV_LOCKED = 20,
    /// This process has the file open already.
    KV_ALREADY_OPEN = 21,
    /// The file is no database, or one that this library does not read.
    KV_NOT_A_DATABASE = 22,
    /// A page is damaged, or the file is too short.
    KV_CORRUPT = 23,
    /// The file was renamed, removed or replaced while it was open.
    KV_FILE_MOVED = 24,
    /// The commit failed, and certainly did not happen: a full disk, for example.
    KV_NOT_COMMITTED = 30,
    /// The commit failed, and may have happened: opening the file again decides.
    KV_UNKNOWN = 31,
    /// An earlier write failed: close the database and open it again.
    KV_POISONED = 32,
    /// The system refused to open, read or write.
    KV_SYSTEM = 40,
    /// An error that has no code of its own.
    KV_OTHER = 50,
    /// A defect of the library, which has stopped this call. End the transaction.
    KV_PANIC = 51,
}

/// An error on its way to C.
#[derive(Debug)]
pub(crate) struct Failure {
    code: kv_code,
    text: String,
}

impl Failure {
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self { code: kv_code::KV_ARGUMENT, text: text.into() }
    }

    pub(crate) fn new(code: kv_code, text: &str) -> Self {
        Self { code, text: text.to_owned() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: code(&error), text: error.with_causes() }
    }
}

fn code(error: &Error) -> kv_code {
    match error {
        Error::KeyRequired
        | Error::KeyTooLarge { .. }
        | Error::ValueTooLarge { .. }
        | Error::BucketNameRequired
        | Error::BucketNameTooLarge { .. } => kv_code::KV_SIZE,
        Error::BucketNotFound { .. } => kv_code::KV_BUCKET_NOT_FOUND,
        Error::IncompatibleValue { .. } => kv_code::KV_INCOMPATIBLE,
        Error::StaleHandle { .. } => kv_code::KV_STALE,
        Error::ReadOnly => kv_code::KV_READ_ONLY,
        Error::AlreadyWriting => kv_code::KV_ALREADY_WRITING,
        Error::StillShared { .. } => kv_code::KV_IN_USE,
        Error::Locked { .. } => kv_code::KV_LOCKED,
        Error::AlreadyOpen { .. } => kv_code::KV_ALREADY_OPEN,
        Error::NotADatabase
        | Error::ByteSwapped
        | Error::VersionMismatch { .. }
        | Error::ChecksumMismatch
        | Error::Unsettled
        | Error::TwoStates { .. } => kv_code::KV_NOT_A_DATABASE,
        Error::Corrupt { .. } | Error::Truncated { .. } => kv_code::KV_CORRUPT,
        Error::FileMoved { .. } => kv_code::KV_FILE_MOVED,
        Error::NotCommitted { .. } => kv_code::KV_NOT_COMMITTED,
        Error::Unknown { .. } => kv_code::KV_UNKNOWN,
        Error::Poisoned => kv_code::KV_POISONED,
        Error::InvalidOption { .. } => kv_code::KV_ARGUMENT,
        Error::Store(_) | Error::Stream { .. } => kv_code::KV_SYSTEM,
        _ => kv_code::KV_OTHER,
    }
}

thread_local! {
    /// The text of this thread's last error.
    static MESSAGE: RefCell<CString> = RefCell::default();
}

fn note(text: String) {
    let mut bytes = text.into_bytes();
    bytes.retain(|byte| *byte != 0);
    let text = CString::new(bytes).expect("zeros have been taken out");
    MESSAGE.with_borrow_mut(|message| *message = text);
}

/// Runs what a function of the interface does. Errors become codes with a text; a panic ends here, too.
pub(crate) fn border(body: impl FnOnce() -> Result<kv_code, Failure>) -> kv_code {
    // What a panic leaves behind is reached by further calls only, which find a transaction that the library takes for
    // half done, and does not commit.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(code)) => code,
        Ok(Err(Failure { code, text })) => {
            note(text);
            code
        }
        Err(panic) => {
            let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
            note(format!("a defect of the library, please report it: {}", words.unwrap_or_default()));
            kv_code::KV_PANIC
        }
    }
}

/// Returns the text of the last error that a call of this thread returned: what is wrong, where, and what to do about it.
/// It stays valid until the next error of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn kv_error_message() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn message() -> String {
        MESSAGE.with_borrow(|message| CStr::to_string_lossy(message).into_owned())
    }

    #[test]
    fn a_panic_ends_at_the_border() {
        assert_eq!(border(|| panic!("of {}", 7)), kv_code::KV_PANIC);
        assert_eq!(message(), "a defect of the library, please report it: of 7");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let cause = Box::new(Error::MaxSizeReached { needed: 9, limit: 8 });
        assert_eq!(border(|| Err(Error::NotCommitted { cause }.into())), kv_code::KV_NOT_COMMITTED);
        assert!(message().starts_with("not committed") && message().contains("would grow to 9"), "{}", message());
        assert_eq!(border(|| Err(Failure::argument("a\0b"))), kv_code::KV_ARGUMENT);
        assert_eq!(message(), "ab");
        assert_eq!(border(|| Ok(kv_code::KV_END)), kv_code::KV_END);
        assert_eq!(message(), "ab", "what is no error changes no text");
    }
}
