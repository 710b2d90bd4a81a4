//! `kv etcd serve`: etcd's API on one node.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kv_etcd::server::{AutoCompaction, DEFAULT_QUOTA, Naming, Options, Server, TlsFiles, Url};

use super::go_duration::go_duration;
use super::ignored::Ignored;
use crate::failure::{Failure, Result};
use crate::terminal::Terminal;

/// Serve etcd's gRPC API on one node, until SIGTERM or Ctrl-C
///
/// Every acknowledged write is on the disk. The file is DIR/member/snap/db, in etcd's layout. There are no peers, no users
/// and no roles. The flags are etcd's; those of peers and raft are taken, with a warning, and do nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv etcd serve --data-dir node.etcd
  etcdctl put greeting hello && etcdctl get greeting
  kv etcd serve --data-dir node.etcd --listen-client-urls https://0.0.0.0:2379 \\
    --advertise-client-urls https://node:2379 --cert-file node.pem --key-file node.key

On the client port are, besides, over HTTP: /health, /livez, /readyz, /version and /metrics.")]
pub(crate) struct Serve {
    /// The directory [default: NAME.etcd]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The member's name
    #[arg(long, default_value = "default")]
    name: String,

    /// Where to listen for clients
    #[arg(long, value_name = "URLS", value_delimiter = ',', default_value = "http://localhost:2379")]
    listen_client_urls: Vec<Url>,

    /// What clients are told about where to find the server [default: where it listens]
    #[arg(long, value_name = "URLS", value_delimiter = ',')]
    advertise_client_urls: Vec<Url>,

    /// Where to serve /metrics and /health besides
    #[arg(long, value_name = "URLS", value_delimiter = ',')]
    listen_metrics_urls: Vec<Url>,

    /// Bytes that the file may have before writes are refused; 0 is 2 GiB, a negative number is no limit
    #[arg(long, value_name = "BYTES", default_value_t = 0, allow_negative_numbers = true)]
    quota_backend_bytes: i64,

    /// Compact what is older than a time, or all but so many revisions
    #[arg(long, value_enum, default_value_t)]
    auto_compaction_mode: Mode,

    /// How much stays: a time, or hours, with `periodic`; a number with `revision`; 0 compacts nothing by itself
    #[arg(long, value_name = "RETENTION", default_value = "0")]
    auto_compaction_retention: String,

    /// The server's certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,

    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,

    /// Ask clients for a certificate
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    client_cert_auth: bool,

    /// Who may vouch for clients, in PEM
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    trusted_ca_file: Option<PathBuf>,

    /// Bytes of a request that changes something, at most
    #[arg(long, value_name = "BYTES", default_value_t = 1_572_864)]
    max_request_bytes: usize,

    /// Operations of a transaction, at most
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_txn_ops: usize,

    /// Streams of a connection at a time, at most
    #[arg(long, value_name = "N", default_value_t = u32::MAX)]
    max_concurrent_streams: u32,

    /// How often a silent client is asked whether it is there
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = go_duration)]
    grpc_keepalive_interval: Duration,

    /// How long it may take to answer
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = go_duration)]
    grpc_keepalive_timeout: Duration,

    /// How often a watch hears that nothing happened, if it asked for that
    #[arg(
        long,
        alias = "experimental-watch-progress-notify-interval",
        value_name = "TIME",
        default_value = "10m",
        value_parser = go_duration
    )]
    watch_progress_notify_interval: Duration,

    /// How writes get to the disk
    #[arg(long, value_enum, default_value_t)]
    durability: Durability,

    /// Rows that a compaction deletes in one commit
    #[arg(long, alias = "experimental-compaction-batch-limit", value_name = "N", default_value_t = 1000)]
    compaction_batch_limit: usize,

    /// How long a compaction leaves the writer to others after each of its commits
    #[arg(
        long,
        alias = "experimental-compaction-sleep-interval",
        value_name = "TIME",
        default_value = "10ms",
        value_parser = go_duration
    )]
    compaction_sleep_interval: Duration,

    /// Where other members would find it; part of who the member is
    #[arg(long, value_name = "URLS", value_delimiter = ',', default_value = "http://localhost:2380")]
    initial_advertise_peer_urls: Vec<String>,

    /// What sets the cluster apart from others; part of who the member is
    #[arg(long, value_name = "TOKEN", default_value = "etcd-cluster")]
    initial_cluster_token: String,

    #[command(flatten)]
    ignored: Ignored,
}

/// What a compaction goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Mode {
    #[default]
    Periodic,
    Revision,
}

