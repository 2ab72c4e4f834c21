//! An office that one session holds until it gives it up. Source: Curator's `LeaderLatch`.
//!
//! 1. Candidates queue up as for a [`Lock`](crate::Lock), under names of their own, with their
//!    identifier as data.
//! 2. The first of them leads until it gives the [`Hold`] up or its session ends.
//! 3. Each of the others watches the one before it only.
//!
//! **Session loss.** When the leader's session ends, the next candidate leads. The former leader
//! may not know that yet: [`Hold::doubtful`] tells it, and [`Hold::token`], which each leader
//! has a greater one of, protects what it writes.
//!
//! **Cost.** That of a [`Lock`](crate::Lock).

use crate::contest::Contest;
use crate::hold::Hold;
use crate::lock::last;
use grevy_client::{Client, Error};

/// An office. Curator's `LeaderLatch` of the same path takes part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// # async fn serve(token: grevy_client::Zxid) {}
/// use grevy_recipes::LeaderLatch;
///
/// let latch = LeaderLatch::new(&client, "/office", "server-7");
/// loop {
///     let office = latch.lead().await?;
///     tokio::select! {
///         () = serve(office.token()) => break office.release().await?,
///         doubt = office.doubtful() => println!("no longer certain to lead: {doubt:?}"),
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct LeaderLatch {
    contest: Contest,
    id: String,
}

impl LeaderLatch {
    /// The office at a path, whose znodes need not exist, and who is a candidate for it.
    pub fn new(client: &Client, path: &str, id: &str) -> Self {
        let contest = Contest {
            client: client.clone(),
            path: path.to_owned(),
            markers: &["-latch-"],
        };
        Self {
            contest,
            id: id.to_owned(),
        }
    }

    /// Waits for the office. Dropping the future withdraws the candidacy.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::LeaderLatch;
    ///
    /// let office = LeaderLatch::new(&client, "/office", "server-7").lead().await?;
    /// println!("leading, with token {}", office.token());
    /// office.release().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn lead(&self) -> Result<Hold, Error> {
        self.contest.win("latch-", self.id.as_bytes(), last).await
    }
}
