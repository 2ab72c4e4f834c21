//! The command as people use it, against servers that are its own children.

mod files;
mod place;
mod znodes;
