//! Waiting in line, by the numbers of sequential znodes. Source: Curator's `LockInternals`,
//! `StandardLockInternalsDriver`.
//!
//! 1. Create an ephemeral sequential znode.
//! 2. List the children in the order of their numbers. If the own one is the first, it is held.
//! 3. Otherwise watch the one before, and when it is gone go on with 2.

use super::holder::{Holder, Stop};
use crate::exit::{Exit, Failure};
use crate::znodes::connection::join;

/// Takes a place below `parent` and waits until it is the first. Returns the path of its znode.
/// If it does not become the first, the znode is deleted.
pub fn acquire(holder: &Holder<'_>, parent: &str, name: &str, data: &[u8]) -> Result<String, Stop> {
    let own = holder.create_protected(parent, name, data)?;
    let path = join(parent, &own);
    match wait_in_line(holder, parent, name, &own) {
        Ok(()) => Ok(path),
        Err(stop) => {
            holder.release(&path);
            Err(stop)
        }
    }
}

fn wait_in_line(holder: &Holder<'_>, parent: &str, name: &str, own: &str) -> Result<(), Stop> {
    loop {
        let (children, _) = holder.ask(parent, |client| client.get_children(parent, false))?;
        let before = match place(children, name, own) {
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

fn place(mut children: Vec<String>, name: &str, own: &str) -> Place {
    children.sort_by(|a, b| number(a, name).cmp(number(b, name)));
    match children.iter().position(|child| child == own) {
        None => Place::None,
        Some(0) => Place::First,
        Some(at) => Place::Behind(children.swap_remove(at - 1)),
    }
}

/// What Curator sorts by: what follows the last `name`, or everything.
fn number<'a>(child: &'a str, name: &str) -> &'a str {
    match child.rfind(name) {
        Some(at) => &child[at + name.len()..],
        None => child,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_the_line_and_not_names() {
        let children = [
            "_c_a-lock-0000000003",
            "_c_b-lock-0000000001",
            "x-lock-0000000002",
        ];
        let children = || children.map(str::to_owned).to_vec();
        for (own, expected) in [
            ("_c_b-lock-0000000001", Place::First),
            (
                "x-lock-0000000002",
                Place::Behind("_c_b-lock-0000000001".to_owned()),
            ),
            (
                "_c_a-lock-0000000003",
                Place::Behind("x-lock-0000000002".to_owned()),
            ),
            ("_c_c-lock-0000000004", Place::None),
        ] {
            assert_eq!(place(children(), "lock-", own), expected, "{own}");
        }
    }
}
