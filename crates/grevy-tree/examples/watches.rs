//! Measures a table of many watches: memory, setting, triggering, closing.
//!
//! `cargo run --release -p grevy-tree --example watches own|shared|hot [watches] [watchers]`

use grevy_tree::{ChangeKind, WatchMode, WatchTable, WatcherId};
use std::ops::Range;
use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args().skip(1);
    let which = args.next().unwrap_or("own".into());
    let mut args = args.map(|arg| arg.parse().expect("a number"));
    let count: usize = args.next().unwrap_or(1_000_000);
    let watchers: usize = args.next().unwrap_or(1000);
    let paths: Vec<String> = (0..count).map(|n| format!("/bench/{n:010}")).collect();
    match &*which {
        "own" => {
            println!("{watchers} watchers, each with its own of {count} paths");
            measure(&paths, |path| path % watchers..path % watchers + 1);
        }
        "shared" => {
            let shared = count.div_ceil(watchers);
            println!("{watchers} watchers, all of them on each of {shared} paths");
            measure(&paths[..shared], |_| 0..watchers);
        }
        _ => {
            println!("{watchers} watchers on one path");
            measure(&paths[..1], |_| 0..watchers);
        }
    }
}

/// `who`: which watchers watch the path of this number.
fn measure(paths: &[String], who: impl Fn(usize) -> Range<usize>) {
    let before = resident();
    let mut table = WatchTable::new(1);
    let set = |table: &mut WatchTable| {
        let start = Instant::now();
        for (n, path) in paths.iter().enumerate() {
            for watcher in who(n) {
                table.add(WatcherId(watcher as u32), path, WatchMode::Data);
            }
        }
        start.elapsed()
    };
    let spent = set(&mut table);
    let count = table.count();
    each("set", spent, count);
    let grown = resident().saturating_sub(before);
    println!(
        "  {} MiB resident more, {} bytes each",
        grown >> 20,
        grown / count
    );

    let start = Instant::now();
    for path in paths {
        // Nobody watches the parent's children, nor this.
        let unwatched = &path[..path.len() - 1];
        table.trigger(
            ChangeKind::Created,
            unwatched,
            &mut |_, _, _| unreachable!(),
        );
    }
    each("trigger unwatched", start.elapsed(), paths.len());

    let mut events = 0;
    let start = Instant::now();
    for path in paths {
        table.trigger(ChangeKind::DataChanged, path, &mut |_, _, _| events += 1);
    }
    each("trigger", start.elapsed(), events);
    assert_eq!((events, table.count()), (count, 0));

    set(&mut table);
    let start = Instant::now();
    let watchers = (0..paths.len()).map(|n| who(n).end).max();
    for watcher in 0..watchers.unwrap_or(0) {
        table.remove_watcher(WatcherId(watcher as u32));
    }
    each("close", start.elapsed(), count);
    assert_eq!(table.count(), 0);
}

fn each(what: &str, spent: Duration, count: usize) {
    println!("  {what}: {} ns each", spent.as_nanos() / count as u128);
}

/// Resident memory in bytes; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0usize) * 1024
}
