//! The picture as SVG.

use std::fmt::Write;

use super::survey::{FreeSpace, Survey, Use};

/// The width of a line of squares, and the most lines of the smallest squares.
const WIDTH: usize = 1024;
const LINES_MAX: usize = 256;
const MARGIN: usize = 16;
const HEAD: usize = 64;

/// The picture of `survey`. Writing to a string does not fail.
pub(super) fn draw(survey: &Survey, name: &str) -> String {
    // A small file gets fewer and larger squares.
    let columns = match survey.pages.len() {
        0..=512 => 32,
        513..=4096 => 64,
        _ => 128,
    };
    let side = WIDTH / columns;
    let each = survey.pages.len().div_ceil(columns * LINES_MAX).max(1);
    let lines = survey.pages.len().div_ceil(columns * each);
    let (width, height) = (WIDTH + 2 * MARGIN, lines * side + HEAD + 2 * MARGIN);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">"#
    );
    let _ = writeln!(svg, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##);
    head(&mut svg, survey, name, each);
    let line_of = |line: usize| HEAD + MARGIN + line * side;
    for (line, row) in survey.pages.chunks(columns * each).enumerate() {
        let cells: Vec<Use> = row.chunks(each).map(most).collect();
        let mut column = 0;
        for run in cells.chunk_by(|a, b| a == b) {
            let first = (line * columns + column) * each;
            let last = (first + run.len() * each).min(survey.pages.len()) - 1;
            let used = run.first().copied().unwrap_or(Use::Free);
            let (x, y, wide) = (MARGIN + column * side, line_of(line), run.len() * side);
            let _ = writeln!(
                svg,
                r#"<rect x="{x}" y="{y}" width="{wide}" height="{side}" fill="{}"><title>pages {first} to {last}: {}</title></rect>"#,
                colour(used),
                used.name()
            );
            column += run.len();
        }
    }
    grid(&mut svg, columns, lines);
    svg.push_str("</svg>\n");
    svg
}

/// The use of most pages; of equal counts the first use, which is the rarer.
fn most(cell: &[Use]) -> Use {
    let count = |used: &Use| cell.iter().filter(|page| *page == used).count();
    Use::ALL.into_iter().rev().max_by_key(count).unwrap_or(Use::Free)
}

fn head(svg: &mut String, survey: &Survey, name: &str, each: usize) {
    let space = FreeSpace::of(&survey.pages);
    let scale = if each > 1 { format!(", each square {each} pages") } else { String::new() };
    let _ = writeln!(
        svg,
        r#"<text x="{MARGIN}" y="28" font-weight="bold">{}: {} pages of {} bytes{scale}; free and pending: {} pages in {} runs, the longest {}</text>"#,
        escaped(name),
        survey.pages.len(),
        survey.page_size,
        space.pages,
        space.runs,
        space.longest
    );
    let mut x = MARGIN;
    for used in Use::ALL {
        let count = survey.pages.iter().filter(|&&page| page == used).count();
        let _ = writeln!(
            svg,
            r##"<rect x="{x}" y="44" width="14" height="14" fill="{}" stroke="#888888"/>"##,
            colour(used)
        );
        let _ = writeln!(svg, r#"<text x="{}" y="56">{} {count}</text>"#, x + 20, used.name());
        x += 165;
    }
}

/// Lines between the squares.
fn grid(svg: &mut String, columns: usize, lines: usize) {
    let side = WIDTH / columns;
    let (right, bottom) = (MARGIN + WIDTH, HEAD + MARGIN + lines * side);
    let mut path = String::new();
    for column in 0..=columns {
        let _ = write!(path, "M{} {}V{bottom}", MARGIN + column * side, HEAD + MARGIN);
    }
    for line in 0..=lines {
        let _ = write!(path, "M{MARGIN} {}H{right}", HEAD + MARGIN + line * side);
    }
    let _ = writeln!(svg, r##"<path d="{path}" stroke="#ffffff" stroke-width="0.6" fill="none"/>"##);
}

/// Colours that everybody can tell apart, with any colour vision (after Okabe and Ito, <https://jfly.uni-koeln.de/color/>).
const fn colour(used: Use) -> &'static str {
    match used {
        Use::Meta => "#000000",
        Use::Freelist => "#0072b2",
        Use::Branch => "#e69f00",
        Use::Leaf => "#009e73",
        Use::Pending => "#cc79a7",
        Use::Free => "#e6e6e6",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
