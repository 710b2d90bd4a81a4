//! A server in a process of its own, which can be killed.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kv_etcd::server::{Options, Server};

/// Says to the child which directory to serve, and where.
const DIRECTORY: &str = "KV_ETCD_SERVED_DIRECTORY";
const URL: &str = "KV_ETCD_SERVED_URL";
/// Begins the line by which the child says that clients can connect.
const SERVING: &str = "SERVING";

/// Dropping it kills it.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Returns once clients can connect.
    pub(crate) fn start(data: &Path, url: &str) -> Self {
        Self::launch(&mut Command::new(env::current_exe().unwrap()), data, url)
    }

    /// The same on a disk of its own, which nobody else sees and which is gone with it.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_on_small_disk(megabytes: u64, data: &Path, url: &str) -> Self {
        let mut command = Command::new("unshare");
        let mount = format!("mount -t tmpfs -o size={megabytes}m tmpfs \"${DIRECTORY}\" && exec \"$@\"");
        command.args(["--mount", "sh", "-c", &mount, "sh"]).arg(env::current_exe().unwrap());
        Self::launch(&mut command, data, url)
    }

    fn launch(command: &mut Command, data: &Path, url: &str) -> Self {
        let mut child = command
            .args(["--exact", "process::child", "--nocapture"])
            .env(DIRECTORY, data)
            .env(URL, url)
            .env("KV_TIME_LIMIT", "100000")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(SERVING)), "the server starts");
        Self { child }
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Without a word: SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// An address that nobody listens at.
pub(crate) fn free_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The child; in an ordinary run it has nothing to do.
#[test]
fn child() {
    let (Some(directory), Ok(url)) = (env::var_os(DIRECTORY), env::var(URL)) else { return };
    let mut options = Options::new(directory);
    options.listen_client_urls = vec![url.parse().unwrap()];
    let mut server = Server::start(&options).unwrap();
    server.hear_signals().unwrap();
    println!("\n{SERVING}");
    server.wait_for_signal().unwrap();
}

/// A signal that comes before anybody waits for it does not end the process, which is this one, and is not lost.
#[test]
#[cfg(unix)]
fn a_signal_is_heard_before_it_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::new(directory.path());
    options.listen_client_urls = vec!["http://127.0.0.1:0".parse().unwrap()];
    let mut server = Server::start(&options).unwrap();
    server.hear_signals().unwrap();
    let sent = Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap();
    assert!(sent.success());
    server.wait_for_signal().unwrap();
    Server::start(&options).unwrap().stop();
}
