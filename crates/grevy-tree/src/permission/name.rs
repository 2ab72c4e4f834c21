//! What names look like in each scheme that has names.

/// Whether `id` is `user:hash`. Trailing colons are ignored, as Java's `split` ignores them.
/// Source: `DigestAuthenticationProvider.isValid`.
pub(super) fn is_digest(id: &str) -> bool {
    id.trim_end_matches(':').matches(':').count() == 1
}

/// Whether `id` is `service/host@realm`, without any of the last two, or has none of their marks.
/// Source: `KerberosName`.
pub(super) fn is_kerberos(id: &str) -> bool {
    match id.split_once('@') {
        None => true,
        Some((principal, realm)) => {
            !realm.contains(['/', '@']) && principal.matches('/').count() <= 1
        }
    }
}

/// Whether `id` is a distinguished name such as `CN=me,O=us`: attributes separated by `,`, `;`
/// or `+`, each a known keyword or dotted number, `=`, and a plain, quoted or hexadecimal value.
/// Source: `javax.security.auth.x500.X500Principal(String)`.
pub(super) fn is_x500(id: &str) -> bool {
    let mut rest = id;
    while !rest.is_empty() {
        let Some((keyword, value)) = rest.split_once('=') else {
            return false;
        };
        if !is_keyword(keyword.trim()) {
            return false;
        }
        let Some(end) = value_end(value) else {
            return false;
        };
        rest = match value.get(end + 1..) {
            // A separator must be followed by another attribute.
            Some("") => return false,
            Some(next) => next,
            None => "",
        };
    }
    true
}

fn is_keyword(keyword: &str) -> bool {
    const KNOWN: [&str; 20] = [
        "CN",
        "C",
        "L",
        "S",
        "ST",
        "O",
        "OU",
        "T",
        "IP",
        "STREET",
        "DC",
        "DNQUALIFIER",
        "DNQ",
        "SURNAME",
        "GIVENNAME",
        "INITIALS",
        "GENERATION",
        "EMAIL",
        "EMAILADDRESS",
        "UID",
    ];
    let number = match keyword.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("OID.") => &keyword[4..],
        _ => keyword,
    };
    let is_number = number.contains('.')
        && number
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    is_number
        || keyword.eq_ignore_ascii_case("SERIALNUMBER")
        || KNOWN
            .iter()
            .any(|known| known.eq_ignore_ascii_case(keyword))
}

/// Where the value at the start of `text` ends: at a separator, or at the end of the text.
/// `None`: it is not well formed.
fn value_end(text: &str) -> Option<usize> {
    let start = text.len() - text.trim_start_matches([' ', '\n']).len();
    let value = &text[start..];
    if let Some(quoted) = value.strip_prefix('"') {
        let mut escaped = false;
        let close = quoted.find(|c| {
            let found = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            found
        })?;
        let after = &quoted[close + 1..];
        let blanks = after.len() - after.trim_start_matches([' ', '\n']).len();
        let end = start + 1 + close + 1 + blanks;
        return match text[end..].chars().next() {
            None | Some(',' | ';' | '+') => Some(end),
            Some(_) => None,
        };
    }
    if let Some(hex) = value.strip_prefix('#') {
        let len = hex.find([',', ';', '+']).unwrap_or(hex.len());
        let digits = hex[..len].trim_end();
        let good = !digits.is_empty()
            && digits.len() % 2 == 0
            && digits.bytes().all(|b| b.is_ascii_hexdigit());
        return good.then_some(start + 1 + len);
    }
    let mut chars = value.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ',' | ';' | '+' => return Some(start + at),
            '<' | '>' | '"' => return None,
            '\\' => match chars.next()?.1 {
                ',' | '=' | '+' | '<' | '>' | '#' | ';' | '\\' | '"' | ' ' | '\n' => {}
                first if first.is_ascii_hexdigit() => {
                    chars
                        .next()
                        .filter(|(_, second)| second.is_ascii_hexdigit())?;
                }
                _ => return None,
            },
            _ => {}
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        for (id, good) in [
            ("a:b", true),
            (":b", true),
            ("a:b:", true),
            ("a:b::", true),
            ("", false),
            (":", false),
            ("a", false),
            ("a:", false),
            ("a:b:c", false),
            ("a::b", false),
        ] {
            assert_eq!(is_digest(id), good, "{id:?}");
        }
    }

    #[test]
    fn kerberos_names() {
        for (id, good) in [
            ("a", true),
            ("", true),
            ("a/b", true),
            ("a/b/c", true),
            ("a@r", true),
            ("a/b@r", true),
            ("a/b/c@r", false),
            ("a@r/s", false),
            ("a@r@s", false),
        ] {
            assert_eq!(is_kerberos(id), good, "{id:?}");
        }
    }

    #[test]
    fn distinguished_names() {
        for (id, good) in [
            ("", true),
            ("CN=a", true),
            ("cn = a , O=b;C=de", true),
            ("CN=a+OU=b", true),
            ("CN=", true),
            ("1.2.840.113549.1.9.1=#160161", true),
            ("OID.1.2.3=x", true),
            (r#"CN="a, b" ,O=c"#, true),
            (r#"CN="a\"b""#, true),
            (r"CN=a\,b,O=c\20d\=", true),
            ("CN=a=b", true),
            ("CN", false),
            ("=a", false),
            ("XY=a", false),
            ("CN=a,", false),
            ("CN=a,b", false),
            (",CN=a", false),
            (r#"CN="a"#, false),
            (r#"CN="a"b"#, false),
            (r#"CN=a"b""#, false),
            (r"CN=a\", false),
            (r"CN=a\q", false),
            (r"CN=a\2q", false),
            ("CN=#1", false),
            ("CN=#", false),
            ("CN=a<b", false),
            ("CN=\u{e9}\u{20ac}", true),
        ] {
            assert_eq!(is_x500(id), good, "{id:?}");
        }
    }
}
