//! A barrier that lets so many in together, and out together. Source: Curator's
//! `DistributedDoubleBarrier`, kazoo's `DoubleBarrier`.
//!
//! To enter:
//!
//! 1. Create an ephemeral znode of one's own below the path.
//! 2. Watch for the znode `ready`. If it exists, be in.
//! 3. List the members. If they are enough, create `ready`, and be in; otherwise wait for
//!    `ready`, and go to 2.
//!
//! To leave:
//!
//! 1. List the members. From now on only these count: who comes later comes for the next time.
//!    If there is none left, be out. If there is only oneself, delete the own znode and be out.
//! 2. The member with the smallest name waits for the one with the greatest to go; all others
//!    delete their znodes and wait for the one with the smallest. Go to 1.
//! 3. Who is out deletes `ready`, if nobody has: the one that it found when it began to leave, so
//!    that a slow member does not close the barrier to those who came for the next time.
//!
//! **Session loss.** When a member's session ends, its znode goes: others do not wait for it when
//! they leave, and need somebody else when they enter. A member that is in stays in, even if
//! another one is lost. The member itself gets an error. If all that are in are lost, `ready`
//! stays, and the barrier is open to whoever comes next, until one of those leaves.
//!
//! **Cost.** For n members n + 2 writes, 2n reads, and up to n lists of n names; entering wakes everybody
//! at once, leaving wakes everybody twice.

use crate::hold::Hold;
use crate::parents::{child, name};
use crate::patience::{names_below, patient, until_changed};
use grevy_client::{Client, CreateOptions, Error, ErrorCode, EventType, Zxid};

const READY: &str = "ready";

/// A barrier for a number of members. Curator's `DistributedDoubleBarrier` and kazoo's
/// `DoubleBarrier` of the same path and number take part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::DoubleBarrier;
///
/// let barrier = DoubleBarrier::new(&client, "/computation", 2);
/// # let other = barrier.clone();
/// # let other = tokio::spawn(async move { other.enter().await?.leave().await });
/// let inside = barrier.enter().await?;
/// // Both compute.
/// inside.leave().await?;
/// # other.await??;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct DoubleBarrier {
    client: Client,
    path: String,
    members: usize,
}

/// Being in. Dropping it leaves without waiting for the others.
#[derive(Debug)]
#[must_use = "dropping it leaves without waiting for the others"]
pub struct Inside {
    barrier: DoubleBarrier,
    hold: Hold,
}

impl DoubleBarrier {
    /// The barrier at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str, members: usize) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            members,
        }
    }

    /// Waits until enough members have come. Dropping the future stays out.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::DoubleBarrier;
    ///
    /// let barrier = DoubleBarrier::new(&client, "/computation", 2);
    /// # let other = barrier.clone();
    /// # let other = tokio::spawn(async move { other.enter().await?.leave().await });
    /// let inside = barrier.enter().await?;
    /// println!("the other one has come, too");
    /// # inside.leave().await?;
    /// # other.await??;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn enter(&self) -> Result<Inside, Error> {
        let options = CreateOptions::ephemeral();
        let hold = Hold::create(&self.client, &self.path, "member", b"", &options).await?;
        let ready = child(&self.path, READY);
        loop {
            let watch = || self.client.exists_and_watch(&ready);
            let (stat, watch) = patient(&self.client, watch).await?;
            if stat.is_none() {
                if self.present().await?.len() >= self.members {
                    self.open(&ready).await?;
                } else if watch.changed().await?.kind != EventType::NodeCreated {
                    continue;
                }
                // It was there, even if somebody has begun to leave and removed it.
            }
            return Ok(Inside {
                barrier: self.clone(),
                hold,
            });
        }
    }

    async fn open(&self, ready: &str) -> Result<(), Error> {
        let options = CreateOptions::persistent();
        loop {
            match patient(&self.client, || self.client.create(ready, b"", &options)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is(ErrorCode::NodeExists) => return Ok(()),
                Err(Error::OutcomeUnknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The transaction that opened the barrier, if it is open.
    async fn opened(&self) -> Result<Option<Zxid>, Error> {
        let ready = child(&self.path, READY);
        let stat = patient(&self.client, || self.client.exists(&ready)).await?;
        Ok(stat.map(|stat| stat.czxid))
    }

    /// The members' names, in their order.
    async fn present(&self) -> Result<Vec<String>, Error> {
        let mut names = names_below(&self.client, &self.path).await?;
        names.retain(|name| name != READY);
        names.sort();
        Ok(names)
    }

    /// Waits until a member changes or is gone.
    async fn wait_for(&self, name: &str) -> Result<(), Error> {
        until_changed(&self.client, &child(&self.path, name)).await
    }
}

impl Inside {
    /// Waits until all members leave.
    ///
    /// # Errors
    ///
    /// If the session ends, or the answer to a write is lost; either way it is left.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::DoubleBarrier;
    ///
    /// let barrier = DoubleBarrier::new(&client, "/computation", 2);
    /// # let other = barrier.clone();
    /// # let other = tokio::spawn(async move { other.enter().await?.leave().await });
    /// let inside = barrier.enter().await?;
    /// inside.leave().await?;
    /// println!("the other one has finished, too");
    /// # other.await??;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn leave(self) -> Result<(), Error> {
        let Self { barrier, hold } = self;
        let own = name(hold.path()).to_owned();
        let mut hold = Some(hold);
        // Who comes later comes for the next time: as long as this member's znode is there,
        // nobody has got out yet.
        let members = barrier.present().await?;
        let opened = barrier.opened().await?;
        loop {
            let mut names = barrier.present().await?;
            names.retain(|name| members.contains(name));
            match (names.first(), names.last()) {
                (Some(first), Some(last)) if first != last && *first == own => {
                    barrier.wait_for(last).await?;
                }
                (Some(first), Some(_)) if *first != own => {
                    if let Some(hold) = hold.take() {
                        hold.release().await?;
                    }
                    barrier.wait_for(first).await?;
                }
                _ => {
                    if let Some(hold) = hold.take() {
                        hold.release().await?;
                    }
                    break;
                }
            }
        }
        if opened.is_none() || barrier.opened().await? != opened {
            return Ok(());
        }
        let ready = child(&barrier.path, READY);
        match patient(&barrier.client, || barrier.client.delete(&ready, None)).await {
            Err(error) if !error.is(ErrorCode::NoNode) => Err(error),
            _ => Ok(()),
        }
    }
}
