use super::*;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use grevy_proto::Zxid;
use grevy_proto::request::{SetWatches, SetWatches2};

mod model;

const A: WatcherId = WatcherId(1);
const B: WatcherId = WatcherId(2);

/// `1 data /a, 2 recursive /`: watches, by watcher, kind and path.
fn table(watches: &str) -> WatchTable {
    let mut table = WatchTable::new(7);
    for watch in watches.split(", ").filter(|watch| !watch.is_empty()) {
        let mut words = watch.split(' ');
        let watcher = WatcherId(words.next().unwrap().parse().unwrap());
        let mode = match words.next().unwrap() {
            "data" => WatchMode::Data,
            "child" => WatchMode::Child,
            "persistent" => WatchMode::Persistent,
            "recursive" => WatchMode::PersistentRecursive,
            other => panic!("{other}"),
        };
        assert!(table.add(watcher, words.next().unwrap(), mode));
    }
    table
}

/// What the table holds, as [`table`] reads it, by path, watcher, kind.
fn content(table: &WatchTable) -> String {
    let mut paths: Vec<_> = table.paths.iter().collect();
    paths.sort_unstable_by_key(|(path, _)| *path);
    let mut content = Vec::new();
    for (path, watches) in paths {
        for watch in watches.as_slice() {
            for (bit, name) in [
                (DATA, "data"),
                (CHILD, "child"),
                (PERSISTENT, "persistent"),
                (RECURSIVE, "recursive"),
            ] {
                if watch.modes & bit != 0 {
                    content.push(format!("{} {name} {path}", watch.watcher.0));
                }
            }
        }
    }
    content.join(", ")
}

fn event(watcher: WatcherId, event: EventType, path: &str) -> String {
    let event = match event {
        EventType::NodeCreated => "created",
        EventType::NodeDeleted => "deleted",
        EventType::NodeDataChanged => "changed",
        EventType::NodeChildrenChanged => "children",
    };
    format!("{} {event} {path}", watcher.0)
}

fn trigger(table: &mut WatchTable, kind: ChangeKind, path: &str) -> String {
    let mut events = Vec::new();
    table.trigger(kind, path, &mut |watcher, kind, path| {
        events.push(event(watcher, kind, path));
    });
    events.join(", ")
}

