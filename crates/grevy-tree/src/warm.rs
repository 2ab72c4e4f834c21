//! Looking ahead: what transactions will need is brought into the processor's cache beforehand.
//!
//! In a tree of some size, an operation on a znode mostly waits for memory: for the index, the
//! znode, its name and its data, one after the other. Waiting for many znodes' at once takes
//! hardly longer than for one.

use crate::arena::ROOT;
use crate::tree::Tree;

/// How many znodes are waited for at once: about as many loads as a processor keeps in flight.
const AT_ONCE: usize = 16;

impl Tree {
    /// Prepares for operations on these paths, which need not be well-formed. Changes nothing but
    /// how long they take.
    pub fn warm<'a>(&self, paths: impl Iterator<Item = &'a [u8]>) {
        self.warm_hashes(paths.map(|path| self.hash(path)));
    }

    /// Likewise, by the hashes of the paths.
    pub(crate) fn warm_hashes(&self, mut paths: impl Iterator<Item = u32>) {
        loop {
            let mut hashes = [0; AT_ONCE];
            let mut count = 0;
            for (hash, path) in hashes.iter_mut().zip(&mut paths) {
                *hash = path;
                self.index.touch(*hash);
                count += 1;
            }
            let mut ids = [ROOT; AT_ONCE];
            for (id, hash) in ids.iter_mut().zip(&hashes[..count]) {
                if let Some(guess) = self.index.guess(*hash) {
                    self.arena.touch(guess);
                    *id = guess;
                }
            }
            for id in &ids[..count] {
                self.arena.touch_bytes(*id);
            }
            if count < AT_ONCE {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::TreeConfig;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    #[test]
    fn any_paths_will_do_and_nothing_changes() {
        let tree = Tree::new(TreeConfig {
            hash_seed: 1,
            extended_types: false,
            emulate_353_ttl: false,
            digest: true,
        });
        let digest = tree.digest();
        let unknown: Vec<String> = (0..2 * AT_ONCE).map(|n| format!("/none/{n}")).collect();
        let known = ["", "/", "/zookeeper", "/zookeeper/config", "no path"];
        let paths: Vec<&str> = known
            .into_iter()
            .chain(unknown.iter().map(String::as_str))
            .collect();
        for count in 0..=paths.len() {
            tree.warm(paths[..count].iter().map(|path| path.as_bytes()));
        }
        assert_eq!(tree.digest(), digest);
    }
}
