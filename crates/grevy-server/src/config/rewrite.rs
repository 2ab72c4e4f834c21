//! The texts of configuration files that a running ensemble writes anew. Source:
//! `QuorumPeerConfig.writeDynamicConfig`, `editStaticConfig`.

use super::properties;
use grevy_zab::Membership;
use std::collections::BTreeSet;

/// The members as they stand in a dynamic file. The version is told by such a file's name; in
/// that of a configuration that is only proposed (`zoo.cfg.dynamic.next`), by a line.
pub fn dynamic_text(membership: &Membership, with_version: bool) -> String {
    let text = membership.to_string();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|line| with_version || !line.starts_with("version="));
    lines.sort_unstable();
    lines.join("\n")
}

/// What of the main file the members' lines say from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Where this server listens for clients.
    pub client: bool,
    /// Where it listens for clients with TLS.
    pub secure_client: bool,
}

/// The main file without what `dynamic` has now, and with a line that refers to that file.
/// Unlike the Java server, which keeps keys and values only, this leaves the rest as it was,
/// comments too.
pub fn static_text(text: &str, dynamic: &str, moved: Moved) -> String {
    let (entries, _) = properties::parse(text);
    let goes = |key: &str| {
        [
            "server.",
            "group",
            "weight",
            "dynamicConfigFile",
            "peerType",
        ]
        .iter()
        .any(|prefix| key.starts_with(prefix))
            || moved.client && key.starts_with("clientPort")
            || moved.secure_client && key.starts_with("secureClientPort")
    };
    let going: BTreeSet<usize> = entries
        .iter()
        .filter(|entry| goes(&entry.key))
        .map(|entry| entry.line)
        .collect();
    let mut kept = String::new();
    let mut is_going = false;
    let mut is_continued = false;
    for (index, line) in text.replace("\r\n", "\n").split(['\n', '\r']).enumerate() {
        if !is_continued {
            is_going = going.contains(&(index + 1));
        }
        is_continued =
            properties::is_continued(line) && (is_continued || is_entry(&entries, index + 1));
        if !is_going {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let kept = kept.trim_end();
    let newline = if kept.is_empty() { "" } else { "\n" };
    format!("{kept}{newline}dynamicConfigFile={dynamic}\n")
}

/// Whether an entry begins on that line. A comment is never continued.
fn is_entry(entries: &[properties::Entry], line: usize) -> bool {
    entries
        .binary_search_by_key(&line, |entry| entry.line)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_files() {
        let text = "version=2a\nserver.2=b:1:2;2181\nserver.10=c:1:2:observer\nserver.1=a:1:2\n\
                    group.1=1:2\nweight.2=3";
        let membership = Membership::parse(text).unwrap();
        assert_eq!(
            dynamic_text(&membership, false),
            "group.1=1:2\nserver.10=c:1:2:observer\nserver.1=a:1:2:participant\n\
             server.2=b:1:2:participant;0.0.0.0:2181\nweight.1=1\nweight.2=3"
        );
        let with_version = dynamic_text(&membership, true);
        assert!(
            with_version.contains("\nversion=2a\nweight.1=1\n"),
            "{with_version}"
        );
    }

    #[test]
    fn main_files() {
        let before = "# the ensemble\\\ntickTime=2000\nserver.1=a:1:2\nserver.2 = b:\\\n   1:2\n\
                      clientPort=2181\n\nclientPortAddress : x\nsecureClientPort=1\n\
                      dynamicConfigFile=old\npeerType=observer\ndataDir=C:\\\\data\n\n";
        let client = Moved {
            client: true,
            ..Moved::default()
        };
        for (moved, kept) in [
            (
                Moved::default(),
                "clientPort=2181\n\nclientPortAddress : x\nsecureClientPort=1\n",
            ),
            (client, "\nsecureClientPort=1\n"),
        ] {
            assert_eq!(
                static_text(before, "/conf/zoo.cfg.dynamic.2a", moved),
                format!(
                    "# the ensemble\\\ntickTime=2000\n{kept}dataDir=C:\\\\data\n\
                     dynamicConfigFile=/conf/zoo.cfg.dynamic.2a\n"
                )
            );
        }
        assert_eq!(static_text("", "d", client), "dynamicConfigFile=d\n");
        let once = static_text(before, "d", client);
        assert_eq!(static_text(&once, "d", client), once);
    }
}
