//! Offices and work in turn.

use crate::victim::{Fate, Victim};
use grevy_recipes::{Doubt, Layout, LeaderLatch, LeaderObserver, LeaderSelector, revoke};
use grevy_testing::{Network, Place};
use std::future::pending;
use tokio::sync::mpsc;

#[tokio::test]
async fn an_office_passes_on_whatever_happens_to_its_holder() {
    for fate in Fate::ALL {
        let place = Place::new(&format!("latch-{fate:?}"));
        let client = place.client().await;
        let mut observer = LeaderObserver::new(&client, "/office");
        assert_eq!(observer.next().await.unwrap(), None);
        let victim = Victim::new(&place).await;
        let old = LeaderLatch::new(&victim.client, "/office", "old")
            .lead()
            .await
            .unwrap();
        let seen = observer.next().await.unwrap().unwrap();
        assert_eq!((&seen.id[..], seen.token), ("old", old.token()));
        let latch = LeaderLatch::new(&client, "/office", "new");
        let leading = tokio::spawn(async move { latch.lead().await.unwrap() });
        victim.meet(fate, &place).await;
        let new = leading.await.unwrap();
        assert!(new.token() > old.token());
        let seen = observer.next().await.unwrap().unwrap();
        assert_eq!((&seen.id[..], &seen.path[..]), ("new", new.path()));
        victim.recover().await;
        assert_eq!(old.doubtful().await, Doubt::SessionOver);
        new.release().await.unwrap();
        assert_eq!(observer.next().await.unwrap(), None);
    }
}

#[tokio::test]
async fn work_is_dropped_when_its_leader_is_cut_off() {
    let place = Place::new("selector");
    let victim = Victim::new(&place).await;
    let (started, mut starts) = mpsc::unbounded_channel();
    /// Tells that it was dropped.
    struct Work(mpsc::UnboundedSender<&'static str>);
    impl Drop for Work {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    let candidate = LeaderSelector::new(&victim.client, "/work", "old");
    let leading = tokio::spawn(async move {
        let work = |_| {
            let work = Work(started.clone());
            async move {
                let _ = work.0.send("started");
                pending::<()>().await;
            }
        };
        candidate.lead(work).await
    });
    assert_eq!(starts.recv().await, Some("started"));
    victim.relay.set(Network::Down);
    assert_eq!(starts.recv().await, Some("dropped"));
    let other = LeaderSelector::new(&place.client().await, "/work", "new");
    let token = other.lead(|token| async move { token }).await.unwrap();
    victim.recover().await;
    assert!(leading.await.unwrap().unwrap_err().ends_session());
    let next = other.lead(|token| async move { token }).await.unwrap();
    assert!(next > token);
}

#[tokio::test]
async fn an_observer_creates_nothing_and_tells_no_leader_twice() {
    let place = Place::new("observer");
    let client = place.client().await;
    let mut observer = LeaderObserver::new(&client, "/office");
    assert_eq!(observer.next().await.unwrap(), None);
    assert_eq!(client.exists("/office").await.unwrap(), None);
    let latch = |id| LeaderLatch::new(&client, "/office", id);
    let old = latch("old").lead().await.unwrap();
    assert_eq!(observer.next().await.unwrap().unwrap().id, "old");
    revoke(&client, old.path()).await.unwrap();
    old.revoked().await.unwrap();
    old.release().await.unwrap();
    let new = latch("new").lead().await.unwrap();
    // Whether it saw that nobody led in between is up to chance.
    let mut seen = observer.next().await.unwrap();
    if seen.is_none() {
        seen = observer.next().await.unwrap();
    }
    assert_eq!(seen.unwrap().token, new.token());
}

#[tokio::test]
async fn candidates_lead_in_turn() {
    for layout in [Layout::Curator, Layout::Kazoo] {
        let place = Place::new(&format!("turns-{layout:?}"));
        let client = place.client().await;
        let candidate = |id: &str| LeaderSelector::new(&client, "/work", id).with_layout(layout);
        let (first, second) = (candidate("first"), candidate("second"));
        let turn = first.lead(|_| {
            let mut observer = LeaderObserver::new(&client, "/work");
            async move { observer.next().await }
        });
        let leader = turn.await.unwrap().unwrap().unwrap();
        assert_eq!(leader.id, "first");
        let turns = tokio::join!(
            first.lead(|token| async move { token }),
            second.lead(|token| async move { token }),
        );
        assert_ne!(turns.0.unwrap(), turns.1.unwrap());
    }
}
