//! The servers that are measured, each in processes of its own.

use std::fs::read_to_string;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kv_testkit::etcd_release::Release;

use crate::setup::Kind;

/// What the kernel counts processor time in.
const TICKS_A_SECOND: f64 = 100.0;
/// How long a server may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(300);

/// A server that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    processes: Vec<Child>,
    pub(crate) url: String,
}

impl Running {
    /// Starts it on a directory, which may have a store already. None if the machine has not what it needs.
    pub(crate) fn start(kind: Kind, data: &Path) -> anyhow::Result<Option<Self>> {
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let mut commands = match kind {
            Kind::Array | Kind::TwoSync | Kind::Spans => vec![serve(kind, &url, data)?],
            Kind::Redis => {
                let port = free_port()?;
                let mut proxy = serve(kind, &url, data)?;
                proxy.args(["--redis", &format!("127.0.0.1:{port}")]);
                vec![redis(port, data), proxy]
            }
            Kind::Etcd(release, freelist) => match etcd(release, freelist, &url, data)? {
                Some(command) => vec![command],
                None => return Ok(None),
            },
        };
        std::fs::create_dir_all(data)?;
        let mut running = Self { processes: Vec::new(), url };
        for command in &mut commands {
            let program = PathBuf::from(command.get_program());
            match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
                Ok(child) => running.processes.push(child),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error).with_context(|| program.display().to_string()),
            }
        }
        Ok(Some(running))
    }

    /// Seconds of processor time that it has used.
    pub(crate) fn processor_time(&self) -> f64 {
        self.processes.iter().map(|child| processor_time(&child.id().to_string())).sum()
    }

    /// Bytes of memory that are its alone.
    pub(crate) fn anonymous(&self) -> u64 {
        self.processes.iter().map(|child| anonymous(child.id())).sum()
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        for mut child in self.processes.drain(..).rev() {
            Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status()?;
            let deadline = Instant::now() + STOP_LIMIT;
            while child.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    child.kill()?;
                    bail!("a server did not end within {STOP_LIMIT:?}");
                }
                sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn serve(kind: Kind, url: &str, data: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--url", url, "--data"]).arg(data);
    match kind {
        Kind::Array => drop(command.arg("--array")),
        Kind::TwoSync => drop(command.arg("--two-sync")),
        _ => {}
    }
    Ok(command)
}

fn redis(port: u16, data: &Path) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(data);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
    command
}

fn etcd(release: Release, freelist: &str, url: &str, data: &Path) -> anyhow::Result<Option<Command>> {
    let Some(programs) = release.programs() else { return Ok(None) };
    let peers = format!("http://127.0.0.1:{}", free_port()?);
    let mut command = Command::new(&programs.etcd);
    command.args(["--log-level", "error", "--data-dir"]).arg(data);
    command.args(["--listen-client-urls", url, "--advertise-client-urls", url]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}")]);
    // The log keeps what followers might ask for, in memory: with large values that would be gigabytes.
    command.args(["--quota-backend-bytes", "64000000000", "--snapshot-count", "5000"]);
    let flag = match release {
        Release::V3_4 => "--experimental-backend-bbolt-freelist-type",
        Release::V3_5 | Release::V3_7 => "--backend-bbolt-freelist-type",
    };
    command.args([flag, freelist]);
    Ok(Some(command))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Seconds that a process has used; 0 where the system does not tell.
pub(crate) fn processor_time(process: &str) -> f64 {
    let text = read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may have spaces.
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_A_SECOND
}

fn anonymous(process: u32) -> u64 {
    let text = read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    line.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Bytes on the disk below a directory.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
