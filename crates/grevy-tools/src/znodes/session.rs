//! `grevy sync` and `whoami`: about the session, and no znode's content.

use super::connection::{Target, znode_path};
use crate::exit::{At, Exit, Failure};
use crate::output;
use clap::Args;
use serde_json::json;
use std::io::Write;

/// About which znode.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  grevy sync && grevy get /app/config

Ends when the server that was asked has all that its leader had committed. The next command may ask another
server: give it --sync instead.")]
pub struct Sync {
    /// A znode; servers catch up as a whole, whichever it is.
    #[arg(default_value = "/", value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Lets the server catch up.
pub fn sync(arguments: &Sync, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Sync { path, target } = arguments;
    let connection = target.connect()?;
    connection.client.submit_sync(path).wait().at(path)?;
    if target.is_json() {
        output::line(out, &json!({"path": path, "synced": true}))?;
    }
    Ok(Exit::Done)
}

/// To whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy whoami
  grevy whoami --auth digest:bob:secret --output json

Each line is an identity as access control lists name it, without permissions; digest shows the name alone.")]
pub struct WhoAmI {
    #[command(flatten)]
    target: Target,
}

/// Shows as whom the server knows this client.
pub fn who_am_i(arguments: &WhoAmI, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = arguments.target.connect()?;
    for (scheme, user) in connection.client.who_am_i().at("")? {
        match arguments.target.is_json() {
            true => output::line(out, &json!({"scheme": scheme, "id": user}))?,
            false => writeln!(out, "{scheme}:{user}")?,
        }
    }
    Ok(Exit::Done)
}
