//! Broken networks, lost answers, ended sessions.

use grevy_client::{
    Acl, AddWatchMode, CreateOptions, Error, EventType, Id, Notice, OpCode, RetryPolicy,
    SessionState, perms,
};
use grevy_testing::{Network, Place, Relay};
use std::time::Duration;
use tokio::sync::mpsc;

#[tokio::test]
async fn a_session_survives_its_connection() {
    let place = Place::new("survives");
    let relay = Relay::to(&place).await;
    let client = relay
        .connector()
        .auth("digest", b"a:b")
        .connect()
        .await
        .unwrap();
    let other = place.client().await;
    client
        .create("/e", b"", &CreateOptions::ephemeral())
        .await
        .unwrap();
    let (_, _, changed) = client.get_data_and_watch("/e").await.unwrap();
    let (_, created) = client.exists_and_watch("/later").await.unwrap();
    let mut tree = client
        .add_watch("/", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    let session = client.session_id();
    relay.set(Network::Down);
    assert_eq!(
        client.state_other_than(SessionState::Connected).await,
        SessionState::Disconnected
    );
    other.set_data("/e", b"1", None).await.unwrap();
    relay.set(Network::Whole);
    client.connected().await.unwrap();
    assert_eq!(client.session_id(), session);
    assert_eq!(
        changed.changed().await.unwrap().kind,
        EventType::NodeDataChanged
    );
    assert_eq!(tree.next().await.unwrap(), Notice::Resumed);
    other
        .create("/later", b"", &CreateOptions::persistent())
        .await
        .unwrap();
    assert_eq!(
        created.changed().await.unwrap().kind,
        EventType::NodeCreated
    );
    // The one-shot watch's event comes first: it is about a path below the tree, too.
    for path in ["/e", "/later"] {
        let notice = tree.next().await.unwrap();
        assert!(matches!(notice, Notice::Event(event) if event.path == path));
    }
    let identities = client.who_am_i().await.unwrap();
    assert!(identities.iter().any(|identity| identity.user == "a"));
}

#[tokio::test]
async fn a_lost_answer_to_a_write_leaves_its_outcome_unknown() {
    let place = Place::new("unknown");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    let (_, created) = other.exists_and_watch("/a").await.unwrap();
    relay.set(Network::Mute);
    let write = client.create("/a", b"", &CreateOptions::persistent());
    let read = client.get_data("/");
    created.changed().await.unwrap();
    relay.set(Network::Down);
    let error = write.await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    let error = read.await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
    // Nothing was sent: no server could be reached.
    let error = client.set_data("/a", b"", None).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
    relay.set(Network::Whole);
    let retry = RetryPolicy::default();
    let stat = retry
        .run(|| client.set_data("/a", b"", Some(0)))
        .await
        .unwrap();
    assert_eq!(stat.version, 1);
}

#[tokio::test]
async fn a_protected_create_finds_its_znode_again() {
    let place = Place::new("protected");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    other
        .create("/q", b"", &CreateOptions::persistent())
        .await
        .unwrap();
    let (_, _, created) = other.get_children_and_watch("/q").await.unwrap();
    relay.mute_at(OpCode::Create2);
    let options = CreateOptions::ephemeral().sequential();
    let policy = RetryPolicy::default();
    let creating = client.create_protected("/q/n-", b"x", &options, &policy);
    let breaking = async {
        created.changed().await.unwrap();
        relay.cut();
    };
    let (created, ()) = tokio::join!(creating, breaking);
    let created = created.unwrap();
    assert_eq!(created.stat.ephemeral_owner, client.session_id());
    let (names, _) = client.get_children("/q").await.unwrap();
    assert_eq!(created.path, format!("/q/{}", names[0]));
    assert_eq!(names.len(), 1);
    assert!(
        names[0].starts_with("_c_") && names[0].ends_with("-n-0000000000"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_protected_create_that_nobody_waits_for_leaves_nothing() {
    let place = Place::new("unclaimed");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    other
        .create("/q", b"", &CreateOptions::persistent())
        .await
        .unwrap();
    let mut children = other
        .add_watch("/q", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    relay.set(Network::Mute);
    let options = CreateOptions::ephemeral().sequential();
    let policy = RetryPolicy::default();
    let creating = client.create_protected("/q/n-", b"", &options, &policy);
    let first = tokio::select! {
        result = creating => panic!("the answer cannot come: {result:?}"),
        notice = children.next() => notice.unwrap(),
    };
    assert!(matches!(first, Notice::Event(event) if event.kind == EventType::NodeCreated));
    relay.cut();
    let second = children.next().await.unwrap();
    assert!(matches!(second, Notice::Event(event) if event.kind == EventType::NodeDeleted));
    assert_eq!(client.state(), SessionState::Connected);
}

#[tokio::test]
async fn a_protected_create_that_cannot_be_looked_for_stays_unknown_and_is_undone_later() {
    let place = Place::new("unlisted");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let owner = place.connector().auth("digest", b"owner:secret");
    let other = owner.connect().await.unwrap();
    // Everybody may create, only the owner may look.
    let create = Acl {
        perms: perms::CREATE | perms::DELETE,
        ..Acl::OPEN
    };
    let all = Acl {
        perms: perms::ALL,
        id: Id::new("auth", ""),
    };
    let parent = CreateOptions::persistent().with_acl(vec![create, all]);
    other.create("/q", b"", &parent).await.unwrap();
    let count = async || other.exists("/q").await.unwrap().unwrap().num_children;
    relay.set(Network::Mute);
    let options = CreateOptions::persistent().sequential();
    let policy = RetryPolicy::default();
    let creating = client.create_protected("/q/n-", b"", &options, &policy);
    let breaking = async {
        while count().await == 0 {}
        relay.cut();
    };
    let (created, ()) = tokio::join!(creating, breaking);
    let error = created.unwrap_err();
    assert!(
        matches!(&error, Error::OutcomeUnknown { reason, .. } if reason.contains("NoAuth")),
        "{error}"
    );
    other.set_acl("/q", &[Acl::OPEN], None).await.unwrap();
    while count().await > 0 {}
}

#[tokio::test]
async fn what_goes_on_in_the_background_does_not_keep_a_session() {
    let place = Place::new("background");
    let relay = Relay::to(&place).await;
    // Every task has a sender, and so has the client.
    let (alive, mut end) = mpsc::channel::<()>(1);
    let connector = relay.connector().spawner(move |task| {
        let alive = alive.clone();
        drop(tokio::spawn(async move {
            task.await;
            drop(alive);
        }));
    });
    let client = connector.connect().await.unwrap();
    let options = CreateOptions::ephemeral();
    let created = client.create("/e", b"", &options).await.unwrap();
    relay.set(Network::Down);
    client.state_other_than(SessionState::Connected).await;
    let policy = RetryPolicy {
        attempts: u32::MAX,
        ..RetryPolicy::default()
    };
    let deletion = client.delete_in_background("/e", created.stat.czxid);
    let error = deletion.await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
    tokio::select! {
        biased;
        created = client.create_protected("/n-", b"", &options, &policy) => {
            panic!("there is no server: {created:?}")
        }
        stat = client.exists("/e") => assert!(stat.is_err()),
    }
    drop(client);
    assert_eq!(end.recv().await, None);
}

#[tokio::test]
async fn a_deletion_that_is_made_again_spares_what_came_later() {
    let place = Place::new("spared");
    let relay = Relay::to(&place).await;
    let (sender, mut ended) = mpsc::unbounded_channel();
    let connector = relay.connector().spawner(move |task| {
        let sender = sender.clone();
        drop(tokio::spawn(async move {
            task.await;
            let _ = sender.send(());
        }));
    });
    let client = connector.connect().await.unwrap();
    let other = place.client().await;
    let options = CreateOptions::ephemeral();
    let created = client.create("/e", b"", &options).await.unwrap();
    let (_, _, gone) = other.get_data_and_watch("/e").await.unwrap();
    relay.set(Network::Mute);
    let deletion = client.delete_in_background("/e", created.stat.czxid);
    gone.changed().await.unwrap();
    other.create("/e", b"", &options).await.unwrap();
    relay.cut();
    let error = deletion.await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    // The deletion, since the session goes on.
    ended.recv().await.unwrap();
    assert!(other.exists("/e").await.unwrap().is_some());
}

#[tokio::test]
async fn an_expired_session_says_so() {
    let place = Place::new("expired");
    let relay = Relay::to(&place).await;
    let short = relay
        .connector()
        .session_timeout(Duration::from_millis(400));
    let client = short.connect().await.unwrap();
    let other = place.client().await;
    client
        .create("/e", b"", &CreateOptions::ephemeral())
        .await
        .unwrap();
    let (_, _, gone) = other.get_data_and_watch("/e").await.unwrap();
    let (_, _, watch) = client.get_data_and_watch("/").await.unwrap();
    relay.set(Network::Frozen);
    gone.changed().await.unwrap();
    relay.cut();
    let error = watch.changed().await.unwrap_err();
    assert!(matches!(error, Error::SessionExpired { .. }), "{error}");
    assert_eq!(client.state(), SessionState::Expired);
    let error = client.get_data("/").await.unwrap_err();
    assert!(matches!(error, Error::SessionExpired { .. }), "{error}");
}

#[tokio::test]
async fn a_session_can_be_resumed_elsewhere() {
    let place = Place::new("resumed");
    let first = place.client().await;
    first
        .create("/e", b"", &CreateOptions::ephemeral())
        .await
        .unwrap();
    let ticket = first.ticket().unwrap();
    let second = place
        .connector()
        .resume(ticket.clone())
        .connect()
        .await
        .unwrap();
    assert_eq!(second.session_id(), first.session_id());
    assert!(!format!("{ticket:?}").contains("password"));
    second.close().await;
    let error = first.state_other_than(SessionState::Connected).await;
    assert_eq!(first.state_other_than(error).await, SessionState::Expired);
    let gone = place
        .connector()
        .resume(ticket)
        .connect()
        .await
        .unwrap_err();
    assert!(matches!(gone, Error::SessionExpired { .. }), "{gone}");
}

#[tokio::test]
async fn servers_that_are_not_there_are_named() {
    let place = Place::new("absent");
    let relay = Relay::to(&place).await;
    relay.set(Network::Down);
    let patience = Duration::from_millis(300);
    let error = relay
        .connector()
        .connect_timeout(patience)
        .connect()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    // One that is there is found behind those that are not.
    let list = format!("127.0.0.1:1,{},[::1]:1", place.address);
    let client = grevy_client::Client::connect(&list).await.unwrap();
    assert!(client.exists("/").await.unwrap().is_some());
}
