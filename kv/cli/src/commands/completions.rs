//! `kv completions`: what the shell completes.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command_line::Cli;
use crate::failure::Result;
use crate::terminal::Terminal;

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv completions bash > ~/.local/share/bash-completion/completions/kv
  kv completions zsh  > ~/.zfunc/_kv
  kv completions fish > ~/.config/fish/completions/kv.fish")]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        // Generated in memory, because the generator panics where a pipe is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "kv", &mut script);
        Ok(std::io::Write::write_all(&mut terminal.out, &script)?)
    }
}
