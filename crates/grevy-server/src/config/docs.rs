//! `docs/configuration.md` is written from the table of keys, and this test keeps it so.

use std::fmt::Write as _;
use std::path::Path;

use super::keys::{Key, Kind, Place, Preset, SECTIONS, Support};

const HEAD: &str = "\
# Configuration

Grevy reads ZooKeeper's `zoo.cfg` (Java properties) and takes `-Dname=value` arguments:

    grevy server conf/zoo.cfg -Dzookeeper.snapCount=50000
    grevy server 2181 /var/lib/zookeeper            # port dataDir [tickTime] [maxClientCnxns]

- Every setting below can stand in the file and after `-D`, with or without `zookeeper.` in front.
  An argument wins over the file; in ZooKeeper the file wins over `-Dzookeeper.<name>`.
- A setting that is not known is ignored with a warning, which names the one that was probably meant.
- Everything that is wrong is reported at once, with file and line, and the server does not start.
  ZooKeeper overlooks bad values of settings marked *property* and *argument* and takes the default.
- Numbers of these settings can be hexadecimal (`0xfffff`), as in ZooKeeper.
- Options for a JVM (`-Xmx1g`, `-Dcom.sun.management.jmxremote`) are ignored with a warning.

Columns: **from** is where ZooKeeper looks: `zoo.cfg`, the system *property* `zookeeper.<name>`
(which the file also sets), or the *argument* `-D<name>` alone. **Status**: *works*; *ensemble*:
read and checked, of use only in an ensemble; *no effect*: taken, since what it tunes does not exist
here; *not yet*: taken with a warning, and the server does without; *refused*: not in this version,
and an error unless it asks for nothing.

<!-- Written from the table of keys: UPDATE_DOCS=1 cargo test -p grevy-server config::docs -->
";

fn render() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        let _ = write!(
            text,
            "\n## {}\n\n| setting | from | value | default | status | meaning |\n|---|---|---|---|---|---|\n",
            section.title
        );
        for key in section.keys {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} | {} |",
                key.name,
                match key.place {
                    Place::Cfg => "`zoo.cfg`",
                    Place::Property => "property",
                    Place::Bare => "argument",
                },
                value(key),
                default(key),
                status(key),
                key.about.replace('|', "\\|"),
            );
        }
    }
    text
}

fn value(key: &Key) -> String {
    match key.kind {
        Kind::Flag => "true, false".to_owned(),
        Kind::YesNo => "yes, no".to_owned(),
        Kind::Int { unit, .. } if unit.word().is_empty() => "number".to_owned(),
        Kind::Int { unit, .. } => unit.word().to_owned(),
        Kind::Float { .. } => "number".to_owned(),
        Kind::Interval => "hours or interval".to_owned(),
        Kind::Text | Kind::Secret => "text".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Words => "words, by commas".to_owned(),
        Kind::Choice(choices) => {
            let shown = choices
                .iter()
                .map(|c| if c.is_empty() { "(empty)" } else { c });
            shown.collect::<Vec<_>>().join(", ")
        }
    }
}

fn default(key: &Key) -> String {
    match key.default {
        Preset::Unset => "–".to_owned(),
        Preset::Value("") => "(empty)".to_owned(),
        Preset::Value(value) => format!("`{value}`"),
        Preset::Ours(ours, zookeeper) => format!("`{ours}`; ZooKeeper: {zookeeper}"),
        Preset::Derived(words) => words.to_owned(),
    }
}

fn status(key: &Key) -> String {
    match key.support {
        Support::Supported => "works".to_owned(),
        Support::InEnsemble => "ensemble".to_owned(),
        Support::Accepted(why) => format!("no effect: {why}"),
        Support::NotYet(what) => format!("not yet: {what}"),
        Support::Refused(_, what) => format!("refused: {what}"),
    }
}

#[test]
fn the_documentation_tells_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let expected = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("docs can be created");
        std::fs::write(&path, &expected).expect("docs can be written");
    }
    let actual = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "docs/configuration.md is not what the table of keys says; run\n  \
         UPDATE_DOCS=1 cargo test -p grevy-server config::docs"
    );
}
