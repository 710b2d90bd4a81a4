//! A run: all set-ups in turn, round by round, so that what else the machine does befalls all of them.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::Choice;
use crate::journal::{Figures, Journal, Subject};
use crate::load::{self, Seen};
use crate::process::{Running, bytes_below, processor_time};
use crate::report;
use crate::setup::{SETUPS, SetUp};
use crate::size::{Load, Size};

pub(crate) fn run(size: &Size, choice: &Choice) -> anyhow::Result<()> {
    std::fs::create_dir_all(&choice.results)?;
    let mut journal = Journal::open(&choice.results.join("figures.jsonl"))?;
    let chosen = |setup: &&SetUp| choice.only.is_empty() || choice.only.iter().any(|name| name == setup.name);
    for round in 0..choice.rounds {
        for load in &size.loads {
            for setup in SETUPS.iter().filter(chosen) {
                let subject = Subject {
                    size: size.name.to_owned(),
                    setup: setup.name.to_owned(),
                    load: load.name.to_owned(),
                    clients: choice.clients,
                    round,
                };
                if journal.has(&subject) {
                    continue;
                }
                match measure(setup, load, choice)? {
                    Some(figures) => journal.note(subject, figures)?,
                    None => eprintln!("{} is left out: this machine has not what it needs", setup.title),
                }
            }
        }
    }
    report::write(&journal, size, choice)
}

/// None if the machine has not what the set-up needs.
fn measure(setup: &SetUp, load: &Load, choice: &Choice) -> anyhow::Result<Option<Figures>> {
    let directory = tempfile::TempDir::new_in(&choice.dir)?;
    let data = directory.path().join("data");
    let runtime = Runtime::new()?;
    let Some(server) = Running::start(setup.kind, &data)? else { return Ok(None) };
    runtime.block_on(load::wait_until_open(&server.url))?;
    if load.fill > 0 {
        runtime.block_on(load::fill(&server.url, load.fill, choice.clients))?;
    }
    let busy = || (server.processor_time(), processor_time("self"));
    let before = busy();
    let what = format!("{}, {}", setup.title, load.name);
    let seen = runtime.block_on(load::run(&server.url, load, choice.clients, &what))?;
    let after = busy();
    let memory = server.anonymous();
    server.stop()?;
    let disk = bytes_below(&data);
    let open = match Running::start(setup.kind, &data)? {
        Some(server) => {
            let open = runtime.block_on(load::wait_until_open(&server.url))?;
            server.stop()?;
            open
        }
        None => Duration::ZERO,
    };
    #[allow(clippy::cast_precision_loss, reason = "there are fewer puts")]
    let of_a_put = |seconds: f64| seconds * 1e6 / seen.latencies.len().max(1) as f64;
    let (server, client) = (of_a_put(after.0 - before.0), of_a_put(after.1 - before.1));
    Ok(Some(Figures { server, client, disk, memory, open: open.as_secs_f64() * 1e3, ..figures(seen) }))
}

fn figures(seen: Seen) -> Figures {
    let at = |quantile| seen.latencies.value_at_quantile(quantile);
    Figures {
        mean: seen.latencies.mean(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: seen.latencies.max(),
        puts: seen.latencies.len(),
        failed: seen.failed,
        seconds: seen.seconds,
        server: 0.0,
        client: 0.0,
        throughput: seen.throughput,
        longest: seen.longest,
        disk: 0,
        memory: 0,
        open: 0.0,
    }
}
