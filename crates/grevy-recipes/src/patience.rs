//! Going on as long as the session does.

use grevy_client::{Client, Error, RetryPolicy, Stat};
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

const PAUSE: Duration = Duration::from_millis(10);

/// For creations whose znode lasts as long as the session.
pub(crate) fn endless() -> RetryPolicy {
    RetryPolicy {
        attempts: u32::MAX,
        first_pause: PAUSE,
        longest_pause: Duration::from_secs(1),
    }
}
