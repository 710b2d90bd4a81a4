//! The set-ups that this project has: its own server, and the proxy.

use std::path::PathBuf;

use clap::Args;
use kv::{FreelistKind, FreelistSync};
use kv_etcd::server::{Options, Server, Url};

use crate::proxy;

/// Which store, and where.
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    url: Url,
    #[arg(long)]
    data: PathBuf,
    /// The array freelist, written with each commit.
    #[arg(long)]
    array: bool,
    /// Two syncs a commit in place of the redo log.
    #[arg(long, conflicts_with = "array")]
    two_sync: bool,
    /// No store: where the Redis is that the proxy forwards to.
    #[arg(long)]
    redis: Option<String>,
}

/// Serves until it is asked to end.
pub(crate) fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(redis) = &arguments.redis {
        return proxy::serve(arguments.url.authority(), redis);
    }
    let mut options = Options::new(&arguments.data);
    options.listen_client_urls = vec![arguments.url.clone()];
    options.quota_backend_bytes = None;
    if arguments.array {
        options.engine = kv::Options::new().freelist(FreelistKind::SortedArray).freelist_sync(FreelistSync::Every);
    }
    if arguments.two_sync {
        options.engine = kv::Options::new();
    }
    Ok(Server::start(&options)?.wait_for_signal()?)
}
