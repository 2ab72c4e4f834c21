//! Completions, manual pages, and the document about the command line.

use crate::place::{directory, finish, grevy};
use std::fs;
use std::path::Path;

/// The verbs, as the command's own help lists them.
fn verbs() -> Vec<String> {
    let (_, help, _) = finish(grevy(&["--help"]));
    let list = help
        .split("Commands:\n")
        .nth(1)
        .expect("there are commands");
    list.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn shells_complete_every_verb() {
    let verbs = verbs();
    assert!(verbs.len() > 25, "{verbs:?}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = finish(grevy(&["completions", shell]));
        assert_eq!(code, 0);
        for verb in &verbs {
            assert!(script.contains(verb.as_str()), "{shell}: {verb}");
        }
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let (code, page, _) = finish(grevy(&["man"]));
    assert_eq!(code, 0);
    assert!(page.contains(".TH grevy 1"), "{page}");
    let dir = directory("man");
    let (code, ..) = finish(grevy(&["man", dir.to_str().unwrap()]));
    assert_eq!(code, 0);
    for verb in verbs() {
        let page = dir.join(format!("grevy-{verb}.1"));
        assert!(page.is_file(), "{}", page.display());
    }
}

#[test]
fn the_document_has_every_verb_and_every_exit_code() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
    let document = fs::read_to_string(document).expect("the document is there");
    for verb in verbs() {
        assert!(
            document.contains(&format!("`grevy {verb}")),
            "{verb} is missing"
        );
    }
    let (_, help, _) = finish(grevy(&["--help"]));
    let codes = help
        .split("Exit codes:\n")
        .nth(1)
        .expect("a table of codes");
    for line in codes.lines() {
        let Some((code, meaning)) = line.trim().split_once("  ") else {
            continue;
        };
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(document.contains(&row), "{row} is missing");
    }
}

#[test]
fn every_verb_says_what_it_does() {
    for verb in verbs() {
        if verb == "zkcli" {
            continue;
        }
        let (code, help, _) = finish(grevy(&[&verb, "--help"]));
        assert_eq!(code, 0, "{verb}");
        assert!(help.contains("Usage: "), "{verb}: {help}");
    }
}
