//! Paths of znodes. Source: `PathUtils.validatePath`.

use core::fmt;

/// Why a string is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// The path has no characters.
    Empty,
    /// It does not start with `/`.
    NotAbsolute,
    /// It ends with `/` and is not the root.
    TrailingSlash,
    /// Two slashes in a row, at this byte.
    EmptyName(usize),
    /// A name is `.` or `..`, ending at this byte.
    Relative(usize),
    /// A character that paths cannot hold, at this byte.
    Character(usize, char),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a path must not be empty"),
            Self::NotAbsolute => f.write_str("a path must start with /"),
            Self::TrailingSlash => f.write_str("a path must not end with /"),
            Self::EmptyName(at) => write!(f, "an empty name at byte {at} of the path"),
            Self::Relative(at) => write!(f, "a relative name (. or ..) before byte {at}"),
            Self::Character(at, c) => write!(f, "the character U+{:04X} at byte {at}", *c as u32),
        }
    }
}

impl core::error::Error for PathError {}

/// Checks the shape of a path: `/`, or one or more names, each after a `/`.
pub fn validate(path: &str) -> Result<(), PathError> {
    let bytes = path.as_bytes();
    match bytes {
        [] => return Err(PathError::Empty),
        b"/" => return Ok(()),
        [b'/', .., b'/'] => return Err(PathError::TrailingSlash),
        [b'/', ..] => {}
        _ => return Err(PathError::NotAbsolute),
    }
    if is_plain(bytes) {
        return Ok(());
    }
    let mut at = 1;
    for name in path[1..].split('/') {
        match name {
            "" => return Err(PathError::EmptyName(at)),
            "." | ".." => return Err(PathError::Relative(at + name.len())),
            _ => {}
        }
        if let Some((offset, c)) = name.char_indices().find(|&(_, c)| !is_name_char(c)) {
            return Err(PathError::Character(at + offset, c));
        }
        at += name.len() + 1;
    }
    Ok(())
}

/// Whether a path holds nothing that might be wrong with its names: printable ASCII, and no name
/// that is empty or starts with a dot. Nearly all paths do, and this is seen without branches.
fn is_plain(path: &[u8]) -> bool {
    let pairs = path.iter().zip(&path[1..]);
    let is_good = |(&a, &b): (&u8, &u8)| {
        let opens = (a == b'/') & ((b == b'/') | (b == b'.'));
        (b' '..0x7f).contains(&b) & !opens
    };
    pairs.fold(true, |good, pair| good & is_good(pair))
}

/// Characters outside the basic plane are surrogates to the Java server, which refuses those.
fn is_name_char(c: char) -> bool {
    !matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}'
        | '\u{fff0}'..='\u{ffff}' | '\u{10000}'..)
}

/// Splits a valid path into its parent's path and its own name; the root has none.
pub fn split(path: &str) -> Option<(&str, &str)> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", name) => Some(("/", name)),
        (parent, name) => Some((parent, name)),
    }
}

/// A valid path and those above it, up to the root.
pub fn upwards(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| split(path).map(|(parent, _)| parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        use PathError::*;
        for (path, expected) in [
            ("/", Ok(())),
            ("/a", Ok(())),
            ("/a/b.c/..d/...", Ok(())),
            ("/caf\u{e9}", Ok(())),
            ("", Err(Empty)),
            ("a", Err(NotAbsolute)),
            ("/a/", Err(TrailingSlash)),
            ("//a", Err(EmptyName(1))),
            ("/a//b", Err(EmptyName(3))),
            ("/a/./b", Err(Relative(4))),
            ("/..", Err(Relative(3))),
            ("/.hidden/ a", Ok(())),
            ("/a/.", Err(Relative(4))),
            ("/a\0", Err(Character(2, '\0'))),
            ("/a\u{1f}", Err(Character(2, '\u{1f}'))),
            ("/a\u{7f}", Err(Character(2, '\u{7f}'))),
            ("/\u{e000}", Err(Character(1, '\u{e000}'))),
            ("/\u{fffd}", Err(Character(1, '\u{fffd}'))),
            ("/\u{1f600}", Err(Character(1, '\u{1f600}'))),
        ] {
            assert_eq!(validate(path), expected, "{path:?}");
        }
    }

    #[test]
    fn parents() {
        for (path, expected) in [
            ("/", None),
            ("/a", Some(("/", "a"))),
            ("/a/b", Some(("/a", "b"))),
        ] {
            assert_eq!(split(path), expected);
        }
        assert!(upwards("/a/b").eq(["/a/b", "/a", "/"]));
        assert!(upwards("/").eq(["/"]));
    }
}
