//! What the commands `wchs`, `wchp` and `wchc` tell. As in the Java server they know only what
//! stands in its table of data watches: not those of getChildren.

use super::path::Watch;
use super::{IN_DATA_TABLE, WatchTable, WatcherId};
use alloc::vec::Vec;
use hashbrown::HashSet;

/// Counts of data watches. Source: `WatchesSummary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSummary {
    /// Connections that watch.
    pub watchers: usize,
    /// Paths that are watched.
    pub paths: usize,
    /// Pairs of both.
    pub watches: usize,
}

/// Watched paths, ascending, with their watchers, ascending. Source: `WatchesPathReport`.
pub type WatchesByPath<'a> = Vec<(&'a str, Vec<WatcherId>)>;

/// Watchers, ascending, with the paths they watch, ascending. Source: `WatchesReport`.
pub type WatchesByWatcher<'a> = Vec<(WatcherId, Vec<&'a str>)>;

impl WatchTable {
    /// How many watches there are.
    pub fn summary(&self) -> WatchSummary {
        let mut watchers = HashSet::with_hasher(self.hasher.clone());
        let (mut paths, mut pairs) = (0, 0);
        for (_, watches) in self.paths.iter() {
            let is_data = |watch: &&Watch| watch.modes & IN_DATA_TABLE != 0;
            let before = pairs;
            for watch in watches.as_slice().iter().filter(is_data) {
                watchers.insert(watch.watcher);
                pairs += 1;
            }
            paths += usize::from(pairs > before);
        }
        WatchSummary {
            watchers: watchers.len(),
            paths,
            watches: pairs,
        }
    }

    /// Who watches each path.
    pub fn by_path(&self) -> WatchesByPath<'_> {
        let mut all: WatchesByPath<'_> = self
            .paths
            .iter()
            .map(|(path, watches)| {
                let watches = watches.as_slice().iter();
                let data = watches.filter(|watch| watch.modes & IN_DATA_TABLE != 0);
                (path, data.map(|watch| watch.watcher).collect())
            })
            .filter(|(_, watchers): &(_, Vec<_>)| !watchers.is_empty())
            .collect();
        all.sort_unstable_by_key(|(path, _)| *path);
        all
    }

    /// What each watcher watches.
    pub fn by_watcher(&self) -> WatchesByWatcher<'_> {
        let mut all: WatchesByWatcher<'_> = self
            .watchers
            .iter()
            .map(|(&watcher, ids)| {
                let is_data =
                    |watcher, id| self.paths.watches(id).get(watcher) & IN_DATA_TABLE != 0;
                let ids = ids.iter().filter(|&id| is_data(watcher, id));
                let mut paths: Vec<_> = ids.map(|id| self.paths.path(id)).collect();
                paths.sort_unstable();
                (watcher, paths)
            })
            .filter(|(_, paths)| !paths.is_empty())
            .collect();
        all.sort_unstable_by_key(|(watcher, _)| *watcher);
        all
    }
}
