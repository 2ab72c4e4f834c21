//! The configuration as it was written, without its secrets.

use super::environment;
use crate::config::keys::{self, Kind};
use crate::config::properties;
use std::collections::BTreeMap;

/// What stands for a secret.
const MASK: &str = "***";
/// Words in the names of settings that are secrets, whether they are known or not.
const SECRET_WORDS: [&str; 3] = ["passw", "secret", "superdigest"];

/// The text of the configuration file. Unlike ZooKeeper's, without passwords and the like.
pub fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut skipping = false;
    for line in text.split_inclusive('\n') {
        let goes_on = is_continued(line);
        if skipping {
            skipping = goes_on;
            continue;
        }
        // A setting may be commented out and still hold the password in use.
        let content = line.trim_start_matches(|c: char| c.is_whitespace() || "#!".contains(c));
        let end = content.find(|c: char| c.is_whitespace() || "=:".contains(c));
        let key = &content[..end.unwrap_or(content.len())];
        if is_secret(&key.replace('\\', "")) {
            let start = line.len() - content.len() + key.len();
            masked.push_str(&line[..start]);
            masked.push('=');
            masked.push_str(MASK);
            masked.push('\n');
            skipping = goes_on;
        } else {
            masked.push_str(line);
        }
    }
    masked
}

/// What Java calls system properties, as far as they have a meaning here: of the system, and of
/// the configuration file's settings those that ZooKeeper makes system properties of.
pub fn system_properties(text: &str) -> BTreeMap<String, String> {
    let about_system = |name: &str| {
        name == "java.io.tmpdir"
            || (!name.starts_with("java.") && !name.starts_with("os.memory"))
                && (name.starts_with("os.") || name.starts_with("user."))
    };
    let system = environment::entries().into_iter();
    let mut all: BTreeMap<String, String> = system
        .filter(|(name, _)| about_system(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for (name, value) in [
        ("file.separator", "/"),
        ("line.separator", "\n"),
        ("path.separator", ":"),
    ] {
        all.insert(name.to_owned(), value.to_owned());
    }
    for entry in properties::parse(text).0 {
        let name = entry.key.strip_prefix("zookeeper.").unwrap_or(&entry.key);
        let in_file_only = keys::find(name).is_some_and(|key| key.place == keys::Place::Cfg)
            || keys::find_family(name).is_some();
        if in_file_only {
            continue;
        }
        let value = match is_secret(name) {
            true => MASK.to_owned(),
            false => entry.value,
        };
        all.insert(format!("zookeeper.{name}"), value);
    }
    all
}

fn is_secret(name: &str) -> bool {
    let name = name.strip_prefix("zookeeper.").unwrap_or(name);
    let lower = name.to_ascii_lowercase();
    keys::find(name).is_some_and(|key| key.kind == Kind::Secret)
        || SECRET_WORDS.iter().any(|word| lower.contains(word))
}

/// Whether the next line belongs to this one: it ends in an odd number of backslashes.
fn is_continued(line: &str) -> bool {
    let line = line.trim_end_matches(['\n', '\r']);
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPER: &str = "DigestAuthenticationProvider.superDigest";

    #[test]
    fn secrets_are_masked_and_all_else_is_kept() {
        for (text, expected) in [
            ("", ""),
            ("a=1\n# words\nb=2", "a=1\n# words\nb=2"),
            (
                "ssl.keyStore.password=x\na=1\n",
                "ssl.keyStore.password=***\na=1\n",
            ),
            (
                "  ssl.keyStore.password : x\n",
                "  ssl.keyStore.password=***\n",
            ),
            ("#ssl.keyStore.password=x\n", "#ssl.keyStore.password=***\n"),
            (
                "my.Password x\\\n  y\\\n z\na=1\n",
                "my.Password=***\na=1\n",
            ),
            ("a=pass\\\n word\n", "a=pass\\\n word\n"),
            (
                "ssl\\.keyStore\\.password=x",
                "ssl\\.keyStore\\.password=***\n",
            ),
        ] {
            assert_eq!(masked(text), expected, "{text:?}");
        }
        let text = format!("zookeeper.{SUPER}=super:abc=\n{SUPER}=super:abc=\n");
        assert!(!masked(&text).contains("abc"));
    }

    #[test]
    fn system_properties_are_those_that_zookeeper_makes_of_the_file() {
        let text = format!("clientPort=1\nserver.1=a:1:2\nsnapCount=5\n{SUPER}=super:abc\n");
        let all = system_properties(&text);
        assert_eq!(
            all.get("zookeeper.snapCount").map(String::as_str),
            Some("5")
        );
        assert_eq!(
            all.get(&format!("zookeeper.{SUPER}")).map(String::as_str),
            Some(MASK)
        );
        assert!(all.contains_key("os.name"));
        let zookeeper = all.keys().filter(|name| name.starts_with("zookeeper."));
        assert_eq!(zookeeper.count(), 2);
    }
}
