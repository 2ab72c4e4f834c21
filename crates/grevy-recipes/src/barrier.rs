//! A barrier that holds everybody up until it is lifted. Source: Curator's `DistributedBarrier`,
//! kazoo's `Barrier`.
//!
//! 1. The barrier stands while its znode exists: to raise it is to create the znode, to lift it
//!    is to delete it.
//! 2. Whoever waits, watches the znode until it is gone.
//!
//! **Session loss.** The znode is persistent, so the barrier stands whatever becomes of who
//! raised it. Waiting fails when the session ends.
//!
//! **Cost.** One write to raise, one to lift, after a look; one read to wait. Lifting wakes everybody.

use crate::parents::{ensure, parent};
use crate::patience::{look, patient};
use grevy_client::{Client, CreateOptions, Error, ErrorCode};

/// A barrier. Curator's `DistributedBarrier` and kazoo's `Barrier` of the same path take part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::Barrier;
///
/// let maintenance = Barrier::new(&client, "/maintenance");
/// maintenance.raise().await?;
/// // Whoever waits goes on when it is lifted.
/// let (lifted, waited) = tokio::join!(maintenance.lift(), maintenance.wait());
/// # assert!(lifted?);
/// # waited?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Barrier {
    client: Client,
    path: String,
}

impl Barrier {
    /// The barrier at a path.
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// Raises it; returns whether it did not stand already. If an answer was lost, that may be
    /// wrong, but it stands.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown` if an answer was lost and it does not stand: it was not raised, or
    /// somebody has lifted it again. If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Barrier;
    ///
    /// let maintenance = Barrier::new(&client, "/maintenance");
    /// assert!(maintenance.raise().await?);
    /// assert!(!maintenance.raise().await?);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn raise(&self) -> Result<bool, Error> {
        let options = CreateOptions::persistent();
        loop {
            let create = || self.client.create(&self.path, b"", &options);
            match patient(&self.client, create).await {
                Ok(_) => return Ok(true),
                Err(error) if error.is(ErrorCode::NodeExists) => return Ok(false),
                Err(error) if error.is(ErrorCode::NoNode) => {
                    ensure(&self.client, parent(&self.path).unwrap_or("/")).await?;
                }
                // Not raised again: it might have been lifted since.
                Err(unknown @ Error::OutcomeUnknown { .. }) => {
                    let stat = look(&self.client, &self.path).await?;
                    return stat.map(|_| true).ok_or(unknown);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Lifts it; returns whether it stood. If an answer was lost, looks before lifting it again,
    /// so that what somebody else raises meanwhile stays.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Barrier;
    ///
    /// let maintenance = Barrier::new(&client, "/maintenance");
    /// maintenance.raise().await?;
    /// assert!(maintenance.lift().await?);
    /// assert!(!maintenance.lift().await?);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn lift(&self) -> Result<bool, Error> {
        let Some(raised) = look(&self.client, &self.path).await? else {
            return Ok(false);
        };
        loop {
            match patient(&self.client, || self.client.delete(&self.path, None)).await {
                Ok(()) => return Ok(true),
                Err(error) if error.is(ErrorCode::NoNode) => return Ok(false),
                Err(Error::OutcomeUnknown { .. }) => match look(&self.client, &self.path).await? {
                    // It was not lifted, and that deletion will not do so any more.
                    Some(stat) if stat.czxid == raised.czxid => {}
                    _ => return Ok(true),
                },
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until it does not stand.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Barrier;
    ///
    /// let maintenance = Barrier::new(&client, "/maintenance");
    /// # maintenance.raise().await?;
    /// # let other = maintenance.clone();
    /// # let lifted = tokio::spawn(async move { other.lift().await });
    /// maintenance.wait().await?;
    /// println!("the maintenance is over");
    /// # assert!(lifted.await??);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn wait(&self) -> Result<(), Error> {
        loop {
            // Not exists: that would leave a watch if it does not stand.
            let read = || self.client.get_data_and_watch(&self.path);
            match patient(&self.client, read).await {
                Ok((_, _, watch)) => drop(watch.changed().await?),
                Err(error) if error.is(ErrorCode::NoNode) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
