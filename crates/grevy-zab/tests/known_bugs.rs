//! Every test that `docs/known-bugs.md` names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all functions in Rust and Python files below `dir`.
fn functions(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            functions(&path, found);
        }
        let keyword = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => "fn ",
            Some("py") => "def ",
            _ => continue,
        };
        let text = fs::read_to_string(&path).unwrap();
        let names = text.lines().filter_map(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("async ").unwrap_or(line);
            line.strip_prefix(keyword)?.split('(').next()
        });
        found.extend(names.map(str::to_owned));
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = BTreeSet::new();
    functions(&root.join("crates"), &mut found);
    functions(&root.join("interop"), &mut found);
    let text = fs::read_to_string(root.join("docs/known-bugs.md")).unwrap();
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        if tests.contains('`') {
            rows += 1;
        }
        for name in tests.split('`').skip(1).step_by(2) {
            assert!(found.contains(name), "{name} is named, and not there");
        }
    }
    assert!(rows > 40, "only {rows} rows");
}
