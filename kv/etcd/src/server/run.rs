//! The life of a server: start, serve, stop.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::service::Routes;

use super::auto_compaction;
use super::connections::Connections;
use super::http::{self, Sources};
use super::options::{Options, Report};
use super::signals::Signals;
use super::url::Url;
use crate::api::{self, Counts, Limits, Node};
use crate::mvcc::{self, MemberRequest, Store};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The directory could not be made.
    #[error("cannot make the directory {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file could not be opened.
    #[error("cannot serve {path}: {source}")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: mvcc::Error,
    },
    /// The file's users would lose their protection.
    #[error(
        "cannot serve {path}: authentication is enabled in it, and this server has no users; disable it with etcd \
         first (etcdctl auth disable)"
    )]
    AuthEnabled {
        /// The file.
        path: PathBuf,
    },
    /// A certificate or key could not be used.
    #[error("cannot use {path} for TLS: {why}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// An address with TLS, and no certificate.
    #[error("{0} needs a certificate: --cert-file and --key-file")]
    NoCertificate(Url),
    /// An address could not be listened at.
    #[error("cannot listen at {url}: {source}")]
    Listen {
        /// The address.
        url: Url,
        /// Why.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot note the member in the file: {0}")]
    Member(String),
    /// The operating system gave no threads or signals.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// How long requests under way may take once the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The version of the cluster in a file that has none: the oldest, for each etcd refuses files of later ones.
const CLUSTER_VERSION: &str = "3.4.0";

/// A server that serves. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    /// There until it has stopped.
    running: Option<Running>,
    client_urls: Vec<Url>,
}

#[derive(Debug)]
struct Running {
    runtime: Runtime,
    /// Once it hears them.
    signals: Option<Signals>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    node: Arc<Node>,
    report: Report,
}

