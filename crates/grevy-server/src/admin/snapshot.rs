//! Taking a snapshot and handing it out. Source: `SnapshotCommand`.

use super::body::FileBody;
use super::facts::Query;
use super::reply::{self, Facts};
use super::{Admin, apart};
use crate::shared::Shared;
use crate::snapshot_board::Written;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::warn;

/// A snapshot that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) async fn run(admin: &Admin, command: &str, query: &Query) -> Response {
    let shared = admin.shared();
    let refuse = |status, text: &str| reply::error(status, command, text);
    let enabled = shared
        .config
        .administration
        .server
        .as_ref()
        .is_some_and(|s| s.snapshot);
    if !enabled {
        let text = "Snapshots are turned off by admin.snapshot.enabled";
        return refuse(StatusCode::SERVICE_UNAVAILABLE, text);
    }
    if !shared.config.storage.last_zxid_block {
        let text = "This needs serializeLastProcessedZxid.enabled=true";
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, text);
    }
    if !admin.0.snapshots.allow(Instant::now()) {
        shared.metrics.snapshots_rate_limited.add(1);
        let text = "The last snapshot was too recent (admin.rateLimiterIntervalInMS)";
        return refuse(StatusCode::TOO_MANY_REQUESTS, text);
    }
    let streaming = query
        .get("streaming")
        .is_none_or(|text| text.eq_ignore_ascii_case("true"));
    match take(shared).await {
        Ok(Taken {
            snapshot,
            file,
            len,
        }) => {
            let zxid = snapshot.zxid.to_string();
            let mut response = match streaming {
                true => {
                    let body = Body::new(FileBody::new(file, len));
                    ([(CONTENT_TYPE, "application/octet-stream")], body).into_response()
                }
                false => reply::facts(command, Facts::new()),
            };
            let headers = [("last_zxid", zxid), ("snapshot_size", len.to_string())];
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Err(why) => {
            warn!("a snapshot that the admin server was asked for failed: {why}");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, &why)
        }
    }
}

struct Taken {
    snapshot: Written,
    file: File,
    len: u64,
}

/// Has a snapshot taken of the present state, and opens it, so that nothing deletes it meanwhile.
async fn take(shared: &Arc<Shared>) -> Result<Taken, String> {
    let written = tokio::time::timeout(PATIENCE, order(shared)).await;
    let snapshot = written.map_err(|_| "The snapshot takes too long")??;
    apart(move || {
        let open = || {
            let file = File::open(&snapshot.path)?;
            let len = file.metadata()?.len();
            Ok((file, len))
        };
        let opened: std::io::Result<_> = open();
        let path = snapshot.path.display();
        let (file, len) = opened.map_err(|error| format!("Cannot read {path}: {error}"))?;
        Ok(Taken {
            file,
            len,
            snapshot,
        })
    })
    .await
}

async fn order(shared: &Arc<Shared>) -> Result<Written, String> {
    let gone = || "The server is stopping".to_owned();
    let mut outcomes = shared.snapshots.subscribe();
    loop {
        outcomes.mark_unchanged();
        let shared = shared.clone();
        let ordered = apart(move || {
            shared.with_node(|node, _| {
                // Whoever writes snapshots tells of each before the node lets the next begin.
                let tries = shared.snapshots.outcome().tries;
                let begun = node.take_snapshot(&mut shared.tree.write());
                begun.then_some(tries)
            })
        });
        let Some(tries) = ordered.await else {
            // One that was begun earlier may lack the newest transactions.
            outcomes.changed().await.map_err(|_| gone())?;
            continue;
        };
        let outcome = outcomes.wait_for(|outcome| outcome.tries > tries).await;
        let outcome = outcome.map_err(|_| gone())?;
        return match (&outcome.error, &outcome.newest) {
            (None, Some(snapshot)) => Ok(snapshot.clone()),
            (error, _) => Err(error.clone().unwrap_or_else(gone)),
        };
    }
}
