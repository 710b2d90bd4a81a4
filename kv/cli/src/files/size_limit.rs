//! The limit on the size of files (`ulimit -f`): reaching it is an error of the write, as a full disk is.

/// From here on, a write beyond the limit returns an error. Without this call the signal `SIGXFSZ` ends the process.
#[cfg(unix)]
pub(crate) fn becomes_an_error() {
    // Any handler makes the write return an error; this one sets a flag that nobody reads. If there can be no handler,
    // the signal ends the process, and whatever file it had begun is left, as after a kill.
    let _ = signal_hook::flag::register(libc::SIGXFSZ, std::sync::Arc::default());
}

/// Other systems have no such signal.
#[cfg(not(unix))]
pub(crate) fn becomes_an_error() {}
