//! Access control lists as text. Source: `AclParser`, `ZKUtil.getPermString`.

use grevy_proto::acl::perms;
use grevy_proto::{Acl, Id};

/// Letters of permissions, in the order in which they are printed.
const LETTERS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

/// Reads `scheme:id:perms[,…]`. What cannot be read is left out, with a complaint.
pub fn parse(text: &str) -> (Vec<Acl>, Vec<String>) {
    let mut acl = Vec::new();
    let mut complaints = Vec::new();
    // Java's split drops empty items at the end, but not an empty whole.
    let text = match text.trim_end_matches(',') {
        "" if !text.is_empty() => return (acl, complaints),
        text => text,
    };
    for item in text.split(',') {
        let (entry, complained) = parse_entry(item);
        acl.extend(entry);
        complaints.extend(complained);
    }
    (acl, complaints)
}

/// Reads one `scheme:id:perms`, likewise. Here the id may have commas, as subject names do.
pub fn parse_entry(text: &str) -> (Option<Acl>, Vec<String>) {
    let mut complaints = Vec::new();
    let entry = match (text.split_once(':'), text.rsplit_once(':')) {
        (Some((scheme, rest)), Some((head, letters))) if rest.contains(':') => {
            let id = head.get(scheme.len() + 1..).unwrap_or_default();
            Some(Acl {
                perms: permissions(letters, &mut complaints),
                id: Id::new(scheme.to_owned(), id.to_owned()),
            })
        }
        _ => {
            complaints.push(format!("{text} does not have the form scheme:id:perm"));
            None
        }
    };
    (entry, complaints)
}

/// An entry as `getAcl` prints it. The line break comes from Java's `Id.toString`.
pub fn show(acl: &Acl) -> String {
    format!(
        "{},{}\n: {}",
        csv_string(&acl.id.scheme),
        csv_string(&acl.id.id),
        letters(acl.perms)
    )
}

/// An entry as [`parse`] reads it: `scheme:id:perms`.
pub fn entry(acl: &Acl) -> String {
    format!("{}:{}:{}", acl.id.scheme, acl.id.id, letters(acl.perms))
}

fn letters(perms: i32) -> String {
    let set = LETTERS.iter().filter(|(_, bit)| perms & bit != 0);
    set.map(|(letter, _)| letter).collect()
}

fn permissions(letters: &str, complaints: &mut Vec<String>) -> i32 {
    let mut bits = 0;
    for c in letters.chars() {
        match LETTERS.iter().find(|(letter, _)| *letter == c) {
            Some((_, bit)) => bits |= bit,
            None => complaints.push(format!("Unknown perm type: {c}")),
        }
    }
    bits
}

/// A string in jute's text format (`org.apache.jute.Utils.toCSVString`).
fn csv_string(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\0' => out.push_str("%00"),
            '\n' => out.push_str("%0A"),
            '\r' => out.push_str("%0D"),
            ',' => out.push_str("%2C"),
            '}' => out.push_str("%7D"),
            '%' => out.push_str("%25"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_entries_or_complaints() {
        let acl = |perms, scheme: &'static str, id: &'static str| Acl {
            perms,
            id: Id::new(scheme, id),
        };
        let cases: &[(&str, &[Acl], &[&str])] = &[
            ("world:anyone:cdrwa", &[acl(31, "world", "anyone")], &[]),
            (
                "world:anyone:r,digest:bob:h/=:w,",
                &[acl(1, "world", "anyone"), acl(2, "digest", "bob:h/=")],
                &[],
            ),
            ("auth::c", &[acl(4, "auth", "")], &[]),
            ("x:y:", &[acl(0, "x", "y")], &[]),
            (
                "x:y:rzq",
                &[acl(1, "x", "y")],
                &["Unknown perm type: z", "Unknown perm type: q"],
            ),
            (
                "bogus",
                &[],
                &["bogus does not have the form scheme:id:perm"],
            ),
            ("a:b", &[], &["a:b does not have the form scheme:id:perm"]),
            ("", &[], &[" does not have the form scheme:id:perm"]),
            (",", &[], &[]),
        ];
        for (text, acl, complaints) in cases {
            let (parsed, said) = parse(text);
            let said: Vec<_> = said.iter().map(String::as_str).collect();
            assert_eq!((&parsed[..], &said[..]), (*acl, *complaints), "{text}");
        }
    }

    #[test]
    fn entries_are_shown_as_jute_prints_them() {
        assert_eq!(show(&Acl::OPEN), "'world,'anyone\n: cdrwa");
        let odd = Acl {
            perms: perms::READ | perms::WRITE,
            id: Id::new("x509", "CN=a,O=b}%"),
        };
        assert_eq!(show(&odd), "'x509,'CN=a%2CO=b%7D%25\n: rw");
        assert_eq!(entry(&odd), "x509:CN=a,O=b}%:rw");
        assert_eq!(parse_entry(&entry(&odd)), (Some(odd), vec![]));
    }
}
