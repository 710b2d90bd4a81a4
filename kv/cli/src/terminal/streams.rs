//! Where a command reads and writes.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};

use ratatui::crossterm::terminal;

use super::progress::Progress;

/// Standard input, standard output and standard error of a command, or what takes their place.
///
/// ```
/// let mut output = Vec::new();
/// let code = kv_cli::run_from(["kv", "version"], kv_cli::Streams::new(&b""[..], &mut output, std::io::sink()));
/// assert_eq!(code, 0);
/// assert!(output.starts_with(b"kv Version: "));
/// ```
pub struct Streams<'s> {
    pub(super) input: Box<dyn BufRead + 's>,
    pub(super) output: Box<dyn Write + 's>,
    pub(super) error: Box<dyn Write + 's>,
    pub(super) progress: Progress,
    pub(super) colours: bool,
    pub(super) size: Option<(u16, u16)>,
}

impl Streams<'static> {
    /// The process's own. A terminal gets progress bars, and colours unless it has none (`TERM=dumb`) or
    /// `NO_COLOR` is set.
    #[must_use]
    pub fn standard() -> Self {
        let to_terminal = io::stdout().is_terminal();
        Self {
            input: Box::new(io::stdin().lock()),
            output: Box::new(io::stdout().lock()),
            error: Box::new(io::stderr()),
            progress: Progress::on_standard_error(to_terminal),
            size: to_terminal.then(terminal::size).and_then(Result::ok),
            colours: to_terminal && coloured(),
        }
    }
}

impl<'s> Streams<'s> {
    /// Any reader and writers, without progress bars or colours. Output is buffered; its writer gets all of it before
    /// the command ends.
    #[must_use]
    pub fn new(input: impl BufRead + 's, output: impl Write + 's, error: impl Write + 's) -> Self {
        Self {
            input: Box::new(input),
            output: Box::new(output),
            error: Box::new(error),
            progress: Progress::hidden(),
            colours: false,
            size: None,
        }
    }
}

impl fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

/// Whether the person at the terminal wants colours, see <https://no-color.org>, and the terminal has them.
fn coloured() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}