/// What a write waits for before it is acknowledged. It is on the disk then in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Durability {
    /// By a log inside the file: one sync. After a crash etcd opens the file once `kv etcd serve` or `kv checkpoint` did
    #[default]
    Log,
    /// By two syncs: etcd opens the file even after a crash
    TwoSync,
}

impl From<Durability> for kv::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Log => Self::Log,
            Durability::TwoSync => Self::TwoSync,
        }
    }
}

impl Serve {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        for name in &self.ignored.0 {
            terminal.note(format_args!("kv: warning: --{name} has no effect on one node"));
        }
        let options = Options { lock_timeout: terminal.lock_timeout, ..self.options()? };
        let mut server = Server::start(&options).map_err(|error| Failure::Refused(error.to_string()))?;
        server.hear_signals().map_err(|error| Failure::Refused(error.to_string()))?;
        let urls: Vec<String> = server.client_urls().iter().map(Url::to_string).collect();
        writeln!(terminal.out, "serving {} at {}", options.data_dir.join("member/snap/db").display(), urls.join(", "))?;
        terminal.flush()?;
        server.wait_for_signal().map_err(|error| Failure::Refused(error.to_string()))
    }

    fn options(&self) -> Result<Options> {
        let data_dir = self.data_dir.clone().unwrap_or_else(|| format!("{}.etcd", self.name).into());
        Ok(Options {
            naming: Naming {
                name: self.name.clone(),
                peer_urls: self.initial_advertise_peer_urls.clone(),
                cluster_token: self.initial_cluster_token.clone(),
            },
            listen_client_urls: self.listen_client_urls.clone(),
            advertise_client_urls: self.advertise_client_urls.clone(),
            listen_metrics_urls: self.listen_metrics_urls.clone(),
            tls: self.tls()?,
            max_request_bytes: self.max_request_bytes,
            max_txn_ops: self.max_txn_ops,
            max_concurrent_streams: self.max_concurrent_streams,
            quota_backend_bytes: match self.quota_backend_bytes {
                0 => Some(DEFAULT_QUOTA),
                bytes => u64::try_from(bytes).ok(),
            },
            auto_compaction: self.auto_compaction()?,
            watch_progress_interval: self.watch_progress_notify_interval,
            keepalive_interval: self.grpc_keepalive_interval,
            keepalive_timeout: self.grpc_keepalive_timeout,
            compaction_batch_limit: self.compaction_batch_limit,
            compaction_sleep_interval: self.compaction_sleep_interval,
            engine: kv::Options::new().durability(self.durability.into()),
            report,
            ..Options::new(data_dir)
        })
    }

    fn tls(&self) -> Result<Option<TlsFiles>> {
        let (Some(certificate), Some(key)) = (self.cert_file.clone(), self.key_file.clone()) else { return Ok(None) };
        if self.client_cert_auth && self.trusted_ca_file.is_none() {
            return Err(Failure::Usage("--client-cert-auth needs --trusted-ca-file, to know whom to trust".into()));
        }
        let client_authorities = self.trusted_ca_file.clone().filter(|_| self.client_cert_auth);
        Ok(Some(TlsFiles { certificate, key, client_authorities }))
    }

    fn auto_compaction(&self) -> Result<AutoCompaction> {
        let retention = &self.auto_compaction_retention;
        let number = retention.parse::<i64>().ok();
        match (self.auto_compaction_mode, number) {
            (_, Some(0)) => Ok(AutoCompaction::Off),
            (Mode::Revision, Some(kept)) if kept > 0 => Ok(AutoCompaction::Revision(kept)),
            (Mode::Revision, _) => {
                Err(Failure::Usage(format!("--auto-compaction-retention {retention} is not a number of revisions")))
            }
            (Mode::Periodic, Some(hours)) if hours > 0 => {
                Ok(AutoCompaction::Periodic(Duration::from_secs(hours.unsigned_abs().saturating_mul(3600))))
            }
            (Mode::Periodic, _) => match go_duration(retention) {
                Ok(Duration::ZERO) => Ok(AutoCompaction::Off),
                Ok(time) => Ok(AutoCompaction::Periodic(time)),
                Err(why) => Err(Failure::Usage(format!("--auto-compaction-retention: {why}"))),
            },
        }
    }
}

/// A line on standard error, while the command waits for its end.
fn report(line: &str) {
    // If standard error is closed, nobody wants the line.
    let _ = std::io::stderr().write_fmt(format_args!("kv: {line}\n"));
}
