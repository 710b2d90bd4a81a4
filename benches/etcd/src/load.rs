//! The clients: each has a connection of its own, and one put at a time under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use benches::workload::Random;
use bytes::Bytes;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use kv_etcd::api::proto::etcdserverpb::kv_client::KvClient;
use kv_etcd::api::proto::etcdserverpb::{CompactionRequest, PutRequest, RangeRequest};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::transport::Channel;

use crate::size::{FILLING, Load};

/// How long a store may take to open: etcd reads the whole file.
const OPEN_LIMIT: Duration = Duration::from_secs(1800);
/// How long a server may take for an answer. One that never comes is a failed put, and the run goes on.
const ANSWER_LIMIT: Duration = Duration::from_secs(600);
/// The longest latency that is told apart, in microseconds.
const LATENCY_MAX: u64 = 600_000_000;

/// What the clients saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Latencies in microseconds.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) seconds: f64,
    /// Puts that were answered in each second.
    pub(crate) throughput: Vec<u64>,
    /// The longest latency of the puts that were answered in each second, in microseconds.
    pub(crate) longest: Vec<u64>,
    pub(crate) failed: u64,
}

/// What all clients share.
struct Shared {
    began: Instant,
    /// Puts that were begun.
    next: AtomicU64,
    puts: u64,
    keys: u64,
    revision: AtomicI64,
    values: Values,
    bar: ProgressBar,
}

/// Where values are cut from: bytes that nothing makes smaller.
struct Values {
    bytes: Bytes,
    min: usize,
    max: usize,
}

impl Values {
    fn new(min: usize, max: usize) -> Self {
        let mut random = Random::new(7);
        let bytes: Vec<u8> = (0..4 * max).map(|_| random.below_u64(256).to_le_bytes()[0]).collect();
        Self { bytes: bytes.into(), min, max }
    }

    fn any(&self, random: &mut Random) -> Bytes {
        let len = self.min + below(random, self.max - self.min + 1);
        let from = below(random, self.bytes.len() - len + 1);
        self.bytes.slice(from..from + len)
    }
}

fn below(random: &mut Random, limit: usize) -> usize {
    usize::try_from(random.below_u64(limit as u64)).expect("it is below")
}

/// Waits until the server answers a read; returns how long that took.
pub(crate) async fn wait_until_open(url: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    loop {
        let question = RangeRequest { key: "open".into(), ..RangeRequest::default() };
        let answered = match connect(url).await {
            Ok(mut client) => client.range(question).await.is_ok(),
            Err(_) => false,
        };
        if answered {
            return Ok(began.elapsed());
        }
        if began.elapsed() > OPEN_LIMIT {
            bail!("the server at {url} does not answer");
        }
        sleep(Duration::from_millis(10)).await;
    }
}

async fn connect(url: &str) -> anyhow::Result<KvClient<Channel>> {
    let channel = Channel::from_shared(url.to_owned())?.tcp_nodelay(true).timeout(ANSWER_LIMIT).connect().await?;
    Ok(KvClient::new(channel))
}

/// Puts two values for each key, and compacts the older ones: of the pages that they took every other one is free.
pub(crate) async fn fill(url: &str, puts: u64, clients: usize) -> anyhow::Result<()> {
    let keys = puts / 2;
    for _ in 0..2 {
        let values = Values::new(FILLING, FILLING);
        put_all(url, shared(keys, keys, values, "filling"), clients, true).await?;
    }
    compact(url, 0, true).await
}

/// Puts at random, and compacts on the way.
pub(crate) async fn run(url: &str, load: &Load, clients: usize, what: &str) -> anyhow::Result<Seen> {
    let shared = shared(load.puts, load.keys, Values::new(*load.bytes.start(), *load.bytes.end()), what);
    let compacting = tokio::spawn(compact_on_the_way(url.to_owned(), Arc::clone(&shared), load.compact_every));
    let seen = put_all(url, shared, clients, false).await;
    compacting.abort();
    seen
}

