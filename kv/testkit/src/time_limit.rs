//! A test that does not end fails.

use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std::{io, process, thread};

use crate::budget::{Budget, number};

/// Seconds that a test may take, by budget.
const SECONDS: [u64; 4] = [600, 3600, 86_400, 7 * 86_400];

/// Ends the process if the test that made it still runs after its time: 10 minutes, an hour for the budget `push`, a day
/// for `nightly`, a week for `release`. `KV_TIME_LIMIT` sets another number of seconds.
///
/// The attribute [`test`](crate::test) makes one for each test.
#[derive(Debug)]
pub struct TimeLimit {
    _ended: Option<Sender<()>>,
}

impl TimeLimit {
    /// The limit of the test that runs in this thread.
    ///
    /// # Panics
    /// If there is no thread to watch the time.
    #[must_use]
    pub fn of_this_test() -> Self {
        if cfg!(target_family = "wasm") {
            return Self { _ended: None }; // there are no threads
        }
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let seconds = number("KV_TIME_LIMIT", *Budget::of_this_run().of(&SECONDS));
        let (ended, end) = channel();
        let watch = move || {
            if end.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
                // Past the test harness's capture.
                let _ = writeln!(io::stderr(), "\ntest {name} did not end within {seconds} seconds");
                process::abort();
            }
        };
        thread::Builder::new().name("time limit".into()).spawn(watch).expect("a thread to watch the time");
        Self { _ended: Some(ended) }
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    const CHILD: &str = "KV_TESTKIT_SLEEPS";

    /// Itself once more, with a limit that it exceeds.
    #[crate::test]
    fn a_test_that_does_not_end_is_named() {
        if env::var_os(CHILD).is_some() {
            std::thread::sleep(std::time::Duration::from_secs(60));
            return;
        }
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "time_limit::tests::a_test_that_does_not_end_is_named"]);
        let output = child.env(CHILD, "").env("KV_TIME_LIMIT", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(said.contains("a_test_that_does_not_end_is_named did not end within 1 seconds"), "{said}");
    }
}
