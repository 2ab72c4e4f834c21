//! Waiting in line, by the numbers of sequential znodes. Source: Curator's `LockInternals`,
//! `StandardLockInternalsDriver`.
//!
//! 1. Create an ephemeral sequential znode.
//! 2. List the contenders in the order of their numbers. If the own one is the first, it is held.
//! 3. Otherwise watch the one before, and when it is gone go on with 2.

use super::holder::{Holder, Stop};
use crate::exit::{Exit, Failure};
use crate::znodes::connection::join;

/// How contenders' znodes are called, behind whose they are and before their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The own one.
    pub own: &'static str,
    /// All that stand in the same line.
    pub all: &'static [&'static str],
}

/// Takes a place below `parent` and waits until it is the first. Returns the path of its znode.
/// If it does not become the first, the znode is deleted.
pub fn acquire(
    holder: &Holder<'_>,
    parent: &str,
    names: Names,
    data: &[u8],
) -> Result<String, Stop> {
    let own = holder.create_protected(parent, names.own, data)?;
    let path = join(parent, &own);
    match wait_in_line(holder, parent, names, &own) {
        Ok(()) => Ok(path),
        Err(stop) => {
            holder.release(&path);
            Err(stop)
        }
    }
}

fn wait_in_line(holder: &Holder<'_>, parent: &str, names: Names, own: &str) -> Result<(), Stop> {
    loop {
        let (children, _) = holder.ask(parent, |client| client.get_children(parent, false))?;
        let before = match place(children, names.all, own) {
            Place::First => return Ok(()),
            Place::Behind(before) => join(parent, &before),
            Place::None => {
                let why = format!("somebody deleted {}", join(parent, own));
                return Err(Failure::new(Exit::Conflict, why).into());
            }
        };
        if holder.is_over() {
            return Err(Stop::TimedOut);
        }
        let there = holder.ask(&before, |client| client.exists(&before, true))?;
        if there.is_some() {
            holder.wait_for_change()?;
        }
    }
}

/// Where in the line.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    First,
    Behind(String),
    None,
}

fn place(children: Vec<String>, names: &[&str], own: &str) -> Place {
    let numbered = children
        .into_iter()
        .filter_map(|child| Some((number(&child, names)?, child)));
    let mut line: Vec<_> = numbered.collect();
    line.sort_unstable();
    match line.iter().position(|(_, child)| child == own) {
        None => Place::None,
        Some(0) => Place::First,
        Some(at) => Place::Behind(line.swap_remove(at - 1).1),
    }
}

/// The number of a sequential znode, if it follows one of `names`; what has none stands in no
/// line. Servers write ten digits, with a sign before them once the counter has overflowed.
fn number(child: &str, names: &[&str]) -> Option<i64> {
    let (head, digits) = child.split_at_checked(child.len().checked_sub(10)?)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let is_named = |head: &str| names.iter().any(|name| head.ends_with(name));
    match head.strip_suffix('-') {
        _ if is_named(head) => Some(number),
        Some(head) if is_named(head) => Some(-number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_the_line_and_not_names() {
        let children = [
            "_c_a-lock-0000000004",
            "_c_b-lock-0000000001",
            "x-lock-0000000002",
            "f4bd3a__lock__0000000003",
            "leases",
            "_c_d-read-0000000000",
        ];
        let children = || children.map(str::to_owned).to_vec();
        let behind = |child: &str| Place::Behind(child.to_owned());
        for (own, expected) in [
            ("_c_b-lock-0000000001", Place::First),
            ("x-lock-0000000002", behind("_c_b-lock-0000000001")),
            ("f4bd3a__lock__0000000003", behind("x-lock-0000000002")),
            ("_c_a-lock-0000000004", behind("f4bd3a__lock__0000000003")),
            ("_c_c-lock-0000000005", Place::None),
        ] {
            let names = &["lock-", "__lock__"];
            assert_eq!(place(children(), names, own), expected, "{own}");
        }
    }

    #[test]
    fn numbers_follow_names() {
        for (child, expected) in [
            ("_c_1-2-lock-0000000007", Some(7)),
            ("abc__lock__0000000012", Some(12)),
            ("_c_1-lock--2147483648", Some(-2_147_483_648)),
            ("abc__lock__-0000000001", Some(-1)),
            ("_c_1-lock-7", None),
            ("_c_1-lock-00000000x7", None),
            ("\u{20ac}\u{20ac}\u{20ac}\u{20ac}", None),
        ] {
            assert_eq!(number(child, &["lock-", "__lock__"]), expected, "{child}");
        }
    }
}
