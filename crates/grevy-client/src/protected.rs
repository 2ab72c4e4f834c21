//! Creating a znode exactly once, though answers get lost. Source: Curator's `ProtectedMode`,
//! whose names these are.
//!
//! 1. The znode's name starts with `_c_`, a random UUID and `-`.
//! 2. Its creation is asked for.
//! 3. If the outcome is unknown, wait for a server, `sync` with the leader, and list the parent's
//!    children. A child with the UUID is the znode. If there is none, there never will be: a
//!    session's older connection cannot write any more once the session has moved. Go to 2.
//! 4. If nobody waits for the znode any more, it is looked for likewise, and deleted.

use crate::client::{Client, CreateOptions, Created, WeakClient};
use crate::error::{Error, Operation};
use crate::machine::{Chance, SessionState};
use crate::retry::{Pauses, RetryPolicy};
use grevy_proto::{ErrorCode, OpCode, Stat, Zxid, path};
use tokio::sync::oneshot;

impl Client {
    /// Creates a znode so that a lost answer neither loses it nor creates it twice: the name gets
    /// a prefix by which it is found again. Meant for sequential znodes, as in locks and queues.
    ///
    /// If the future is dropped, or fails, the znode is deleted in the background in case it was
    /// created after all.
    ///
    /// # Errors
    ///
    /// As those of [`create`](Self::create), when `policy` gives up. `OutcomeUnknown` also if the
    /// znode cannot be looked for, such as for want of the right to list the parent's children,
    /// or because the session has ended (unless the znode would have gone with it).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/lock", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// use grevy_client::{CreateOptions, RetryPolicy};
    ///
    /// let options = CreateOptions::ephemeral().sequential();
    /// let policy = RetryPolicy::default();
    /// let created = client.create_protected("/lock/lock-", b"", &options, &policy).await?;
    /// // Such as /lock/_c_123e4567-e89b-42d3-a456-426614174000-lock-0000000007
    /// println!("{}", created.path);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn create_protected(
        &self,
        path: &str,
        data: &[u8],
        options: &CreateOptions,
        policy: &RetryPolicy,
    ) -> Result<Created, Error> {
        let (parent, name) = path::split(path).unwrap_or(("/", ""));
        let prefix = format!("_c_{}-", uuid([self.chance(), self.chance()]));
        let creation = Creation {
            client: self.downgrade(),
            path: join(parent, &format!("{prefix}{name}")),
            mark: Mark::Prefix(parent.to_owned(), prefix),
            data: data.to_vec(),
            options: options.clone(),
        };
        self.create_exactly_once(creation, policy).await
    }

    /// Creates an ephemeral znode of just this name so that a lost answer neither loses it nor
    /// takes another one for it: it is found again by its name and owner. What exists already,
    /// be it of this session, is `NodeExists`; but two such creations of one path by one session
    /// must not be under way at once.
    ///
    /// If the future is dropped, or fails, the znode is deleted in the background in case it was
    /// created after all.
    ///
    /// # Errors
    ///
    /// As those of [`create_protected`](Self::create_protected).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::RetryPolicy;
    ///
    /// let created = client.create_owned("/member-7", b"", &RetryPolicy::default()).await?;
    /// assert_eq!(created.path, "/member-7");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn create_owned(
        &self,
        path: &str,
        data: &[u8],
        policy: &RetryPolicy,
    ) -> Result<Created, Error> {
        let creation = Creation {
            client: self.downgrade(),
            path: path.to_owned(),
            mark: Mark::Owner,
            data: data.to_vec(),
            options: CreateOptions::ephemeral(),
        };
        self.create_exactly_once(creation, policy).await
    }

    async fn create_exactly_once(
        &self,
        mut creation: Creation,
        policy: &RetryPolicy,
    ) -> Result<Created, Error> {
        let pauses = policy.pauses(self.chance());
        let undo_pauses = endless().pauses(self.chance());
        let (sender, receiver) = oneshot::channel();
        // A task of its own goes on when this future is dropped.
        self.spawn(async move {
            let result = creation.run(pauses).await;
            let may_exist = matches!(result, Err(Error::OutcomeUnknown { .. }));
            drop(sender.send(result));
            if may_exist {
                creation.undo(undo_pauses).await;
            }
        });
        match receiver.await {
            Ok(Ok(mut unclaimed)) => unclaimed.claim().ok_or_else(|| self.unreachable()),
            Ok(Err(error)) => Err(error),
            // The runtime is shutting down.
            Err(_) => Err(self.unreachable()),
        }
    }

    /// Deletes a znode that this client created with the transaction `czxid`, though nobody may
    /// wait for it. The request is queued now. It is made again, in the background, if it did not
    /// happen or its outcome is unknown, as long as the session lasts and has a handle; but not
    /// without looking first, since somebody else may have a znode of the same name by then.
    ///
    /// # Errors
    ///
    /// Those of the first attempt, which the future waits for. Dropping it calls nothing back.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    ///
    /// let options = CreateOptions::ephemeral().sequential();
    /// let created = client.create("/turn-", b"", &options).await?;
    /// drop(client.delete_in_background(&created.path, created.stat.czxid));
    /// // What is asked for later comes later.
    /// assert_eq!(client.exists(&created.path).await?, None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn delete_in_background(
        &self,
        path: &str,
        czxid: Zxid,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let first = self.delete(path, None);
        let mut client = self.downgrade();
        let mut pauses = endless().pauses(self.chance());
        let path = path.to_owned();
        let closed = Error::over(SessionState::Closed, Operation::new(OpCode::Delete, &path));
        let (sender, receiver) = oneshot::channel();
        self.spawn(async move {
            let mut outcome = first.await;
            drop(sender.send(outcome.clone()));
            while let Err(error) = &outcome
                && is_open(error)
                && client.writable().await.is_some()
                && pauses.pause().await.is_some()
                && let Some(client) = client.upgrade()
            {
                outcome = client.delete_if_still(&path, czxid).await;
            }
        });
        // Without an answer, the runtime is shutting down.
        async move { receiver.await.unwrap_or(Err(closed)) }
    }

    async fn delete_if_still(&self, path: &str, czxid: Zxid) -> Result<(), Error> {
        let (sync, exists) = (self.sync(path), self.exists(path));
        sync.await?;
        match exists.await? {
            Some(stat) if stat.czxid == czxid => self.delete(path, None).await,
            _ => Ok(()),
        }
    }
}