#[test]
fn what_fires_and_what_stays() {
    use ChangeKind::{Created, DataChanged, Deleted};
    for (watches, kind, path, events, after) in [
        ("", Created, "/a", "", ""),
        ("1 data /b", Created, "/a", "", "1 data /b"),
        // Standard watches fire once.
        ("1 data /a", Created, "/a", "1 created /a", ""),
        ("1 data /a", DataChanged, "/a", "1 changed /a", ""),
        ("1 data /a", Deleted, "/a", "1 deleted /a", ""),
        ("1 data /a", Created, "/a/b", "", "1 data /a"),
        ("1 child /a", Created, "/a", "", "1 child /a"),
        ("1 child /a", DataChanged, "/a", "", "1 child /a"),
        ("1 child /a", Deleted, "/a", "1 deleted /a", ""),
        ("1 child /a", Created, "/a/b", "1 children /a", ""),
        ("1 child /a", Deleted, "/a/b", "1 children /a", ""),
        ("1 child /a", DataChanged, "/a/b", "", "1 child /a"),
        ("1 child /a", Created, "/a/b/c", "", "1 child /a"),
        ("1 child /", Created, "/a", "1 children /", ""),
        ("1 child /", Deleted, "/a", "1 children /", ""),
        // One deletion, one event.
        ("1 data /a, 1 child /a", Deleted, "/a", "1 deleted /a", ""),
        (
            "1 data /a, 1 child /a",
            DataChanged,
            "/a",
            "1 changed /a",
            "1 child /a",
        ),
        (
            "1 data /a, 2 child /a",
            Deleted,
            "/a",
            "1 deleted /a, 2 deleted /a",
            "",
        ),
        (
            "1 data /a/b, 1 child /a",
            Deleted,
            "/a/b",
            "1 deleted /a/b, 1 children /a",
            "",
        ),
        (
            "1 data /a/b, 1 child /a",
            Created,
            "/a/b",
            "1 created /a/b, 1 children /a",
            "",
        ),
        // Events of the znode come first, then by watcher.
        (
            "3 data /a/b, 1 child /a, 2 data /a/b",
            Created,
            "/a/b",
            "2 created /a/b, 3 created /a/b, 1 children /a",
            "",
        ),
        // Persistent watches stay.
        (
            "1 persistent /a",
            Created,
            "/a",
            "1 created /a",
            "1 persistent /a",
        ),
        (
            "1 persistent /a",
            DataChanged,
            "/a",
            "1 changed /a",
            "1 persistent /a",
        ),
        (
            "1 persistent /a",
            Deleted,
            "/a",
            "1 deleted /a",
            "1 persistent /a",
        ),
        (
            "1 persistent /a",
            Created,
            "/a/b",
            "1 children /a",
            "1 persistent /a",
        ),
        (
            "1 persistent /a",
            DataChanged,
            "/a/b",
            "",
            "1 persistent /a",
        ),
        (
            "1 data /a, 1 persistent /a",
            DataChanged,
            "/a",
            "1 changed /a",
            "1 persistent /a",
        ),
        (
            "1 child /a, 1 persistent /a",
            Created,
            "/a/b",
            "1 children /a",
            "1 persistent /a",
        ),
        // Recursive ones hear from everywhere below, but not of children.
        (
            "1 recursive /a",
            Created,
            "/a",
            "1 created /a",
            "1 recursive /a",
        ),
        (
            "1 recursive /a",
            Created,
            "/a/b/c",
            "1 created /a/b/c",
            "1 recursive /a",
        ),
        (
            "1 recursive /a",
            DataChanged,
            "/a/b",
            "1 changed /a/b",
            "1 recursive /a",
        ),
        (
            "1 recursive /",
            Deleted,
            "/a/b",
            "1 deleted /a/b",
            "1 recursive /",
        ),
        ("1 recursive /a", Created, "/ab", "", "1 recursive /a"),
        ("1 recursive /a", Created, "/", "", "1 recursive /a"),
        (
            "1 recursive /, 1 recursive /a, 1 persistent /a/b",
            Deleted,
            "/a/b",
            "1 deleted /a/b",
            "1 recursive /, 1 recursive /a, 1 persistent /a/b",
        ),
        // The event of a recursive watch stands for that of a child watch, which is spent.
        (
            "1 recursive /a, 1 child /a/b",
            Deleted,
            "/a/b",
            "1 deleted /a/b",
            "1 recursive /a",
        ),
        (
            "2 recursive /a, 1 data /a/b, 3 data /a/b",
            DataChanged,
            "/a/b",
            "1 changed /a/b, 2 changed /a/b, 3 changed /a/b",
            "2 recursive /a",
        ),
        (
            "1 recursive /a, 1 child /a, 2 persistent /a",
            Created,
            "/a/b",
            "1 created /a/b, 1 children /a, 2 children /a",
            "1 recursive /a, 2 persistent /a",
        ),
    ] {
        let mut table = table(watches);
        assert_eq!(
            trigger(&mut table, kind, path),
            events,
            "{watches:?} {kind:?} {path}"
        );
        assert_eq!(content(&table), after, "{watches:?} {kind:?} {path}");
    }
}

#[test]
fn clients_may_watch_what_is_no_path() {
    let mut table = WatchTable::new(7);
    for path in ["", "//", "a", "a/b/"] {
        assert!(table.add(A, path, WatchMode::PersistentRecursive));
    }
    assert_eq!(trigger(&mut table, ChangeKind::Created, "/a"), "");
    assert_eq!(table.summary().paths, 4);
}

#[test]
fn a_watch_is_set_once() {
    let mut table = table("1 data /a");
    assert!(!table.add(A, "/a", WatchMode::Data));
    assert!(table.add(A, "/a", WatchMode::Child));
    assert!(table.add(A, "/a", WatchMode::Persistent));
    assert!(!table.add(A, "/a", WatchMode::Persistent));
    assert!(table.add(B, "/a", WatchMode::Data));
    assert_eq!(
        content(&table),
        "1 data /a, 1 child /a, 1 persistent /a, 2 data /a"
    );
}

#[test]
fn finding_and_removing() {
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    for (watches, kind, after) in [
        ("1 data /a", Data, Some("")),
        ("1 data /a", Any, Some("")),
        ("1 data /a", Children, None),
        ("1 data /a", Persistent, None),
        ("1 data /a", PersistentRecursive, None),
        ("1 child /a", Children, Some("")),
        ("1 child /a", Any, Some("")),
        ("1 child /a", Data, None),
        ("1 persistent /a", Persistent, Some("")),
        ("1 persistent /a", Any, Some("")),
        ("1 persistent /a", Data, None),
        ("1 persistent /a", Children, None),
        ("1 persistent /a", PersistentRecursive, None),
        ("1 recursive /a", PersistentRecursive, Some("")),
        ("1 recursive /a", Any, Some("")),
        ("1 recursive /a", Persistent, None),
        ("1 recursive /", PersistentRecursive, None),
        ("2 data /a", Data, None),
        ("1 data /b", Any, None),
        ("1 data /a, 1 child /a", Data, Some("1 child /a")),
        ("1 data /a, 1 child /a", Any, Some("")),
        (
            "1 data /a, 1 persistent /a, 2 data /a",
            Persistent,
            Some("1 data /a, 2 data /a"),
        ),
        ("1 persistent /a, 1 recursive /a", Any, Some("")),
    ] {
        let mut table = table(watches);
        let found = after.is_some();
        assert_eq!(table.contains(A, "/a", kind), found, "{watches:?} {kind:?}");
        assert_eq!(table.remove(A, "/a", kind), found, "{watches:?} {kind:?}");
        assert!(!table.contains(A, "/a", kind), "{watches:?} {kind:?}");
        assert_eq!(content(&table), after.unwrap_or(watches), "{kind:?}");
    }
}

