//! How many znodes and bytes of data are in each subtree, down to some depth.

use grevy_proto::path;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Sums by subtree. Only those down to `depth` below `root` are kept, however large the tree is.
#[derive(Debug)]
pub struct Sizes {
    root: String,
    depth: usize,
    sums: BTreeMap<String, Sum>,
}

/// What is in a subtree, its top included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many znodes.
    pub znodes: u64,
    /// How many bytes of data they have together.
    pub bytes: u64,
}

impl Sizes {
    /// Subtrees of `root`, itself included.
    pub fn new(root: &str, depth: usize) -> Self {
        Self {
            root: root.to_owned(),
            depth,
            sums: BTreeMap::new(),
        }
    }

    /// Adds a znode at or below the root.
    pub fn add(&mut self, znode: &str, bytes: u64) {
        let mut at = znode;
        loop {
            if levels(at) <= levels(&self.root) + self.depth {
                let sum = match self.sums.get_mut(at) {
                    Some(sum) => sum,
                    None => self.sums.entry(at.to_owned()).or_default(),
                };
                sum.znodes += 1;
                sum.bytes += bytes;
            }
            match path::split(at) {
                Some((parent, _)) if at != self.root => at = parent,
                _ => return,
            }
        }
    }

    /// The sums by path.
    pub fn sums(&self) -> impl Iterator<Item = (&str, Sum)> {
        self.sums.iter().map(|(path, sum)| (path.as_str(), *sum))
    }

    /// A table, or an object a line.
    pub fn write(&self, out: &mut dyn Write, is_json: bool) -> io::Result<()> {
        if !is_json {
            writeln!(out, "{:>12} {:>15}  PATH", "ZNODES", "BYTES")?;
        }
        for (path, sum) in self.sums() {
            match is_json {
                true => crate::output::line(out, &json_of(path, sum))?,
                false => writeln!(out, "{:>12} {:>15}  {path}", sum.znodes, sum.bytes)?,
            }
        }
        Ok(())
    }
}

fn json_of(path: &str, sum: Sum) -> Value {
    json!({"path": path, "znodes": sum.znodes, "bytes": sum.bytes})
}

/// How many names a path has.
pub fn levels(path: &str) -> usize {
    match path {
        "/" => 0,
        path => path.matches('/').count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_up_to_the_root_and_down_to_the_depth() {
        let mut sizes = Sizes::new("/a", 1);
        for (path, bytes) in [("/a", 1), ("/a/b", 10), ("/a/b/c", 100), ("/a/d", 1000)] {
            sizes.add(path, bytes);
        }
        let mut text = Vec::new();
        sizes.write(&mut text, false).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "      ZNODES           BYTES  PATH\n\
             \x20          4            1111  /a\n\
             \x20          2             110  /a/b\n\
             \x20          1            1000  /a/d\n"
        );
    }

    #[test]
    fn the_whole_tree() {
        let mut sizes = Sizes::new("/", 0);
        sizes.add("/", 0);
        sizes.add("/x/y", 3);
        let sums: Vec<_> = sizes.sums().collect();
        let sum = Sum {
            znodes: 2,
            bytes: 3,
        };
        assert_eq!(sums, [("/", sum)]);
    }
}
