//! Who may use the commands that need permission. Source: `Commands.handleAuthentication`,
//! `Commands.handleAuthorization`.

use crate::shared::Shared;
use axum::http::StatusCode;
use grevy_node::auth::{Verdict, authenticate, ip_id};
use grevy_proto::acl::perms;
use std::net::IpAddr;

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no `Authorization` header.
    Missing,
    /// It is malformed, or its scheme or credentials are wrong.
    NotAuthenticated,
    /// That identity may not do it.
    NotAuthorized,
}

impl Denied {
    /// The status and ZooKeeper's text.
    pub(super) fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::Missing => (
                StatusCode::UNAUTHORIZED,
                "Auth info is missing for the command",
            ),
            Self::NotAuthenticated => (StatusCode::UNAUTHORIZED, "Not authenticated"),
            Self::NotAuthorized => (StatusCode::FORBIDDEN, "Not authorized"),
        }
    }
}

/// Whether whoever sent the header `Authorization: <scheme> [<credentials>]` from `address` has
/// every permission on the root.
pub(super) fn authorize(
    shared: &Shared,
    header: Option<&[u8]>,
    address: IpAddr,
) -> Result<(), Denied> {
    let header = header.ok_or(Denied::Missing)?;
    let header = str::from_utf8(header).map_err(|_| Denied::NotAuthenticated)?;
    let (scheme, credentials) = match header.split(' ').collect::<Vec<_>>()[..] {
        [scheme] => (scheme, None),
        [scheme, credentials] => (scheme, Some(credentials.as_bytes())),
        _ => return Err(Denied::NotAuthenticated),
    };
    let config = &shared.node_config;
    let ids = match authenticate(&config.auth, &ip_id(address), scheme, credentials) {
        Verdict::Add(ids) if !ids.is_empty() => ids,
        _ => return Err(Denied::NotAuthenticated),
    };
    let tree = shared.tree.read();
    let root = tree.get("/").ok_or(Denied::NotAuthorized)?;
    let bits = (0..i32::BITS).map(|bit| 1 << bit);
    // A list may spread permissions over its entries, so each is looked for by itself.
    let mut wanted = bits.filter(|bit| perms::ALL & bit != 0);
    match wanted.all(|bit| config.permits(root.acl(), bit, &ids)) {
        true => Ok(()),
        false => Err(Denied::NotAuthorized),
    }
}