impl Server {
    /// Opens or creates the file, and listens. Returns once clients can connect.
    ///
    /// # Errors
    /// [`StartError`]: nothing is left behind but the directory and an empty store.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        let listeners =
            options.listen_client_urls.iter().map(|url| listen(url, options)).collect::<Result<Vec<_>, _>>()?;
        let pages =
            options.listen_metrics_urls.iter().map(|url| listen(url, options)).collect::<Result<Vec<_>, _>>()?;
        let client_urls: Vec<Url> = listeners.iter().map(|listener| listener.url.clone()).collect();
        debug_assert_eq!(client_urls.len(), options.listen_client_urls.len(), "each address has a listener");
        let runtime = runtime::Builder::new_multi_thread().thread_name("kv-etcd serve").enable_all().build()?;
        let (stop, stopping) = watch::channel(false);
        let store = Arc::new(open(options)?);
        let node = Arc::new(node(options, store, &client_urls, stopping)?);
        runtime.block_on(note_member(&node)).map_err(|why| StartError::Member(why.message().to_owned()))?;
        let counts = Arc::new(Counts::default());
        let sources = Sources { node: Arc::clone(&node), counts: Arc::clone(&counts) };
        let clients = api::routes(&node, &counts).merge(http::pages(sources.clone()));
        let entered = runtime.enter();
        let mut tasks = vec![serve(options, listeners, clients, &node)?];
        if !pages.is_empty() {
            tasks.push(serve(options, pages, http::pages(sources), &node)?);
        }
        let (compacted, auto_compaction, report) = (Arc::clone(&node), options.auto_compaction, options.report);
        tasks.push(tokio::spawn(async move { auto_compaction::run(&compacted, auto_compaction, report).await }));
        drop(entered);
        Ok(Self { running: Some(Running { runtime, signals: None, stop, tasks, node, report }), client_urls })
    }

    /// Where clients find it. A port 0 of the options is a real one here.
    #[must_use]
    pub fn client_urls(&self) -> &[Url] {
        &self.client_urls
    }

    /// From now on SIGTERM and Ctrl-C no longer end the process at once:
    /// [`wait_for_signal`](Self::wait_for_signal) hears also those that came before it. To be called before anybody is told
    /// that the server is there.
    ///
    /// # Errors
    /// [`StartError::System`]: the system gives no signals.
    pub fn hear_signals(&mut self) -> Result<(), StartError> {
        if let Some(Running { runtime, signals: signals @ None, .. }) = &mut self.running {
            let _entered = runtime.enter();
            *signals = Some(Signals::new()?);
        }
        let hears = |running: &Running| running.signals.is_some();
        debug_assert!(self.running.as_ref().is_none_or(hears), "a server that serves misses no signal from here on");
        Ok(())
    }

    /// Serves until the process is asked to end, by SIGTERM or Ctrl-C, and stops.
    ///
    /// # Errors
    /// As [`hear_signals`](Self::hear_signals), if that was not called before.
    pub fn wait_for_signal(mut self) -> Result<(), StartError> {
        self.hear_signals()?;
        if let Some(Running { runtime, signals: Some(signals), .. }) = &mut self.running {
            runtime.block_on(signals.heard());
        }
        self.end();
        Ok(())
    }

    /// Refuses new requests, waits for those under way, at most 5 seconds, notes how long leases have to live, and closes
    /// the file. Not to be called by an asynchronous task, nor may one drop the server: it waits.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(Running { runtime, signals: _, stop, tasks, node, report }) = self.running.take() else { return };
        let stopped = stop.send_replace(true);
        assert!(!stopped, "a server stops once");
        runtime.block_on(async {
            for task in tasks {
                // What has not ended by then is ended with the runtime.
                let _ = timeout(STOP_LIMIT, task).await;
            }
        });
        assert!(self.running.is_none(), "what has ended is not ended again");
        let store = Arc::clone(&node.store);
        drop(node);
        runtime.shutdown_timeout(STOP_LIMIT);
        // Otherwise a thread of the runtime still reads: the file is closed with it, and leases begin anew.
        if let Some(store) = Arc::into_inner(store)
            && let Err(error) = store.close()
        {
            report(&format!("the time that leases have left is not noted: {error}"));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// An address that is listened at.
struct Listener {
    url: Url,
    bound: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

fn listen(url: &Url, options: &Options) -> Result<Listener, StartError> {
    let tls = match (url.is_secure(), &options.tls) {
        (false, _) => None,
        (true, Some(files)) => Some(files.acceptor()?),
        (true, None) => return Err(StartError::NoCertificate(url.clone())),
    };
    let refused = |source| StartError::Listen { url: url.clone(), source };
    let bound = TcpListener::bind(url.authority()).map_err(refused)?;
    let address: SocketAddr = bound.local_addr().map_err(refused)?;
    assert_ne!(address.port(), 0, "a listener has a port");
    assert_eq!(tls.is_some(), url.is_secure(), "no word leaves an address of https in the clear");
    Ok(Listener { url: url.at_port(address.port()), bound, tls })
}

fn open(options: &Options) -> Result<Store, StartError> {
    let directory = options.data_dir.join("member/snap");
    fs::create_dir_all(&directory).map_err(|source| StartError::Directory { path: directory.clone(), source })?;
    let path = directory.join("db");
    let store_options = mvcc::Options::new()
        .engine(options.engine.clone().lock_timeout(options.lock_timeout))
        .tombstones(options.tombstones)
        .max_txn_ops(options.max_txn_ops)
        .compaction_rows(options.compaction_batch_limit)
        .compaction_pause(options.compaction_sleep_interval)
        .watch_progress_interval(options.watch_progress_interval);
    let refused = |source| StartError::Store { path: path.clone(), source };
    let store = Store::open(&path, store_options).map_err(refused)?;
    if auth_enabled(&store).map_err(refused)? {
        return Err(StartError::AuthEnabled { path });
    }
    Ok(store)
}

/// Whether etcd asked clients of this file for a password.
fn auth_enabled(store: &Store) -> mvcc::Result<bool> {
    let tx = store.begin_read();
    let Some(bucket) = tx.get_bucket(b"auth")? else { return Ok(false) };
    Ok(bucket.get(b"authEnabled")?.is_some_and(|enabled| enabled == [1]))
}

fn node(
    options: &Options,
    store: Arc<Store>,
    listening: &[Url],
    stopping: watch::Receiver<bool>,
) -> Result<Node, StartError> {
    let advertised = if options.advertise_client_urls.is_empty() { listening } else { &options.advertise_client_urls };
    assert!(!advertised.is_empty(), "clients find the server somewhere");
    let identity = options.naming.identity(advertised.iter().map(Url::to_string).collect());
    let limits = Limits { request_bytes: options.max_request_bytes, quota: options.quota_backend_bytes };
    let path = options.data_dir.join("member/snap/db");
    let refused = |source| StartError::Store { path, source };
    Node::new(store, identity, limits, stopping).map_err(refused)
}

/// Notes the member where etcd's tools look for it, in a file that no etcd has served: an etcd knows its own members.
async fn note_member(node: &Node) -> Result<(), Status> {
    if node.read(|store| Ok(!store.members()?.is_empty())).await? {
        return Ok(());
    }
    let (id, json) = (node.identity.member, node.identity.to_json());
    node.write(MemberRequest { id, json, cluster_version: CLUSTER_VERSION.to_owned() }).await.map(drop)
}

/// Serves what comes in at these addresses until the node stops.
fn serve(
    options: &Options,
    listeners: Vec<Listener>,
    router: axum::Router,
    node: &Arc<Node>,
) -> Result<JoinHandle<()>, StartError> {
    assert!(!listeners.is_empty(), "somebody can come");
    let (connections, ready) = Connections::new();
    for listener in listeners {
        connections.accept(listener.bound, listener.tls)?;
    }
    let server = tonic::transport::Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(options.max_concurrent_streams)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .add_routes(Routes::from(router));
    let (node, report) = (Arc::clone(node), options.report);
    Ok(tokio::spawn(async move {
        let stopped = async move { node.stopped().await };
        if let Err(error) = server.serve_with_incoming_shutdown(ReceiverStream::new(ready), stopped).await {
            report(&format!("serving has ended: {error}"));
        }
    }))
}
