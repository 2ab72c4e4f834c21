//! The format of `zoo.cfg`: Java properties, as `java.util.Properties.load` reads them, with the
//! line of every entry kept so that a complaint can name it.

use std::borrow::Cow;

/// One `key=value` of a properties text, unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What stands before the separator.
    pub key: String,
    /// What stands after it, without the blanks around it. Java keeps the blanks at the end;
    /// ZooKeeper then trims them.
    pub value: String,
    /// The line on which the entry begins, from 1.
    pub line: usize,
}

/// A line that is no properties text: only a malformed `\uXXXX` can be that wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEscape {
    /// The line on which the entry begins, from 1.
    pub line: usize,
    /// The escape as it was written.
    pub escape: String,
}

/// Reads a properties text: every entry in the order of the file, duplicates included.
pub fn parse(text: &str) -> (Vec<Entry>, Vec<BadEscape>) {
    let mut entries = Vec::new();
    let mut bad = Vec::new();
    for (line, content) in logical_lines(text) {
        let (key, value) = split(&content);
        match (unescape(key), unescape(value)) {
            (Ok(key), Ok(value)) => entries.push(Entry {
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                line,
            }),
            (Err(escape), _) | (_, Err(escape)) => bad.push(BadEscape { line, escape }),
        }
    }
    (entries, bad)
}

/// Turns a file's bytes into text: UTF-8 where that is what they are, else ISO-8859-1, which is
/// what Java takes every properties file for. A leading byte order mark is dropped.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

/// Joins continued lines and leaves out blank lines and comments; each line with its number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let text = text.replace("\r\n", "\n");
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in text.split(['\n', '\r']).enumerate() {
        let content = natural.trim_start_matches(is_blank);
        // A comment or a blank line cannot be continued, but may continue another.
        if open.is_none() && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let (content, continued) = match content.strip_suffix('\\') {
            Some(before) if ends_in_escape(content) => (before, true),
            _ => (content, false),
        };
        let (first, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        joined.push_str(content);
        if continued {
            open = Some((first, joined));
        } else {
            lines.push((first, joined));
        }
    }
    lines.extend(open);
    lines
}

/// Whether the next line belongs to this one, if this is none that is blank or a comment.
pub fn is_continued(line: &str) -> bool {
    ends_in_escape(line)
}

/// Whether the last backslash is not itself escaped.
fn ends_in_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// Splits at the first unescaped blank, `=` or `:`; one `=` or `:` between blanks belongs to it.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|&(_, c)| {
            let here = !escaped && (is_blank(c) || c == '=' || c == ':');
            escaped = c == '\\' && !escaped;
            here
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// Resolves the backslash escapes; a malformed `\u` comes back as the error.
fn unescape(text: &str) -> Result<String, String> {
    // UTF-16 units, since a character beyond the first plane is written as two `\u` escapes.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let well_formed =
                        digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                    match u16::from_str_radix(&digits, 16) {
                        Ok(unit) if well_formed => units.push(unit),
                        _ => return Err(format!("\\u{digits}")),
                    }
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Ok(String::from_utf16_lossy(&units))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_as_java_reads_them() {
        type Entries = &'static [(&'static str, &'static str, usize)];
        let cases: &[(&str, Entries)] = &[
            ("", &[]),
            ("tickTime=2000", &[("tickTime", "2000", 1)]),
            ("a=1\nb=2\n", &[("a", "1", 1), ("b", "2", 2)]),
            (
                "a=1\r\nb=2\rc=3",
                &[("a", "1", 1), ("b", "2", 2), ("c", "3", 3)],
            ),
            ("# comment\n  ! another\n\n\ta = 1 ", &[("a", "1", 4)]),
            (
                "a:1\nb 2\nc\t=\t3\nd : 4",
                &[("a", "1", 1), ("b", "2", 2), ("c", "3", 3), ("d", "4", 4)],
            ),
            ("a\nb=\n=c", &[("a", "", 1), ("b", "", 2), ("", "c", 3)]),
            (
                "a==1\nb=:2\nc  d=3",
                &[("a", "=1", 1), ("b", ":2", 2), ("c", "d=3", 3)],
            ),
            // Continuation: leading blanks of the next line go, and it may look like a comment.
            ("a=1,\\\n   2\nb=3", &[("a", "1,2", 1), ("b", "3", 3)]),
            ("a=1\\\n# 2", &[("a", "1# 2", 1)]),
            ("a=1\\\n\nb=2", &[("a", "1", 1), ("b", "2", 3)]),
            ("a=1\\\\\nb=2", &[("a", "1\\", 1), ("b", "2", 2)]),
            ("a=1\\", &[("a", "1", 1)]),
            ("a = 1\\\n\\\n b", &[("a", "1b", 1)]),
            ("a=1\\\n   \\\n\n# x\nb=2", &[("a", "1", 1), ("b", "2", 5)]),
            ("a=1\\\r\rb=2", &[("a", "1", 1), ("b", "2", 3)]),
            ("a\\", &[("a", "", 1)]),
            ("# not continued \\\na=1", &[("a", "1", 2)]),
            // Escapes.
            ("a\\=b\\:c\\ d=1", &[("a=b:c d", "1", 1)]),
            ("path=C:\\\\zk\\\\data", &[("path", "C:\\zk\\data", 1)]),
            ("a=\\t1\\n2\\x\\#", &[("a", "1\n2x#", 1)]),
            ("a=\\u0041\\u00e4\\uD83D\\uDE00", &[("a", "Aä😀", 1)]),
            ("a=\\uD83D", &[("a", "\u{fffd}", 1)]),
            // Both stay; whoever reads them lets the later one win.
            ("a=1\na=2", &[("a", "1", 1), ("a", "2", 2)]),
        ];
        for (text, expected) in cases {
            let (entries, bad) = parse(text);
            let entries: Vec<_> = entries
                .iter()
                .map(|e| (e.key.as_str(), e.value.as_str(), e.line))
                .collect();
            assert_eq!((entries.as_slice(), bad.len()), (*expected, 0), "{text:?}");
        }
    }

    #[test]
    fn a_malformed_escape_is_named_and_spares_the_rest() {
        for escape in ["\\u12", "\\uwxyz", "\\u", "\\u+123"] {
            let (entries, bad) = parse(&format!("a=1\nb={escape}\nc=3"));
            assert_eq!(entries.len(), 2, "{escape}");
            assert_eq!(
                bad,
                [BadEscape {
                    line: 2,
                    escape: escape.to_owned()
                }]
            );
        }
    }

    #[test]
    fn bytes_are_utf8_or_else_latin1() {
        let cases: &[(&[u8], &str)] = &[
            (b"a=1", "a=1"),
            (b"\xef\xbb\xbfa=1", "a=1"),
            ("a=ä".as_bytes(), "a=ä"),
            (b"a=\xe4", "a=ä"),
        ];
        for (bytes, text) in cases {
            assert_eq!(decode(bytes), *text);
        }
    }
}
