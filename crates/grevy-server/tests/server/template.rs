//! Texts with parts that differ from run to run.

/// Asserts that a text is as the template says, line by line: `*` stands for any characters but
/// none of them a line's end, `@` for digits.
#[track_caller]
pub fn assert_fits(text: &str, template: &str) {
    let mut lines = text.split('\n');
    for (number, expected) in template.split('\n').enumerate() {
        let line = lines.next();
        let fits = line.is_some_and(|line| fits(line, expected));
        assert!(
            fits,
            "line {}: {line:?} is not {expected:?}\n{text}",
            number + 1
        );
    }
    let more = lines.next();
    assert!(more.is_none(), "more than expected: {more:?}\n{text}");
}

fn fits(text: &str, template: &str) -> bool {
    let Some(wild) = template.find(['*', '@']) else {
        return text == template;
    };
    let (before, after) = template.split_at(wild);
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    let digits_only = after.starts_with('@');
    let takes = |c: char| !digits_only || c.is_ascii_digit();
    let end = rest.find(|c| !takes(c)).unwrap_or(rest.len());
    let cuts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    cuts.take_while(|&at| at <= end)
        .filter(|&at| !digits_only || at > 0)
        .any(|at| fits(&rest[at..], &after[1..]))
}

#[test]
fn templates() {
    for (text, template, expected) in [
        ("a=12", "a=@", true),
        ("a=", "a=@", false),
        ("a=1x", "a=@", false),
        ("a=1x, b", "a=*, b", true),
        ("a=1", "a=1*", true),
        ("ab", "a", false),
    ] {
        assert_eq!(fits(text, template), expected, "{text} {template}");
    }
}
