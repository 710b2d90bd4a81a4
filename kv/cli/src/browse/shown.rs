//! What is to be seen of a state.

use super::items::{Items, Map, PageFacts};
use super::prompt::question;
use super::state::{Mode, State};
use super::tree::Row;
use super::value::{self, SHOWN_MAX};
use crate::failure::Result;
use crate::notation::named;

/// What is to be seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Screen {
    pub(super) title: String,
    pub(super) rows: Vec<Line>,
    pub(super) selected: usize,
    pub(super) in_value: bool,
    pub(super) value_title: String,
    pub(super) value: Vec<String>,
    /// The way to the selected item, if pages are shown.
    pub(super) pages: Option<Vec<PageFacts>>,
    pub(super) map: Option<Map>,
    /// A message, or a question with what has been typed.
    pub(super) message: String,
    pub(super) typing: bool,
    pub(super) keys: &'static str,
}

/// A line of the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(super) depth: usize,
    pub(super) mark: char,
    pub(super) text: String,
    pub(super) is_bucket: bool,
}

const KEYS_READ: &str = "arrows move/open  g go to  / find  n next  f filter  v form  p pages  Tab value  q quit";
const KEYS_WRITE: &str =
    "arrows  g go to  / find  n next  f filter  v form  p pages  a put  e edit  d delete  b bucket  q quit";
const KEYS_TYPING: &str = "Enter take  Esc leave; bytes as hex:00ff";
const KEYS_CONFIRM: &str = "y yes  n no";

impl State {
    /// What is to be seen. Reads what is on the screen, and nothing else.
    pub(crate) fn screen(&mut self, items: &dyn Items) -> Screen {
        let mut screen = Screen { in_value: self.in_value, ..Screen::default() };
        let shown = self.show(&mut screen, items);
        self.note(shown);
        screen.title = format!("{}{}", self.name, if items.writable() { "  (opened for writing)" } else { "" });
        (screen.message, screen.typing, screen.keys) = match &self.mode {
            Mode::Look if items.writable() => (self.message.clone(), false, KEYS_WRITE),
            Mode::Look => (self.message.clone(), false, KEYS_READ),
            Mode::Ask(prompt) if self.message.is_empty() => {
                (format!("{}{}", prompt.label(), prompt.text), true, KEYS_TYPING)
            }
            Mode::Ask(prompt) => (format!("{} ({}) {}", prompt.label(), self.message, prompt.text), true, KEYS_TYPING),
            Mode::Confirm(change) => (question(change), false, KEYS_CONFIRM),
        };
        screen
    }

    fn show(&mut self, screen: &mut Screen, items: &dyn Items) -> Result<()> {
        let (rows, selected) = self.tree.rows(items, self.height())?;
        screen.selected = selected;
        screen.rows = rows.iter().map(|row| self.line(row)).collect();
        let Some(row) = self.tree.selected.clone() else {
            self.message = "the database is empty".into();
            return Ok(());
        };
        self.show_value(screen, &row, items)?;
        if self.show_pages {
            screen.pages = Some(items.pages(&row.path, &row.item.key)?);
            if self.map.is_none() {
                self.map = Some(items.map(self.areas().map_cells())?);
            }
            screen.map = self.map.clone();
        }
        Ok(())
    }

    fn line(&self, row: &Row) -> Line {
        let is_bucket = row.item.is_bucket();
        let mark = match (is_bucket, self.tree.is_unfolded(&row.inside())) {
            (true, true) => '-',
            (true, false) => '+',
            (false, _) => ' ',
        };
        let mut text = value::row_name(&row.path, &row.item.key);
        let filter = self.tree.filter(&row.inside());
        if is_bucket && !filter.is_empty() {
            text = format!("{text}  [{}*]", named(filter));
        }
        Line { depth: row.path.len(), mark, text, is_bucket }
    }

    fn show_value(&mut self, screen: &mut Screen, row: &Row, items: &dyn Items) -> Result<()> {
        let Some(len) = row.item.len else {
            screen.value_title = format!("bucket {}", named(&row.item.key));
            screen.value = items.bucket(&row.inside())?;
            return Ok(());
        };
        let value = items.value(&row.path, &row.item.key, SHOWN_MAX)?.unwrap_or_default();
        let (columns, height) = self.areas().value_size();
        let (form, mut lines) = value::lines(self.form, &row.path, &row.item.key, &value, columns);
        let cut = if len > SHOWN_MAX { ", the first MiB" } else { "" };
        screen.value_title = format!("{len} bytes as {}{cut}", form.name());
        self.scroll = self.scroll.min(lines.len().saturating_sub(height));
        lines.drain(..self.scroll);
        lines.truncate(height);
        screen.value = lines;
        Ok(())
    }
}
