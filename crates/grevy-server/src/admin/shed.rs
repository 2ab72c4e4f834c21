//! Ending a share of the connections, so that clients spread over other servers. Source:
//! `ShedConnectionsCommand` of 3.10.

use super::{apart, reply};
use crate::shared::Shared;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tracing::info;

/// The request is no longer than this, in bytes.
const BODY_LIMIT: usize = 4 << 10;
/// And comes within this time.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(shared: &Arc<Shared>, command: &str, body: Body) -> Response {
    let percentage = match percentage(body).await {
        Ok(percentage) => percentage,
        Err(text) => return reply::error(StatusCode::BAD_REQUEST, command, text),
    };
    let shared = shared.clone();
    let ended = apart(move || shed(&shared, percentage)).await;
    info!("ended {ended} connections, as the admin command shed_connections asked");
    let facts = json!({ "connections_shed": ended, "percentage_requested": percentage });
    match facts {
        Value::Object(facts) => reply::facts(command, facts),
        _ => reply::facts(command, reply::Facts::new()),
    }
}

async fn percentage(body: Body) -> Result<usize, String> {
    let body = tokio::time::timeout(BODY_PATIENCE, to_bytes(body, BODY_LIMIT)).await;
    let body = body.map_err(|_| "The request did not come in time")?;
    let body = body.map_err(|_| format!("The request is longer than {BODY_LIMIT} bytes"))?;
    if body.is_empty() {
        return Err("Request body is required".to_owned());
    }
    let request: Value = serde_json::from_slice(&body)
        .map_err(|error| format!("Invalid JSON or failed to read request body: {error}"))?;
    let field = request
        .get("percentage")
        .ok_or("Missing required field: percentage")?;
    let percentage = field.as_u64().filter(|percentage| *percentage <= 100);
    let percentage = percentage.ok_or("Percentage must be between 0 and 100")?;
    Ok(percentage as usize)
}

/// Ends connections at even distances, however long they have been there.
fn shed(shared: &Shared, percentage: usize) -> usize {
    let clients = shared.clients.all();
    let is_chosen = |n: usize| (n + 1) * percentage / 100 > n * percentage / 100;
    let chosen = clients.iter().enumerate().filter(|(n, _)| is_chosen(*n));
    chosen.map(|(_, client)| client.abort()).count()
}
