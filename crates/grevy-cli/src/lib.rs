#![doc = include_str!("../README.md")]

pub mod acl;
pub mod client;
pub mod format;
pub mod membership;
pub mod quota;

mod command;
mod console;
mod date;
mod error;
mod exec;
mod flags;
mod options;
mod parse;
mod properties;
mod shell;
mod terminal;
mod words;

pub use error::CliError;

use command::usage_of_all;
use console::{Console, Standard};
use options::Options;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Editor};
use shell::{Flow, Shell};
use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use terminal::Completion;

/// Runs the command line client. `args` are those after the program's name: options, then a
/// command to run once. Without a command, commands are read: with a line editor from a
/// terminal, else a line each from stdin.
///
/// Returns the last command's exit code: 0; 1 if it failed, or 3 to 7 if a request did; 127 if there
/// is no such command; 2 for a configuration that cannot be used.
///
/// The session of a single command, or of commands from a pipe that do not end with `quit`, is
/// left to its timeout, as Java's program does.
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let console = Arc::new(Standard::default());
    let options = Options::parse(args);
    if options.help {
        console.err(&usage_of_all());
        console.err(options::HELP);
        return ExitCode::SUCCESS;
    }
    if let Some(complaint) = &options.complaint {
        console.err(&format!("{complaint}\n"));
    }
    console.out(&format!("Connecting to {}\n", options.server));
    let command = options.command.clone();
    let server = options.server.clone();
    let checked = options.check_client_configuration();
    let mut shell = Shell::new(Arc::clone(&console) as _, options);
    if let Err(error) = checked.and_then(|()| shell.connect(&server)) {
        console.err(&format!("{}\n", error.message));
        return ExitCode::from(error.exit_code);
    }
    if !command.is_empty() {
        shell.run(&command);
    } else {
        // Scripts count lines, so the second one is that of Java's program.
        console.out("Welcome to ZooKeeper!\nJLine support is enabled\n");
        shell.settle();
        let read = match io::stdin().is_terminal() && io::stdout().is_terminal() {
            true => read_terminal(&mut shell, &console),
            false => read_pipe(&mut shell, &*console),
        };
        if let Err(why) = read {
            console.err(&format!("{why}\n"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::from(shell.exit_code)
}

fn read_terminal(shell: &mut Shell, console: &Standard) -> Result<(), String> {
    let broken = |error: ReadlineError| format!("cannot use the terminal: {error}");
    let config = rustyline::Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Completion, DefaultHistory> =
        Editor::with_config(config).map_err(broken)?;
    editor.set_helper(Some(Completion::new(shell.current())));
    let printer = editor.create_external_printer().map_err(broken)?;
    console.print_events_with(Box::new(printer));
    loop {
        match editor.readline(&shell.prompt()) {
            Ok(line) => {
                if shell.run_line(&line) == Flow::Quit {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => {
                shell.run(&["quit".to_owned()]);
                return Ok(());
            }
            Err(error) => return Err(broken(error)),
        }
    }
}

fn read_pipe(shell: &mut Shell, console: &dyn Console) -> Result<(), String> {
    let mut line = Vec::new();
    let mut stdin = io::stdin().lock();
    loop {
        console.out(&shell.prompt());
        line.clear();
        let read = stdin.read_until(b'\n', &mut line);
        if read.map_err(|error| format!("cannot read stdin: {error}"))? == 0 {
            // What Java's program says at the end of its input.
            console.out("JLine support is disabled\n");
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if shell.run_line(text) == Flow::Quit {
            return Ok(());
        }
    }
}
