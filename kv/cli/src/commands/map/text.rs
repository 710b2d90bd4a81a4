//! The picture in letters.

use std::io::Write;

use crate::failure::Result;
use crate::files::survey::{FreeSpace, Survey, Use, most};

/// The most lines of a picture; in a larger file each letter is several pages.
const LINES_MAX: usize = 40;

/// What a line has before its letters: the number of its first page.
const NUMBER: u16 = 11;

/// How many letters fit into a line of so many columns.
pub(super) const fn letters(columns: u16) -> u16 {
    let letters = columns.saturating_sub(NUMBER);
    if letters < 8 { 8 } else { letters }
}

pub(super) fn draw(survey: &Survey, width: usize, colours: bool, out: &mut impl Write) -> Result<()> {
    let pages = survey.pages.len();
    let each = pages.div_ceil(width * LINES_MAX).max(1);
    writeln!(out, "{pages} pages of {} bytes, transaction {}", survey.page_size, survey.tx)?;
    if each > 1 {
        writeln!(out, "each letter is {each} pages; small if they differ")?;
    }
    writeln!(out)?;
    for (line, row) in survey.pages.chunks(width * each).enumerate() {
        write!(out, "{:>number$}  ", line * width * each, number = usize::from(NUMBER) - 2)?;
        for cell in row.chunks(each) {
            write_cell(cell, colours, out)?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    legend(survey, colours, out)?;
    free_space(&FreeSpace::of(&survey.pages), out)
}

fn write_cell(cell: &[Use], colours: bool, out: &mut impl Write) -> Result<()> {
    let count = |used: &Use| cell.iter().filter(|page| *page == used).count();
    let most = most(cell);
    let letter = most.letter();
    let letter = if count(&most) == cell.len() { letter } else { letter.to_ascii_lowercase() };
    if colours {
        write!(out, "\x1b[{}m{letter}\x1b[0m", colour(most))?;
    } else {
        write!(out, "{letter}")?;
    }
    Ok(())
}

/// Parameters of the terminal's "select graphic rendition".
const fn colour(used: Use) -> &'static str {
    match used {
        Use::Meta => "1;35",
        Use::Freelist => "1;34",
        Use::RedoLog => "1;36",
        Use::Branch => "1;33",
        Use::Leaf => "32",
        Use::Pending => "31",
        Use::Free => "90",
    }
}

fn legend(survey: &Survey, colours: bool, out: &mut impl Write) -> Result<()> {
    let all = survey.pages.len().max(1);
    for used in Use::ALL {
        let count = survey.pages.iter().filter(|&&page| page == used).count();
        write!(out, "  ")?;
        write_cell(&[used], colours, out)?;
        writeln!(out, " {:<9}{count:>10}  {:>3}%", used.name(), count * 100 / all)?;
    }
    Ok(())
}

fn free_space(space: &FreeSpace, out: &mut impl Write) -> Result<()> {
    if space.pages == 0 {
        return Ok(writeln!(out, "\nNo page is free.")?);
    }
    // The share of free pages that are not in the longest run.
    let scattered = (space.pages - space.longest) * 100 / space.pages;
    writeln!(
        out,
        "\nFree and pending: {} pages in {} runs; the longest has {}, {scattered}% lie outside it.",
        space.pages, space.runs, space.longest
    )?;
    writeln!(out, "  {:>15} {:>8} {:>10}", "run length", "runs", "pages")?;
    for class in &space.by_length {
        let lengths =
            if class.from == class.to { class.from.to_string() } else { format!("{}-{}", class.from, class.to) };
        writeln!(out, "  {lengths:>15} {:>8} {:>10}", class.runs, class.pages)?;
    }
    Ok(())
}
