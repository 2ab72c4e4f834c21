#![doc = include_str!("../README.md")]

pub mod actor;
pub mod book;
pub mod fates;
pub mod options;
pub mod planted;
pub mod process;
pub mod recipe;
pub mod run;
pub mod scenes;
pub mod socket;
pub mod stage;
pub mod truth;

pub use options::{Bug, Options};
pub use recipe::Recipe;
pub use run::{Outcome, run};
