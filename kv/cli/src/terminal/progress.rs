//! Progress bars, on standard error if that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// Makes the bars of a command, all of which may be hidden.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    shown: bool,
    shown_beside_output: bool,
}

impl Progress {
    /// Bars that hide themselves unless standard error is a terminal.
    pub(super) const fn on_standard_error(output_is_terminal: bool) -> Self {
        Self { shown: true, shown_beside_output: !output_is_terminal }
    }

    pub(super) const fn hidden() -> Self {
        Self { shown: false, shown_beside_output: false }
    }

    /// Bytes out of `total`.
    pub(crate) fn bytes(self, what: &'static str, total: u64) -> ProgressBar {
        self.of_total(what, total, "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")
    }

    /// Things out of `total`.
    pub(crate) fn items(self, what: &'static str, total: u64) -> ProgressBar {
        self.of_total(what, total, "{msg} [{wide_bar}] {human_pos}/{human_len} {per_sec}, {eta} left")
    }

    /// Things whose total is unknown.
    pub(crate) fn count(self, what: &'static str) -> ProgressBar {
        self.spinner(what, style("{spinner} {msg} {human_pos} {elapsed}"))
    }

    /// Things out of `total`, for which the command prints something. Hidden if the output goes to the terminal too, where
    /// it shows the progress.
    pub(crate) fn beside_output(self, what: &'static str, total: u64) -> ProgressBar {
        Self { shown: self.shown_beside_output, ..self }.items(what, total)
    }

    /// Work whose end cannot be foreseen.
    pub(crate) fn busy(self, what: &'static str) -> ProgressBar {
        self.spinner(what, style("{spinner} {msg} {elapsed}"))
    }

    fn of_total(self, what: &'static str, total: u64, template: &str) -> ProgressBar {
        if !self.shown {
            return ProgressBar::hidden();
        }
        ProgressBar::new(total).with_style(style(template).progress_chars("=> ")).with_message(what)
    }

    fn spinner(self, what: &'static str, style: ProgressStyle) -> ProgressBar {
        if !self.shown {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::no_length().with_style(style).with_message(what);
        bar.enable_steady_tick(TICK);
        bar
    }
}

/// The templates are the constants above, which are valid.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
