//! Trying again, for callers who ask for it.

use crate::error::Error;
use crate::machine::{Backoff, Chance};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often and how patiently to try again what is safe to try again: what certainly did not
/// happen, see [`Error::is_safe_to_retry`]. A write whose outcome is unknown is not tried again.
///
/// ```
/// # grevy_testing::run(async |client| {
/// # client.create("/config", b"", &grevy_client::CreateOptions::persistent()).await?;
/// use grevy_client::RetryPolicy;
///
/// let retry = RetryPolicy::default();
/// let (data, _) = retry.run(|| client.get_data("/config")).await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often to try, the first time included; at least once.
    pub attempts: u32,
    /// The pause before the second attempt; pauses double, and have jitter.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    /// Ten attempts over about half a minute.
    fn default() -> Self {
        Self {
            attempts: 10,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// Never tries again.
    pub fn never() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// Does an operation until it succeeds, fails for good, or was tried often enough.
    ///
    /// # Errors
    ///
    /// That of the last attempt.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{ErrorCode, RetryPolicy};
    ///
    /// let thrice = RetryPolicy { attempts: 3, ..RetryPolicy::default() };
    /// // What the server refuses is not tried again.
    /// let missing = thrice.run(|| client.get_data("/missing")).await;
    /// assert!(missing.is_err_and(|error| error.is(ErrorCode::NoNode)));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn run<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut pauses = self.pauses(Chance::new(RandomState::new().hash_one(0)));
        loop {
            match operation().await {
                Err(error) if error.is_safe_to_retry() => pauses.pause().await.ok_or(error)?,
                result => return result,
            }
        }
    }

    pub(crate) fn pauses(&self, chance: Chance) -> Pauses {
        Pauses {
            left: self.attempts.saturating_sub(1),
            backoff: Backoff::new(self.first_pause, self.longest_pause),
            chance,
        }
    }
}

/// The pauses between the attempts of one operation.
pub(crate) struct Pauses {
    left: u32,
    backoff: Backoff,
    chance: Chance,
}

impl Pauses {
    /// Waits before the next attempt; `None` if there is to be none.
    pub async fn pause(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        tokio::time::sleep(self.backoff.pause(&mut self.chance)).await;
        Some(())
    }
}
