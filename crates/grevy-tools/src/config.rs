//! `grevy config`: a subtree and a local file or folder, the one made like the other.

pub mod apply;
pub mod diff;
pub mod edit;
pub mod get;
pub mod local;

use crate::exit::{Exit, Failure};
use clap::{Args, Subcommand};
use std::io::Write;

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = "\
A znode without children is a file with its data. A znode with children is a folder; if it has data
itself, that is in the file .znode there. Ephemeral znodes and /zookeeper are left out.

A round trip:
  grevy config get /app app/        write /app to the folder app
  $EDITOR app/database.json
  grevy config diff /app app/       what would change; exit code 1 if anything
  grevy config apply /app app/      change it, all at once or not at all")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a subtree to a folder, or a znode to a file.
    Get(get::Arguments),
    /// Set a znode to what is in a file, creating it if need be.
    Set(apply::Set),
    /// Change a znode with $EDITOR.
    Edit(edit::Arguments),
    /// Show what apply would change; the exit code is 1 if anything.
    Diff(diff::Arguments),
    /// Make a subtree like a folder, or a znode like a file, in one transaction.
    Apply(apply::Arguments),
}

/// Does it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Get(arguments) => get::run(arguments, out),
        What::Set(arguments) => apply::set(arguments, out),
        What::Edit(arguments) => edit::run(arguments, out),
        What::Diff(arguments) => diff::run(arguments, out),
        What::Apply(arguments) => apply::run(arguments, out),
    }
}
