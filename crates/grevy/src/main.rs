//! The `grevy` command.

fn main() {}
