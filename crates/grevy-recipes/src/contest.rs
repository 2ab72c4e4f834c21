//! What locks, semaphores and elections share: contenders queue up by ephemeral sequential
//! znodes, and each watches only the one that it waits for.

use crate::hold::Hold;
use crate::parents::{child, name};
use crate::patience::{names_below, until_changed};
use crate::sequence::{Contender, contenders};
use grevy_client::{Client, CreateOptions, Error};

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
        let options = CreateOptions::ephemeral().sequential();
        Hold::create(&self.client, &self.path, name, data, &options).await
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
                    Turn::Behind(name) => {
                        until_changed(&self.client, &child(&self.path, &name)).await?;
                    }
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

    /// All contenders, in their order.
    pub async fn contenders(&self) -> Result<Vec<Contender>, Error> {
        let names = names_below(&self.client, &self.path).await?;
        Ok(contenders(names, self.markers))
    }
}
