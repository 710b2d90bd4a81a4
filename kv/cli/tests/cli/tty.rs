//! Runs the tool in a pseudo-terminal.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

use crate::tool::Bench;

/// How long a screen may take until it counts as wrong.
const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const ROWS: u16 = 20;
pub(crate) const COLUMNS: u16 = 90;

/// A terminal in which the tool runs.
pub(crate) struct Tty {
    pub(crate) screen: Parser,
    output: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    pub(crate) master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Tty {
    pub(crate) fn run(bench: &Bench, args: &[&str], colours: bool) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_kv"));
        command.args(args);
        command.cwd(bench.path("."));
        command.env("TERM", "xterm-256color");
        command.env("NO_COLOR", if colours { "" } else { "1" });
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of the terminal is an error on Linux.
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let nonzero = |side| NonZeroU16::new(side).unwrap();
        let keys = pair.master.take_writer().unwrap();
        Self { screen: Parser::new(nonzero(ROWS), nonzero(COLUMNS), 0), output, keys, master: pair.master, child }
    }

    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// Waits until the screen has all of `texts`.
    #[track_caller]
    pub(crate) fn shows(&mut self, texts: &[&str]) -> &mut Self {
        let started = Instant::now();
        loop {
            let shown = self.screen.screen().contents();
            if texts.iter().all(|text| shown.contains(text)) {
                return self;
            }
            assert!(started.elapsed() < LIMIT, "not on the screen: {texts:?}\n{shown}");
            match self.output.recv_timeout(Duration::from_millis(50)) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("it ended: {texts:?}\n{shown}"),
            }
        }
    }

    /// Waits until the tool has ended, and reads the rest; its exit code.
    pub(crate) fn ends(&mut self) -> u32 {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < LIMIT, "it still runs");
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(20)) {
                self.screen.process(&bytes);
            }
        };
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
            self.screen.process(&bytes);
        }
        status.exit_code()
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
