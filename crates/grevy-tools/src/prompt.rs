//! Questions to the person at the terminal.

use crate::exit::Failure;
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks, and takes nothing but `y` or `yes` for a yes. Without a terminal there is nobody to ask.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    let mut stdin = io::stdin().lock();
    if !stdin.is_terminal() {
        return Err(Failure::usage(
            "there is no terminal to ask at; add --yes to go ahead",
        ));
    }
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
