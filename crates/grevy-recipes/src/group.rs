//! Who is there. Source: Curator's `GroupMember`.
//!
//! 1. Each member has an ephemeral znode below the group's path, named after it, with whatever
//!    others should know as data.
//! 2. If a former session of a member of the same name is not over yet, wait until it is.
//! 3. Whoever wants to know the members lists the znodes, or keeps a [`TreeCache`] of them.
//!
//! **Session loss.** When a member's session ends, it is no member any more, and the others learn
//! that; a paused one stays a member for up to its session timeout. It has to join again with a
//! new session.
//!
//! **Cost.** One write to join, one to leave, one for new data; one list and one read a member to
//! know them all.

use crate::hold::Hold;
use crate::own::own;
use crate::parents::child;
use crate::patience::{look, patient};
use crate::tree_cache::TreeCache;
use grevy_client::{Client, Error, ErrorCode, OpCode, Operation};
use std::collections::BTreeMap;
use std::ops::Deref;

/// A group. Curator's `GroupMember` of the same path takes part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::Group;
///
/// let group = Group::new(&client, "/workers");
/// let membership = group.join("worker-7", b"10.0.0.7").await?;
/// for (name, data) in group.members().await? {
///     println!("{name}: {data:?}");
/// }
/// # assert_eq!(group.members().await?.len(), 1);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Group {
    client: Client,
    path: String,
}

/// Being a member. Dropping it leaves the group.
#[derive(Debug)]
#[must_use = "dropping it leaves the group"]
pub struct Membership {
    client: Client,
    hold: Hold,
}

impl Group {
    /// The group at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// Becomes a member, under a name that nobody else has: waits as long as another session has
    /// it.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Group;
    ///
    /// let group = Group::new(&client, "/workers");
    /// let membership = group.join("worker-7", b"10.0.0.7").await?;
    /// println!("a member, with token {}", membership.token());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn join(&self, name: &str, data: &[u8]) -> Result<Membership, Error> {
        let hold = own(&self.client, &child(&self.path, name), data).await?;
        Ok(Membership {
            client: self.client.clone(),
            hold,
        })
    }

    /// The members' names and what they let others know.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Group;
    ///
    /// let group = Group::new(&client, "/workers");
    /// let membership = group.join("worker-7", b"10.0.0.7").await?;
    /// assert_eq!(group.members().await?["worker-7"], b"10.0.0.7");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn members(&self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let list = || self.client.get_children(&self.path);
        let names = match patient(&self.client, list).await {
            Ok((names, _)) => names,
            Err(error) if error.is(ErrorCode::NoNode) => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        let mut members = BTreeMap::new();
        for name in names {
            let path = child(&self.path, &name);
            match patient(&self.client, || self.client.get_data(&path)).await {
                Ok((data, _)) => drop(members.insert(name, data)),
                Err(error) if error.is(ErrorCode::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(members)
    }

    /// Follows who joins and who leaves.
    ///
    /// # Errors
    ///
    /// As those of [`TreeCache::start`].
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Change, Group};
    ///
    /// let group = Group::new(&client, "/workers");
    /// let mut members = group.watch().await?;
    /// # let membership = group.join("worker-7", b"").await?;
    /// match members.next().await? {
    ///     Change::Added(path) => println!("{path} has joined"),
    ///     Change::Changed(path) => println!("{path} says something new"),
    ///     Change::Removed(path, _) => println!("{path} has left"),
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn watch(&self) -> Result<TreeCache, Error> {
        TreeCache::start(&self.client, &self.path).await
    }
}

impl Membership {
    /// Changes what others know. If an answer is lost, looks before setting it again, so that it
    /// is set once.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoNode` if the membership was ended by somebody, even if somebody
    /// else has the name by now; `OutcomeUnknown` if an answer is lost and the data was set to
    /// something else at the same time.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Group;
    ///
    /// let group = Group::new(&client, "/workers");
    /// let membership = group.join("worker-7", b"idle").await?;
    /// membership.set_data(b"busy").await?;
    /// assert_eq!(group.members().await?["worker-7"], b"busy");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn set_data(&self, data: &[u8]) -> Result<(), Error> {
        let path = self.hold.path();
        let mut version = self.version().await?;
        loop {
            let set = || self.client.set_data(path, data, Some(version));
            let unknown = match patient(&self.client, set).await {
                Err(unknown @ Error::OutcomeUnknown { .. }) => unknown,
                // Through the same membership: the last one counts.
                Err(error) if error.is(ErrorCode::BadVersion) => {
                    version = self.version().await?;
                    continue;
                }
                result => return result.map(drop),
            };
            // Of the same version, it did not happen and will not.
            if self.version().await? != version {
                let (now, _) = patient(&self.client, || self.client.get_data(path)).await?;
                return if now == data { Ok(()) } else { Err(unknown) };
            }
        }
    }

    /// That of the member's own znode.
    async fn version(&self) -> Result<i32, Error> {
        match look(&self.client, self.hold.path()).await? {
            Some(stat) if stat.czxid == self.hold.token() => Ok(stat.version),
            _ => Err(Error::Server {
                operation: Operation::new(OpCode::SetData, self.hold.path()),
                code: ErrorCode::NoNode,
            }),
        }
    }

    /// Leaves the group, and waits for that.
    ///
    /// # Errors
    ///
    /// As those of [`Hold::release`].
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Group;
    ///
    /// let group = Group::new(&client, "/workers");
    /// let membership = group.join("worker-7", b"").await?;
    /// membership.leave().await?;
    /// assert!(group.members().await?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn leave(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

/// When the membership is doubtful, and its token.
impl Deref for Membership {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}
