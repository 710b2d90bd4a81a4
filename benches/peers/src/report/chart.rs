//! Pictures: bars for a work, and lines for flatness.

use std::path::Path;

use plotters::prelude::*;

use super::{Report, page::time};
use crate::Result;
use crate::flatness;
use crate::journal::Figures;
use crate::work::{WORKS, Work};

const WIDTH: u32 = 900;
const BAR: u32 = 34;
/// Place for the title above the bars.
const TITLE: u32 = 56;
/// Place for names before the bars, and for figures behind the longest.
const NAMES: i32 = 230;
const FIGURES: i32 = 130;

/// A picture for each work that was measured, and one of flatness, as SVG files in `dir`.
///
/// # Errors
/// Those of writing.
pub fn draw(report: &Report<'_>, dir: &Path) -> Result<()> {
    for work in WORKS {
        bars(report, work, &dir.join(format!("{}.svg", work.name)))?;
    }
    if report.free.len() > 1 { lines(report, &dir.join("flatness.svg")) } else { Ok(()) }
}

/// A bar of processor time for each engine, and within it a thin one of time on the wall; the fastest first.
fn bars(report: &Report<'_>, work: &Work, path: &Path) -> Result<()> {
    let median = |figure: fn(&Figures) -> f64, peer| report.median(work, peer, figure);
    let figures = report.peers.iter().filter_map(|peer| {
        Some((peer.title, median(|figures| figures.cpu, peer)?, median(|figures| figures.wall, peer)?))
    });
    let mut figures: Vec<(&str, f64, f64)> = figures.collect();
    figures.sort_by(|one, other| one.1.total_cmp(&other.1));
    let Some(longest) = figures.iter().map(|&(_, cpu, wall)| cpu.max(wall)).reduce(f64::max) else { return Ok(()) };
    let height = TITLE + BAR * u32::try_from(figures.len())? + 10;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size: u32| ("sans-serif", size).into_font();
    area.draw(&Text::new(work.title, (10, 8), font(18)))?;
    area.draw(&Text::new("wide: processor time, thin: time on the wall", (10, 32), font(13)))?;
    let room = f64::from(WIDTH) - f64::from(NAMES + FIGURES);
    #[allow(clippy::cast_possible_truncation, reason = "it is at most as long as the picture")]
    let length = |time: f64| (room * time / longest).ceil() as i32;
    for ((title, cpu, wall), top) in figures.into_iter().zip((i32::try_from(TITLE)?..).step_by(BAR as usize)) {
        let bar = |length, from, to| [(NAMES, top + from), (NAMES + length, top + to)];
        let colour = if title == "kv" { RGBColor(0xD9, 0x6B, 0x27) } else { RGBColor(0x8C, 0xA8, 0xC4) };
        area.draw(&Rectangle::new(bar(length(cpu), 2, 26), colour.filled()))?;
        area.draw(&Rectangle::new(bar(length(wall), 12, 16), BLACK.mix(0.6).filled()))?;
        area.draw(&Text::new(title, (10, top + 6), font(14)))?;
        let end = NAMES + length(cpu.max(wall)) + 6;
        area.draw(&Text::new(format!("{} / {}", time(cpu), time(wall)), (end, top + 6), font(13)))?;
    }
    Ok(area.present()?)
}

#[allow(clippy::cast_precision_loss, reason = "no file has so many pages")]
fn float(pages: u64) -> f64 {
    pages as f64
}

/// The median commit of 1 KiB, not synced, over the number of free pages, on scales of powers.
fn lines(report: &Report<'_>, path: &Path) -> Result<()> {
    let line = flatness::lines().next().unwrap_or_default();
    let points = |peer: &&'static crate::engines::Peer| {
        let figures = report.free.iter().filter_map(|&free| {
            let figures = report.journal.figures(&flatness::subject(line, peer, free))?;
            Some((float(free), figures.p50 / 1e3))
        });
        (peer.title, figures.collect::<Vec<(f64, f64)>>())
    };
    let series: Vec<_> = report.peers.iter().map(points).filter(|(_, points)| !points.is_empty()).collect();
    let all = || series.iter().flat_map(|(_, points)| points);
    let over = |figure: fn(&(f64, f64)) -> f64| {
        all().map(figure).fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), one| (low.min(one), high.max(one)))
    };
    let ((left, right), (low, high)) = (over(|point| point.0), over(|point| point.1));
    if series.is_empty() {
        return Ok(());
    }
    let area = SVGBackend::new(path, (WIDTH, 560)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("commit of {line}: p50"), ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d((left..right).log_scale(), (low / 2.0..high * 2.0).log_scale())?;
    chart.configure_mesh().x_desc("free pages, no two of them neighbours").y_desc("us").draw()?;
    for (index, (title, points)) in series.into_iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        let width = if title == "kv" { 4 } else { 2 };
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(width)))?
            .label(title)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(width)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    Ok(area.present()?)
}
