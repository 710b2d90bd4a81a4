//! Progress bars. They show themselves on standard error, and only if that is a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressState, ProgressStyle};
use kv::Db;

const TICK: Duration = Duration::from_millis(100);

/// Bytes out of `total`.
pub(crate) fn bytes(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
}

/// Things out of `total`.
pub(crate) fn items(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg} [{wide_bar}] {human_pos}/{human_len} {per_sec} {eta}")
}

/// Things, nobody knows of how many.
pub(crate) fn count(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_style(style("{spinner} {msg} {human_pos} {elapsed}")).with_message(what);
    bar.enable_steady_tick(TICK);
    bar
}

/// Things that go to standard output meanwhile: if that is the terminal too, they are what is to be seen.
pub(crate) fn beside_output(what: &'static str) -> ProgressBar {
    if std::io::stdout().is_terminal() { ProgressBar::hidden() } else { count(what) }
}

/// Work that does not say how far it is.
pub(crate) fn busy(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_style(style("{spinner} {msg} {elapsed}")).with_message(what);
    bar.enable_steady_tick(TICK);
    bar
}

/// A database that grows.
pub(crate) fn growing(what: &'static str, db: &Arc<Db>) -> ProgressBar {
    let db = Arc::downgrade(db);
    let size = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
        let size = db.upgrade().map(|db| db.begin_read().size());
        // A progress bar has nowhere to say that it could not be drawn.
        let _ = write!(text, "{}", HumanBytes(size.unwrap_or(0)));
    };
    let style = style("{spinner} {msg} {size} {elapsed}").with_key("size", size);
    let bar = ProgressBar::no_length().with_style(style).with_message(what);
    bar.enable_steady_tick(TICK);
    bar
}

fn bar(what: &'static str, total: u64, template: &str) -> ProgressBar {
    ProgressBar::new(total).with_style(style(template).progress_chars("=> ")).with_message(what)
}

/// The templates are the constants above.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
