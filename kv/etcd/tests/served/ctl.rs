//! etcdctl with a server.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use kv_testkit::etcd_release::Programs;

/// An etcdctl, and the endpoint that it asks.
pub(crate) struct Ctl {
    program: PathBuf,
    pub(crate) endpoint: String,
}

impl Ctl {
    /// For the server at `url`. With a scheme, etcdctl 3.4 sends the whole address as the name of the host where it asks one
    /// member.
    pub(crate) fn new(programs: &Programs, url: &str) -> Self {
        Self { program: programs.etcdctl.clone(), endpoint: url.replace("http://", "") }
    }

    /// It ends by itself after some minutes.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.arg("200").arg(&self.program).args(["--endpoints", &self.endpoint]).args(arguments);
        command.env("ETCDCTL_API", "3");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it prints; it must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What it complains about; it must fail.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// What it prints with a text on standard input.
    #[track_caller]
    pub(crate) fn told(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command that goes on until it is killed.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(&self.program);
        command.args(["--endpoints", &self.endpoint]).args(arguments).env("ETCDCTL_API", "3");
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Asks until it prints that.
    #[track_caller]
    pub(crate) fn until(&self, arguments: &[&str], expected: &str) {
        for _ in 0..200 {
            if self.ok(arguments) == expected {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("{arguments:?} never printed {expected:?}, but {:?}", self.ok(arguments));
    }
}
