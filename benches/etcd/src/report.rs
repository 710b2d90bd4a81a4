//! The report: a page of tables, with a picture for each load.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use benches::machine;
use benches::table::{Table, show};

use crate::Choice;
use crate::chart;
use crate::journal::{Figures, Journal};
use crate::setup::{SETUPS, SetUp};
use crate::size::{Load, Size};

/// The median of the rounds, put by put.
pub(crate) fn median(rounds: &[&Figures], figure: impl Fn(&Figures) -> f64) -> Option<f64> {
    let mut figures: Vec<f64> = rounds.iter().map(|round| figure(round)).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

#[allow(clippy::cast_precision_loss, reason = "figures of a benchmark are smaller")]
pub(crate) fn rate(figures: &Figures) -> f64 {
    figures.puts as f64 / figures.seconds
}

/// Writes the page of a size, and its pictures.
pub(crate) fn write(journal: &Journal, size: &Size, choice: &Choice) -> anyhow::Result<()> {
    let mut page = format!("# What {} clients see: {}\n\n", choice.clients, size.name);
    writeln!(page, "`cargo etcd-bench -- {}`, on {}.", size.name, machine::describe(&choice.dir))?;
    if !choice.note.is_empty() {
        writeln!(page, "{}", choice.note)?;
    }
    writeln!(
        page,
        "One client program puts to each server in turn, over gRPC, a connection for each client, one put at a time\n\
         under way on it. Processor time is that of a put, of the server's processes and of the client apart.\n\
         With several rounds each figure is their median.\n"
    )?;
    let mut promises = Table::new(&["set-up", "what an answer says", "list of free pages"]);
    for setup in &SETUPS {
        promises.row(vec![setup.title.into(), setup.kind.promise().into(), setup.kind.freelist().into()]);
    }
    write!(page, "{promises}")?;
    for load in &size.loads {
        section(&mut page, journal, size, load)?;
        let picture = format!("{}-{}.svg", size.name, file_name(load));
        chart::draw(journal, size, load, &choice.results.join(&picture))?;
        writeln!(page, "\n![throughput and longest latency over time]({picture})")?;
    }
    fs::write(choice.results.join(format!("{}.md", size.name)), page)?;
    Ok(())
}

fn file_name(load: &Load) -> String {
    load.name.to_lowercase().replace(' ', "-")
}

fn section(page: &mut String, journal: &Journal, size: &Size, load: &Load) -> anyhow::Result<()> {
    writeln!(
        page,
        "\n## Values of {}\n\n{} puts to {} keys at random; all but the newest revisions are compacted after each {}.",
        load.name, load.puts, load.keys, load.compact_every
    )?;
    if load.fill > 0 {
        writeln!(
            page,
            "Before: {} puts of {} bytes, two for each key, of which the older were compacted.",
            load.fill,
            crate::size::FILLING
        )?;
    }
    let mut latency = Table::new(&["latency", "mean", "p50", "p90", "p99", "p99.9", "max", "puts/s", "failed"]);
    let mut cost = Table::new(&["cost", "server, a put", "client, a put", "memory", "disk", "open", "rounds"]);
    for setup in &SETUPS {
        let rounds = journal.rounds(size.name, setup.name, load.name);
        if let Some(row) = latencies(setup, &rounds) {
            latency.row(row);
            cost.row(costs(setup, &rounds));
        }
    }
    write!(page, "\n{latency}\n{cost}")?;
    Ok(())
}

fn microseconds(figure: f64) -> String {
    show(Duration::from_secs_f64(figure / 1e6))
}

#[allow(clippy::cast_precision_loss, reason = "latencies are short")]
fn latencies(setup: &SetUp, rounds: &[&Figures]) -> Option<Vec<String>> {
    let time = |figure: fn(&Figures) -> u64| median(rounds, |round| figure(round) as f64).map(microseconds);
    Some(vec![
        setup.title.into(),
        microseconds(median(rounds, |round| round.mean)?),
        time(|round| round.p50)?,
        time(|round| round.p90)?,
        time(|round| round.p99)?,
        time(|round| round.p999)?,
        time(|round| round.max)?,
        format!("{:.0}", median(rounds, rate)?),
        rounds.iter().map(|round| round.failed).sum::<u64>().to_string(),
    ])
}

#[allow(clippy::cast_precision_loss, reason = "stores are smaller")]
fn costs(setup: &SetUp, rounds: &[&Figures]) -> Vec<String> {
    let of = |figure: fn(&Figures) -> f64| median(rounds, figure).unwrap_or(0.0);
    let megabytes = |bytes: f64| format!("{:.0} MB", bytes / 1e6);
    vec![
        setup.title.into(),
        microseconds(of(|round| round.server)),
        microseconds(of(|round| round.client)),
        megabytes(of(|round| round.memory as f64)),
        megabytes(of(|round| round.disk as f64)),
        microseconds(of(|round| round.open * 1e3)),
        rounds.len().to_string(),
    ]
}