/// Whether a write that failed like this may be tried again, once it is known whether it happened.
fn is_open(error: &Error) -> bool {
    matches!(error, Error::OutcomeUnknown { .. })
        || error.is_safe_to_retry()
        || error.is(ErrorCode::NotReadOnly)
}

/// The creation of one znode.
struct Creation {
    client: WeakClient,
    path: String,
    mark: Mark,
    data: Vec<u8>,
    options: CreateOptions,
}

/// By what a znode is found again.
enum Mark {
    /// Below this parent, by this prefix of its name.
    Prefix(String, String),
    /// By its whole name, and that this session owns it.
    Owner,
}

impl Creation {
    async fn run(&mut self, mut pauses: Pauses) -> Result<Unclaimed, Error> {
        loop {
            let error = match self.create().await {
                Err(error @ Error::OutcomeUnknown { .. }) => {
                    match self.look(&error, &mut pauses).await? {
                        Some(created) => return Ok(created),
                        // It was not created and will not be.
                        None => continue,
                    }
                }
                Err(error) if error.is_safe_to_retry() => error,
                result => return result,
            };
            pauses.pause().await.ok_or(error)?;
        }
    }

    async fn create(&self) -> Result<Unclaimed, Error> {
        let client = self.client.upgrade().ok_or_else(|| self.abandoned())?;
        // What this session has already is not the znode that is asked for.
        if matches!(self.mark, Mark::Owner) && client.exists(&self.path).await?.is_some() {
            return Err(Error::Server {
                operation: Operation::new(self.options.op(), &self.path),
                code: ErrorCode::NodeExists,
            });
        }
        let created = client.create(&self.path, &self.data, &self.options).await?;
        Ok(Unclaimed::new(client, created))
    }

    /// Looks whether the znode was created, after an attempt that ended with `unknown`. What
    /// prevents looking leaves that unknown.
    async fn look(
        &mut self,
        unknown: &Error,
        pauses: &mut Pauses,
    ) -> Result<Option<Unclaimed>, Error> {
        loop {
            pauses.pause().await.ok_or_else(|| unknown.clone())?;
            match self.find().await {
                Err(error) if is_open(&error) => {}
                Err(error) => return Err(self.unknown_since(unknown, &error)),
                found => return found,
            }
        }
    }