#[test]
fn a_closed_connection_leaves_nothing() {
    let mut table = table("1 data /a, 1 recursive /, 2 data /a, 1 persistent /b, 2 child /b");
    table.remove_watcher(A);
    assert_eq!(content(&table), "2 data /a, 2 child /b");
    assert_eq!((table.recursive, table.count()), (0, 2));
    table.remove_watcher(B);
    table.remove_watcher(B);
    assert_eq!(content(&table), "");
    assert_eq!(table.count(), 0);
    assert!(table.watchers.is_empty());
}

#[test]
fn reports_know_data_watches_only() {
    let table =
        table("2 data /a, 1 child /a, 1 persistent /b, 3 child /c, 2 recursive /, 1 data /b");
    assert_eq!(
        table.summary(),
        WatchSummary {
            watchers: 2,
            paths: 3,
            watches: 3
        }
    );
    assert_eq!(table.count(), 6);
    assert_eq!(
        table.by_path(),
        [
            ("/", Vec::from([B])),
            ("/a", Vec::from([B])),
            ("/b", Vec::from([A]))
        ]
    );
    assert_eq!(
        table.by_watcher(),
        [(A, Vec::from(["/b"])), (B, Vec::from(["/", "/a"]))]
    );
}

#[test]
fn wire_values() {
    for value in -1..7 {
        let kind = WatcherType::from_wire(value);
        assert_eq!(
            kind.map(|kind| kind as i32),
            (1..=5).contains(&value).then_some(value)
        );
    }
    assert_eq!(WatchMode::from_wire(0), Some(WatchMode::Persistent));
    assert_eq!(
        WatchMode::from_wire(1),
        Some(WatchMode::PersistentRecursive)
    );
    assert_eq!(WatchMode::from_wire(2), None);
    assert_eq!(WatchMode::from_wire(-1), None);
}

/// The znode of the path is named after what is true of it.
fn look(path: &str) -> Option<CatchUp> {
    let (mzxid, pzxid) = match path.trim_end_matches("_hidden") {
        "/old" => (5, 5),
        "/set" => (6, 5),
        "/grown" => (5, 6),
        _ => return None,
    };
    Some(CatchUp {
        mzxid: Zxid(mzxid),
        pzxid: Zxid(pzxid),
        readable: !path.ends_with("_hidden"),
    })
}

#[test]
fn returning_clients() {
    for (list, path, events, set) in [
        ("data", "/gone", "1 deleted /gone", ""),
        ("data", "/set", "1 changed /set", ""),
        ("data", "/set_hidden", "", ""),
        ("data", "/grown", "", "1 data /grown"),
        ("data", "/old", "", "1 data /old"),
        ("exist", "/gone", "", "1 data /gone"),
        ("exist", "/old", "1 created /old", ""),
        ("exist", "/old_hidden", "", ""),
        ("child", "/gone", "1 deleted /gone", ""),
        ("child", "/grown", "1 children /grown", ""),
        ("child", "/grown_hidden", "", ""),
        ("child", "/set", "", "1 child /set"),
        ("persistent", "/set", "", "1 persistent /set"),
        ("persistent", "/gone", "", "1 persistent /gone"),
        ("recursive", "/set", "", "1 recursive /set"),
    ] {
        let when = |name| match name == list {
            true => Vec::from([Cow::Borrowed(path)]),
            false => Vec::new(),
        };
        let watches = SetWatches2 {
            standard: SetWatches {
                relative_zxid: Zxid(5),
                data: when("data"),
                exist: when("exist"),
                child: when("child"),
            },
            persistent: when("persistent"),
            persistent_recursive: when("recursive"),
        };
        let mut table = table("");
        let mut told = Vec::new();
        table.set_again(A, &watches, &mut look, &mut |kind, path| {
            told.push(event(A, kind, path));
        });
        assert_eq!(told.join(", "), events, "{list} {path}");
        assert_eq!(content(&table), set, "{list} {path}");
    }
}
