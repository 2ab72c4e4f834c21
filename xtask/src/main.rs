//! Chores of the project: `cargo xtask <chore>`.

mod sim;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("sim") => sim::main(args.collect()),
        _ => {
            eprintln!("usage: cargo xtask sim [--help]");
            ExitCode::FAILURE
        }
    }
}
