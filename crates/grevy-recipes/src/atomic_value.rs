//! A value that is changed only from what it was known to be. Source: Curator's `SharedValue` and
//! `DistributedAtomicValue`.
//!
//! 1. Read the znode's data and version.
//! 2. Set the new data under the condition that the version is still the same; if the znode is
//!    missing, create it instead.
//! 3. If somebody else was faster, go to 1.
//!
//! **Session loss.** The znode is persistent; nothing is held. If the answer to the write is
//! lost, the error says so: the change may have been made or not, and is not made again.
//!
//! **Cost.** One read and one write without competition. Under heavy competition most attempts
//! are in vain: use a [`Lock`](crate::Lock) then.

use crate::parents::{ensure, parent};
use crate::patience::patient;
use grevy_client::{Client, CreateOptions, Error, ErrorCode};

/// A value at a path. Curator's `DistributedAtomicValue` of the same path takes part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::AtomicValue;
///
/// let motto = AtomicValue::new(&client, "/motto");
/// motto.set_if(None, b"onward").await?;
/// let new = motto.update(|old| [old, b"!"].concat()).await?;
/// assert_eq!(new, b"onward!");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct AtomicValue {
    client: Client,
    path: String,
}

/// A value, and which of its versions it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value; empty if it was never set.
    pub data: Vec<u8>,
    /// The znode's version; `None` if there is no znode.
    pub version: Option<i32>,
}

impl AtomicValue {
    /// The value at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// The present value.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::AtomicValue;
    ///
    /// let motto = AtomicValue::new(&client, "/motto");
    /// let unset = motto.get().await?;
    /// assert!(unset.data.is_empty() && unset.version.is_none());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn get(&self) -> Result<Versioned, Error> {
        match patient(&self.client, || self.client.get_data(&self.path)).await {
            Ok((data, stat)) => Ok(Versioned {
                data,
                version: Some(stat.version),
            }),
            Err(error) if error.is(ErrorCode::NoNode) => Ok(Versioned {
                data: Vec::new(),
                version: None,
            }),
            Err(error) => Err(error),
        }
    }

    /// Sets the value if it is still of the version that was read; returns whether it was.
    ///
    /// # Errors
    ///
    /// `OutcomeUnknown`; if the session ends; `NoAuth`, `QuotaExceeded`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::AtomicValue;
    ///
    /// let motto = AtomicValue::new(&client, "/motto");
    /// let old = motto.get().await?;
    /// assert!(motto.set_if(old.version, b"onward").await?);
    /// // Now this version is an old one.
    /// assert!(!motto.set_if(old.version, b"backward").await?);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn set_if(&self, version: Option<i32>, data: &[u8]) -> Result<bool, Error> {
        let result = match version {
            Some(version) => {
                let set = || self.client.set_data(&self.path, data, Some(version));
                patient(&self.client, set).await.map(drop)
            }
            None => self.create(data).await,
        };
        match result {
            Ok(()) => Ok(true),
            Err(error) => match error.code() {
                Some(ErrorCode::BadVersion | ErrorCode::NodeExists | ErrorCode::NoNode) => {
                    Ok(false)
                }
                _ => Err(error),
            },
        }
    }

    /// Changes the value, as often as it takes; returns the new one.
    ///
    /// # Errors
    ///
    /// As those of [`set_if`](Self::set_if).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::AtomicValue;
    ///
    /// let motto = AtomicValue::new(&client, "/motto");
    /// let new = motto.update(|old| [old, b"!"].concat()).await?;
    /// assert_eq!(new, b"!");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn update(&self, mut change: impl FnMut(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, Error> {
        loop {
            let old = self.get().await?;
            let new = change(&old.data);
            if self.set_if(old.version, &new).await? {
                return Ok(new);
            }
        }
    }

    async fn create(&self, data: &[u8]) -> Result<(), Error> {
        let options = CreateOptions::persistent();
        loop {
            let create = || self.client.create(&self.path, data, &options);
            match patient(&self.client, create).await {
                Err(error) if error.is(ErrorCode::NoNode) => {
                    ensure(&self.client, parent(&self.path).unwrap_or("/")).await?;
                }
                result => return result.map(drop),
            }
        }
    }
}
