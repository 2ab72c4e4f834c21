//! The order of contenders, by the number at the end of their names.

/// How a contender's znode is called, which is also what others call theirs.
///
/// All participants in one lock must use the same layout, or one that the others are told of:
///
/// | who | understands |
/// |---|---|
/// | this crate | both layouts, whichever it uses for itself |
/// | Curator | its own only |
/// | kazoo | its own, and Curator's if told so: `Lock(…, extra_lock_patterns=["-lock-"])` |
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Layout, Lock};
///
/// let path = "/locks/printer";
/// let curator = Lock::new(&client, path).acquire().await?;
/// assert!(curator.path().contains("-lock-"));
/// // The other layout takes part in the same lock.
/// let kazoo = Lock::new(&client, path).with_layout(Layout::Kazoo);
/// assert!(kazoo.try_acquire().await?.is_none());
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// As Curator's recipes do: `_c_<uuid>-lock-0000000001`.
    #[default]
    Curator,
    /// As kazoo's recipes look for: `_c_<uuid>-__lock__0000000001`.
    Kazoo,
}

/// A contender among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contender {
    pub number: i64,
    pub name: String,
}

/// The contenders among `names` whose number follows one of `markers`, in their order.
pub(crate) fn contenders(names: Vec<String>, markers: &[&str]) -> Vec<Contender> {
    let mut contenders: Vec<_> = names
        .into_iter()
        .filter_map(|name| {
            let number = number(&name, markers)?;
            Some(Contender { number, name })
        })
        .collect();
    contenders.sort_by_key(|contender| contender.number);
    contenders
}

/// The number of a sequential znode, if it follows one of `markers`. Servers write ten digits,
/// with a sign before them once the counter has overflowed.
pub(crate) fn number(name: &str, markers: &[&str]) -> Option<i64> {
    let digits_at = name.len().checked_sub(10)?;
    let (head, digits) = name.split_at_checked(digits_at)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    if markers.iter().any(|marker| head.ends_with(marker)) {
        return Some(number);
    }
    let head = head.strip_suffix('-')?;
    let is_negative = markers.iter().any(|marker| head.ends_with(marker));
    is_negative.then_some(-number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_markers() {
        let markers = ["-lock-", "__lock__"];
        for (name, expected) in [
            ("_c_1-2-lock-0000000007", Some(7)),
            ("abc__lock__0000000012", Some(12)),
            ("_c_1-lock--2147483648", Some(-2_147_483_648)),
            ("abc__lock__-0000000001", Some(-1)),
            ("_c_1-lock-7", None),
            ("_c_1-read-0000000007", None),
            ("_c_1-lock-00000000x7", None),
            ("lock", None),
            ("\u{20ac}\u{20ac}\u{20ac}\u{20ac}", None),
        ] {
            assert_eq!(number(name, &markers), expected, "{name}");
        }
    }

    #[test]
    fn who_is_no_contender_is_left_out() {
        let names = ["x-lock-0000000009", "leases", "y__lock__0000000003"];
        let names = names.map(str::to_owned).to_vec();
        let order: Vec<_> = contenders(names, &["-lock-", "__lock__"])
            .into_iter()
            .map(|contender| contender.number)
            .collect();
        assert_eq!(order, [3, 9]);
    }
}
