//! What locks, semaphores and elections share: contenders queue up by ephemeral sequential
//! znodes, and each watches only the one that it waits for.

use crate::hold::Hold;
use crate::parents::{child, ensure, name};
use crate::patience::{endless, patient};
use crate::sequence::{Contender, contenders};
use grevy_client::{Client, CreateOptions, Error, ErrorCode};

/// One queue of contenders.
#[derive(Debug, Clone)]
pub(crate) struct Contest {
    pub client: Client,
    pub path: String,
    /// What all contenders' numbers follow.
    pub markers: &'static [&'static str],
}

/// How a contender stands.
pub(crate) enum Turn {
    /// It is its turn.
    Now,
    /// It has to wait for the znode of this name.
    Behind(String),
    /// Its znode is gone.
    Gone,
}

impl Contest {
    /// Queues up.
    pub async fn enter(&self, name: &str, data: &[u8]) -> Result<Hold, Error> {
        let path = child(&self.path, name);
        let options = CreateOptions::ephemeral().sequential();
        let policy = endless();
        loop {
            let create = self.client.create_protected(&path, data, &options, &policy);
            match create.await {
                Ok(created) => {
                    return Ok(Hold::new(&self.client, created.path, created.stat.czxid));
                }
                // Also if the servers have just removed the container.
                Err(error) if error.is(ErrorCode::NoNode) => {
                    ensure(&self.client, &self.path).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How a contender stands. `blocks` says which of those before it, in their order, it must
    /// wait for; it waits for the last of them.
    pub async fn turn(
        &self,
        hold: &Hold,
        blocks: &(impl Fn(&[Contender]) -> Option<&Contender> + Sync),
    ) -> Result<Turn, Error> {
        let contenders = self.contenders().await?;
        let own = name(hold.path());
        let Some(index) = contenders
            .iter()
            .position(|contender| contender.name == own)
        else {
            return Ok(Turn::Gone);
        };
        let before = contenders.get(..index).unwrap_or_default();
        Ok(match blocks(before) {
            None => Turn::Now,
            Some(contender) => Turn::Behind(contender.name.clone()),
        })
    }

    /// Queues up and waits for the turn. Dropping the future leaves the queue.
    pub async fn win(
        &self,
        name: &str,
        data: &[u8],
        blocks: impl Fn(&[Contender]) -> Option<&Contender> + Sync,
    ) -> Result<Hold, Error> {
        'enter: loop {
            let hold = self.enter(name, data).await?;
            loop {
                match self.turn(&hold, &blocks).await? {
                    Turn::Now => return Ok(hold),
                    Turn::Behind(name) => self.wait_for_change(&name).await?,
                    // Somebody deleted it: back to the end of the queue.
                    Turn::Gone => continue 'enter,
                }
            }
        }
    }

    /// Queues up, and leaves again if it is not its turn at once.
    pub async fn try_win(
        &self,
        name: &str,
        data: &[u8],
        blocks: impl Fn(&[Contender]) -> Option<&Contender> + Sync,
    ) -> Result<Option<Hold>, Error> {
        let hold = self.enter(name, data).await?;
        match self.turn(&hold, &blocks).await? {
            Turn::Now => Ok(Some(hold)),
            Turn::Behind(_) | Turn::Gone => hold.release().await.map(|()| None),
        }
    }

    /// Waits until a znode changes or is gone.
    pub async fn wait_for_change(&self, name: &str) -> Result<(), Error> {
        let path = child(&self.path, name);
        // Not exists: that would leave a watch on what is gone already.
        match patient(&self.client, || self.client.get_data_and_watch(&path)).await {
            Ok((_, _, watch)) => watch.changed().await.map(drop),
            Err(error) if error.is(ErrorCode::NoNode) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All contenders, in their order.
    pub async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        match patient(&self.client, || self.client.get_children(&self.path)).await {
            Ok((names, _)) => Ok(contenders(names, self.markers)),
            Err(error) if error.is(ErrorCode::NoNode) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
