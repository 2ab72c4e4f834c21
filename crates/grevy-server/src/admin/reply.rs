//! Answers of commands: JSON objects with `command` and `error`. Source: `CommandResponse`,
//! `JsonOutputter`.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// What a command has to say.
pub(super) type Facts = Map<String, Value>;

/// The answer of a command that was carried out. An `error` among the facts is its own.
pub(super) fn facts(command: &str, mut facts: Facts) -> Response {
    facts.insert("command".to_owned(), command.into());
    facts.entry("error").or_insert(Value::Null);
    json(StatusCode::OK, &Value::Object(facts))
}

/// The answer of a command that was not.
pub(super) fn error(status: StatusCode, command: &str, error: impl Into<String>) -> Response {
    let mut facts = Facts::new();
    facts.insert("command".to_owned(), command.into());
    facts.insert("error".to_owned(), Value::String(error.into()));
    json(status, &Value::Object(facts))
}

/// An object, as a page of its own.
pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    // With `{:#}` it is written over many lines.
    (status, headers, Body::from(format!("{value:#}\n"))).into_response()
}
