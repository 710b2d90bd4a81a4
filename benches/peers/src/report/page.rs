//! The page of tables.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use benches::machine;
use benches::table::{Table, show};

use super::{Report, versions};
use crate::engines::Peer;
use crate::flatness;
use crate::journal::Figures;
use crate::work::{Kind, WORKS, Work};

/// The engines of README's table, beside the first.
const README: [&str; 2] = ["kv", "redb"];

/// The whole page, in Markdown. `dir` is where the stores were.
#[must_use]
pub fn page(report: &Report<'_>, dir: &Path) -> String {
    let mut page = format!(
        "# kv and other engines\n\n{}.\n{}.\n\n{} pairs of 24-byte keys and 150-byte values; medians of {} rounds, in \
         which the engines take turns.\nEach engine has a process of its own. It makes keys and values, and sums up what \
         it reads, within the measured time.\n",
        machine::describe(dir),
        versions::versions(),
        report.pairs,
        report.rounds
    );
    let first = report.peers.first().map_or("", |peer| peer.title);
    for (title, figure) in [("Processor time", cpu as Figure), ("Time on the wall", wall)] {
        let _ = write!(
            page,
            "\n## {title}\n\n{first}: of one operation. The others: how many times as fast, more is better.\n\n{}",
            comparison(report, &report.peers, figure)
        );
    }
    let _ = write!(
        page,
        "\n## Write transactions\n\np50 / p99 / max on the wall, each the median of the rounds.\n\n{}",
        latencies(report)
    );
    let _ = write!(page, "\n## Memory\n\nMB of its own that a process has after reading.\n\n{}", memory(report));
    if !report.free.is_empty() {
        let _ = write!(
            page,
            "\n## Flatness\n\nA commit that replaces a value, in a file with so many free pages, no two of them \
             neighbours: p50 / p99 / max.\nAnd opening the file.\n\n{}",
            flat(report)
        );
    }
    let failures = report.journal.failures();
    if !failures.is_empty() {
        page.push_str("\n## Not done\n\n");
        for (subject, why) in failures.iter().filter(|(subject, _)| subject.round == 0) {
            let _ = writeln!(page, "- {}, {} of {}: {why}", subject.engine, subject.work, subject.pairs);
        }
    }
    page
}

/// The rows of README's table: its first engine, kv and redb, by processor time.
#[must_use]
pub fn readme_rows(report: &Report<'_>) -> String {
    let named = |name: &&str| report.peers.iter().copied().find(|peer| peer.name == *name);
    let peers: Vec<_> = report.peers.first().copied().into_iter().chain(README.iter().filter_map(named)).collect();
    comparison(report, &peers, cpu).to_string()
}

type Figure = fn(&Figures) -> f64;

fn cpu(figures: &Figures) -> f64 {
    figures.cpu
}

fn wall(figures: &Figures) -> f64 {
    figures.wall
}

/// Nanoseconds in the unit that fits.
pub(super) fn time(nanoseconds: f64) -> String {
    show(Duration::from_secs_f64(nanoseconds / 1e9))
}

fn titles(first: &str, peers: &[&Peer]) -> Vec<String> {
    std::iter::once(first).chain(peers.iter().map(|peer| peer.title)).map(str::to_owned).collect()
}

fn table(titles: &[String]) -> Table {
    Table::new(&titles.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A row for each work that the first engine has done.
fn comparison(report: &Report<'_>, peers: &[&'static Peer], figure: Figure) -> Table {
    let mut table = table(&titles("work", peers));
    let Some((first, others)) = peers.split_first() else { return table };
    for work in WORKS.iter().filter(|work| work.kind != Kind::Memory) {
        let Some(base) = report.median(work, first, figure) else { continue };
        let ratio = |peer: &&Peer| report.ratio(work, peer, figure).map_or("-".into(), |ratio| format!("{ratio:.2}"));
        let cells = [work.title.to_owned(), time(base)].into_iter().chain(others.iter().map(ratio));
        table.row(cells.collect());
    }
    table
}

fn latencies(report: &Report<'_>) -> Table {
    let mut table = table(&titles("work", &report.peers));
    let measured = |work: &&Work| matches!(work.kind, Kind::Put(_) | Kind::PutBy(_) | Kind::Batch(_) | Kind::Churn(_));
    for work in WORKS.iter().filter(measured) {
        let median = |peer: &&Peer, figure: Figure| report.median(work, peer, figure).map(time);
        let cell = |peer: &&Peer| {
            let [p50, p99, max] =
                [|f: &Figures| f.p50, |f: &Figures| f.p99, |f: &Figures| f.max].map(|f| median(peer, f));
            Some(format!("{} / {} / {}", p50?, p99?, max?))
        };
        let cells: Vec<Option<String>> = report.peers.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".into()));
            table.row(std::iter::once(work.title.to_owned()).chain(cells).collect());
        }
    }
    table
}

#[allow(clippy::cast_precision_loss, reason = "nobody has so much memory")]
fn memory(report: &Report<'_>) -> Table {
    let mut table = table(&["engine".to_owned(), "MB".to_owned()]);
    for work in WORKS.iter().filter(|work| work.kind == Kind::Memory) {
        for peer in &report.peers {
            let bytes = report.rounds(work, peer).into_iter().flatten().filter_map(|figures| figures.anonymous).max();
            if let Some(bytes) = bytes {
                table.row(vec![peer.title.to_owned(), format!("{:.1}", bytes as f64 / 1e6)]);
            }
        }
    }
    table
}

fn flat(report: &Report<'_>) -> Table {
    let peers: Vec<_> = report.peers.iter().copied().filter(|peer| peer.does(flatness::NAME)).collect();
    let mut table = table(&titles("free pages, commit", &peers));
    for &free in &report.free {
        for line in flatness::lines() {
            let cell = |peer: &&Peer| match report.journal.figures(&flatness::subject(line, peer, free)) {
                None => "-".to_owned(),
                Some(figures) if figures.max == 0.0 => time(figures.wall),
                Some(Figures { p50, p99, max, .. }) => format!("{} / {} / {}", time(p50), time(p99), time(max)),
            };
            let cells: Vec<String> = peers.iter().map(cell).collect();
            if cells.iter().any(|cell| cell != "-") {
                table.row(std::iter::once(format!("{free}, {line}")).chain(cells).collect());
            }
        }
    }
    table
}
