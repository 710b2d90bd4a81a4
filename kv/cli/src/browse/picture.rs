//! A screen as SVG, for documents.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::items::Items;
use super::state::State;
use super::view;

/// Pixels of a character.
const WIDE: u16 = 8;
const TALL: u16 = 17;

/// The screen of `state` in a terminal of so many columns and rows.
pub(crate) fn draw(state: &mut State, items: &dyn Items, (columns, rows): (u16, u16)) -> String {
    let screen = state.screen(items);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(drawn) = terminal.draw(|frame| view::draw(&screen, true, frame));
    svg(drawn.buffer)
}

/// Writing to a string does not fail.
fn svg(buffer: &Buffer) -> String {
    let (width, height) = (buffer.area.width * WIDE, buffer.area.height * TALL);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">"#
    );
    let _ = writeln!(svg, r#"<rect width="100%" height="100%" fill="{PAPER}"/>"#);
    for (y, row) in (0u16..).zip(buffer.content.chunks(usize::from(buffer.area.width).max(1))) {
        let mut x = 0;
        for run in row.chunk_by(|a, b| inks(a) == inks(b) && a.modifier == b.modifier) {
            let len = u16::try_from(run.len()).unwrap_or(u16::MAX);
            stretch(&mut svg, run, x * WIDE, y * TALL, len * WIDE);
            x += len;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Characters of one look.
fn stretch(svg: &mut String, run: &[Cell], x: u16, y: u16, width: u16) {
    let Some(first) = run.first() else { return };
    let (ink, paper) = inks(first);
    if paper != PAPER {
        let _ = writeln!(svg, r#"<rect x="{x}" y="{y}" width="{width}" height="{TALL}" fill="{paper}"/>"#);
    }
    let weight = if first.modifier.contains(Modifier::BOLD) { r#" font-weight="bold""# } else { "" };
    // Word by word, each at its place: fonts differ in the width of their characters.
    for (at, word) in words(run) {
        let text = word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (x, y, width) = (x + at * WIDE, y + TALL - 4, WIDE * columns(&word));
        let _ = writeln!(svg, r#"<text x="{x}" y="{y}" textLength="{width}" fill="{ink}"{weight}>{text}</text>"#);
    }
}

fn columns(word: &str) -> u16 {
    u16::try_from(word.chars().count()).unwrap_or(u16::MAX)
}

/// The words among the cells, and the cell at which each begins.
fn words(run: &[Cell]) -> Vec<(u16, String)> {
    let mut words = Vec::new();
    let mut at = 0;
    for part in run.chunk_by(|a, b| (a.symbol() == " ") == (b.symbol() == " ")) {
        if part.iter().any(|cell| cell.symbol() != " ") {
            words.push((at, part.iter().map(Cell::symbol).collect()));
        }
        at += u16::try_from(part.len()).unwrap_or(u16::MAX);
    }
    words
}

const PAPER: &str = "#16181d";
const INK: &str = "#d7dae0";

/// The colours of a cell: of its characters, and behind them.
fn inks(cell: &Cell) -> (&'static str, &'static str) {
    let ink = match cell.fg {
        Color::Magenta => "#c678dd",
        Color::Blue => "#61afef",
        Color::Yellow => "#e5c07b",
        Color::Green => "#7bc379",
        Color::Cyan => "#56b6c2",
        Color::DarkGray => "#7f848e",
        Color::White => "#ffffff",
        _ => INK,
    };
    if cell.modifier.contains(Modifier::REVERSED) { (PAPER, ink) } else { (ink, PAPER) }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::Model;
    use super::*;

    #[test]
    fn a_picture_has_what_the_screen_has() {
        let model = Model::with(&[(&["a<b"], None), (&["cats"], None)]);
        let mut state = State::new("zoo.db".into(), 60, 12, &model).unwrap();
        let svg = draw(&mut state, &model, (60, 12));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains(">a&lt;b<") && svg.contains(">cats<") && svg.contains(">zoo.db"), "{svg}");
        assert!(svg.len() < 10_000, "{} bytes", svg.len());
    }
}
