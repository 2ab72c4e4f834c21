//! Who watches what; only data watches, as in ZooKeeper.

use crate::shared::Shared;
use grevy_node::Watches;
use grevy_proto::SessionId;
use grevy_tree::WatcherId;
use grevy_tree::watch::WatchSummary;
use std::collections::BTreeMap;

/// How many watches there are.
pub fn summary(shared: &Shared) -> WatchSummary {
    let _tree = shared.tree.read();
    shared.watches.with(|table| table.summary())
}

/// The paths that each session watches.
pub fn by_session(shared: &Shared) -> Vec<(SessionId, Vec<String>)> {
    let by_watcher: Vec<(WatcherId, Vec<String>)> = {
        let _tree = shared.tree.read();
        shared.watches.with(|table| {
            let all = table.by_watcher().into_iter();
            all.map(|(watcher, paths)| (watcher, paths.into_iter().map(str::to_owned).collect()))
                .collect()
        })
    };
    let sessions = sessions(shared);
    let of_session = |(watcher, paths)| Some((*sessions.get(&watcher)?, paths));
    by_watcher.into_iter().filter_map(of_session).collect()
}

/// The sessions that watch each path.
pub fn by_path(shared: &Shared) -> Vec<(String, Vec<SessionId>)> {
    let by_path: Vec<(String, Vec<WatcherId>)> = {
        let _tree = shared.tree.read();
        shared.watches.with(|table| {
            let all = table.by_path().into_iter();
            all.map(|(path, watchers)| (path.to_owned(), watchers))
                .collect()
        })
    };
    let sessions = sessions(shared);
    let of_sessions = |(path, watchers): (String, Vec<WatcherId>)| {
        let watchers = watchers.iter();
        (
            path,
            watchers.filter_map(|w| sessions.get(w).copied()).collect(),
        )
    };
    by_path.into_iter().map(of_sessions).collect()
}

/// Looked up apart from the watches, which are locked after connections.
fn sessions(shared: &Shared) -> BTreeMap<WatcherId, SessionId> {
    let clients = shared.clients.all().into_iter();
    clients
        .filter_map(|client| {
            let session = client.wire().conn.last_session()?;
            Some((WatcherId(client.id().0), session))
        })
        .collect()
}
