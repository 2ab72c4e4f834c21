//! `grevy completions` and `grevy man`: what the command line says of itself, for others to use.

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(grevy completions bash)
  grevy completions zsh > ~/.zfunc/_grevy
  grevy completions fish > ~/.config/fish/completions/grevy.fish")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy man | man -l -
  grevy man /usr/local/share/man/man1")]
pub struct Man {
    /// A directory for a page of each verb; without it, the page of the command is printed.
    dir: Option<PathBuf>,
}

/// Writes a shell's completions.
pub fn completions(arguments: &Completions, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "grevy", &mut script);
    ended(io::stdout().write_all(&script), "the output")
}

/// Writes a manual page, or all.
pub fn man(arguments: &Man, command: Command) -> ExitCode {
    match &arguments.dir {
        None => {
            let mut page = Vec::new();
            let rendered = Page::new(command).render(&mut page);
            let written = rendered.and_then(|()| io::stdout().write_all(&page));
            ended(written, "the output")
        }
        Some(dir) => {
            let written = fs::create_dir_all(dir).and_then(|()| {
                clap_mangen::generate_to(command.disable_help_subcommand(true), dir)
            });
            ended(written, &dir.display().to_string())
        }
    }
}

fn ended(written: io::Result<()>, place: &str) -> ExitCode {
    match written {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grevy: cannot write {place}: {error}");
            ExitCode::FAILURE
        }
    }
}
