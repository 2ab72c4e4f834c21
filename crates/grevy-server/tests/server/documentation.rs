//! `docs/operations.md` lists every word, command and metric there is, and no other.

use grevy_server::admin::COMMANDS;
use grevy_server::config::FourLetterWords;
use grevy_server::metrics;
use std::collections::BTreeSet;
use std::path::Path;

/// The part of the document from a heading to the next one of the same level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(heading).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &text[start + heading.len()..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// What stands in backticks at the start of table rows.
fn listed(section: &str) -> BTreeSet<&str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

#[test]
fn the_documentation_lists_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let words: BTreeSet<&str> = FourLetterWords::ALL.into();
    assert_eq!(listed(section(&text, "\n## Four-letter words")), words);
    let commands = COMMANDS.iter().map(|command| command.name);
    assert_eq!(
        listed(section(&text, "\n## Admin server")),
        commands.collect()
    );
    let named = metrics::catalog().filter(|info| !info.about.is_empty());
    assert_eq!(
        listed(section(&text, "\n## Metrics")),
        named.map(|info| info.name).collect()
    );
    for group in metrics::UNCOUNTED {
        for info in group.metrics {
            assert!(text.contains(&format!("`{}`", info.name)), "{}", info.name);
        }
    }
    for command in COMMANDS {
        for alias in command.aliases {
            assert!(text.contains(&format!("`{alias}`")), "{alias}");
        }
    }
}
