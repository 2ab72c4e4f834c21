//! Work that one session at a time does, in turn. Source: Curator's `LeaderSelector`, kazoo's
//! `Election`.
//!
//! 1. Candidates acquire a [`Lock`] with their identifier as data.
//! 2. The holder works. When the work is done it releases the lock, and goes to the end of the
//!    queue if it wants to lead again.
//! 3. As soon as the lock is doubtful, the work is dropped.
//!
//! **Session loss.** The work is dropped at its next `await` after the connection is lost, that
//! is, before the session can have expired, unless the process is paused: for that, what is
//! written should carry the token.
//!
//! **Cost.** That of a [`Lock`].

use crate::lock::Lock;
use crate::sequence::Layout;
use grevy_client::{Client, Error, Zxid};

/// A candidate for work that one session at a time does. Curator's `LeaderSelector` of the same
/// path takes part; with [`Layout::Kazoo`], kazoo's `Election`.
///
/// ```
/// # grevy_testing::run(async |client| {
/// # async fn compact(token: grevy_client::Zxid) -> usize { 7 }
/// use grevy_recipes::LeaderSelector;
///
/// let candidate = LeaderSelector::new(&client, "/compaction", "server-7");
/// // Each turn starts anew if the leadership is lost in the middle of it.
/// let files = candidate.lead(|token| compact(token)).await?;
/// # assert_eq!(files, 7);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct LeaderSelector {
    lock: Lock,
}

impl LeaderSelector {
    /// A candidate for the work at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str, id: &str) -> Self {
        Self {
            lock: Lock::new(client, path).with_identifier(id),
        }
    }

    /// Calls this candidate's znodes as others expect it.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Layout, LeaderSelector};
    ///
    /// let candidate = LeaderSelector::new(&client, "/compaction", "server-7");
    /// candidate.with_layout(Layout::Kazoo).lead(async |_| println!("leading")).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.lock = self.lock.with_layout(layout);
        self
    }

    /// Waits for the turn, works, gives the turn up, and returns what the work did. `work` gets
    /// the fencing token. If the leadership becomes doubtful meanwhile, the work is dropped and
    /// the candidate queues up again.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::LeaderSelector;
    ///
    /// let candidate = LeaderSelector::new(&client, "/compaction", "server-7");
    /// let first = candidate.lead(async |token| token).await?;
    /// let second = candidate.lead(async |token| token).await?;
    /// assert!(first < second);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn lead<T, F>(&self, mut work: impl FnMut(Zxid) -> F) -> Result<T, Error>
    where
        F: Future<Output = T>,
    {
        loop {
            let office = self.lock.acquire().await?;
            tokio::select! {
                biased;
                // First, so that the work does not go on for a moment once that is known.
                _ = office.doubtful() => {}
                done = work(office.token()) => {
                    // If the answer is lost, the release goes on in the background.
                    drop(office.release().await);
                    return Ok(done);
                }
            }
        }
    }
}
