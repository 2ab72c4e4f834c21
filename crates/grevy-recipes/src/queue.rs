//! A queue: what is put in first is taken first, by one consumer. Source: ZooKeeper's
//! `DistributedQueue`, Curator's `SimpleDistributedQueue`.
//!
//! 1. To put an element, create a persistent sequential znode `qn-…`.
//! 2. To take one, list the znodes, read that with the smallest number and delete it. If somebody
//!    else was faster, go on with the next one.
//! 3. If there is none, wait for the children to change, and go to 2.
//!
//! **Delivery.** An element is taken *at most once*. It is lost if its consumer is lost between
//! taking it and handling it, if the future of [`Queue::take`] is dropped meanwhile, or if the
//! answer to the deletion is lost and the element is gone: this consumer took it, or another one
//! did, which nobody can tell. Then [`OutcomeUnknown`](grevy_client::Error::OutcomeUnknown) is
//! the error. As long as the element is still there, the deletion is made again. So let a task of
//! its own take elements, not a branch of `select!`; and what must be handled *at least once*
//! needs a queue whose consumers delete an element after handling it, under a
//! [`Lock`](crate::Lock).
//!
//! **Session loss.** Elements stay. If the answer to a put is lost, the error says so
//! (`OutcomeUnknown`): the element may be in the queue or not, and is not put again.
//!
//! **Cost.** One write to put; two reads and a write to take. The lists grow with the queue, so
//! it should hold some thousands of elements at most. Each put wakes everybody who waits.

use crate::line::Line;
use grevy_client::{Client, Error};

/// A queue. ZooKeeper's own and Curator's `SimpleDistributedQueue` of the same path take part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::Queue;
///
/// let queue = Queue::new(&client, "/jobs");
/// queue.put(b"resize 17").await?;
/// let job = queue.take().await?;
/// assert_eq!(job, b"resize 17");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Queue(Line);

impl Queue {
    /// The queue at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str) -> Self {
        Self(Line {
            client: client.clone(),
            path: path.to_owned(),
            prefix: "qn-",
        })
    }

    /// Puts an element at the end.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown`; if the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Queue;
    ///
    /// let queue = Queue::new(&client, "/jobs");
    /// queue.put(b"resize 17").await?;
    /// queue.put(b"resize 18").await?;
    /// assert_eq!(queue.take().await?, b"resize 17");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn put(&self, data: &[u8]) -> Result<(), Error> {
        self.0.put("qn-", data).await
    }

    /// Takes the first element, waiting for one. At most once: dropping the future may lose an
    /// element.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown` if an element is gone, and this or another consumer took it; otherwise as
    /// those of [`put`](Self::put).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Queue;
    ///
    /// let queue = Queue::new(&client, "/jobs");
    /// # let other = queue.clone();
    /// # let put = tokio::spawn(async move { other.put(b"resize 17").await });
    /// let job = queue.take().await?;
    /// println!("{}", String::from_utf8_lossy(&job));
    /// # put.await??;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn take(&self) -> Result<Vec<u8>, Error> {
        self.0.take().await
    }

    /// Takes the first element, if there is one. At most once, as [`take`](Self::take).
    ///
    /// # Errors
    ///
    /// As those of [`take`](Self::take).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Queue;
    ///
    /// let queue = Queue::new(&client, "/jobs");
    /// assert_eq!(queue.try_take().await?, None);
    /// queue.put(b"resize 17").await?;
    /// assert_eq!(queue.try_take().await?, Some(b"resize 17".to_vec()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        self.0.try_take().await
    }

    /// Reads the first element, if there is one, and leaves it.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Queue;
    ///
    /// let queue = Queue::new(&client, "/jobs");
    /// queue.put(b"resize 17").await?;
    /// assert_eq!(queue.peek().await?, Some(b"resize 17".to_vec()));
    /// assert_eq!(queue.count().await?, 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn peek(&self) -> Result<Option<Vec<u8>>, Error> {
        self.0.peek().await
    }

    /// How many elements there are.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Queue;
    ///
    /// let queue = Queue::new(&client, "/jobs");
    /// queue.put(b"resize 17").await?;
    /// assert_eq!(queue.count().await?, 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn count(&self) -> Result<usize, Error> {
        self.0.count().await
    }
}