    /// An ephemeral znode is certainly gone with its session.
    fn unknown_since(&self, unknown: &Error, cause: &Error) -> Error {
        if matches!(cause, Error::SessionExpired { .. }) && self.options.is_ephemeral() {
            return cause.clone();
        }
        match unknown {
            Error::OutcomeUnknown { operation, reason } => Error::OutcomeUnknown {
                operation: operation.clone(),
                reason: format!("{reason}; then {cause}").into(),
            },
            other => other.clone(),
        }
    }

    /// Looks for the znode in a state that includes whatever was sent before.
    async fn find(&mut self) -> Result<Option<Unclaimed>, Error> {
        // A session that is over says so itself.
        let _ = self.client.writable().await;
        let client = self.client.upgrade().ok_or_else(|| self.abandoned())?;
        let path = match &self.mark {
            Mark::Owner => {
                client.sync(&self.path).await?;
                self.path.clone()
            }
            Mark::Prefix(parent, prefix) => {
                let sync = client.sync(parent);
                let children = client.get_children(parent);
                sync.await?;
                let (names, _) = match children.await {
                    Err(error) if error.is(ErrorCode::NoNode) => return Ok(None),
                    children => children?,
                };
                let Some(name) = names.iter().find(|name| name.starts_with(prefix)) else {
                    return Ok(None);
                };
                join(parent, name)
            }
        };
        let stat = client.exists(&path).await?;
        let is_owned = |stat: &Stat| stat.ephemeral_owner == client.session_id();
        let is_it = |stat: &Stat| matches!(self.mark, Mark::Prefix(..)) || is_owned(stat);
        let created = stat.filter(is_it).map(|stat| Created { path, stat });
        Ok(created.map(|created| Unclaimed::new(client, created)))
    }

    /// Deletes the znode if it was created after all, as long as the session lasts.
    async fn undo(&mut self, mut pauses: Pauses) {
        loop {
            match self.find().await {
                // Nobody claims it.
                Ok(Some(unclaimed)) => return drop(unclaimed),
                // Somebody may grant the right to look.
                Err(error) if is_open(&error) || error.is(ErrorCode::NoAuth) => {}
                _ => return,
            }
            if pauses.pause().await.is_none() {
                return;
            }
        }
    }

    /// Nobody has a handle of the session any more.
    fn abandoned(&self) -> Error {
        let operation = Operation::new(self.options.op(), &self.path);
        Error::over(SessionState::Closed, operation)
    }
}

/// As long as the session lasts.
fn endless() -> RetryPolicy {
    RetryPolicy {
        attempts: u32::MAX,
        ..RetryPolicy::default()
    }
}

/// A znode on its way to the caller, who may be gone.
struct Unclaimed {
    client: Client,
    created: Option<Created>,
}

impl Unclaimed {
    fn new(client: Client, created: Created) -> Self {
        Self {
            client,
            created: Some(created),
        }
    }

    fn claim(&mut self) -> Option<Created> {
        self.created.take()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(created) = self.created.take() {
            let deletion = self
                .client
                .delete_in_background(&created.path, created.stat.czxid);
            drop(deletion);
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    match parent {
        "/" => format!("/{name}"),
        parent => format!("{parent}/{name}"),
    }
}

/// A random UUID (version 4). It need not be a secret, only different from all others.
fn uuid([mut one, mut other]: [Chance; 2]) -> String {
    let bits = (u128::from(one.any()) << 64) | u128::from(other.any());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_or_can_still_happen_is_open() {
        let server = |code| Error::Server {
            operation: Operation::new(OpCode::Delete, "/a"),
            code,
        };
        for (code, expected) in [
            (ErrorCode::NotReadOnly, true),
            (ErrorCode::ThrottledOp, true),
            (ErrorCode::NoNode, false),
            (ErrorCode::NoAuth, false),
        ] {
            assert_eq!(is_open(&server(code)), expected, "{code}");
        }
    }

    #[test]
    fn uuids_have_the_usual_form() {
        let chances = |seed| [Chance::new(seed), Chance::new(seed + 1)];
        let (one, other) = (uuid(chances(1)), uuid(chances(3)));
        assert_ne!(one, other);
        let lengths: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]));
    }
}
