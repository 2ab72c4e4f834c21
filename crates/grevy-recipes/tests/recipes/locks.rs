//! Locks, read-write locks and semaphores.

use crate::victim::{Fate, Victim};
use grevy_client::{Client, Connector, Error, SessionState, WatcherType, Zxid};
use grevy_recipes::{Doubt, Hold, Layout, Lock, ReadWriteLock, ReentrantLock, Semaphore, revoke};
use grevy_testing::{Network, Place, Relay, read_only_server};
use std::time::Duration;

/// Waits until so many contend, without their help.
async fn contenders(lock: &Lock, count: usize) {
    while lock.contenders().await.unwrap().len() != count {
        tokio::task::yield_now().await;
    }
}

/// A store that only takes what is not older than what it has.
#[derive(Default)]
struct Fenced {
    newest: Zxid,
}

impl Fenced {
    fn accepts(&mut self, token: Zxid) -> bool {
        let is_new = token >= self.newest;
        self.newest = self.newest.max(token);
        is_new
    }
}

#[tokio::test]
async fn sessions_get_a_lock_in_the_order_in_which_they_came() {
    for layout in [Layout::Curator, Layout::Kazoo] {
        let place = Place::new(&format!("lock-order-{layout:?}"));
        let client = place.client().await;
        let lock = Lock::new(&client, "/deep/lock").with_layout(layout);
        let first = lock.acquire().await.unwrap();
        assert!(lock.try_acquire().await.unwrap().is_none());
        let mut waiting = Vec::new();
        for count in 2..=4 {
            let lock = Lock::new(&place.client().await, "/deep/lock").with_layout(layout);
            waiting.push(tokio::spawn(async move { lock.acquire().await.unwrap() }));
            contenders(&Lock::new(&client, "/deep/lock"), count).await;
        }
        let mut held = first;
        for next in waiting {
            let token = held.token();
            assert!(held.verify().await.unwrap());
            held.release().await.unwrap();
            held = next.await.unwrap();
            assert!(held.token() > token);
        }
        drop(held);
        contenders(&lock, 0).await;
        assert!(lock.try_acquire().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_lock_passes_on_whatever_happens_to_its_holder() {
    for fate in Fate::ALL {
        let place = Place::new(&format!("lock-{fate:?}"));
        let victim = Victim::new(&place).await;
        let old = Lock::new(&victim.client, "/lock").acquire().await.unwrap();
        let lock = Lock::new(&place.client().await, "/lock");
        let next = tokio::spawn(async move { lock.acquire().await.unwrap() });
        victim.meet(fate, &place).await;
        let next = next.await.unwrap();
        let mut store = Fenced::default();
        assert!(store.accepts(old.token()) && store.accepts(next.token()));
        // It may not know yet that the lock is lost.
        assert!(!store.accepts(old.token()), "{fate:?}");
        if fate == Fate::CutOff {
            assert_eq!(old.doubtful().await, Doubt::Disconnected);
        }
        victim.recover().await;
        assert_eq!(old.doubtful().await, Doubt::SessionOver);
        let error = old.verify().await.unwrap_err();
        assert!(matches!(error, Error::SessionExpired { .. }), "{error}");
        assert!(next.verify().await.unwrap());
    }
}

#[tokio::test]
async fn a_waiting_session_that_ends_is_passed_over() {
    for fate in Fate::ALL {
        let place = Place::new(&format!("lock-waiting-{fate:?}"));
        let client = place.client().await;
        let lock = Lock::new(&client, "/lock");
        let held = lock.acquire().await.unwrap();
        let victim = Victim::new(&place).await;
        let theirs = Lock::new(&victim.client, "/lock");
        let waiting = tokio::spawn(async move { theirs.acquire().await });
        contenders(&lock, 2).await;
        let patient = Lock::new(&client, "/lock");
        let last = tokio::spawn(async move { patient.acquire().await.unwrap() });
        contenders(&lock, 3).await;
        victim.meet(fate, &place).await;
        contenders(&lock, 2).await;
        held.release().await.unwrap();
        drop(last.await.unwrap());
        victim.recover().await;
        let error = waiting.await.unwrap().unwrap_err();
        assert!(error.ends_session(), "{error}");
    }
}

#[tokio::test]
async fn a_lock_outlives_a_short_disconnection() {
    let place = Place::new("lock-outlives");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let held = Lock::new(&client, "/lock").acquire().await.unwrap();
    relay.set(Network::Down);
    assert_eq!(held.doubtful().await, Doubt::Disconnected);
    relay.set(Network::Whole);
    assert!(held.verify().await.unwrap());
    let other = place.client().await;
    let doubt = held.doubtful();
    other.delete(held.path(), None).await.unwrap();
    assert_eq!(doubt.await, Doubt::Deleted);
    assert!(!held.verify().await.unwrap());
}

#[tokio::test]
async fn a_server_that_is_cut_off_makes_nothing_certain() {
    let place = Place::new("lock-read-only");
    let relay = Relay::to(&place).await;
    let servers = format!("{},{}", read_only_server().await, relay.address);
    let connector = Connector::new(&servers)
        .unwrap()
        .pauses(Duration::from_millis(10), Duration::from_millis(50))
        .can_be_read_only(true);
    let client = connector.connect().await.unwrap();
    let until = async |expected| {
        let mut state = client.state();
        while state != expected {
            state = client.state_other_than(state).await;
        }
    };
    until(SessionState::Connected).await;
    let held = Lock::new(&client, "/lock").acquire().await.unwrap();
    relay.set(Network::Down);
    until(SessionState::ConnectedReadOnly).await;
    assert_eq!(held.doubtful().await, Doubt::Disconnected);
    let mending = async { relay.set(Network::Whole) };
    let (is_held, ()) = tokio::join!(held.verify(), mending);
    assert!(is_held.unwrap());
    // A watch that somebody removed does not end the session.
    let doubting = async {
        let other = place.client().await;
        while client
            .remove_watches(held.path(), WatcherType::Any)
            .await
            .is_err()
        {}
        other.delete(held.path(), None).await.unwrap();
    };
    until(SessionState::Connected).await;
    let (doubt, ()) = tokio::join!(held.doubtful(), doubting);
    assert_eq!(doubt, Doubt::Deleted);
}

#[tokio::test]
async fn who_stops_waiting_leaves_nothing_behind() {
    let place = Place::new("lock-cancelled");
    let client = place.client().await;
    let lock = Lock::new(&client, "/lock");
    let held = lock.acquire().await.unwrap();
    let limit = Duration::from_millis(50);
    assert!(tokio::time::timeout(limit, lock.acquire()).await.is_err());
    contenders(&lock, 1).await;
    assert_eq!(lock.contenders().await.unwrap(), [held.path()]);
}

#[tokio::test]
async fn an_owner_may_acquire_its_lock_again() {
    let place = Place::new("reentrant");
    let client = place.client().await;
    let owner = ReentrantLock::new(&client, "/lock");
    let stranger = Lock::new(&client, "/lock");
    let outer = owner.acquire().await.unwrap();
    let inner = owner.clone().acquire().await.unwrap();
    assert_eq!(outer.path(), inner.path());
    outer.release().await.unwrap();
    assert!(stranger.try_acquire().await.unwrap().is_none());
    inner.release().await.unwrap();
    let held = stranger.try_acquire().await.unwrap().unwrap();
    held.release().await.unwrap();
    // If the znode is lost, the next acquisition makes another one.
    let old = owner.acquire().await.unwrap();
    client.delete(old.path(), None).await.unwrap();
    let new = owner.acquire().await.unwrap();
    assert!(new.token() > old.token());
}

#[tokio::test]
async fn readers_share_and_writers_do_not() {
    for layout in [Layout::Curator, Layout::Kazoo] {
        let place = Place::new(&format!("read-write-{layout:?}"));
        let client = place.client().await;
        let lock = ReadWriteLock::new(&client, "/lock").with_layout(layout);
        let readers = [lock.read().await.unwrap(), lock.read().await.unwrap()];
        assert!(lock.try_write().await.unwrap().is_none());
        let writer = lock.clone();
        let writing = tokio::spawn(async move { writer.write().await.unwrap() });
        while client.get_children("/lock").await.unwrap().0.len() != 3 {
            tokio::task::yield_now().await;
        }
        // Who comes behind a writer waits for it.
        assert!(lock.try_read().await.unwrap().is_none());
        let token = readers.iter().map(Hold::token).max().unwrap();
        for reader in readers {
            reader.release().await.unwrap();
        }
        let held = writing.await.unwrap();
        assert!(held.token() > token);
        let reader = lock.clone();
        let reading = tokio::spawn(async move { reader.read().await.unwrap() });
        held.release().await.unwrap();
        drop(reading.await.unwrap());
    }
}

#[tokio::test]
async fn readers_go_on_when_their_writer_is_gone() {
    for fate in Fate::ALL {
        let place = Place::new(&format!("read-write-{fate:?}"));
        let victim = Victim::new(&place).await;
        let write = ReadWriteLock::new(&victim.client, "/lock")
            .write()
            .await
            .unwrap();
        let lock = ReadWriteLock::new(&place.client().await, "/lock");
        let reading = tokio::spawn(async move { lock.read().await.unwrap() });
        victim.meet(fate, &place).await;
        assert!(reading.await.unwrap().token() > write.token());
    }
}

#[tokio::test]
async fn no_more_leases_are_granted_than_there_are() {
    let place = Place::new("semaphore");
    let semaphore = |client: &Client| Semaphore::new(client, "/pool", 2).with_identifier("me");
    let client = place.client().await;
    let pool = semaphore(&client);
    let first = pool.acquire().await.unwrap();
    let victim = Victim::new(&place).await;
    let second = semaphore(&victim.client).acquire().await.unwrap();
    assert_eq!(pool.leases().await.unwrap(), [first.path(), second.path()]);
    assert!(pool.try_acquire().await.unwrap().is_none());
    assert_eq!(pool.leases().await.unwrap(), [first.path(), second.path()]);
    let limit = Duration::from_millis(50);
    assert!(tokio::time::timeout(limit, pool.acquire()).await.is_err());
    // A lease that is lost is free again.
    let waiting = pool.clone();
    let third = tokio::spawn(async move { waiting.acquire().await.unwrap() });
    victim.meet(Fate::Paused, &place).await;
    let third = third.await.unwrap();
    assert!(third.token() > second.token());
    // One that is asked for can be given back.
    let path = first.path().to_owned();
    let (asked, revoked) = tokio::join!(revoke(&client, &path), first.revoked());
    asked.unwrap();
    revoked.unwrap();
    first.release().await.unwrap();
    let fourth = pool.try_acquire().await.unwrap().unwrap();
    fourth.release().await.unwrap();
    drop(pool.acquire().await.unwrap());
    let error = revoke(&client, &path).await.unwrap_err();
    assert!(error.is(grevy_client::ErrorCode::NoNode), "{error}");
}

#[tokio::test]
async fn a_release_goes_on_when_nobody_waits_for_it() {
    let place = Place::new("release-dropped");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let held = Lock::new(&client, "/lock").acquire().await.unwrap();
    relay.set(Network::Frozen);
    {
        let mut release = std::pin::pin!(held.release());
        for _ in 0..10 {
            // The request goes out, and is lost.
            tokio::select! {
                biased;
                _ = &mut release => panic!("the network is frozen"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    relay.cut();
    relay.set(Network::Whole);
    let other = place.client().await;
    let next = Lock::new(&other, "/lock").acquire().await.unwrap();
    next.release().await.unwrap();
}
