//! Barriers of both kinds.

use crate::victim::{Fate, Victim};
use grevy_client::OpCode;
use grevy_recipes::{Barrier, DoubleBarrier};
use grevy_testing::{Place, Relay};

#[tokio::test]
async fn a_barrier_stands_until_it_is_lifted() {
    let place = Place::new("barrier");
    let client = place.client().await;
    let barrier = Barrier::new(&client, "/deep/barrier");
    barrier.wait().await.unwrap();
    assert!(barrier.raise().await.unwrap());
    assert!(!barrier.raise().await.unwrap());
    let waiting = barrier.clone();
    let waiting = tokio::spawn(async move { waiting.wait().await });
    // Whoever raised it may go.
    let other = Barrier::new(&place.client().await, "/deep/barrier");
    assert!(!waiting.is_finished());
    assert!(other.lift().await.unwrap());
    assert!(!other.lift().await.unwrap());
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_barrier_that_somebody_else_raised_again_is_not_lifted() {
    let place = Place::new("barrier-lost");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let other = place.client().await;
    let theirs = Barrier::new(&other, "/barrier");
    theirs.raise().await.unwrap();
    relay.mute_at(OpCode::Delete);
    let breaking = async {
        theirs.wait().await.unwrap();
        theirs.raise().await.unwrap();
        relay.cut();
    };
    let ours = Barrier::new(&client, "/barrier");
    let (lifted, ()) = tokio::join!(ours.lift(), breaking);
    assert!(lifted.unwrap());
    assert!(other.exists("/barrier").await.unwrap().is_some());
}

#[tokio::test]
async fn members_enter_and_leave_together() {
    let place = Place::new("double-barrier");
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let client = place.client().await;
        tasks.push(tokio::spawn(async move {
            let barrier = DoubleBarrier::new(&client, "/barrier", 3);
            for _ in 0..3 {
                let inside = barrier.enter().await.unwrap();
                let (names, _) = client.get_children("/barrier").await.unwrap();
                assert!(names.iter().any(|name| name == "ready"), "{names:?}");
                inside.leave().await.unwrap();
            }
        }));
        if tasks.len() == 2 {
            tokio::task::yield_now().await;
            assert!(tasks.iter().all(|task| !task.is_finished()));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn nobody_waits_for_a_member_that_is_gone() {
    for fate in Fate::ALL {
        let place = Place::new(&format!("double-barrier-{fate:?}"));
        let victim = Victim::new(&place).await;
        let theirs = DoubleBarrier::new(&victim.client, "/barrier", 2);
        let client = place.client().await;
        let ours = DoubleBarrier::new(&client, "/barrier", 2);
        let (theirs, ours) = tokio::join!(theirs.enter(), ours.enter());
        let (theirs, ours) = (theirs.unwrap(), ours.unwrap());
        victim.meet(fate, &place).await;
        ours.leave().await.unwrap();
        victim.recover().await;
        assert!(theirs.leave().await.unwrap_err().ends_session());
    }
}
