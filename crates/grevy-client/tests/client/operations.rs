//! Every operation, once for what it does and once for how it fails.

use grevy_client::{
    Acl, CreateOptions, Error, ErrorCode, Id, OpResult, ReadResult, Reads, SessionState,
    Transaction, perms,
};
use grevy_testing::Place;
use std::time::Duration;

#[tokio::test]
async fn znodes_are_created_read_set_and_deleted() {
    let place = Place::new("operations");
    let client = place.client().await;
    let created = client
        .create("/a", b"1", &CreateOptions::persistent())
        .await
        .unwrap();
    assert_eq!((created.path.as_str(), created.stat.version), ("/a", 0));
    assert_eq!(
        client.get_data("/a").await.unwrap(),
        (b"1".to_vec(), created.stat)
    );
    let stat = client.set_data("/a", b"22", Some(0)).await.unwrap();
    assert_eq!((stat.version, stat.data_length), (1, 2));
    assert_eq!(client.exists("/a").await.unwrap(), Some(stat));
    assert_eq!(client.exists("/none").await.unwrap(), None);
    client.check("/a", 1).await.unwrap();
    let error = client.set_data("/a", b"", Some(0)).await.unwrap_err();
    assert!(error.is(ErrorCode::BadVersion), "{error}");
    let error = client.check("/a", 0).await.unwrap_err();
    assert!(error.is(ErrorCode::BadVersion), "{error}");
    client
        .create("/a/b", b"", &CreateOptions::ephemeral())
        .await
        .unwrap();
    let (names, stat) = client.get_children("/a").await.unwrap();
    assert_eq!((names, stat.num_children), (vec!["b".to_owned()], 1));
    assert_eq!(client.get_all_children_number("/a").await.unwrap(), 1);
    assert_eq!(client.get_ephemerals("/").await.unwrap(), ["/a/b"]);
    let error = client.delete("/a", None).await.unwrap_err();
    assert_eq!(error.to_string(), "delete /a: NotEmpty (-111)");
    client.sync("/a").await.unwrap();
    client.delete("/a/b", None).await.unwrap();
    client.delete("/a", Some(1)).await.unwrap();
    assert!(
        client
            .get_data("/a")
            .await
            .unwrap_err()
            .is(ErrorCode::NoNode)
    );
}

#[tokio::test]
async fn every_kind_of_znode_can_be_made() {
    let place = Place::new("kinds");
    let client = place.client().await;
    let minute = Duration::from_secs(60);
    for (path, options, expected) in [
        ("/p", CreateOptions::persistent(), "/p"),
        (
            "/p/",
            CreateOptions::persistent().sequential(),
            "/p/0000000000",
        ),
        ("/p/e", CreateOptions::ephemeral(), "/p/e"),
        (
            "/p/e",
            CreateOptions::ephemeral().sequential(),
            "/p/e0000000002",
        ),
        ("/c", CreateOptions::container(), "/c"),
        ("/t", CreateOptions::ttl(minute), "/t"),
        (
            "/p/t",
            CreateOptions::ttl(minute).sequential(),
            "/p/t0000000003",
        ),
    ] {
        let created = client.create(path, b"", &options).await.unwrap();
        assert_eq!(created.path, expected);
    }
}

#[tokio::test]
async fn calls_fix_the_order_and_not_who_waits_first() {
    let place = Place::new("order");
    let client = place.client().await;
    let create = client.create("/n", b"", &CreateOptions::persistent());
    let sets: Vec<_> = (0..100)
        .map(|n| client.set_data("/n", b"", Some(n)))
        .collect();
    let read = client.get_data("/n");
    let (_, stat) = read.await.unwrap();
    assert_eq!(stat.version, 100);
    for (n, set) in sets.into_iter().enumerate().rev() {
        assert_eq!(usize::try_from(set.await.unwrap().version), Ok(n + 1));
    }
    create.await.unwrap();
}

#[tokio::test]
async fn a_transaction_is_done_or_not() {
    let place = Place::new("transaction");
    let client = place.client().await.chroot("/app").unwrap();
    let persistent = CreateOptions::persistent();
    client.create("/", b"", &persistent).await.unwrap();
    let mut good = Transaction::new();
    good.create("/a", b"", &persistent)
        .create("/c", b"", &CreateOptions::container())
        .set_data("/a", b"1", Some(0))
        .check("/a", 1)
        .delete("/c", None);
    let results = client.multi(good).await.unwrap();
    assert!(
        matches!(
            &results[..],
            [
                OpResult::Created { path, stat: Some(_) },
                OpResult::Created { .. },
                OpResult::DataSet(_),
                OpResult::Checked,
                OpResult::Deleted,
            ] if path == "/a"
        ),
        "{results:?}"
    );
    let mut bad = Transaction::new();
    bad.delete("/a", None)
        .check("/none", 0)
        .create("/b", b"", &persistent);
    assert_eq!(
        client.multi(bad).await,
        Err(Error::Transaction {
            index: 1,
            code: ErrorCode::NoNode
        })
    );
    assert_eq!(client.multi(Transaction::new()).await, Ok(vec![]));
    let mut reads = Reads::new();
    reads.get_data("/a").get_children("/").get_data("/b");
    let results = client.multi_read(reads).await.unwrap();
    let (data, stat) = client.get_data("/a").await.unwrap();
    assert_eq!(
        results,
        [
            Ok(ReadResult::Data(data, stat)),
            Ok(ReadResult::Children(vec!["a".to_owned()])),
            Err(ErrorCode::NoNode),
        ]
    );
}

