//! Ephemeral znodes whose names are given, so that only one session at a time can have them.

use crate::hold::Hold;
use crate::parents::{ensure, parent};
use crate::patience::patient;
use grevy_client::{Client, CreateOptions, Error, ErrorCode};
use tokio::sync::oneshot;

/// Creates an ephemeral znode, and waits as long as another session has it. A task of its own
/// does so, since a creation whose answer nobody takes would be in the way until the session
/// ends.
pub(crate) async fn own(client: &Client, path: &str, data: &[u8]) -> Result<Hold, Error> {
    loop {
        let (sender, receiver) = oneshot::channel();
        let (task_client, task_path, task_data) = (client.clone(), path.to_owned(), data.to_vec());
        client.spawn(async move {
            // A hold that nobody takes is dropped, and thereby given up.
            drop(sender.send(try_own(&task_client, &task_path, &task_data).await));
        });
        match receiver.await {
            Ok(Ok(Some(hold))) => return Ok(hold),
            Ok(Ok(None)) => wait_for_end(client, path).await?,
            Ok(Err(error)) => return Err(error),
            // The runtime is shutting down, and the session with it.
            Err(_) => client.connected().await?,
        }
    }
}

/// `None` if somebody else has it.
async fn try_own(client: &Client, path: &str, data: &[u8]) -> Result<Option<Hold>, Error> {
    let options = CreateOptions::ephemeral();
    loop {
        match patient(client, || client.create(path, data, &options)).await {
            Ok(created) => return Ok(Some(Hold::new(client, created.path, created.stat.czxid))),
            Err(error) if error.is(ErrorCode::NodeExists) => return Ok(None),
            Err(error) if error.is(ErrorCode::NoNode) => {
                ensure(client, parent(path).unwrap_or("/")).await?;
            }
            Err(Error::OutcomeUnknown { .. }) => {
                let look = || {
                    let sync = client.sync(path);
                    let exists = client.exists(path);
                    async move {
                        sync.await?;
                        exists.await
                    }
                };
                match patient(client, look).await? {
                    Some(stat) if stat.ephemeral_owner == client.session_id() => {
                        return Ok(Some(Hold::new(client, path.to_owned(), stat.czxid)));
                    }
                    Some(_) => return Ok(None),
                    None => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn wait_for_end(client: &Client, path: &str) -> Result<(), Error> {
    match patient(client, || client.get_data_and_watch(path)).await {
        Ok((_, _, watch)) => watch.changed().await.map(drop),
        Err(error) if error.is(ErrorCode::NoNode) => Ok(()),
        Err(error) => Err(error),
    }
}
