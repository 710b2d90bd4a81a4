//! The state on a screen.
//!
//! Every difference that a colour makes is there without it too: in letters, in reverse, in bold.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Paragraph};

use super::items::{Map, PageFacts};
use super::shown::{Line, Screen};

/// Lines that pages and the map take.
const PAGES_LINES: u16 = 12;
/// Of these, lines of the way to the selected key.
const WAY_LINES: u16 = 4;

/// Where what is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Areas {
    title: Rect,
    tree: Rect,
    value: Rect,
    pages: Rect,
    message: Rect,
    keys: Rect,
}

impl Areas {
    pub(super) fn of(columns: u16, rows: u16, with_pages: bool) -> Self {
        let line = |y| Rect { x: 0, y, width: columns, height: u16::from(y < rows) };
        let body = rows.saturating_sub(3);
        let left = columns * 2 / 5;
        let below = if with_pages { PAGES_LINES.min(body / 2) } else { 0 };
        let right = |y, height| Rect { x: left, y, width: columns - left, height };
        Self {
            title: line(0),
            tree: Rect { x: 0, y: 1.min(rows), width: left, height: body },
            value: right(1.min(rows), body - below),
            pages: right(1.min(rows) + body - below, below),
            message: line(rows.saturating_sub(2)),
            keys: line(rows.saturating_sub(1)),
        }
    }

    /// Lines of the tree, without its frame.
    pub(super) fn tree_lines(&self) -> usize {
        usize::from(self.tree.height.saturating_sub(2)).max(1)
    }

    /// Columns and lines of a value, without its frame.
    pub(super) fn value_size(&self) -> (usize, usize) {
        (self.value.width.saturating_sub(2).max(1).into(), self.value.height.saturating_sub(2).max(1).into())
    }

    /// Letters that the map has room for.
    pub(super) fn map_cells(&self) -> usize {
        let lines = self.pages.height.saturating_sub(2 + WAY_LINES + 1).max(1);
        usize::from(self.pages.width.saturating_sub(2).max(1)) * usize::from(lines)
    }

    pub(super) const fn is_tree(&self, column: u16) -> bool {
        column < self.tree.width
    }

    /// The line of the tree at a place of the screen.
    pub(super) fn tree_line(&self, column: u16, row: u16) -> Option<usize> {
        let inside = row > self.tree.y && row + 1 < self.tree.y + self.tree.height;
        (self.is_tree(column) && inside).then(|| usize::from(row - self.tree.y - 1))
    }
}

/// Draws the screen, in colours or without.
pub(super) fn draw(screen: &Screen, colours: bool, frame: &mut Frame<'_>) {
    let all = frame.area();
    let areas = Areas::of(all.width, all.height, screen.pages.is_some());
    let ink = Ink { colours };
    frame.render_widget(Paragraph::new(screen.title.as_str()).style(ink.strong(Color::Cyan)), areas.title);
    frame.render_widget(tree(screen, ink), areas.tree);
    let value: Vec<Text<'_>> = screen.value.iter().map(|line| Text::raw(line.as_str())).collect();
    let value = Paragraph::new(value).block(ink.block(&screen.value_title, screen.in_value));
    frame.render_widget(value, areas.value);
    if let Some(pages) = &screen.pages {
        frame.render_widget(pages_and_map(pages, screen.map.as_ref(), areas, ink), areas.pages);
    }
    frame.render_widget(message(screen, areas.message.width, ink), areas.message);
    frame.render_widget(Paragraph::new(screen.keys).style(Style::new().add_modifier(Modifier::REVERSED)), areas.keys);
    if screen.typing {
        let end = u16::try_from(screen.message.chars().count()).unwrap_or(u16::MAX);
        frame.set_cursor_position((end.min(areas.message.width.saturating_sub(1)), areas.message.y));
    }
}

/// Colours, if the terminal has them and the person wants them.
#[derive(Clone, Copy, Debug)]
struct Ink {
    colours: bool,
}

impl Ink {
    fn plain(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    fn strong(self, colour: Color) -> Style {
        self.plain(colour).add_modifier(Modifier::BOLD)
    }

    /// A frame; that in which arrows move has a bold title.
    fn block(self, title: &str, active: bool) -> Block<'static> {
        let style = if active { self.strong(Color::Cyan) } else { Style::new() };
        Block::bordered().title(Span::styled(format!(" {title} "), style))
    }
}

