//! Every operation against a server that may be any ZooKeeper: `checks CONNECT VERSION [ROOTS
//! CERTIFICATE KEY]`, with the version in the form 3.9 and PEM files for TLS. Says `restart` when
//! the server is to be restarted, and goes on when a line comes.

use grevy_client::{
    Acl, AddWatchMode, Client, Connector, CreateOptions, Error, ErrorCode, EventType, Notice,
    OpResult, ReadResult, Reads, SessionState, Transaction, WatcherType,
};
use std::error::Error as StdError;
use std::time::Duration;

type Check = Result<(), Box<dyn StdError>>;

#[tokio::main]
async fn main() -> Check {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (connect, version, files) = match &arguments[..] {
        [connect, version, files @ ..] => (connect, version, files),
        _ => return Err("usage: checks CONNECT VERSION [ROOTS CERTIFICATE KEY]".into()),
    };
    let minor = version.split('.').nth(1).ok_or("no version")?;
    let minor: u32 = minor.parse()?;
    let connector = secure(Connector::new(connect)?, files)?;
    let client = connector
        .session_timeout(Duration::from_secs(30))
        .pauses(Duration::from_millis(50), Duration::from_millis(500))
        .connect()
        .await?;
    znodes(&client).await?;
    kinds(&client).await?;
    transactions(&client, minor).await?;
    access(&client, minor).await?;
    watches(&client).await?;
    if minor >= 6 {
        persistent_watches(&client).await?;
    }
    restart(&client, minor).await?;
    client.close().await;
    expect(client.state() == SessionState::Closed, "closing closes")?;
    println!("done");
    Ok(())
}

#[cfg(feature = "tls")]
fn secure(connector: Connector, files: &[String]) -> Result<Connector, Box<dyn StdError>> {
    let read = |file: &String| std::fs::read(file);
    Ok(match files {
        [roots, certificate, key] => {
            let (roots, certificate, key) = (read(roots)?, read(certificate)?, read(key)?);
            connector.tls(grevy_client::Tls::with_identity(
                &roots,
                &certificate,
                &key,
            )?)
        }
        _ => connector,
    })
}

#[cfg(not(feature = "tls"))]
fn secure(connector: Connector, files: &[String]) -> Result<Connector, Box<dyn StdError>> {
    match files {
        [] => Ok(connector),
        _ => Err("this program was built without TLS".into()),
    }
}

fn expect(is_so: bool, what: &str) -> Check {
    match is_so {
        true => Ok(()),
        false => Err(format!("not so: {what}").into()),
    }
}

fn fails<T>(result: Result<T, Error>, code: ErrorCode) -> Check {
    match result {
        Err(error) if error.is(code) => Ok(()),
        Err(error) => Err(format!("not {code}: {error}").into()),
        Ok(_) => Err(format!("no {code}").into()),
    }
}

async fn znodes(client: &Client) -> Check {
    let persistent = CreateOptions::persistent();
    let created = client.create("/n", b"1", &persistent).await?;
    expect(created.stat.data_length == 1, "a create tells the length")?;
    expect(
        client.get_data("/n").await? == (b"1".to_vec(), created.stat),
        "it is there",
    )?;
    fails(
        client.create("/n", b"", &persistent).await,
        ErrorCode::NodeExists,
    )?;
    let stat = client.set_data("/n", b"22", Some(0)).await?;
    expect(client.exists("/n").await? == Some(stat), "it was set")?;
    expect(client.exists("/none").await?.is_none(), "this is not there")?;
    fails(
        client.set_data("/n", b"", Some(0)).await,
        ErrorCode::BadVersion,
    )?;
    client.check("/n", 1).await?;
    fails(client.check("/n", 0).await, ErrorCode::BadVersion)?;
    client
        .create("/n/c", b"", &CreateOptions::ephemeral())
        .await?;
    let (names, stat) = client.get_children("/n").await?;
    expect(names == ["c"] && stat.num_children == 1, "it has a child")?;
    fails(client.delete("/n", None).await, ErrorCode::NotEmpty)?;
    client.sync("/n").await?;
    client.delete("/n/c", None).await?;
    client.delete("/n", Some(1)).await?;
    let (config, _) = client.get_config().await?;
    expect(
        !config.is_empty() || client.exists("/zookeeper").await?.is_some(),
        "a configuration",
    )
}

async fn kinds(client: &Client) -> Check {
    client
        .create("/k", b"", &CreateOptions::persistent())
        .await?;
    for (path, options, expected) in [
        (
            "/k/s-",
            CreateOptions::persistent().sequential(),
            "/k/s-0000000000",
        ),
        (
            "/k/e-",
            CreateOptions::ephemeral().sequential(),
            "/k/e-0000000001",
        ),
        ("/k/c", CreateOptions::container(), "/k/c"),
        ("/k/t", CreateOptions::ttl(Duration::from_secs(60)), "/k/t"),
    ] {
        let created = client.create(path, b"", &options).await?;
        expect(created.path == expected, expected)?;
    }
    Ok(())
}

