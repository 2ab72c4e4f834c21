//! Who leads, for those who are no candidates.
//!
//! 1. List the candidates. The one with the smallest number leads.
//! 2. Read its identifier, with a watch on it. Later candidates have greater numbers, so the
//!    leader changes only when this one goes.
//! 3. If there is no candidate, watch for one; if the office does not even exist, for that.
//!
//! A leader that is asked to give up ([`revoke`](crate::revoke)) stays the same leader until it
//! does, though its znode no longer says how it calls itself.
//!
//! **Session loss.** What is seen is what this server knows, which may be a moment old; nothing
//! is held. While there is no connection nothing is seen, then the present leader.
//!
//! **Cost.** Two reads and one watch for each change of the leader.

use crate::contest::Contest;
use crate::hold::REVOKE;
use crate::parents::child;
use crate::patience::patient;
use crate::sequence::contenders;
use grevy_client::{Client, Error, ErrorCode, OneshotWatch, Zxid};

/// Watches an office of a [`LeaderLatch`](crate::LeaderLatch), a
/// [`LeaderSelector`](crate::LeaderSelector), or their counterparts in Curator and kazoo.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::LeaderObserver;
///
/// let mut observer = LeaderObserver::new(&client, "/office");
/// loop {
///     match observer.next().await? {
///         Some(leader) => println!("{} leads", leader.id),
///         None => println!("nobody leads"),
///     }
///     # break;
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct LeaderObserver {
    contest: Contest,
    /// What was told last.
    told: Option<Option<Leader>>,
    /// What tells of its end; `None`: the leader has to be looked for.
    watch: Option<OneshotWatch>,
}

/// Who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// How it calls itself; `__REVOKE__` if it was asked to give up before it was first seen.
    pub id: String,
    /// Its znode.
    pub path: String,
    /// Its fencing token.
    pub token: Zxid,
}

impl LeaderObserver {
    /// Of the office at a path.
    pub fn new(client: &Client, path: &str) -> Self {
        let contest = Contest {
            client: client.clone(),
            path: path.to_owned(),
            markers: &["-latch-", "-lock-", "__lock__"],
        };
        Self {
            contest,
            told: None,
            watch: None,
        }
    }

    /// Who leads at first, then each other leader. May be cancelled without losing anything.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{LeaderLatch, LeaderObserver};
    ///
    /// let mut observer = LeaderObserver::new(&client, "/office");
    /// assert_eq!(observer.next().await?, None);
    /// let office = LeaderLatch::new(&client, "/office", "server-7").lead().await?;
    /// let leader = observer.next().await?.ok_or("nobody leads")?;
    /// assert_eq!((&leader.id[..], leader.token), ("server-7", office.token()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn next(&mut self) -> Result<Option<Leader>, Error> {
        loop {
            if let Some(watch) = &mut self.watch {
                watch.wait().await?;
                self.watch = None;
            }
            let (leader, watch) = self.look().await?;
            self.watch = Some(watch);
            let leader = leader.map(|leader| self.as_told_before(leader));
            if self.told.as_ref() != Some(&leader) {
                self.told = Some(leader.clone());
                return Ok(leader);
            }
        }
    }

    /// The same leader, by the name that was told before, if it has only been asked to give up.
    fn as_told_before(&self, leader: Leader) -> Leader {
        match &self.told {
            Some(Some(told)) if told.token == leader.token && leader.id.as_bytes() == REVOKE => {
                told.clone()
            }
            _ => leader,
        }
    }

    async fn look(&self) -> Result<(Option<Leader>, OneshotWatch), Error> {
        let Contest { client, path, .. } = &self.contest;
        loop {
            let list = || client.get_children_and_watch(path);
            let (names, watch) = match patient(client, list).await {
                Ok((names, _, watch)) => (names, watch),
                // Not created here: who only looks on may lack the right to.
                Err(error) if error.is(ErrorCode::NoNode) => {
                    let exists = || client.exists_and_watch(path);
                    match patient(client, exists).await? {
                        (None, watch) => return Ok((None, watch)),
                        (Some(_), _) => continue,
                    }
                }
                Err(error) => return Err(error),
            };
            let contenders = contenders(names, self.contest.markers);
            let Some(first) = contenders.first() else {
                return Ok((None, watch));
            };
            drop(watch);
            let path = child(path, &first.name);
            match patient(client, || client.get_data_and_watch(&path)).await {
                Ok((data, stat, watch)) => {
                    let leader = Leader {
                        id: String::from_utf8_lossy(&data).into_owned(),
                        path,
                        token: stat.czxid,
                    };
                    return Ok((Some(leader), watch));
                }
                Err(error) if error.is(ErrorCode::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
