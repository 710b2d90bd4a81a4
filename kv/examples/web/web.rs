//! A small web service: documents under keys, pages of a list, and a backup while it runs.
//!
//! Reads are looks into mapped memory, so they are called in the task. A commit waits for the disk, so it runs in one of the
//! runtime's blocking threads; requests that write at the same time share a commit through `Db::batch`. An answer to `PUT`
//! or `DELETE` means that the change is on the disk.
//!
//! ```sh
//! cargo run -p kv-example-web --bin web -- documents.db 127.0.0.1:8080
//! curl -X PUT --data 'ripe' http://127.0.0.1:8080/documents/plum
//! curl http://127.0.0.1:8080/documents/plum
//! curl 'http://127.0.0.1:8080/documents?prefix=p&limit=10'      # and `&after=plum` for the next page
//! curl -o copy.db http://127.0.0.1:8080/backup
//! ```

use std::error::Error;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use kv::{Db, WriteTx};
use serde::{Deserialize, Serialize};

const DOCUMENTS: &str = "documents";
/// Keys in a page of the list, at most.
const LIMIT_MAX: usize = 1000;

/// What a client is told. The text of an error of the store is for those who run the service.
enum Failure {
    NotFound,
    BadKey(kv::Error),
    Store(kv::Error),
}

impl From<kv::Error> for Failure {
    fn from(error: kv::Error) -> Self {
        match error {
            kv::Error::KeyRequired | kv::Error::KeyTooLarge { .. } => Self::BadKey(error),
            other => Self::Store(other),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "there is no such document\n".to_owned()).into_response(),
            Self::BadKey(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
            Self::Store(error) => {
                eprintln!("{error}");
                (StatusCode::INTERNAL_SERVER_ERROR, "the store failed\n".to_owned()).into_response()
            }
        }
    }
}

/// Commits a change in a blocking thread, together with those that others make meanwhile.
async fn change<T: Send + 'static>(
    db: Db,
    change: impl FnMut(&mut WriteTx<'_>) -> kv::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let committed = tokio::task::spawn_blocking(move || db.batch(change)).await;
    Ok(committed.expect("a change does not panic")?)
}

async fn read(State(db): State<Db>, Path(key): Path<String>) -> Result<Vec<u8>, Failure> {
    let document = db.view(|tx| Ok(tx.bucket(DOCUMENTS)?.get(&key)?.map(<[u8]>::to_vec)))?;
    document.ok_or(Failure::NotFound)
}

async fn write(State(db): State<Db>, Path(key): Path<String>, document: Bytes) -> Result<StatusCode, Failure> {
    let replaced = change(db, move |tx| tx.bucket_mut(DOCUMENTS)?.insert(&key, &document)).await?;
    Ok(if replaced.is_some() { StatusCode::NO_CONTENT } else { StatusCode::CREATED })
}

async fn delete(State(db): State<Db>, Path(key): Path<String>) -> Result<StatusCode, Failure> {
    let was_there = change(db, move |tx| tx.bucket_mut(DOCUMENTS)?.delete(&key)).await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(Failure::NotFound) }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    prefix: String,
    /// The last key of the page before.
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Entry {
    key: String,
    bytes: usize,
}

async fn list(State(db): State<Db>, Query(page): Query<Page>) -> Result<Json<Vec<Entry>>, Failure> {
    let limit = page.limit.unwrap_or(100).min(LIMIT_MAX);
    let entries = db.view(|tx| {
        let documents = tx.bucket(DOCUMENTS)?;
        let pairs = match &page.after {
            Some(after) if *after > page.prefix => documents.after(after),
            _ => documents.range(page.prefix.as_str()..),
        };
        pairs
            .take_while(|pair| pair.as_ref().map_or(true, |(key, _)| key.starts_with(page.prefix.as_bytes())))
            .take(limit)
            .map(|pair| pair.map(|(key, document)| Entry { key: text(key), bytes: document.len() }))
            .collect()
    })?;
    Ok(Json(entries))
}

fn text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// The whole database as it is now, as a file that `kv` and bbolt open. Writers go on meanwhile. It is gathered in memory:
/// a service with much data writes it to a file with `ReadTx::copy_file`.
async fn backup(State(db): State<Db>) -> Result<Vec<u8>, Failure> {
    let copied = tokio::task::spawn_blocking(move || {
        let mut copy = Vec::new();
        db.begin_read().write_to(&mut copy)?;
        Ok::<_, kv::Error>(copy)
    });
    Ok(copied.await.expect("a backup does not panic")?)
}

fn service(db: Db) -> Router {
    Router::new()
        .route("/documents", get(list))
        .route("/documents/{*key}", get(read).put(write).delete(delete))
        .route("/backup", get(backup))
        .with_state(db)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (path, address) = arguments.next().zip(arguments.next()).ok_or("web FILE ADDRESS:PORT")?;
    let db = Db::open(path)?;
    db.update(|tx| tx.create_bucket_if_absent(DOCUMENTS).map(drop))?;

    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // Requests that have begun are answered. Without this every answered change would be on the disk, too.
    let stop = async { tokio::signal::ctrl_c().await.expect("a handler for interrupts") };
    axum::serve(listener, service(db.clone())).with_graceful_shutdown(stop).await?;
    db.close()?;
    println!("closed");
    Ok(())
}
