//! Values and counters.

use grevy_recipes::{AtomicValue, Counter, CounterError, CounterFormat};
use grevy_testing::Place;

#[tokio::test]
async fn no_count_is_lost() {
    for format in [CounterFormat::Binary, CounterFormat::Text] {
        let place = Place::new(&format!("counter-{format:?}"));
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let counter = Counter::new(&place.client().await, "/deep/count", format);
            tasks.push(tokio::spawn(async move {
                for _ in 0..20 {
                    counter.add(1).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let counter = Counter::new(&place.client().await, "/deep/count", format);
        assert_eq!(counter.get().await.unwrap(), 60);
        assert_eq!(counter.add(-61).await.unwrap(), -1);
        assert_eq!(counter.add(i64::MIN).await, Err(CounterError::Overflow));
    }
}

#[tokio::test]
async fn a_value_changes_only_from_what_was_read() {
    let place = Place::new("value");
    let client = place.client().await;
    let value = AtomicValue::new(&client, "/value");
    let old = value.get().await.unwrap();
    assert_eq!((&old.data[..], old.version), (&b""[..], None));
    assert!(value.set_if(None, b"a").await.unwrap());
    assert!(!value.set_if(None, b"b").await.unwrap());
    assert!(!value.set_if(Some(7), b"b").await.unwrap());
    assert_eq!(
        value.update(|old| [old, b"c"].concat()).await.unwrap(),
        b"ac"
    );
    let number = Counter::new(&client, "/value", CounterFormat::Text)
        .get()
        .await;
    assert_eq!(number, Err(CounterError::NotANumber(b"ac".to_vec())));
}
