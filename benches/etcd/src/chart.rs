//! Pictures: puts in each second, and the longest latency in each, while the store grows.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::journal::{Figures, Journal};
use crate::setup::SETUPS;
use crate::size::{Load, Size};

const SIZE: (u32, u32) = (900, 720);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of a picture: whose, and its points.
type Line = (&'static str, Vec<(f64, f64)>);

/// Draws the first round of each set-up, throughput above and latency below.
pub(crate) fn draw(journal: &Journal, size: &Size, load: &Load, path: &Path) -> anyhow::Result<()> {
    let first = |setup: &'static crate::setup::SetUp| {
        let rounds = journal.rounds(size.name, setup.name, load.name);
        rounds.first().map(|figures| (setup.title, *figures))
    };
    let figures: Vec<(&'static str, &Figures)> = SETUPS.iter().filter_map(first).collect();
    if figures.is_empty() {
        return Ok(());
    }
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (above, below) = area.split_vertically(SIZE.1 / 2);
    let lines = |of: fn(&Figures) -> &[u64], scale: f64| -> Vec<Line> {
        figures.iter().map(|(title, figures)| (*title, over_puts(figures, of(figures), scale))).collect()
    };
    panel(&above, &format!("{}, {}: puts a second", size.name, load.name), lines(|figures| &figures.throughput, 1.0))?;
    panel(&below, "longest latency of each second, ms", lines(|figures| &figures.longest, 1e-3))?;
    area.present()?;
    Ok(())
}

/// What was seen in each second, at the number of puts that were done by then.
#[allow(clippy::cast_precision_loss, reason = "figures of a benchmark are smaller")]
fn over_puts(figures: &Figures, seen: &[u64], scale: f64) -> Vec<(f64, f64)> {
    let mut puts = 0;
    let whole = figures.throughput.len().saturating_sub(1).max(1);
    let seconds = figures.throughput.iter().zip(seen).take(whole);
    let points = seconds.map(|(done, seen)| {
        puts += done;
        (puts as f64, *seen as f64 * scale)
    });
    points.collect()
}

fn panel(area: &Area<'_>, title: &str, lines: Vec<Line>) -> anyhow::Result<()> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let right = points().map(|point| point.0).fold(1.0, f64::max);
    let top = points().map(|point| point.1).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, 0.0..top * 1.05)?;
    chart.configure_mesh().x_desc("puts so far").draw()?;
    for (index, (title, points)) in lines.into_iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        let width = if title.starts_with("(c)") { 4 } else { 2 };
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(width)).point_size(width))?
            .label(title)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(width)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    Ok(())
}
