//! The table against two plain tables, as the Java server has them.

use super::*;
use alloc::collections::{BTreeMap, BTreeSet};
use proptest::prelude::*;

const PATHS: [&str; 7] = ["/", "/a", "/b", "/a/b", "/a/c", "/a/b/c", "/ab"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Standard,
    Persistent,
    Recursive,
}

type Table = BTreeMap<(&'static str, u32), BTreeSet<Mode>>;

#[derive(Default)]
struct Model {
    data: Table,
    child: Table,
}

impl Model {
    fn add(&mut self, watcher: u32, path: &'static str, mode: WatchMode) -> bool {
        let put = |table: &mut Table, mode| table.entry((path, watcher)).or_default().insert(mode);
        match mode {
            WatchMode::Data => put(&mut self.data, Mode::Standard),
            WatchMode::Child => put(&mut self.child, Mode::Standard),
            WatchMode::PersistentRecursive => put(&mut self.data, Mode::Recursive),
            WatchMode::Persistent => {
                put(&mut self.child, Mode::Persistent) | put(&mut self.data, Mode::Persistent)
            }
        }
    }

    fn remove(&mut self, watcher: u32, path: &'static str, kind: WatcherType) -> bool {
        let take = |table: &mut Table, mode: Mode| {
            let Some(modes) = table.get_mut(&(path, watcher)) else {
                return false;
            };
            let found = modes.remove(&mode);
            if modes.is_empty() {
                table.remove(&(path, watcher));
            }
            found
        };
        match kind {
            WatcherType::Children => take(&mut self.child, Mode::Standard),
            WatcherType::Data => take(&mut self.data, Mode::Standard),
            WatcherType::PersistentRecursive => take(&mut self.data, Mode::Recursive),
            WatcherType::Persistent => {
                take(&mut self.child, Mode::Persistent) | take(&mut self.data, Mode::Persistent)
            }
            WatcherType::Any => {
                let child = self.child.remove(&(path, watcher)).is_some();
                self.data.remove(&(path, watcher)).is_some() | child
            }
        }
    }

    fn close(&mut self, watcher: u32) {
        self.data.retain(|key, _| key.1 != watcher);
        self.child.retain(|key, _| key.1 != watcher);
    }

    fn trigger(&mut self, kind: ChangeKind, path: &'static str) -> Vec<String> {
        let mut events = Vec::new();
        let mut tell = |watchers: BTreeSet<u32>, kind, path| {
            events.extend(
                watchers
                    .into_iter()
                    .map(|watcher| event(WatcherId(watcher), kind, path)),
            );
        };
        let node = match kind {
            ChangeKind::Created => EventType::NodeCreated,
            ChangeKind::Deleted => EventType::NodeDeleted,
            ChangeKind::DataChanged => EventType::NodeDataChanged,
        };
        let mut hearers = fire(&mut self.data, path);
        if kind == ChangeKind::Deleted {
            hearers.extend(fire(&mut self.child, path));
        }
        tell(hearers, node, path);
        if kind != ChangeKind::DataChanged
            && let Some(parent) = parent(path)
        {
            let hearers = fire(&mut self.child, parent);
            tell(hearers, EventType::NodeChildrenChanged, parent);
        }
        events
    }
}

fn fire(table: &mut Table, path: &str) -> BTreeSet<u32> {
    let mut hearers = BTreeSet::new();
    for ((watched, watcher), modes) in table.iter_mut() {
        if *watched == path {
            hearers.insert(*watcher);
            modes.remove(&Mode::Standard);
        } else if modes.contains(&Mode::Recursive)
            && (*watched == "/" || path.starts_with(&format!("{watched}/")))
        {
            hearers.insert(*watcher);
        }
    }
    table.retain(|_, modes| !modes.is_empty());
    hearers
}

#[derive(Debug, Clone)]
enum Step {
    Add(u32, &'static str, WatchMode),
    Remove(u32, &'static str, WatcherType),
    Trigger(ChangeKind, &'static str),
    Close(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let watcher = 1..5u32;
    let path = proptest::sample::select(&PATHS[..]);
    let mode = proptest::sample::select(
        &[
            WatchMode::Data,
            WatchMode::Child,
            WatchMode::Persistent,
            WatchMode::PersistentRecursive,
        ][..],
    );
    let kind = (1..6).prop_filter_map("a type", WatcherType::from_wire);
    let change = proptest::sample::select(
        &[
            ChangeKind::Created,
            ChangeKind::Deleted,
            ChangeKind::DataChanged,
        ][..],
    );
    let step = prop_oneof![
        8 => (watcher.clone(), path.clone(), mode).prop_map(|(w, p, m)| Step::Add(w, p, m)),
        3 => (watcher.clone(), path.clone(), kind).prop_map(|(w, p, k)| Step::Remove(w, p, k)),
        5 => (change, path).prop_map(|(c, p)| Step::Trigger(c, p)),
        1 => watcher.prop_map(Step::Close),
    ];
    proptest::collection::vec(step, 0..60)
}

fn check(table: &WatchTable, model: &Model) {
    let entries: Vec<_> = model.data.keys().copied().collect();
    let paths: BTreeSet<_> = entries.iter().map(|(path, _)| *path).collect();
    let watchers: BTreeSet<_> = entries.iter().map(|(_, watcher)| *watcher).collect();
    assert_eq!(table.count(), model.data.len() + model.child.len());
    assert_eq!(
        table.summary(),
        WatchSummary {
            watchers: watchers.len(),
            paths: paths.len(),
            watches: entries.len()
        }
    );
    let by_path = table.by_path();
    let mut flat: Vec<_> = by_path
        .iter()
        .flat_map(|(path, watchers)| watchers.iter().map(|watcher| (*path, watcher.0)))
        .collect();
    assert_eq!(flat, entries);
    let by_watcher = table.by_watcher();
    flat = by_watcher
        .iter()
        .flat_map(|(watcher, paths)| paths.iter().map(|path| (*path, watcher.0)))
        .collect();
    flat.sort_unstable();
    assert_eq!(flat, entries);
}

proptest! {
    #[test]
    fn behaves_as_two_plain_tables(steps in steps()) {
        let mut table = WatchTable::new(1);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Add(watcher, path, mode) => assert_eq!(
                    table.add(WatcherId(watcher), path, mode),
                    model.add(watcher, path, mode)
                ),
                Step::Remove(watcher, path, kind) => {
                    let contained = table.contains(WatcherId(watcher), path, kind);
                    assert_eq!(contained, model.remove(watcher, path, kind));
                    assert_eq!(table.remove(WatcherId(watcher), path, kind), contained);
                }
                Step::Trigger(kind, path) => {
                    assert_eq!(trigger(&mut table, kind, path), model.trigger(kind, path).join(", "));
                }
                Step::Close(watcher) => {
                    table.remove_watcher(WatcherId(watcher));
                    model.close(watcher);
                }
            }
            check(&table, &model);
        }
        for watcher in 1..5 {
            table.remove_watcher(WatcherId(watcher));
        }
        assert!(table.watchers.is_empty());
        assert_eq!((table.count(), table.recursive, table.paths.iter().count()), (0, 0, 0));
    }
}
