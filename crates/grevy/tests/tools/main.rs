//! The command as people use it, against servers that are its own children.

mod ensemble;
mod files;
mod place;
mod recipes;
mod znodes;
