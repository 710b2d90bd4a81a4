//! A server: etcd's API on one node, over TCP and TLS.
//!
//! ```no_run
//! use kv_etcd::server::{Options, Server};
//!
//! let mut options = Options::new("node.etcd");
//! options.listen_client_urls = vec!["http://127.0.0.1:2379".parse()?];
//! let mut server = Server::start(&options)?;
//! server.hear_signals()?; // none is missed from here on
//! println!("clients find it at {:?}", server.client_urls());
//! server.wait_for_signal()?; // then it stops, in good order
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auto_compaction;
mod connections;
mod http;
mod identity;
mod metrics;
mod options;
mod run;
mod signals;
mod tls;
mod url;

pub use self::identity::Naming;
pub use self::options::{AutoCompaction, DEFAULT_QUOTA, Options, Report};
pub use self::run::{Server, StartError};
pub use self::tls::TlsFiles;
pub use self::url::{Url, UrlError};
