//! Grevy and Apache ZooKeeper under the same load, one after the other, on this machine.
//!
//! `compare` measures both and the floor beneath them; `one` measures a single row. See README.md.

mod cli;
mod client;
mod clock;
mod failure;
mod floor;
mod histogram;
mod limits;
mod load;
mod perf;
mod process_stat;
mod report;
mod rows;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
