//! `grevy inspect`: looks into files.

use super::{compare, log, snapshot};
use crate::exit::{Exit, Failure};
use clap::{Args, Subcommand};
use std::io::Write;

/// What to look into.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what a snapshot holds.
    Snapshot(snapshot::Arguments),
    /// Show the transactions in a log, or in a directory of logs.
    Log(log::Arguments),
    /// Show where two snapshots differ.
    Compare(compare::Arguments),
}

/// Looks into it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Snapshot(arguments) => snapshot::run(arguments, out),
        What::Log(arguments) => log::run(arguments, out),
        What::Compare(arguments) => compare::run(arguments, out),
    }
}