fn shared(puts: u64, keys: u64, values: Values, what: &str) -> Arc<Shared> {
    let bar = ProgressBar::new(puts).with_message(what.to_owned());
    let template = "{msg:32} {wide_bar} {pos}/{len} {per_sec} {eta}";
    bar.set_style(indicatif::ProgressStyle::with_template(template).expect("a template"));
    let (next, revision) = (AtomicU64::new(0), AtomicI64::new(0));
    Arc::new(Shared { began: Instant::now(), next, puts, keys, revision, values, bar })
}

async fn put_all(url: &str, shared: Arc<Shared>, clients: usize, in_order: bool) -> anyhow::Result<Seen> {
    let mut connected = Vec::new();
    for _ in 0..clients {
        connected.push(connect(url).await?);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, client) in connected.into_iter().enumerate() {
        tasks.spawn(client_puts(client, Arc::clone(&shared), number as u64, in_order));
    }
    let mut all = Seen::new();
    while let Some(seen) = tasks.join_next().await {
        all.add(&seen?);
    }
    all.seconds = began.elapsed().as_secs_f64();
    shared.bar.finish_and_clear();
    Ok(all)
}

async fn client_puts(mut client: KvClient<Channel>, shared: Arc<Shared>, number: u64, in_order: bool) -> Seen {
    let (mut random, mut seen) = (Random::new(number + 1), Seen::new());
    loop {
        let put = shared.next.fetch_add(1, Ordering::Relaxed);
        if put >= shared.puts {
            return seen;
        }
        let key = if in_order { put } else { random.below_u64(shared.keys) };
        let request = PutRequest {
            key: format!("/registry/bench/{key:020}").into(),
            value: shared.values.any(&mut random),
            ..PutRequest::default()
        };
        let began = Instant::now();
        match client.put(request).await {
            Ok(answer) => {
                seen.note(began.elapsed(), shared.began.elapsed());
                let revision = answer.into_inner().header.map_or(0, |header| header.revision);
                shared.revision.fetch_max(revision, Ordering::Relaxed);
            }
            Err(_) => seen.failed += 1,
        }
        shared.bar.inc(1);
    }
}

/// Compacts everything but what was put since a moment ago, each time that so many puts were begun.
async fn compact_on_the_way(url: String, shared: Arc<Shared>, every: u64) -> anyhow::Result<()> {
    for times in 1.. {
        while shared.next.load(Ordering::Relaxed) < times * every {
            sleep(Duration::from_millis(10)).await;
        }
        compact(&url, shared.revision.load(Ordering::Relaxed), false).await?;
    }
    Ok(())
}

/// Compacts to a revision, or to the newest for 0.
async fn compact(url: &str, revision: i64, physical: bool) -> anyhow::Result<()> {
    let mut client = connect(url).await?;
    let newest = client.range(RangeRequest { key: "open".into(), ..RangeRequest::default() }).await?.into_inner();
    let newest = newest.header.context("an answer without a header")?.revision;
    let revision = if revision == 0 { newest } else { revision };
    client.compact(CompactionRequest { revision, physical }).await?;
    Ok(())
}

impl Seen {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("bounds in order");
        Self { latencies, seconds: 0.0, throughput: Vec::new(), longest: Vec::new(), failed: 0 }
    }

    fn note(&mut self, latency: Duration, since: Duration) {
        let latency = u64::try_from(latency.as_micros()).unwrap_or(LATENCY_MAX).clamp(1, LATENCY_MAX);
        self.latencies.saturating_record(latency);
        let second = usize::try_from(since.as_secs()).expect("a benchmark ends");
        self.reach(second + 1);
        self.throughput[second] += 1;
        self.longest[second] = self.longest[second].max(latency);
    }

    fn reach(&mut self, seconds: usize) {
        let seconds = seconds.max(self.throughput.len());
        self.throughput.resize(seconds, 0);
        self.longest.resize(seconds, 0);
    }

    fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).expect("the same bounds");
        self.reach(other.throughput.len());
        for (second, (puts, longest)) in other.throughput.iter().zip(&other.longest).enumerate() {
            self.throughput[second] += puts;
            self.longest[second] = self.longest[second].max(*longest);
        }
        self.failed += other.failed;
    }
}
