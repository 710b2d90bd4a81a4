//! Go's bbolt in a child process: keeps `peer serve` of `kv/tests/peers` running, and bounds every answer in time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::bbolt::Bbolt;
use crate::program::{Settings, Step, program_text};

/// For the next line of an answer.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Makes two tests of each function, one beside each bbolt: `bbolt_1_5::NAME` and `bbolt_1_3::NAME`.
#[macro_export]
macro_rules! beside_each_bbolt {
    ($($test:ident),+) => {
        $crate::beside_each_bbolt!(mod bbolt_1_5: Module: $($test)+);
        $crate::beside_each_bbolt!(mod bbolt_1_3: Debian: $($test)+);
    };
    (mod $version:ident: $bbolt:ident: $($test:ident)+) => {
        mod $version {
            $(#[$crate::test]
            fn $test() {
                if let Some(mut peer) = $crate::peer::Peer::start($crate::bbolt::Bbolt::$bbolt) {
                    super::$test(&mut peer);
                }
            })+
        }
    };
}

/// A client of one `peer serve`. A process that died is started anew with the
/// next request.
#[derive(Debug)]
pub struct Peer {
    /// The program, with this bbolt in it.
    pub program: &'static Path,
    /// bbolt's: 1.5, say.
    pub version: &'static str,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    complaints: Option<JoinHandle<String>>,
}

impl Peer {
    /// None if the calling test is skipped.
    ///
    /// # Panics
    /// If it does not build, or something is missing and `KV_PEERS=require`.
    #[must_use]
    pub fn start(bbolt: Bbolt) -> Option<Self> {
        Some(Self { program: bbolt.program()?, version: bbolt.version(), process: None })
    }

    /// One more of the same bbolt.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { program: self.program, version: self.version, process: None }
    }

    /// Runs a program; one outcome a line.
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn run(&mut self, path: &Path, settings: Settings, steps: &[Step]) -> Result<Vec<String>, String> {
        let page_size = settings.page_size.to_string();
        let freelist = if settings.span_maps { "hashmap" } else { "array" };
        let file = text(path);
        let mut words = vec!["run", "--page-size", &page_size, "--freelist", freelist];
        if settings.freelist_sync != kv::FreelistSync::Every {
            words.push("--no-freelist-sync");
        }
        words.push(&file);
        let lines = self.request(&format!("{}\n{}.\n", words.join("\t"), program_text(steps)))?;
        Ok(lines.lines().map(str::to_owned).collect())
    }

    /// The logical content in text form.
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn dump(&mut self, path: &Path) -> Result<String, String> {
        self.request(&format!("dump\t{}\n", text(path)))
    }

    /// bbolt's own check, and that of the tree's shape (`peers/shape.go`).
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn check(&mut self, path: &Path) -> Result<(), String> {
        self.request(&format!("check\t{}\n", text(path))).map(drop)
    }

    /// A hot backup by bbolt.
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn copy(&mut self, path: &Path, target: &Path) -> Result<(), String> {
        self.request(&format!("copy\t{}\t{}\n", text(path), text(target))).map(drop)
    }

    /// bbolt's figures of each top-level bucket: name in hex, then numbers in the order of its `BucketStats`.
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn stats(&mut self, path: &Path) -> Result<String, String> {
        self.request(&format!("stats\t{}\n", text(path)))
    }

    /// The rows of the table `readings`, as a program in Go reads the documented form (`peers/table.go`).
    ///
    /// # Errors
    /// What is no row, what bbolt answers, or how its process ended.
    pub fn table(&mut self, path: &Path) -> Result<String, String> {
        self.request(&format!("table\t{}\n", text(path)))
    }

    /// A compacted copy by bbolt.
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn compact(&mut self, path: &Path, target: &Path, tx_max_bytes: u64) -> Result<(), String> {
        self.request(&format!("compact\t{}\t{}\t{tx_max_bytes}\n", text(path), text(target))).map(drop)
    }

    /// Has bbolt load a bucket, as `peers/density.go` says.
    ///
    /// # Errors
    /// What bbolt answers, or how its process ended.
    pub fn load(&mut self, path: &Path, share: f64, [step, count, each]: [u64; 3]) -> Result<(), String> {
        self.request(&format!("load\t{}\t{share}\t{step}\t{count}\t{each}\n", text(path))).map(drop)
    }

    /// Has another bbolt process keep the file open for writing.
    ///
    /// # Panics
    /// If it cannot.
    #[must_use]
    pub fn hold(&self, path: &Path) -> Holder {
        let mut command = Command::new(self.program);
        let command = command.arg("hold").arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("bbolt's process answers");
        assert_eq!(line, "held\n", "bbolt opens the file");
        Holder(child)
    }

    fn request(&mut self, request: &str) -> Result<String, String> {
        let process = self.process.get_or_insert_with(|| Process::spawn(self.program));
        match process.ask(request) {
            Answer::Whole(lines) => Ok(lines),
            Answer::Refused(message) => Err(message),
            Answer::Died(how) => {
                let complaints = self.process.take().map(Process::end).unwrap_or_default();
                Err(format!("bbolt's process {how}\n{complaints}"))
            }
        }
    }
}

/// A bbolt process with a file open; dropping it closes the file.
#[derive(Debug)]
pub struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

enum Answer {
    Whole(String),
    Refused(String),
    Died(&'static str),
}

impl Process {
    fn spawn(program: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let requests = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut errors = child.stderr.take().expect("piped");
        let complaints = Some(thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        }));
        Self { child, requests, answers, complaints }
    }

    fn ask(&mut self, request: &str) -> Answer {
        let requests = self.requests.as_mut().expect("open until the end");
        if requests.write_all(request.as_bytes()).and_then(|()| requests.flush()).is_err() {
            return Answer::Died("closed its input");
        }
        let mut lines = String::new();
        loop {
            match self.answers.recv_timeout(TIME_LIMIT) {
                Ok(line) if line == ". ok" => return Answer::Whole(lines),
                Ok(line) => match line.strip_prefix(". ") {
                    Some(message) => return Answer::Refused(format!("{message}\n{lines}")),
                    None => lines.extend([line.as_str(), "\n"]),
                },
                Err(RecvTimeoutError::Timeout) => return Answer::Died("did not answer in time"),
                Err(RecvTimeoutError::Disconnected) => return Answer::Died("ended"),
            }
        }
    }

    /// Stops the process; what it wrote to standard error, the head of it.
    fn end(mut self) -> String {
        self.stop();
        let complaints = self.complaints.take().and_then(|reader| reader.join().ok());
        complaints.unwrap_or_default().lines().take(40).collect::<Vec<_>>().join("\n")
    }

    fn stop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a temporary path is UTF-8").to_owned()
}
