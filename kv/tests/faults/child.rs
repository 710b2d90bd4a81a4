//! This test program once more, as a process that may be killed, limited, watched, or die.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a child is given to work on: a directory or a file. Not set in the parent.
const WORK: &str = "KV_FAULTS_WORK";

/// Nothing that a child says takes longer to come.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// In a child what it is to work on, in the parent nothing.
pub(crate) fn work() -> Option<OsString> {
    env::var_os(WORK)
}

/// A line from a child to its parent. Fails where the parent is gone.
pub(crate) fn say(line: impl std::fmt::Display) {
    if writeln!(std::io::stderr(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// What one case may take of a processor. The files have a few hundred KiB, and most cases take a millisecond.
const CASE_MAX_MS: u64 = 1000;

/// Memory that no damage may make the library take beyond what it takes for a sound file.
const MEMORY_MAX_KIB: u64 = 16 * 1024;

/// The cases of a child, one after the other: none may take long, and none much memory.
pub(crate) struct Watched {
    spent_ms: u64,
    sound_kib: u64,
}

impl Watched {
    /// After something sound of the same kind has been done, whose memory counts as given.
    pub(crate) fn after_something_sound() -> Watched {
        // A sanitizer's memory is its own.
        let sound_kib = if kernel_is_left_out() { u64::MAX / 2 } else { peak_memory_kib() };
        Watched { spent_ms: processor_ms(), sound_kib }
    }

    /// Begins a case: the one to blame for what comes.
    pub(crate) fn case(&mut self, what: impl std::fmt::Display) {
        self.end_of_case();
        say(format!("case {what}"));
    }

    /// # Panics
    /// If the case before took too much.
    pub(crate) fn end_of_case(&mut self) {
        let (spent, peak) = (processor_ms(), peak_memory_kib());
        assert!(spent - self.spent_ms <= CASE_MAX_MS, "it took {} ms", spent - self.spent_ms);
        let sound = self.sound_kib;
        assert!(peak <= sound + MEMORY_MAX_KIB, "{sound} KiB were enough, and then it was {peak}");
        self.spent_ms = spent;
    }
}

/// Whether tests that watch or limit system calls are left out.
pub(crate) fn kernel_is_left_out() -> bool {
    let skip = env::var_os("PAGEFILE_KERNEL").is_some_and(|value| value == "skip");
    if skip {
        say("PAGEFILE_KERNEL=skip: left out, no system call was watched or limited");
    }
    skip
}

/// The command that runs `test` of this program in a child on `work`, after the words of `before`.
pub(crate) fn command(before: &[&str], test: &str, work: &OsStr) -> Command {
    let program = env::current_exe().expect("this program has a path");
    let mut words: Vec<OsString> = before.iter().map(OsString::from).collect();
    words.push(program.into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["--exact", test, "--nocapture", "--test-threads=1"]).env(WORK, work);
    command
}

/// A running child and what it says.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    reader: JoinHandle<()>,
}

/// Starts it.
pub(crate) fn start(mut command: Command) -> Running {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a child process");
    let said = BufReader::new(child.stderr.take().expect("it is piped"));
    let (sender, lines) = channel();
    let reader = std::thread::spawn(move || {
        // Where nobody listens any more, nothing needs to be sent.
        let _ = said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
    });
    Running { child, lines, reader }
}

impl Running {
    /// The next line; none at the end.
    ///
    /// # Panics
    /// If none comes for a long time: the child hangs. It is killed.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => Some(line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                // It may have ended at this moment.
                let _ = self.child.kill();
                panic!("the child says nothing for {SILENCE_MAX:?}");
            }
        }
    }

    /// Kills it, unless it has ended.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child may be killed");
    }

    /// Waits for its end; what it has said and nobody has heard, and how it ended.
    pub(crate) fn end(mut self) -> (Vec<String>, ExitStatus) {
        let mut rest = Vec::new();
        while let Some(line) = self.line() {
            rest.push(line);
        }
        let status = self.child.wait().expect("a child ends");
        self.reader.join().expect("the reader of lines ends");
        (rest, status)
    }
}

/// Runs cases in a child that says `case WHAT` before each: a crash or an endless run is put down to its case. Returns
/// what else it said.
pub(crate) fn cases(test: &str, work: &OsStr) -> Vec<String> {
    let mut running = start(command(&["env"], test, work));
    let (mut case, mut said) = (String::from("before the first"), Vec::new());
    loop {
        let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| running.line()));
        match next.unwrap_or_else(|_| panic!("{test}: no end: {case}")) {
            Some(line) if line.starts_with("case ") => case = line,
            Some(line) => said.push(line),
            None => break,
        }
    }
    let (_, status) = running.end();
    assert!(status.success(), "{test}: {status} in {case}: {}", said.join("\n"));
    said
}

/// The most main memory that this process has used, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux says");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Milliseconds of a processor that this process has used, to the hundredth of a second.
#[cfg(target_os = "linux")]
fn processor_ms() -> u64 {
    let status = std::fs::read_to_string("/proc/self/stat").expect("Linux says");
    // After the name, which is in brackets and may have spaces: user and system time are the 12th and 13th word.
    let (_, words) = status.rsplit_once(')').expect("Linux says");
    let ticks = words.split_whitespace().skip(11).take(2).map(|word| word.parse::<u64>().expect("a number"));
    ticks.sum::<u64>() * 10
}

/// Other systems do not say.
#[cfg(not(target_os = "linux"))]
fn peak_memory_kib() -> u64 {
    0
}

/// Other systems do not say.
#[cfg(not(target_os = "linux"))]
fn processor_ms() -> u64 {
    0
}
