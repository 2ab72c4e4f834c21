//! Creating znodes.

use super::Client;
use crate::answer::Answer;
use crate::error::{Error, Operation};
use crate::watch::strip;
use grevy_proto::reply::Create2Response;
use grevy_proto::request::{Create, CreateMode, CreateTtl};
use grevy_proto::{Acl, Decode, OpCode, Reader, Stat};
use std::time::Duration;

/// What kind of znode to create, and who may do what with it.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{Acl, CreateOptions};
///
/// client.create("/workers", b"", &CreateOptions::container()).await?;
/// let options = CreateOptions::ephemeral().sequential().with_acl(vec![Acl::READ]);
/// let worker = client.create("/workers/worker-", b"10.0.0.7", &options).await?;
/// assert_eq!(worker.path, "/workers/worker-0000000000");
/// assert_eq!(worker.stat.ephemeral_owner, client.session_id());
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    mode: CreateMode,
    acl: Vec<Acl>,
    ttl: Duration,
}

/// A znode that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Where, with its number if it is sequential.
    pub path: String,
    /// Its metadata. Its `czxid` is greater than that of everything created before.
    pub stat: Stat,
}

impl CreateOptions {
    /// Stays until it is deleted. Everybody may do everything with it, as with those below.
    pub fn persistent() -> Self {
        Self::of(CreateMode::Persistent, Duration::ZERO)
    }

    /// Goes with this session.
    pub fn ephemeral() -> Self {
        Self::of(CreateMode::Ephemeral, Duration::ZERO)
    }

    /// Goes some time after its last child.
    pub fn container() -> Self {
        Self::of(CreateMode::Container, Duration::ZERO)
    }

    /// Goes some time after it was last set, `ttl` ago at least, if it has no children. Servers
    /// refuse this unless `extendedTypesEnabled` is set.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    /// use std::time::Duration;
    ///
    /// let an_hour = CreateOptions::ttl(Duration::from_secs(3600));
    /// client.create("/report", b"all is well", &an_hour).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn ttl(ttl: Duration) -> Self {
        Self::of(CreateMode::PersistentWithTtl, ttl)
    }

    /// Adds a number to the name, which only grows among the children of one parent. A container
    /// stays as it is: there are no sequential ones.
    pub fn sequential(mut self) -> Self {
        self.mode = match self.mode {
            CreateMode::Persistent => CreateMode::PersistentSequential,
            CreateMode::Ephemeral => CreateMode::EphemeralSequential,
            CreateMode::PersistentWithTtl => CreateMode::PersistentSequentialWithTtl,
            mode => mode,
        };
        self
    }

    /// Limits who may do what with it.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{Acl, CreateOptions, Id, perms};
    ///
    /// client.add_auth("digest", b"alice:secret").await?;
    /// // Whoever the session is, may do everything.
    /// let mine = Acl { perms: perms::ALL, id: Id::new("auth", "") };
    /// let options = CreateOptions::persistent().with_acl(vec![mine, Acl::READ]);
    /// client.create("/alice", b"", &options).await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn with_acl(mut self, acl: Vec<Acl>) -> Self {
        self.acl = acl;
        self
    }

    fn of(mode: CreateMode, ttl: Duration) -> Self {
        Self {
            mode,
            acl: vec![Acl::OPEN],
            ttl,
        }
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        self.mode.is_ephemeral()
    }

    pub(crate) fn op(&self) -> OpCode {
        match self.mode {
            CreateMode::Container => OpCode::CreateContainer,
            mode if mode.is_ttl() => OpCode::CreateTtl,
            _ => OpCode::Create2,
        }
    }

    pub(crate) fn create<'a>(&self, path: String, data: &'a [u8]) -> Create<'a> {
        Create {
            path: path.into(),
            data: Some(data),
            acl: self.acl.clone(),
            flags: self.mode as i32,
        }
    }

    pub(crate) fn create_ttl<'a>(&self, path: String, data: &'a [u8]) -> CreateTtl<'a> {
        CreateTtl {
            create: self.create(path, data),
            ttl: i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

impl Client {
    /// Creates a znode. Its parent must exist, and may not be ephemeral.
    ///
    /// # Errors
    ///
    /// `NodeExists`, `NoNode` (the parent), `NoChildrenForEphemerals`, `InvalidAcl`, `NoAuth`,
    /// `QuotaExceeded`, `BadArguments` (the time to live).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    ///
    /// // Both are under way before either is answered.
    /// let parent = client.create("/jobs", b"", &CreateOptions::persistent());
    /// let job = client.create("/jobs/job-", b"x", &CreateOptions::persistent().sequential());
    /// parent.await?;
    /// assert_eq!(job.await?.path, "/jobs/job-0000000000");
    /// # Ok(())
    /// # });
    /// ```
    pub fn create(&self, path: &str, data: &[u8], options: &CreateOptions) -> Answer<Created> {
        let operation = Operation::new(options.op(), path);
        let server_path = match self.created_path(path, options) {
            Ok(path) => path,
            Err(error) => return Answer::refused(error),
        };
        let chroot = self.chroot_path();
        let read = move |record: &[u8]| {
            let response = Create2Response::decode(&mut Reader::new(record))?;
            Ok(Created {
                path: strip(&chroot, &response.path).to_owned(),
                stat: response.stat,
            })
        };
        match options.mode.is_ttl() {
            true => self.ask(operation, &options.create_ttl(server_path, data), read),
            false => self.ask(operation, &options.create(server_path, data), read),
        }
    }

    /// The path to ask for. That of a sequential znode may end with a slash, since its number
    /// follows.
    pub(crate) fn created_path(
        &self,
        path: &str,
        options: &CreateOptions,
    ) -> Result<String, Error> {
        if !options.mode.is_sequential() {
            return self.server_path(path);
        }
        let mut numbered = self.server_path(&format!("{path}0"))?;
        numbered.pop();
        Ok(numbered)
    }
}