fn tree(screen: &Screen, ink: Ink) -> Paragraph<'_> {
    let line = |(at, line): (usize, &Line)| {
        let style = if line.is_bucket { ink.strong(Color::Yellow) } else { Style::new() };
        let style = if at == screen.selected { style.add_modifier(Modifier::REVERSED) } else { style };
        let text = format!("{:indent$}{} {}", "", line.mark, line.text, indent = line.depth * 2);
        Text::styled(text, style)
    };
    let lines: Vec<Text<'_>> = screen.rows.iter().enumerate().map(line).collect();
    Paragraph::new(lines).block(ink.block("buckets and keys", !screen.in_value))
}

fn pages_and_map<'s>(pages: &'s [PageFacts], map: Option<&'s Map>, areas: Areas, ink: Ink) -> Paragraph<'s> {
    let mut lines: Vec<Text<'_>> = Vec::new();
    // The leaf is what the key is on: of a long way, the end is shown.
    for facts in pages.iter().skip(pages.len().saturating_sub(WAY_LINES.into())) {
        let PageFacts { page, kind, items, used, bytes } = facts;
        let full = used * 100 / (*bytes).max(1);
        lines.push(Text::raw(format!("page {page}: {kind}, {items} items, {used} of {bytes} bytes, {full}% full")));
    }
    match map.filter(|map| !map.letters.is_empty()) {
        None => lines.push(Text::raw("the file is too large for a map beside it: see `kv map`")),
        Some(Map { letters, each }) => {
            let this = pages.last().and_then(|leaf| usize::try_from(leaf.page / each).ok());
            lines.push(Text::raw(format!("each letter {}: M meta F list B branch L leaf . free", many(*each))));
            let width = usize::from(areas.pages.width.saturating_sub(2).max(1));
            for (line, letters) in letters.chunks(width).enumerate() {
                let cell = |(at, letter): (usize, &char)| letter_at(*letter, this == Some(line * width + at), ink);
                lines.push(letters.iter().enumerate().map(cell).collect());
            }
        }
    }
    Paragraph::new(lines).block(ink.block("pages", false))
}

fn many(pages: u64) -> String {
    if pages == 1 { "a page".into() } else { format!("{pages} pages") }
}

fn letter_at(letter: char, is_this: bool, ink: Ink) -> Span<'static> {
    let colour = match letter.to_ascii_uppercase() {
        'M' => Color::Magenta,
        'F' => Color::Blue,
        'B' => Color::Yellow,
        'L' => Color::Green,
        _ => Color::DarkGray,
    };
    let style = ink.plain(colour);
    Span::styled(letter.to_string(), if is_this { style.add_modifier(Modifier::REVERSED) } else { style })
}

/// The message; of one that is too long while something is typed, the end.
fn message(screen: &Screen, width: u16, ink: Ink) -> Paragraph<'_> {
    let over = screen.message.chars().count().saturating_sub(usize::from(width).saturating_sub(1));
    let shown = if screen.typing { screen.message.chars().skip(over).collect() } else { screen.message.clone() };
    Paragraph::new(shown).style(ink.strong(Color::White))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_tile_the_screen_at_any_size() {
        for (columns, rows) in (0..60).flat_map(|columns| (0..40).map(move |rows| (columns, rows))) {
            for with_pages in [false, true] {
                let areas = Areas::of(columns, rows, with_pages);
                let all = Rect { x: 0, y: 0, width: columns, height: rows };
                for area in [areas.title, areas.tree, areas.value, areas.pages, areas.message, areas.keys] {
                    assert_eq!(area.intersection(all), area, "{area:?} in {columns}x{rows}");
                }
                assert_eq!(areas.tree.width + areas.value.width, columns);
                assert_eq!(areas.tree.height, areas.value.height + areas.pages.height);
                assert!(areas.tree_lines() > 0 && areas.map_cells() > 0);
            }
        }
    }

    #[test]
    fn clicks_find_their_line() {
        let areas = Areas::of(80, 20, false);
        assert_eq!((areas.tree_line(3, 2), areas.tree_line(3, 3)), (Some(0), Some(1)));
        assert_eq!((areas.tree_line(3, 1), areas.tree_line(3, 17), areas.tree_line(40, 3)), (None, None, None));
        assert_eq!(areas.tree_line(3, 16), Some(areas.tree_lines() - 1));
    }
}
