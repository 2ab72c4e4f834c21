//! The `grevy` command.

mod ensemble;
mod pages;
mod purge;
mod server;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// A coordination service that is Apache ZooKeeper to its clients.
#[derive(Debug, Parser)]
#[command(name = "grevy", version, about, after_help = grevy_tools::exit::TABLE)]
struct Command {
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a server (the default).
    Server(server::Arguments),
    /// Run a local ensemble of several servers, to try things with.
    Ensemble(ensemble::Arguments),
    /// Delete old snapshots and logs, as ZooKeeper's PurgeTxnLog does.
    Purge(purge::Arguments),
    /// A client with the commands of ZooKeeper's zkCli.sh.
    #[command(disable_help_flag = true)]
    Zkcli {
        /// -server host:port[/chroot], -timeout ms, -r, -waitforconnection, -client-configuration
        /// FILE, -help, and a command to run once; without one, commands are read.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    #[command(flatten)]
    Tool(grevy_tools::Tool),
    /// Write what makes a shell complete this command.
    Completions(pages::Completions),
    /// Write the manual page, or all of them to a directory.
    Man(pages::Man),
}

fn main() -> ExitCode {
    if let Some(exit) = grevy_tools::become_command(std::env::args_os().skip(1)) {
        return exit;
    }
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => return refuse(&error),
    };
    match command.command {
        None => server::run(&server::Arguments::default()),
        Some(Verb::Server(arguments)) => server::run(&arguments),
        Some(Verb::Ensemble(arguments)) => ensemble::run(&arguments),
        Some(Verb::Purge(arguments)) => purge::run(&arguments),
        Some(Verb::Zkcli { arguments }) => grevy_cli::run(arguments.into_iter()),
        Some(Verb::Tool(tool)) => grevy_tools::run(&tool),
        Some(Verb::Completions(arguments)) => pages::completions(&arguments, Command::command()),
        Some(Verb::Man(arguments)) => pages::man(&arguments, Command::command()),
    }
}

/// The exit code of wrong arguments.
const WRONG_ARGUMENTS: u8 = 2;

/// Prints the help that was asked for, or in one line what is wrong with the arguments.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // Whoever reads may have read enough.
        let _ = error.print();
        return match error.exit_code() {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(WRONG_ARGUMENTS),
        };
    }
    let what = one_line(&error.render().to_string());
    eprintln!(
        "grevy: {what}; see {} --help",
        verb(std::env::args().skip(1))
    );
    ExitCode::from(WRONG_ARGUMENTS)
}

/// What is wrong, from a text of several paragraphs, of which the last are for learners.
fn one_line(text: &str) -> String {
    let learners = ["\n\nUsage:", "\n\nFor more information"];
    let end = learners.iter().filter_map(|part| text.find(part)).min();
    let what = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    what.split("\n\n")
        .map(squeezed)
        .collect::<Vec<_>>()
        .join("; ")
}

/// The command with the verb, as far as `arguments` name one.
fn verb(arguments: impl Iterator<Item = String>) -> String {
    let mut name = "grevy".to_owned();
    let all = Command::command();
    let mut command = &all;
    for argument in arguments {
        let Some(found) = command.find_subcommand(&argument) else {
            break;
        };
        command = found;
        name = format!("{name} {}", found.get_name());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_told_in_one_line() {
        for (line, expected) in [
            (
                "ls a",
                "invalid value 'a' for '[PATH]': Path must start with / character",
            ),
            (
                "get",
                "the following required arguments were not provided: <PATH>",
            ),
            (
                "ls --output xml",
                "invalid value 'xml' for '--output <FORMAT>' [possible values: text, json]",
            ),
        ] {
            let words = std::iter::once("grevy").chain(line.split_whitespace());
            let error = Command::try_parse_from(words).expect_err("it is wrong");
            assert_eq!(one_line(&error.render().to_string()), expected);
        }
    }

    #[test]
    fn verbs_are_found_in_arguments() {
        for (line, expected) in [
            ("", "grevy"),
            ("--bogus", "grevy"),
            ("get-acl a", "grevy getAcl"),
            ("config get a", "grevy config get"),
        ] {
            let words = line.split_whitespace().map(str::to_owned);
            assert_eq!(verb(words), expected, "{line}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }
}
