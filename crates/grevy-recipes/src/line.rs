//! What queues share: elements are persistent sequential znodes, taken in the order of names.

use crate::parents::{child, ensure};
use crate::patience::{look, names_below, patient};
use grevy_client::{Client, CreateOptions, Error, ErrorCode};

/// A queue whose elements' names start with `prefix`.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub client: Client,
    pub path: String,
    pub prefix: &'static str,
}

impl Line {
    /// Adds an element; its number follows `name`. If the outcome is unknown it is not added
    /// again.
    pub async fn put(&self, name: &str, data: &[u8]) -> Result<(), Error> {
        let path = child(&self.path, name);
        let options = CreateOptions::persistent().sequential();
        loop {
            let create = || self.client.create(&path, data, &options);
            match patient(&self.client, create).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is(ErrorCode::NoNode) => {
                    ensure(&self.client, &self.path).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the first element, waiting for one.
    pub async fn take(&self) -> Result<Vec<u8>, Error> {
        loop {
            let list = || self.client.get_children_and_watch(&self.path);
            let (names, watch) = match patient(&self.client, list).await {
                Ok((names, _, watch)) => (names, watch),
                // Not created here: consumers may lack the right to.
                Err(error) if error.is(ErrorCode::NoNode) => {
                    let exists = || self.client.exists_and_watch(&self.path);
                    if let (None, watch) = patient(&self.client, exists).await? {
                        watch.changed().await?;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(data) = self.take_first_of(names).await? {
                return Ok(data);
            }
            watch.changed().await?;
        }
    }

    /// Takes the first element, if there is one.
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        let names = self.names().await?;
        self.take_first_of(names).await
    }

    /// Reads the first element, if there is one.
    pub async fn peek(&self) -> Result<Option<Vec<u8>>, Error> {
        for name in self.in_order(self.names().await?) {
            if let Some(data) = self.read(&name).await? {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// How many elements there are.
    pub async fn count(&self) -> Result<usize, Error> {
        let names = self.names().await?;
        Ok(self.in_order(names).len())
    }

    async fn take_first_of(&self, names: Vec<String>) -> Result<Option<Vec<u8>>, Error> {
        for name in self.in_order(names) {
            if let Some(data) = self.read(&name).await?
                && self.delete(&name).await?
            {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Whether this took the element away. If the answer is lost and the element is still there,
    /// that deletion will never happen: it is made again. If it is gone, anybody may have it.
    async fn delete(&self, name: &str) -> Result<bool, Error> {
        let path = child(&self.path, name);
        loop {
            match patient(&self.client, || self.client.delete(&path, None)).await {
                Ok(()) => return Ok(true),
                // Somebody else took it.
                Err(error) if error.is(ErrorCode::NoNode) => return Ok(false),
                Err(unknown @ Error::OutcomeUnknown { .. }) => {
                    if look(&self.client, &path).await?.is_none() {
                        return Err(unknown);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = child(&self.path, name);
        match patient(&self.client, || self.client.get_data(&path)).await {
            Ok((data, _)) => Ok(Some(data)),
            Err(error) if error.is(ErrorCode::NoNode) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn names(&self) -> Result<Vec<String>, Error> {
        names_below(&self.client, &self.path).await
    }

    fn in_order(&self, mut names: Vec<String>) -> Vec<String> {
        names.retain(|name| name.starts_with(self.prefix));
        names.sort();
        names
    }
}
