//! How results are written: as text for people, or as JSON for programs, one object a line.

use crate::znodes::connection::COMMON;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, ValueEnum};
use grevy_cli::acl;
use grevy_proto::{Acl, SessionId, StatPersisted};
use grevy_tree::EphemeralType;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
pub struct Output {
    /// How to print: text for people, or JSON, one object a line.
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = COMMON,
        display_order = 900
    )]
    output: Format,
}

/// Formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Output {
    /// Whether JSON is asked for.
    pub fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

/// A JSON object on a line.
pub fn line(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value}")
}

/// Puts data into an object: as `data` if it is text, else as `dataBase64`; null stays null.
pub fn put_data(object: &mut Map<String, Value>, data: Option<&[u8]>) {
    match data.map(|data| (data, std::str::from_utf8(data))) {
        None => object.insert("data".to_owned(), Value::Null),
        Some((_, Ok(text))) => object.insert("data".to_owned(), text.into()),
        Some((data, Err(_))) => object.insert("dataBase64".to_owned(), BASE64.encode(data).into()),
    };
}

/// The data that [`put_data`] put there; the error says what is wrong.
pub fn take_data(object: &Map<String, Value>) -> Result<Option<Vec<u8>>, String> {
    match (object.get("data"), object.get("dataBase64")) {
        (Some(Value::String(text)), None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(Value::String(text))) => BASE64
            .decode(text)
            .map(Some)
            .map_err(|error| format!("dataBase64 is not base64: {error}")),
        (None | Some(Value::Null), None) => Ok(None),
        _ => Err("there must be one of data and dataBase64, a string".to_owned()),
    }
}

/// Data in one line of text: quoted, or in base64 if it is not UTF-8.
pub fn data_text(data: Option<&[u8]>) -> String {
    match data.map(|data| (data, std::str::from_utf8(data))) {
        None => "null".to_owned(),
        Some((_, Ok(text))) => format!("{text:?}"),
        Some((data, Err(_))) => format!("base64:{}", BASE64.encode(data)),
    }
}

/// A list as `scheme:id:perms,…`.
pub fn acl_text(list: &[Acl]) -> String {
    let entries: Vec<_> = list.iter().map(acl::entry).collect();
    entries.join(",")
}

/// A list as JSON: an array of `scheme:id:perms`.
pub fn acl_json(list: &[Acl]) -> Value {
    list.iter().map(acl::entry).collect::<Vec<_>>().into()
}

/// A time in ms since 1970 as RFC 3339 in UTC.
pub fn time(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => format!("{time:.3}"),
        // Beyond the year 9999.
        Err(_) => format!("{ms} ms"),
    }
}

/// What kind of znode it is, in a word or two.
pub fn kind(owner: i64) -> String {
    match EphemeralType::of(owner, true, false) {
        EphemeralType::Persistent => "-".to_owned(),
        EphemeralType::Ephemeral(session) => format!("ephemeral {session}"),
        EphemeralType::Container => "container".to_owned(),
        EphemeralType::Ttl(ttl) => format!("ttl {ttl} ms"),
    }
}

/// The fields of a stored Stat.
pub fn put_stat(object: &mut Map<String, Value>, stat: &StatPersisted) {
    let fields = [
        ("czxid", json!(stat.czxid.to_string())),
        ("mzxid", json!(stat.mzxid.to_string())),
        ("pzxid", json!(stat.pzxid.to_string())),
        ("ctime", json!(stat.ctime)),
        ("mtime", json!(stat.mtime)),
        ("version", json!(stat.version)),
        ("cversion", json!(stat.cversion)),
        ("aversion", json!(stat.aversion)),
        (
            "ephemeralOwner",
            json!(SessionId(stat.ephemeral_owner).to_string()),
        ),
    ];
    object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
}
