//! The line editor: completion of commands and paths.

use crate::command::USAGE;
use crate::shell::Current;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

/// Completes a word that starts with a slash to a znode, and the first one to a command.
pub struct Completion {
    current: Current,
}

impl Completion {
    /// Asks the present connection for the names of znodes.
    pub fn new(current: Current) -> Self {
        Self { current }
    }

    fn paths(&self, word: &str) -> Vec<String> {
        let Some((parent, prefix)) = word.rsplit_once('/') else {
            return Vec::new();
        };
        let client = self.current.get();
        // Without a connection the answer would keep the terminal waiting.
        let Some(client) = client.filter(|client| client.state().is_connected()) else {
            return Vec::new();
        };
        let parent_path = match parent {
            "" => "/",
            parent => parent,
        };
        if crate::client::path::check(parent_path).is_err() {
            return Vec::new();
        }
        let (children, _) = client.get_children(parent_path, false).unwrap_or_default();
        let mut paths: Vec<_> = children
            .iter()
            .filter(|child| child.starts_with(prefix))
            .map(|child| format!("{parent}/{child}"))
            .collect();
        paths.sort_unstable();
        paths
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..pos).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or_default();
        let candidates = match word.starts_with('/') {
            true => self.paths(word),
            false if before.trim_start().len() == word.len() => commands(word),
            false => Vec::new(),
        };
        Ok((start, candidates))
    }
}

fn commands(prefix: &str) -> Vec<String> {
    let names = USAGE.iter().map(|(name, _)| *name);
    let matching = names.filter(|name| name.starts_with(prefix));
    matching.map(str::to_owned).collect()
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustyline::history::DefaultHistory;

    #[test]
    fn first_words_complete_to_commands() {
        let completion = Completion::new(Current::default());
        let history = DefaultHistory::new();
        for (line, start, expected) in [
            ("getA", 0, &["getAcl", "getAllChildrenNumber"][..]),
            ("  qu", 2, &["quit"]),
            ("ls g", 3, &[]),
            ("nothing", 0, &[]),
            // No connection, no names.
            ("ls /", 3, &[]),
        ] {
            let context = Context::new(&history);
            let (at, candidates) = completion.complete(line, line.len(), &context).unwrap();
            assert_eq!(
                (at, &candidates[..]),
                (start, &expected.map_string()[..]),
                "{line}"
            );
        }
    }

    trait MapString {
        fn map_string(&self) -> Vec<String>;
    }
    impl MapString for &[&str] {
        fn map_string(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }
}