async fn transactions(client: &Client, minor: u32) -> Check {
    let persistent = CreateOptions::persistent();
    let mut good = Transaction::new();
    good.create("/m", b"", &persistent)
        .set_data("/m", b"1", Some(0))
        .check("/m", 1)
        .create("/m/x", b"", &CreateOptions::container())
        .delete("/m/x", None);
    let results = client.multi(good).await?;
    expect(
        matches!(&results[1], OpResult::DataSet(stat) if stat.version == 1),
        "it was set",
    )?;
    let mut bad = Transaction::new();
    bad.delete("/m", None).check("/none", 0);
    let error = client.multi(bad).await;
    let code = ErrorCode::NoNode;
    expect(
        error == Err(Error::Transaction { index: 1, code }),
        "the second one fails",
    )?;
    if minor < 6 {
        return Ok(());
    }
    let mut reads = Reads::new();
    reads.get_data("/m").get_children("/").get_data("/none");
    let results = client.multi_read(reads).await?;
    expect(
        matches!(&results[0], Ok(ReadResult::Data(data, _)) if data == b"1"),
        "data",
    )?;
    expect(
        matches!(&results[1], Ok(ReadResult::Children(_))),
        "children",
    )?;
    expect(results[2] == Err(code), "an error")?;
    expect(
        client.get_all_children_number("/m").await? == 0,
        "it has no children",
    )?;
    let ephemerals = client.get_ephemerals("/k").await?;
    expect(ephemerals == ["/k/e-0000000001"], "one is ephemeral")
}

async fn access(client: &Client, minor: u32) -> Check {
    client.add_auth("digest", b"alice:secret").await?;
    if minor >= 7 {
        let identities = client.who_am_i().await?;
        expect(
            identities.iter().any(|one| one.user == "alice"),
            "the server knows her",
        )?;
    }
    let created = client
        .create("/a", b"", &CreateOptions::persistent())
        .await?;
    let stat = client
        .set_acl("/a", &[Acl::READ], Some(created.stat.aversion))
        .await?;
    expect(
        client.get_acl("/a").await? == (vec![Acl::READ], stat),
        "the list was set",
    )?;
    fails(client.set_data("/a", b"", None).await, ErrorCode::NoAuth)
}

async fn watches(client: &Client) -> Check {
    let persistent = CreateOptions::persistent();
    let (_, created) = client.exists_and_watch("/w").await?;
    client.create("/w", b"", &persistent).await?;
    expect(
        created.changed().await?.kind == EventType::NodeCreated,
        "it was created",
    )?;
    let (_, _, data) = client.get_data_and_watch("/w").await?;
    let (_, _, children) = client.get_children_and_watch("/w").await?;
    client.create("/w/c", b"", &persistent).await?;
    client.delete("/w/c", None).await?;
    client.delete("/w", None).await?;
    expect(
        children.changed().await?.kind == EventType::NodeChildrenChanged,
        "a child came",
    )?;
    expect(
        data.changed().await?.kind == EventType::NodeDeleted,
        "it was deleted",
    )?;
    let (_, watch) = client.exists_and_watch("/w").await?;
    expect(
        client.check_watches("/w", WatcherType::Data).await?,
        "it is watched",
    )?;
    drop(watch);
    expect(
        !client.check_watches("/w", WatcherType::Data).await?,
        "it is not any more",
    )
}

async fn persistent_watches(client: &Client) -> Check {
    let persistent = CreateOptions::persistent();
    let mut node = client.add_watch("/p", AddWatchMode::Persistent).await?;
    let mut tree = client
        .add_watch("/", AddWatchMode::PersistentRecursive)
        .await?;
    client.create("/p", b"", &persistent).await?;
    client.create("/p/c", b"", &persistent).await?;
    let event = async |watch: &mut grevy_client::Watch, kind: EventType, path: &str| {
        let notice = watch.next().await?;
        let is_it =
            matches!(notice, Notice::Event(event) if event.kind == kind && event.path == path);
        expect(is_it, path)
    };
    event(&mut node, EventType::NodeCreated, "/p").await?;
    event(&mut node, EventType::NodeChildrenChanged, "/p").await?;
    event(&mut tree, EventType::NodeCreated, "/p").await?;
    event(&mut tree, EventType::NodeCreated, "/p/c").await?;
    drop(node);
    drop(tree);
    expect(
        !client.check_watches("/p", WatcherType::Any).await?,
        "it is not watched any more",
    )
}

/// The session, its ephemeral znodes, its identities and its watches outlive the server.
async fn restart(client: &Client, minor: u32) -> Check {
    let session = client.session_id();
    client
        .create("/r", b"", &CreateOptions::ephemeral())
        .await?;
    let (_, _, data) = client.get_data_and_watch("/r").await?;
    let mut tree = match minor {
        5 => None,
        _ => Some(
            client
                .add_watch("/r", AddWatchMode::PersistentRecursive)
                .await?,
        ),
    };
    println!("restart");
    std::io::stdin().read_line(&mut String::new())?;
    client.connected().await?;
    expect(client.session_id() == session, "the session is the same")?;
    let retry = grevy_client::RetryPolicy::default();
    retry.run(|| client.set_data("/r", b"1", None)).await?;
    expect(
        data.changed().await?.kind == EventType::NodeDataChanged,
        "the watch has moved",
    )?;
    if let Some(tree) = &mut tree {
        while !matches!(tree.next().await?, Notice::Event(event) if event.path == "/r") {}
    }
    Ok(())
}
