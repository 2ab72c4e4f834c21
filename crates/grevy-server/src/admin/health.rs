//! What probes ask: an HTTP status, and why.

use super::{Admin, apart, reply};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

/// `/health`: 503 if the server cannot serve until it is restarted. A server that looks for a
/// leader is well: to restart it would not bring one.
pub(super) async fn health(State(admin): State<Admin>) -> Response {
    answer(apart(move || admin.shared().broken()).await, "well")
}

/// `/ready`: 503 if it does not serve now, or is about to stop.
pub(super) async fn ready(State(admin): State<Admin>) -> Response {
    let why = apart(move || {
        let shared = admin.shared();
        match shared.is_stopping() {
            true => Some("the server is stopping".to_owned()),
            false => shared.not_serving(),
        }
    });
    answer(why.await, "serving")
}

fn answer(why_not: Option<String>, status: &str) -> Response {
    match why_not {
        None => reply::json(StatusCode::OK, &json!({ "status": status })),
        Some(reason) => reply::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "not serving", "reason": reason }),
        ),
    }
}
