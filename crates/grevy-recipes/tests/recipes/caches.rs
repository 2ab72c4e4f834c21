//! Views that follow znodes, through reconnects.

use crate::victim::{Fate, Victim};
use grevy_client::{
    Acl, Client, CreateOptions, ErrorCode, SessionState, Transaction, WatcherType, perms,
};
use grevy_recipes::{Change, Config, ConfigError, NodeCache, TreeCache};
use grevy_testing::{Network, Place, Relay};

async fn create(client: &Client, path: &str, data: &[u8]) {
    let created = client
        .create(path, data, &CreateOptions::persistent())
        .await;
    created.expect("the znode is new");
}

#[tokio::test]
async fn a_znode_is_followed() {
    let place = Place::new("node-cache");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    let mut cache = NodeCache::start(&client, "/a").await.unwrap();
    assert_eq!(cache.get(), None);
    create(&other, "/a", b"1").await;
    assert_eq!(cache.next().await.unwrap().unwrap().data, b"1");
    other.set_data("/a", b"2", None).await.unwrap();
    assert_eq!(cache.next().await.unwrap().unwrap().data, b"2");
    // What happens during a disconnection shows after it.
    relay.set(Network::Down);
    client.state_other_than(SessionState::Connected).await;
    other.delete("/a", None).await.unwrap();
    create(&other, "/a", b"3").await;
    relay.set(Network::Whole);
    assert_eq!(cache.next().await.unwrap().unwrap().data, b"3");
    other.delete("/a", None).await.unwrap();
    assert_eq!(cache.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_tree_is_followed_and_told_by_difference_after_a_reconnect() {
    let place = Place::new("tree-cache");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    for path in ["/t", "/t/a", "/t/a/x", "/t/b"] {
        create(&other, path, b"0").await;
    }
    let mut tree = TreeCache::start(&client, "/t").await.unwrap();
    let paths: Vec<_> = tree.nodes().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(paths, ["/t", "/t/a", "/t/a/x", "/t/b"]);
    other.set_data("/t/a/x", b"1", None).await.unwrap();
    assert_eq!(
        tree.next().await.unwrap(),
        Change::Changed("/t/a/x".to_owned())
    );
    assert_eq!(tree.get("/t/a/x").unwrap().data, b"1");
    relay.set(Network::Down);
    client.state_other_than(SessionState::Connected).await;
    other.delete("/t/b", None).await.unwrap();
    other.set_data("/t/a", b"2", None).await.unwrap();
    create(&other, "/t/c", b"3").await;
    relay.set(Network::Whole);
    let last = tree.get("/t/b").unwrap().clone();
    for expected in [
        Change::Removed("/t/b".to_owned(), last),
        Change::Changed("/t/a".to_owned()),
        Change::Added("/t/c".to_owned()),
    ] {
        assert_eq!(tree.next().await.unwrap(), expected);
    }
    assert!(tree.is_settled());
    // The watch goes on.
    create(&other, "/t/c/d", b"").await;
    assert_eq!(
        tree.next().await.unwrap(),
        Change::Added("/t/c/d".to_owned())
    );
}

/// The limits of a configuration must be in order.
fn limits(tree: &TreeCache) -> Result<(u32, u32), String> {
    let number = |path: &str| {
        let node = tree.get(path).ok_or(format!("{path} is missing"))?;
        let text = String::from_utf8_lossy(&node.data);
        text.parse()
            .map_err(|_| format!("{path} is no number: {text}"))
    };
    match (number("/app/low")?, number("/app/high")?) {
        (low, high) if low <= high => Ok((low, high)),
        (low, high) => Err(format!("{low} is above {high}")),
    }
}

#[tokio::test]
async fn a_configuration_is_never_a_bad_one() {
    let place = Place::new("config");
    let victim = Victim::new(&place).await;
    let other = place.client().await;
    create(&other, "/app", b"").await;
    create(&other, "/app/low", b"1").await;
    let error = Config::start(&victim.client, "/app", limits)
        .await
        .unwrap_err();
    assert!(matches!(error, ConfigError::Rejected(why) if why.reason == "/app/high is missing"));
    create(&other, "/app/high", b"2").await;
    let mut config = Config::start(&victim.client, "/app", limits).await.unwrap();
    assert_eq!(*config.get(), (1, 2));
    let mut both = Transaction::new();
    both.set_data("/app/low", b"5", None)
        .set_data("/app/high", b"9", None);
    other.multi(both).await.unwrap();
    while *config.changed().await.unwrap() != (5, 9) {}
    other.set_data("/app/high", b"many", None).await.unwrap();
    assert_eq!(*config.changed().await.unwrap(), (5, 9));
    assert_eq!(
        config.rejected().unwrap().reason,
        "/app/high is no number: many"
    );
    other.set_data("/app/high", b"6", None).await.unwrap();
    assert_eq!(*config.changed().await.unwrap(), (5, 6));
    assert_eq!(config.rejected(), None);
    victim.meet(Fate::Expired, &place).await;
    assert!(config.changed().await.unwrap_err().ends_session());
    assert_eq!(*config.get(), (5, 6));
}

#[tokio::test]
async fn a_znode_that_may_not_be_read_is_left_out_and_named() {
    let place = Place::new("tree-unreadable");
    let client = place.client().await;
    let other = place.client().await;
    let secret = Acl {
        perms: perms::ALL & !perms::READ,
        ..Acl::OPEN
    };
    let hidden = CreateOptions::persistent().with_acl(vec![secret]);
    create(&other, "/app", b"").await;
    create(&other, "/app/low", b"1").await;
    create(&other, "/app/high", b"2").await;
    other.create("/app/key", b"", &hidden).await.unwrap();
    let tree = TreeCache::start(&client, "/app").await.unwrap();
    assert_eq!(tree.unreadable().collect::<Vec<_>>(), ["/app/key"]);
    assert_eq!(tree.nodes().count(), 3);
    let mut config = Config::start(&client, "/app", limits).await.unwrap();
    // One that comes later does not end it either.
    other.create("/app/token", b"", &hidden).await.unwrap();
    other.set_data("/app/high", b"3", None).await.unwrap();
    assert_eq!(*config.changed().await.unwrap(), (1, 3));
    assert_eq!(config.ended(), None);
    // What does end it is told.
    client
        .remove_watches("/app", WatcherType::Any)
        .await
        .unwrap();
    let error = config.changed().await.unwrap_err();
    assert!(error.is(ErrorCode::NoWatcher), "{error}");
    assert_eq!(config.ended(), Some(error));
}

#[tokio::test]
async fn a_configuration_ends_as_it_was_left() {
    let place = Place::new("config-end");
    let client = place.client().await;
    create(&client, "/app", b"").await;
    create(&client, "/app/low", b"0").await;
    create(&client, "/app/high", b"0").await;
    let mut config = Config::start(&client, "/app", limits).await.unwrap();
    // Faster than they can be read: most events tell of what has been read already.
    for number in 1..=200_u32 {
        let text = number.to_string();
        let mut both = Transaction::new();
        both.set_data("/app/low", text.as_bytes(), None).set_data(
            "/app/high",
            text.as_bytes(),
            None,
        );
        drop(client.multi(both));
    }
    while *config.get() != (200, 200) {
        config.changed().await.unwrap();
    }
}
