#![doc = include_str!("../README.md")]

pub mod exit;
pub mod files;
pub mod output;

mod prompt;

use clap::Subcommand;
use exit::{Exit, Failure};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// The tools, as verbs of the `grevy` command.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Look into snapshots and transaction logs.
    Inspect(files::inspect::Arguments),
    /// Check the files of a server, and whether it could start from them.
    Verify(files::verify::Arguments),
    /// Make a damaged transaction log readable again.
    Repair(files::repair::Arguments),
}

/// Runs a tool to its end.
pub fn run(tool: &Tool) -> ExitCode {
    let mut out = BufWriter::new(io::stdout());
    let result = dispatch(tool, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            // What was found before the failure is worth having; whether it arrives is no news.
            let _ = out.flush();
            if !failure.message.is_empty() {
                eprintln!("grevy: {failure}");
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(tool: &Tool, out: &mut dyn Write) -> Result<Exit, Failure> {
    match tool {
        Tool::Inspect(arguments) => files::inspect::run(arguments, out),
        Tool::Verify(arguments) => files::verify::run(arguments, out),
        Tool::Repair(arguments) => files::repair::run(arguments, out),
    }
}
