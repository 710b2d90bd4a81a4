//! The picture as SVG.

use std::fmt::Write;

use crate::files::survey::{FreeSpace, Survey, Use};

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
        let cells: Vec<Shares> = row.chunks(each).map(shares).collect();
        let mut column = 0;
        // Squares of one use are drawn together, a mixed one alone.
        for run in cells.chunk_by(|a, b| a.len() == 1 && b.len() == 1 && a[0].0 == b[0].0) {
            let first = (line * columns + column) * each;
            let last = (first + run.len() * each).min(survey.pages.len()) - 1;
            let (x, y, wide) = (MARGIN + column * side, line_of(line), run.len() * side);
            let _ = write!(svg, "<g><title>pages {first} to {last}: {}</title>", title(&run[0]));
            for (used, from, tall) in stripes(&run[0], side) {
                let (y, fill) = (y + from, colour(used));
                let _ = write!(svg, r#"<rect x="{x}" y="{y}" width="{wide}" height="{tall}" fill="{fill}"/>"#);
            }
            svg.push_str("</g>\n");
            column += run.len();
        }
    }
    grid(&mut svg, columns, lines);
    svg.push_str("</svg>\n");
    svg
}

/// The uses of the pages of a square, and how many pages each has.
type Shares = Vec<(Use, usize)>;

fn shares(cell: &[Use]) -> Shares {
    let count = |used: Use| (used, cell.iter().filter(|page| **page == used).count());
    Use::ALL.into_iter().map(count).filter(|(_, pages)| *pages > 0).collect()
}

/// A stripe across the square for each use: where it begins, and how tall it is. However few pages a use has, it is seen.
fn stripes(shares: &Shares, side: usize) -> Vec<(Use, usize, usize)> {
    let pages: usize = shares.iter().map(|(_, pages)| pages).sum();
    let free = side.saturating_sub(shares.len());
    let mut stripes: Vec<_> = shares.iter().map(|&(used, count)| (used, 0, 1 + count * free / pages.max(1))).collect();
    let tall: usize = stripes.iter().map(|(_, _, tall)| tall).sum();
    // What rounding has left goes to the largest.
    if let Some(largest) = stripes.iter_mut().max_by_key(|(_, _, tall)| *tall) {
        largest.2 += side.saturating_sub(tall);
    }
    let mut from = 0;
    for stripe in &mut stripes {
        stripe.1 = from;
        from += stripe.2;
    }
    stripes
}

fn title(shares: &Shares) -> String {
    match &shares[..] {
        [(used, _)] => used.name().to_owned(),
        mixed => mixed.iter().map(|(used, pages)| format!("{pages} {}", used.name())).collect::<Vec<_>>().join(", "),
    }
}

fn head(svg: &mut String, survey: &Survey, name: &str, each: usize) {
    let space = FreeSpace::of(&survey.pages);
    let scale = if each > 1 { format!(", each square {each} pages, in stripes by use") } else { String::new() };
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
        Use::RedoLog => "#56b4e9",
        Use::Branch => "#e69f00",
        Use::Leaf => "#009e73",
        Use::Pending => "#cc79a7",
        Use::Free => "#e6e6e6",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_of_a_mixed_square_is_seen() {
        for side in [8, 16, 32] {
            for mixed in [
                vec![(Use::Leaf, 1)],
                vec![(Use::Branch, 1), (Use::Leaf, 9_999)],
                vec![
                    (Use::Meta, 2),
                    (Use::Freelist, 1),
                    (Use::Branch, 1),
                    (Use::Leaf, 500),
                    (Use::Pending, 3),
                    (Use::Free, 9),
                ],
            ] {
                let drawn = stripes(&mixed, side);
                assert_eq!(drawn.len(), mixed.len());
                assert_eq!(drawn.iter().map(|(_, _, tall)| tall).sum::<usize>(), side, "{drawn:?} fill the square");
                assert!(drawn.iter().all(|(_, _, tall)| *tall > 0), "{drawn:?}");
                assert!(drawn.windows(2).all(|two| two[0].1 + two[0].2 == two[1].1), "{drawn:?} follow each other");
            }
        }
    }

    #[test]
    fn a_branch_among_a_thousand_leaves_is_drawn() {
        let mut pages = vec![Use::Leaf; 400_000];
        pages[200_000] = Use::Branch;
        let svg = draw(&Survey { page_size: 4096, tx: 1, pages }, "large");
        let squares = svg.lines().filter(|line| line.contains("1 branch")).count();
        assert_eq!(squares, 1);
        assert_eq!(svg.matches(colour(Use::Branch)).count(), 2, "in the head and in its square");
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
    }
}