#[tokio::test]
async fn a_chroot_is_invisible() {
    let place = Place::new("chroot");
    let root = place.client().await;
    root.create("/app", b"", &CreateOptions::persistent())
        .await
        .unwrap();
    let app = root.chroot("/app").unwrap();
    let created = app
        .create("/x", b"", &CreateOptions::persistent())
        .await
        .unwrap();
    assert_eq!(created.path, "/x");
    assert_eq!(root.exists("/app/x").await.unwrap(), Some(created.stat));
    assert_eq!(app.get_children("/").await.unwrap().0, ["x"]);
    let (_, _, watch) = app.get_data_and_watch("/x").await.unwrap();
    root.delete("/app/x", None).await.unwrap();
    assert_eq!(watch.changed().await.unwrap().path, "/x");
    assert!(root.chroot("app").is_err());
    assert_eq!(
        app.chroot("/").unwrap().exists("/").await.unwrap(),
        root.exists("/app").await.unwrap()
    );
}

#[tokio::test]
async fn lists_of_access_control_bind_whom_they_name() {
    let place = Place::new("access");
    let owner = place
        .connector()
        .auth("digest", b"alice:secret")
        .connect()
        .await
        .unwrap();
    let mine = vec![Acl {
        perms: perms::ALL,
        id: Id::new("auth", ""),
    }];
    let options = CreateOptions::persistent().with_acl(mine);
    owner.create("/mine", b"", &options).await.unwrap();
    let identities = owner.who_am_i().await.unwrap();
    assert!(
        identities
            .iter()
            .any(|id| (&id.scheme[..], &id.user[..]) == ("digest", "alice"))
    );
    let other = place.client().await;
    assert!(
        other
            .get_data("/mine")
            .await
            .unwrap_err()
            .is(ErrorCode::NoAuth)
    );
    let (acl, stat) = owner.get_acl("/mine").await.unwrap();
    assert_eq!(acl[0].id.scheme, "digest");
    owner
        .set_acl("/mine", &[Acl::READ], Some(stat.aversion))
        .await
        .unwrap();
    assert!(other.get_data("/mine").await.is_ok());
    assert!(
        other
            .set_data("/mine", b"", None)
            .await
            .unwrap_err()
            .is(ErrorCode::NoAuth)
    );
    let refused = other.add_auth("nonsense", b"").await.unwrap_err();
    assert!(matches!(refused, Error::AuthFailed { .. }), "{refused}");
    assert_eq!(other.state(), SessionState::AuthFailed);
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_it_is_sent() {
    let place = Place::new("refused");
    let client = place.client().await;
    for path in ["", "a", "/a/", "//", "/a/../b", "/\0"] {
        let error = client.get_data(path).await.unwrap_err();
        assert!(matches!(error, Error::BadPath { .. }), "{error}");
    }
}

#[tokio::test]
async fn the_last_handle_closes_the_session() {
    let place = Place::new("last");
    let watcher = place.client().await;
    let client = place.client().await;
    let clone = client.chroot("/x").unwrap();
    client
        .create("/e", b"", &CreateOptions::ephemeral())
        .await
        .unwrap();
    let (_, _, gone) = watcher.get_data_and_watch("/e").await.unwrap();
    drop(client);
    drop(clone);
    gone.changed().await.unwrap();
    watcher.close().await;
    let error = watcher.get_data("/").await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
}

#[tokio::test]
async fn the_ensembles_configuration_is_below_no_chroot() {
    let place = Place::new("config");
    let client = place.client().await.chroot("/deep").unwrap();
    let (config, stat, _watch) = client.get_config_and_watch().await.unwrap();
    assert_eq!(client.get_config().await.unwrap(), (config, stat));
    let error = client.reconfig(&[], &["9"], None).await.unwrap_err();
    assert!(error.is(ErrorCode::ReconfigDisabled), "{error}");
    let error = client
        .reconfig_members(&["server.1=a:1:2;3"], None)
        .await
        .unwrap_err();
    assert!(error.is(ErrorCode::ReconfigDisabled), "{error}");
}
