//! Going on as long as the session does.

use grevy_client::{Client, Error, RetryPolicy};
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

const PAUSE: Duration = Duration::from_millis(10);

/// For creations whose znode lasts as long as the session.
pub(crate) fn endless() -> RetryPolicy {
    RetryPolicy {
        attempts: u32::MAX,
        first_pause: PAUSE,
        longest_pause: Duration::from_secs(1),
    }
}
