//! Creating a znode exactly once, though answers get lost. Source: Curator's `ProtectedMode`,
//! whose names these are.
//!
//! 1. The znode's name starts with `_c_`, a random UUID and `-`.
//! 2. Its creation is asked for.
//! 3. If the outcome is unknown, wait for a server, `sync` with the leader, and list the parent's
//!    children. A child with the UUID is the znode. If there is none, there never will be: a
//!    session's older connection cannot write any more once the session has moved. Go to 2.
//! 4. If nobody waits for the znode any more, it is looked for likewise, and deleted.

use crate::client::{Client, CreateOptions, Created};
use crate::error::Error;
use crate::machine::Chance;
use crate::retry::{Pauses, RetryPolicy};
use grevy_proto::{ErrorCode, path};
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
    /// As those of [`create`](Self::create), when `policy` gives up.
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
            client: self.clone(),
            parent: parent.to_owned(),
            path: join(parent, &format!("{prefix}{name}")),
            prefix,
            data: data.to_vec(),
            options: options.clone(),
        };
        let pauses = policy.pauses(self.chance());
        let (sender, receiver) = oneshot::channel();
        // A task of its own goes on when this future is dropped.
        self.spawn(async move {
            let result = creation.run(pauses).await.map(|created| Unclaimed {
                client: creation.client.clone(),
                created: Some(created),
            });
            let may_exist = matches!(result, Err(Error::OutcomeUnknown { .. }));
            drop(sender.send(result));
            if may_exist {
                creation.undo().await;
            }
        });
        match receiver.await {
            Ok(Ok(mut unclaimed)) => unclaimed.claim().ok_or_else(|| self.unreachable()),
            Ok(Err(error)) => Err(error),
            // The runtime is shutting down.
            Err(_) => Err(self.unreachable()),
        }
    }

    /// Deletes a znode, whatever its version, though nobody waits for it: the request is queued
    /// now, and made again as long as its outcome is unknown and the session lasts. Meant for
    /// znodes that only this session would delete, with names that do not come again.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    ///
    /// let options = CreateOptions::ephemeral().sequential();
    /// let created = client.create("/turn-", b"", &options).await?;
    /// client.delete_in_background(&created.path);
    /// // What is asked for later comes later.
    /// assert_eq!(client.exists(&created.path).await?, None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn delete_in_background(&self, path: &str) {
        let mut answer = self.delete(path, None);
        let client = self.clone();
        let path = path.to_owned();
        self.spawn(async move {
            let mut pauses = endless().pauses(client.chance());
            while let Err(Error::ConnectionLoss { .. } | Error::OutcomeUnknown { .. }) =
                answer.await
                && client.connected().await.is_ok()
                && pauses.pause().await.is_some()
            {
                answer = client.delete(&path, None);
            }
        });
    }
}

/// The creation of one znode.
struct Creation {
    client: Client,
    parent: String,
    path: String,
    prefix: String,
    data: Vec<u8>,
    options: CreateOptions,
}

impl Creation {
    async fn run(&self, mut pauses: Pauses) -> Result<Created, Error> {
        loop {
            let created = self.client.create(&self.path, &self.data, &self.options);
            let mut error = match created.await {
                Ok(created) => return Ok(created),
                Err(error) => error,
            };
            while matches!(error, Error::OutcomeUnknown { .. }) {
                pauses.pause().await.ok_or(error.clone())?;
                match self.find().await {
                    Ok(Some(created)) => return Ok(created),
                    // It was not created and will not be, which is as good as a lost connection.
                    Ok(None) => break,
                    Err(lost @ Error::ConnectionLoss { .. }) => drop(lost),
                    Err(other) => error = other,
                }
            }
            match error {
                Error::OutcomeUnknown { .. } => {}
                error if error.is_safe_to_retry() => pauses.pause().await.ok_or(error)?,
                error => return Err(error),
            }
        }
    }

    /// Looks for the znode in a state that includes whatever was sent before.
    async fn find(&self) -> Result<Option<Created>, Error> {
        self.client.connected().await?;
        let sync = self.client.sync(&self.parent);
        let children = self.client.get_children(&self.parent);
        sync.await?;
        let (names, _) = match children.await {
            Err(error) if error.is(ErrorCode::NoNode) => return Ok(None),
            children => children?,
        };
        let Some(name) = names.iter().find(|name| name.starts_with(&self.prefix)) else {
            return Ok(None);
        };
        let path = join(&self.parent, name);
        let stat = self.client.exists(&path).await?;
        Ok(stat.map(|stat| Created { path, stat }))
    }

    /// Deletes the znode if it was created after all, as long as the session lasts.
    async fn undo(&self) {
        let mut pauses = endless().pauses(self.client.chance());
        loop {
            match self.find().await {
                Ok(Some(created)) => return self.client.delete_in_background(&created.path),
                Err(Error::ConnectionLoss { .. }) if pauses.pause().await.is_some() => {}
                _ => return,
            }
        }
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
    fn claim(&mut self) -> Option<Created> {
        self.created.take()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(created) = self.created.take() {
            self.client.delete_in_background(&created.path);
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
