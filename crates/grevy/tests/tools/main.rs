//! The command as people use it, against servers that are its own children.

mod config;
mod ensemble;
mod files;
mod pages;
mod place;
mod recipes;
mod znodes;
