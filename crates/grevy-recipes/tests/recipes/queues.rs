//! Queues with and without priorities.

use grevy_client::{Error, OpCode, WatcherType};
use grevy_recipes::{Priority, PriorityQueue, Queue};
use grevy_testing::{Network, Place, Relay};
use std::collections::BTreeSet;

#[tokio::test]
async fn elements_come_out_once_and_in_order() {
    let place = Place::new("queue");
    let client = place.client().await;
    let queue = Queue::new(&client, "/deep/queue");
    assert_eq!(queue.try_take().await.unwrap(), None);
    for n in 0..10 {
        queue.put(&[n]).await.unwrap();
    }
    assert_eq!(queue.count().await.unwrap(), 10);
    assert_eq!(queue.peek().await.unwrap(), Some(vec![0]));
    assert_eq!(queue.take().await.unwrap(), [0]);
    let mut consumers = Vec::new();
    for _ in 0..3 {
        let queue = Queue::new(&place.client().await, "/deep/queue");
        consumers.push(tokio::spawn(async move {
            [
                queue.take().await.unwrap(),
                queue.take().await.unwrap(),
                queue.take().await.unwrap(),
            ]
        }));
    }
    let mut taken = BTreeSet::new();
    for consumer in consumers {
        let three = consumer.await.unwrap();
        assert!(three.is_sorted());
        taken.extend(three);
    }
    assert_eq!(taken, (1..10).map(|n| vec![n]).collect());
    let waiting = queue.clone();
    let waiting = tokio::spawn(async move { waiting.take().await });
    queue.put(b"last").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), b"last");
}

#[tokio::test]
async fn urgent_elements_come_first() {
    let place = Place::new("priorities");
    let client = place.client().await;
    let queue = PriorityQueue::new(&client, "/queue");
    assert_eq!(Priority::new(1000), None);
    let soon = Priority::new(7).unwrap();
    for (data, priority) in [
        ("c", Priority::NORMAL),
        ("e", Priority::LEAST_URGENT),
        ("a", Priority::MOST_URGENT),
        ("d", Priority::NORMAL),
        ("b", soon),
    ] {
        queue.put(data.as_bytes(), priority).await.unwrap();
    }
    assert_eq!(queue.count().await.unwrap(), 5);
    for expected in ["a", "b", "c", "d"] {
        assert_eq!(queue.take().await.unwrap(), expected.as_bytes());
    }
    assert_eq!(queue.try_take().await.unwrap(), Some(b"e".to_vec()));
}

#[tokio::test]
async fn who_waits_for_the_first_element_creates_nothing() {
    let place = Place::new("queue-missing");
    let client = place.client().await;
    let queue = Queue::new(&client, "/queue");
    let waiting = queue.clone();
    let waiting = tokio::spawn(async move { waiting.take().await });
    while !client
        .check_watches("/queue", WatcherType::Any)
        .await
        .unwrap()
    {}
    assert_eq!(client.exists("/queue").await.unwrap(), None);
    queue.put(b"1").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), b"1");
}

#[tokio::test]
async fn an_element_is_taken_at_most_once() {
    let place = Place::new("queue-taken");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let queue = Queue::new(&client, "/queue");
    queue.put(b"1").await.unwrap();
    let other = place.client().await;
    let (_, _, changed) = other.get_children_and_watch("/queue").await.unwrap();
    relay.mute_at(OpCode::Delete);
    let breaking = async {
        changed.changed().await.unwrap();
        relay.cut();
    };
    let (taken, ()) = tokio::join!(queue.take(), breaking);
    let error = taken.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(queue.try_take().await.unwrap(), None);
}

#[tokio::test]
async fn an_element_whose_outcome_is_unknown_is_not_put_twice() {
    let place = Place::new("queue-unknown");
    let relay = Relay::to(&place).await;
    let client = relay.connector().connect().await.unwrap();
    let queue = Queue::new(&client, "/queue");
    queue.put(b"1").await.unwrap();
    let other = place.client().await;
    let (_, _, changed) = other.get_children_and_watch("/queue").await.unwrap();
    relay.set(Network::Mute);
    let breaking = async {
        changed.changed().await.unwrap();
        relay.cut();
    };
    let (put, ()) = tokio::join!(queue.put(b"2"), breaking);
    let error = put.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(queue.count().await.unwrap(), 2);
}
