//! Ephemeral znodes whose names are given, so that only one session at a time can have them.

use crate::hold::Hold;
use crate::parents::{ensure, parent};
use crate::patience::{endless, until_changed};
use grevy_client::{Client, Error, ErrorCode};

/// Creates an ephemeral znode, and waits as long as somebody else has it.
pub(crate) async fn own(client: &Client, path: &str, data: &[u8]) -> Result<Hold, Error> {
    let policy = endless();
    loop {
        match client.create_owned(path, data, &policy).await {
            Ok(created) => return Ok(Hold::new(client, created.path, created.stat.czxid)),
            Err(error) if error.is(ErrorCode::NodeExists) => until_changed(client, path).await?,
            Err(error) if error.is(ErrorCode::NoNode) => {
                ensure(client, parent(path).unwrap_or("/")).await?;
            }
            Err(error) => return Err(error),
        }
    }
}
