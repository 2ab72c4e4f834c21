//! `grevy du`.

use super::connection::{Target, znode_path};
use super::walk::{Want, survey};
use crate::exit::{Exit, Failure};
use crate::files::sizes::Sizes;
use crate::progress::Progress;
use clap::Args;
use std::io::Write;

/// Of which subtree.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy du /
  grevy du /kafka --depth 2")]
pub struct Arguments {
    /// The top.
    #[arg(default_value = "/", value_parser = znode_path)]
    path: String,
    /// How many levels below it are told apart.
    #[arg(long, short, value_name = "LEVELS", default_value_t = 1)]
    depth: usize,
    #[command(flatten)]
    target: Target,
}

/// Sums znodes and bytes.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments {
        path,
        depth,
        target,
    } = arguments;
    let connection = target.connect()?;
    let mut sizes = Sizes::new(path, *depth);
    let mut progress = Progress::new("znodes counted", None);
    let want = Want::default();
    let exit = survey(&connection.client, path, want, &mut |found| {
        sizes.add(
            &found.path,
            found.stat.data_length.max(0).unsigned_abs().into(),
        );
        progress.step();
        Ok(())
    })?;
    drop(progress);
    sizes.write(out, target.is_json())?;
    Ok(exit)
}
