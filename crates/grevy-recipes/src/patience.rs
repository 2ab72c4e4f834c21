//! Going on as long as the session does.

use grevy_client::{Client, Error, ErrorCode, RetryPolicy, Stat};
use std::time::Duration;

/// Does an operation again as long as it certainly did not happen and the session is not over:
/// recipes hold ephemeral znodes, which last as long.
pub(crate) async fn patient<T, F>(
    client: &Client,
    mut operation: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match operation().await {
            Err(error) if error.is_safe_to_retry() => {
                client.connected().await?;
                // Without a pause, a server that takes connections only to drop them would be
                // hammered.
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// A znode's metadata, in a state that includes whatever this session sent before: what was sent
/// on a lost connection and has not happened by then never will.
pub(crate) async fn look(client: &Client, path: &str) -> Result<Option<Stat>, Error> {
    let look = || {
        let (sync, exists) = (client.sync(path), client.exists(path));
        async move {
            sync.await?;
            exists.await
        }
    };
    patient(client, look).await
}

/// Names of a znode's children, in no particular order; none if it does not exist.
pub(crate) async fn names_below(client: &Client, path: &str) -> Result<Vec<String>, Error> {
    match patient(client, || client.get_children(path)).await {
        Ok((names, _)) => Ok(names),
        Err(error) if error.is(ErrorCode::NoNode) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Waits until a znode changes or is gone.
pub(crate) async fn until_changed(client: &Client, path: &str) -> Result<(), Error> {
    // Not exists: that would leave a watch on what is gone already.
    match patient(client, || client.get_data_and_watch(path)).await {
        Ok((_, _, watch)) => watch.changed().await.map(drop),
        Err(error) if error.is(ErrorCode::NoNode) => Ok(()),
        Err(error) => Err(error),
    }
}

const PAUSE: Duration = Duration::from_millis(10);

/// For creations whose znode lasts as long as the session.
pub(crate) fn endless() -> RetryPolicy {
    RetryPolicy {
        attempts: u32::MAX,
        first_pause: PAUSE,
        longest_pause: Duration::from_secs(1),
    }
}
