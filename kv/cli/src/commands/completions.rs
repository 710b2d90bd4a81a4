//! `kv completions`: a script for completion in a shell.

use clap::Args;
use clap_complete::Shell;

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
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, command_line: &mut clap::Command, terminal: &mut Terminal<'_>) -> Result<()> {
        // In memory first, because the generator panics if the output is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command_line, "kv", &mut script);
        Ok(std::io::Write::write_all(&mut terminal.out, &script)?)
    }
}
