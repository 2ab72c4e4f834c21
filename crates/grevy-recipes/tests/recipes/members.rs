//! Groups and services.

use crate::victim::{Fate, Victim};
use grevy_client::OpCode;
use grevy_recipes::{Change, Discovery, Group, Instance};
use grevy_testing::{Place, Relay};

#[tokio::test]
async fn members_are_known_while_their_sessions_last() {
    for fate in Fate::ALL {
        let place = Place::new(&format!("group-{fate:?}"));
        let client = place.client().await;
        let group = Group::new(&client, "/deep/group");
        assert!(group.members().await.unwrap().is_empty());
        let mine = group.join("a", b"1").await.unwrap();
        let victim = Victim::new(&place).await;
        let theirs = Group::new(&victim.client, "/deep/group");
        let old = theirs.join("b", b"2").await.unwrap();
        mine.set_data(b"3").await.unwrap();
        let members = group.members().await.unwrap();
        let members: Vec<_> = members
            .iter()
            .map(|(name, data)| (&name[..], &data[..]))
            .collect();
        assert_eq!(members, [("a", &b"3"[..]), ("b", b"2")]);
        // A new session of the same member waits until the old one is over.
        let again = tokio::spawn(async move { group.join("b", b"4").await.unwrap() });
        victim.meet(fate, &place).await;
        let new = again.await.unwrap();
        assert!(new.token() > old.token());
        new.leave().await.unwrap();
        victim.recover().await;
        assert!(old.set_data(b"").await.unwrap_err().ends_session());
    }
}

#[tokio::test]
async fn a_member_is_made_and_told_of_once_though_answers_are_lost() {
    let place = Place::new("group-lost");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    let group = Group::new(&client, "/group");
    group
        .join("first", b"")
        .await
        .unwrap()
        .leave()
        .await
        .unwrap();
    let path = "/group/a";
    let (_, joined) = other.exists_and_watch(path).await.unwrap();
    relay.mute_at(OpCode::Create2);
    let breaking = async {
        joined.changed().await.unwrap();
        relay.cut();
    };
    let (member, ()) = tokio::join!(group.join("a", b"1"), breaking);
    let member = member.unwrap();
    let (_, stat, changed) = other.get_data_and_watch(path).await.unwrap();
    assert_eq!(member.token(), stat.czxid);
    relay.mute_at(OpCode::SetData);
    let breaking = async {
        changed.changed().await.unwrap();
        relay.cut();
    };
    let (set, ()) = tokio::join!(member.set_data(b"2"), breaking);
    set.unwrap();
    let (data, stat) = other.get_data(path).await.unwrap();
    assert_eq!((&data[..], stat.version), (&b"2"[..], 1));
}

#[tokio::test]
async fn who_joins_and_leaves_is_seen() {
    let place = Place::new("group-watch");
    let client = place.client().await;
    let group = Group::new(&client, "/group");
    let mut watch = group.watch().await.unwrap();
    let member = group.join("a", b"1").await.unwrap();
    assert_eq!(
        watch.next().await.unwrap(),
        Change::Added("/group".to_owned())
    );
    assert_eq!(
        watch.next().await.unwrap(),
        Change::Added("/group/a".to_owned())
    );
    drop(member);
    let change = watch.next().await.unwrap();
    assert!(
        matches!(change, Change::Removed(path, last) if path == "/group/a" && last.data == b"1")
    );
}

#[tokio::test]
async fn services_are_found_with_their_health() {
    let place = Place::new("discovery");
    let client = place.client().await;
    let discovery = Discovery::new(&client, "/services");
    let mut view = discovery.watch("search").await.unwrap();
    assert_eq!(view.instances().count(), 0);
    let victim = Victim::new(&place).await;
    let here = Instance::new("search", "1", "10.0.0.1", 8080);
    let mut registration = Discovery::new(&victim.client, "/services")
        .register(here.clone())
        .await
        .unwrap();
    view.next().await.unwrap();
    assert_eq!(view.instances().collect::<Vec<_>>(), [&here]);
    registration.set_enabled(false).await.unwrap();
    view.next().await.unwrap();
    assert!(view.instances().all(|instance| !instance.is_enabled));
    assert_eq!(discovery.services().await.unwrap(), ["search"]);
    victim.meet(Fate::CutOff, &place).await;
    view.next().await.unwrap();
    assert_eq!(view.instances().count(), 0);
    let registration = discovery.register(here).await.unwrap();
    assert!(registration.membership().verify().await.unwrap());
    registration.unregister().await.unwrap();
}
