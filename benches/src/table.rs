//! Tables for people: Markdown with aligned columns, and times in the unit that fits.

use std::fmt::{self, Display};
use std::time::Duration;

/// A Markdown table. The first column is text; all others are figures, set to the right.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column titles.
    #[must_use]
    pub fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

/// The time that so many percent of `sorted`, which ascend, do not exceed, for people; empty if there is none.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> String {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).map_or(String::new(), |time| show(*time))
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![3; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for (index, row) in self.rows.iter().enumerate() {
            for (column, &width) in widths.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                if column == 0 { write!(f, "| {cell:<width$} |")? } else { write!(f, " {cell:>width$} |")? }
            }
            writeln!(f)?;
            if index == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(width);
                    if column == 0 { write!(f, "| {dashes} |")? } else { write!(f, " {}: |", &dashes[1..])? }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// `time` with three digits that count, in ns, us, ms or s.
#[must_use]
pub fn show(time: Duration) -> String {
    let nanoseconds = time.as_secs_f64() * 1e9;
    let (figure, unit) = match nanoseconds {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let places = match figure {
        figure if figure < 10.0 => 2,
        figure if figure < 100.0 => 1,
        _ => 0,
    };
    format!("{figure:.places$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["work", "time"]);
        table.row(vec!["get".into(), "7".into()]);
        assert_eq!(table.to_string(), "| work | time |\n| ---- | ---: |\n| get  |    7 |\n");
    }

    #[test]
    fn times_have_three_digits() {
        let shown = [950, 1_234, 56_789, 123_456_789, 2_500_000_000].map(|ns| show(Duration::from_nanos(ns)));
        assert_eq!(shown, ["950 ns", "1.23 us", "56.8 us", "123 ms", "2.50 s"]);
    }
}
