//! Texts for bad paths. Source: `PathUtils.validatePath`.

use grevy_proto::path::{PathError, validate};

/// Checks a path; the error is ZooKeeper's sentence about it.
pub fn check(path: &str) -> Result<(), String> {
    validate(path).map_err(|error| {
        let caused = |reason: &str, byte: usize| {
            format!(
                "Invalid path string \"{path}\" caused by {reason} @{}",
                utf16_index(path, byte)
            )
        };
        match error {
            PathError::Empty => "Path length must be > 0".to_owned(),
            PathError::NotAbsolute => "Path must start with / character".to_owned(),
            PathError::TrailingSlash => "Path must not end with / character".to_owned(),
            PathError::EmptyName(at) => caused("empty node name specified", at),
            // Java points to the last dot.
            PathError::Relative(end) => caused("relative paths not allowed", end.saturating_sub(1)),
            PathError::Character(at, '\0') => caused("null character not allowed", at),
            PathError::Character(at, _) => caused("invalid character", at),
        }
    })
}

/// Java counts UTF-16 units.
fn utf16_index(text: &str, byte: usize) -> usize {
    text.get(..byte)
        .map_or(byte, |before| before.encode_utf16().count())
}

/// A path below a chroot, as the server knows it.
pub fn prepend(chroot: &str, path: &str) -> String {
    match (chroot, path) {
        ("", _) => path.to_owned(),
        (_, "/") => chroot.to_owned(),
        _ => format!("{chroot}{path}"),
    }
}

/// A server's path as the client below a chroot knows it. What is not below it, such as the
/// configuration, keeps its name.
pub fn strip<'a>(chroot: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(chroot) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        for (path, expected) in [
            ("", "Path length must be > 0"),
            ("a", "Path must start with / character"),
            ("/a/", "Path must not end with / character"),
            (
                "/t//x",
                "Invalid path string \"/t//x\" caused by empty node name specified @3",
            ),
            (
                "/t/./x",
                "Invalid path string \"/t/./x\" caused by relative paths not allowed @3",
            ),
            (
                "/t/../x",
                "Invalid path string \"/t/../x\" caused by relative paths not allowed @4",
            ),
            (
                "/\u{e9}\u{7f}",
                "Invalid path string \"/\u{e9}\u{7f}\" caused by invalid character @2",
            ),
            (
                "/a\0",
                "Invalid path string \"/a\0\" caused by null character not allowed @2",
            ),
        ] {
            assert_eq!(check(path), Err(expected.to_owned()));
        }
        assert_eq!(check("/a/b"), Ok(()));
    }

    #[test]
    fn chroots() {
        for (chroot, client, server) in [
            ("", "/a", "/a"),
            ("", "/", "/"),
            ("/c", "/", "/c"),
            ("/c", "/a", "/c/a"),
        ] {
            assert_eq!(prepend(chroot, client), server);
            assert_eq!(strip(chroot, server), client);
        }
        assert_eq!(strip("/c", "/zookeeper/config"), "/zookeeper/config");
        assert_eq!(strip("/c", "/cd"), "/cd");
    }
}
