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
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Priority, PriorityQueue};
///
/// let queue = PriorityQueue::new(&client, "/jobs");
/// queue.put(b"some time", Priority::NORMAL).await?;
/// queue.put(b"now", Priority::MOST_URGENT).await?;
/// assert_eq!(queue.take().await?, b"now");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct PriorityQueue(Line);

/// How urgent an element is: 0 the most, 999 the least.
///
/// ```
/// use grevy_recipes::Priority;
///
/// let soon = Priority::new(50).expect("it is less than 1000");
/// assert!(Priority::MOST_URGENT < soon && soon < Priority::NORMAL);
/// assert_eq!(Priority::new(1000), None);
/// ```
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
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Priority, PriorityQueue};
    ///
    /// let queue = PriorityQueue::new(&client, "/jobs");
    /// queue.put(b"first", Priority::NORMAL).await?;
    /// queue.put(b"second", Priority::NORMAL).await?;
    /// assert_eq!(queue.take().await?, b"first");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn put(&self, data: &[u8], priority: Priority) -> Result<(), Error> {
        self.0.put(&format!("entry-{:03}-", priority.0), data).await
    }

    /// Takes the most urgent element, waiting for one. At most once: dropping the future may lose
    /// an element.
    ///
    /// # Errors
    ///
    /// As those of [`Queue::take`](crate::Queue::take).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Priority, PriorityQueue};
    ///
    /// let queue = PriorityQueue::new(&client, "/jobs");
    /// # let other = queue.clone();
    /// # let put = tokio::spawn(async move { other.put(b"now", Priority::NORMAL).await });
    /// let job = queue.take().await?;
    /// println!("{}", String::from_utf8_lossy(&job));
    /// # put.await??;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn take(&self) -> Result<Vec<u8>, Error> {
        self.0.take().await
    }

    /// Takes the most urgent element, if there is one. At most once, as [`take`](Self::take).
    ///
    /// # Errors
    ///
    /// As those of [`take`](Self::take).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Priority, PriorityQueue};
    ///
    /// let queue = PriorityQueue::new(&client, "/jobs");
    /// assert_eq!(queue.try_take().await?, None);
    /// queue.put(b"now", Priority::NORMAL).await?;
    /// assert_eq!(queue.try_take().await?, Some(b"now".to_vec()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        self.0.try_take().await
    }

    /// How many elements there are.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Priority, PriorityQueue};
    ///
    /// let queue = PriorityQueue::new(&client, "/jobs");
    /// queue.put(b"now", Priority::NORMAL).await?;
    /// assert_eq!(queue.count().await?, 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn count(&self) -> Result<usize, Error> {
        self.0.count().await
    }
}
