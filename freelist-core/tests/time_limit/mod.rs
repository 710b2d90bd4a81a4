//! A time limit for each test: a test that never ends fails and is named.

use std::io::Write;
use std::process;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Far more than any test needs, also in an emulator.
const LIMIT: Duration = Duration::from_secs(300);

/// Ends the program with an error if it is not dropped in time.
pub(crate) struct TimeLimit {
    /// The watching thread ends when this is dropped.
    _running: Option<Sender<()>>,
}

impl TimeLimit {
    /// Begins the time of the test that calls it.
    pub(crate) fn start() -> Self {
        if cfg!(target_family = "wasm") {
            return Self { _running: None }; // there are no threads
        }
        let (running, ended) = channel();
        let test = thread::current().name().unwrap_or("a test").to_owned();
        thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                // Not `eprintln`, which is captured and would be lost.
                let _unwritten = writeln!(std::io::stderr(), "{test} does not end: stopped after {LIMIT:?}");
                process::exit(101);
            }
        });
        Self { _running: Some(running) }
    }
}
