//! A page that shows how the server does, from what the commands tell.

use super::Admin;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};

/// Everything in one: no other file, no other server.
const PAGE: &str = include_str!("dashboard.html");
/// Where the page has the path of the commands.
const COMMANDS: &str = "{{commands}}";
/// Nothing but what stands in the page, and what this server answers.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'";

pub(super) async fn page(State(admin): State<Admin>) -> Response {
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    let page = PAGE.replace(COMMANDS, &escape(&admin.0.commands));
    (headers, page).into_response()
}

/// Text that is nothing but text within HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
