//! Making sure that a recipe's znodes have parents. Source: Curator's
//! `creatingParentContainersIfNeeded`.

use crate::patience::patient;
use grevy_client::{Client, CreateOptions, Error, ErrorCode};

/// Creates a znode and those above it, as far as they are missing, as containers: the servers
/// remove them some time after their last child. Servers that know no containers (before 3.5.1)
/// get persistent znodes.
pub(crate) async fn ensure(client: &Client, path: &str) -> Result<(), Error> {
    let mut missing = vec![path];
    while let Some(path) = missing.last() {
        match create(client, path).await {
            Ok(()) => drop(missing.pop()),
            Err(error) if error.is(ErrorCode::NoNode) => match parent(path) {
                Some(parent) => missing.push(parent),
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// That it exists is all that matters, so a lost answer does not.
async fn create(client: &Client, path: &str) -> Result<(), Error> {
    let mut options = CreateOptions::container();
    loop {
        match patient(client, || client.create(path, b"", &options)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is(ErrorCode::NodeExists) => return Ok(()),
            Err(Error::OutcomeUnknown { .. }) => {}
            Err(error) if error.is(ErrorCode::Unimplemented) => {
                options = CreateOptions::persistent();
            }
            Err(error) => return Err(error),
        }
    }
}

/// The path of a znode's parent; below a chroot, `/` may be missing and has one elsewhere.
pub(crate) fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// The path of a child.
pub(crate) fn child(parent: &str, name: &str) -> String {
    match parent {
        "/" => format!("/{name}"),
        parent => format!("{parent}/{name}"),
    }
}

/// The last name of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
