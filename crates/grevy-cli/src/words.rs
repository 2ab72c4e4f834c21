//! From a line to words. Source: `ZooKeeperMain.MyCommandOptions.parseCommand`.

/// Splits at white space. A word that starts with a quote goes on to the next such quote, and
/// loses both; a quote without a partner is dropped. Quotes inside a word mean nothing.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else {
            return words;
        };
        if let '"' | '\'' = first {
            let inner = rest.strip_prefix(first).unwrap_or_default();
            match inner.split_once(first) {
                Some((word, after)) => {
                    words.push(word.to_owned());
                    rest = after;
                }
                None => rest = inner,
            }
        } else {
            let end = rest.find(is_space).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push(word.to_owned());
            rest = after;
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("   ", &[]),
            ("ls /", &["ls", "/"]),
            ("  ls \t / ", &["ls", "/"]),
            ("set /a \"x  y\"", &["set", "/a", "x  y"]),
            ("set /a 'x \"y'", &["set", "/a", "x \"y"]),
            ("create /a \"\"", &["create", "/a", ""]),
            ("set /a x\"y z\"", &["set", "/a", "x\"y", "z\""]),
            ("set /a \"x\"y", &["set", "/a", "x", "y"]),
            ("set /a \"x y", &["set", "/a", "x", "y"]),
            ("\"ls\" /", &["ls", "/"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line), *words, "{line}");
        }
    }
}
