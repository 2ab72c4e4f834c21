//! A queue in which urgent elements are taken first, and those as urgent as each other in the
//! order in which they came. Source: kazoo's `Queue`.
//!
//! As a [`Queue`](crate::Queue), with other names: `entry-`, the priority in three digits, and
//! the number. Consumers take the smallest name, which is why a smaller priority is more urgent.
//!
//! **Delivery**, **session loss** and **cost** are those of a [`Queue`](crate::Queue).

use crate::line::Line;
use grevy_client::{Client, Error};

/// A queue with priorities. kazoo's `Queue` of the same path takes part.
///
/// ```no_run
/// # async fn example(client: grevy_client::Client) -> Result<(), grevy_client::Error> {
/// use grevy_recipes::{Priority, PriorityQueue};
///
/// let queue = PriorityQueue::new(&client, "/jobs");
/// queue.put(b"some time", Priority::NORMAL).await?;
/// queue.put(b"now", Priority::MOST_URGENT).await?;
/// assert_eq!(queue.take().await?, b"now");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PriorityQueue(Line);

/// How urgent an element is: 0 the most, 999 the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u16);

impl Priority {
    /// Before all others.
    pub const MOST_URGENT: Self = Self(0);
    /// What kazoo uses unless told otherwise.
    pub const NORMAL: Self = Self(100);
    /// Behind all others.
    pub const LEAST_URGENT: Self = Self(999);

    /// From 0 to 999; `None` for other numbers.
    pub fn new(number: u16) -> Option<Self> {
        (number <= Self::LEAST_URGENT.0).then_some(Self(number))
    }
}

impl PriorityQueue {
    /// The queue at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str) -> Self {
        Self(Line {
            client: client.clone(),
            path: path.to_owned(),
            prefix: "entry-",
        })
    }

    /// Puts an element behind those that are as urgent.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown`; if the session ends; `NoAuth` and the like.
    pub async fn put(&self, data: &[u8], priority: Priority) -> Result<(), Error> {
        self.0.put(&format!("entry-{:03}-", priority.0), data).await
    }

    /// Takes the most urgent element, waiting for one. At most once: dropping the future may lose
    /// an element.
    ///
    /// # Errors
    ///
    /// As those of [`Queue::take`](crate::Queue::take).
    pub async fn take(&self) -> Result<Vec<u8>, Error> {
        self.0.take().await
    }

    /// Takes the most urgent element, if there is one. At most once, as [`take`](Self::take).
    ///
    /// # Errors
    ///
    /// As those of [`take`](Self::take).
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        self.0.try_take().await
    }

    /// How many elements there are.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    pub async fn count(&self) -> Result<usize, Error> {
        self.0.count().await
    }
}
