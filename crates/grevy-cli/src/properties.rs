//! Java's properties files, as far as configurations use them.

/// Keys and values in the order of the text; later ones win where a key comes twice.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let is_separator = |c: char| c == '=' || c == ':' || c.is_ascii_whitespace();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '!']))
        .map(|line| {
            let end = line.find(is_separator).unwrap_or(line.len());
            let (key, rest) = line.split_at(end);
            let rest = rest.trim_start();
            let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            (key.to_owned(), value.trim().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "# no\n! no\n\n a = b \nserver.1=h:1:2;3\nc:d\ne f\ng\n";
        let pairs = parse(text);
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("a", "b"),
                ("server.1", "h:1:2;3"),
                ("c", "d"),
                ("e", "f"),
                ("g", "")
            ]
        );
    }
}
