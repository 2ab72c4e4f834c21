//! Watches, from registering to unregistering.

use grevy_client::{AddWatchMode, CreateOptions, ErrorCode, EventType, Notice, WatcherType};
use grevy_testing::Place;

#[tokio::test]
async fn one_shot_watches_tell_of_one_change() {
    let place = Place::new("oneshot");
    let client = place.client().await;
    let persistent = CreateOptions::persistent();
    let (stat, created) = client.exists_and_watch("/a").await.unwrap();
    assert_eq!(stat, None);
    client.create("/a", b"", &persistent).await.unwrap();
    assert_eq!(
        created.changed().await.unwrap().kind,
        EventType::NodeCreated
    );
    let (_, _, changed) = client.get_data_and_watch("/a").await.unwrap();
    let (_, _, children) = client.get_children_and_watch("/a").await.unwrap();
    client.create("/a/b", b"", &persistent).await.unwrap();
    assert_eq!(
        children.changed().await.unwrap().kind,
        EventType::NodeChildrenChanged
    );
    client.set_data("/a", b"1", None).await.unwrap();
    let event = changed.changed().await.unwrap();
    assert_eq!(
        (event.kind, &event.path[..]),
        (EventType::NodeDataChanged, "/a")
    );
    let missing = client.get_data_and_watch("/none").await;
    assert!(missing.unwrap_err().is(ErrorCode::NoNode));
}

#[tokio::test]
async fn persistent_watches_stay() {
    let place = Place::new("persistent");
    let client = place.client().await;
    let persistent = CreateOptions::persistent();
    let mut node = client
        .add_watch("/a", AddWatchMode::Persistent)
        .await
        .unwrap();
    let mut tree = client
        .add_watch("/a", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    client.create("/a", b"", &persistent).await.unwrap();
    client.create("/a/b", b"", &persistent).await.unwrap();
    client.set_data("/a/b", b"", None).await.unwrap();
    client.delete("/a/b", None).await.unwrap();
    client.delete("/a", None).await.unwrap();
    use EventType::*;
    for (watch, expected) in [
        (
            &mut node,
            vec![
                (NodeCreated, "/a"),
                (NodeChildrenChanged, "/a"),
                (NodeChildrenChanged, "/a"),
                (NodeDeleted, "/a"),
            ],
        ),
        (
            &mut tree,
            vec![
                (NodeCreated, "/a"),
                (NodeCreated, "/a/b"),
                (NodeDataChanged, "/a/b"),
                (NodeDeleted, "/a/b"),
                (NodeDeleted, "/a"),
            ],
        ),
    ] {
        for (kind, path) in expected {
            let Notice::Event(event) = watch.next().await.unwrap() else {
                panic!("there was no reconnect");
            };
            assert_eq!((event.kind, &event.path[..]), (kind, path));
        }
    }
}

#[tokio::test]
async fn dropping_a_watch_unregisters_it() {
    let place = Place::new("dropping");
    let client = place.client().await;
    let one = client
        .add_watch("/a", AddWatchMode::Persistent)
        .await
        .unwrap();
    let other = client
        .add_watch("/a", AddWatchMode::Persistent)
        .await
        .unwrap();
    let data = client.exists_and_watch("/a").await.unwrap();
    assert!(client.check_watches("/a", WatcherType::Any).await.unwrap());
    drop(one);
    assert!(
        client
            .check_watches("/a", WatcherType::Persistent)
            .await
            .unwrap()
    );
    drop(other);
    assert!(
        !client
            .check_watches("/a", WatcherType::Persistent)
            .await
            .unwrap()
    );
    assert!(client.check_watches("/a", WatcherType::Data).await.unwrap());
    drop(data);
    assert!(!client.check_watches("/a", WatcherType::Any).await.unwrap());
    // The request itself may be dropped as well.
    drop(client.add_watch("/a", AddWatchMode::Persistent));
    client.sync("/").await.unwrap();
    assert!(!client.check_watches("/a", WatcherType::Any).await.unwrap());
}

#[tokio::test]
async fn removing_watches_ends_them() {
    let place = Place::new("removing");
    let client = place.client().await;
    let mut watch = client
        .add_watch("/a", AddWatchMode::Persistent)
        .await
        .unwrap();
    client.remove_watches("/a", WatcherType::Any).await.unwrap();
    for _ in 0..2 {
        assert!(watch.next().await.unwrap_err().is(ErrorCode::NoWatcher));
    }
    let error = client
        .remove_watches("/a", WatcherType::Any)
        .await
        .unwrap_err();
    assert!(error.is(ErrorCode::NoWatcher));
}
