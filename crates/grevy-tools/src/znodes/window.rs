//! Many requests under way, but not all at once.

use crate::exit::{At, Failure};
use grevy_cli::client::{ClientError, Pending};
use std::collections::VecDeque;

/// How many requests are under way at a time: enough to hide a network's delay, few enough for a
/// server's limit of what one connection may have waiting.
pub const WINDOW: usize = 128;

/// Requests under way, each with the path it is about.
pub struct Window<'a> {
    pending: VecDeque<(String, Pending<()>)>,
    /// Which errors are no failure.
    accept: &'a dyn Fn(&ClientError) -> bool,
    /// Told of every one that is answered.
    done: &'a mut dyn FnMut(),
}

impl<'a> Window<'a> {
    /// None yet.
    pub fn new(accept: &'a dyn Fn(&ClientError) -> bool, done: &'a mut dyn FnMut()) -> Self {
        Self {
            pending: VecDeque::new(),
            accept,
            done,
        }
    }

    /// Adds a request; if there are enough, waits for the oldest.
    pub fn push(&mut self, path: String, pending: Pending<()>) -> Result<(), Failure> {
        self.pending.push_back((path, pending));
        match self.pending.len() > WINDOW {
            true => self.settle_one(),
            false => Ok(()),
        }
    }

    /// Waits for all.
    pub fn finish(mut self) -> Result<(), Failure> {
        while !self.pending.is_empty() {
            self.settle_one()?;
        }
        Ok(())
    }

    fn settle_one(&mut self) -> Result<(), Failure> {
        let Some((path, pending)) = self.pending.pop_front() else {
            return Ok(());
        };
        match pending.wait() {
            Err(error) if !(self.accept)(&error) => Err(error).at(&path),
            _ => {
                (self.done)();
                Ok(())
            }
        }
    }
}
