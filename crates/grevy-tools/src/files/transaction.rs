//! A transaction as a line of text, and as JSON. Source: `LogFormatter`, `TxnLogToolkit`.

use crate::output;
use grevy_proto::ErrorCode;
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnEntry};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// A line: when, who, which, what.
pub fn text(entry: &TxnEntry, with_data: bool) -> String {
    let header = &entry.header;
    format!(
        "{}  {}  session {}  cxid {}  {}",
        output::time(header.time),
        header.zxid,
        header.session,
        header.cxid.0,
        what(&entry.txn, with_data)
    )
}

/// An object with every field.
pub fn json(entry: &TxnEntry) -> Map<String, Value> {
    let header = &entry.header;
    let mut object = Map::new();
    let fields = [
        ("zxid", json!(header.zxid.to_string())),
        ("time", json!(header.time)),
        ("session", json!(header.session.to_string())),
        ("cxid", json!(header.cxid.0)),
    ];
    object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    put_txn(&mut object, &entry.txn);
    if let Some(digest) = entry.digest {
        object.insert("digest".to_owned(), digest.digest.into());
    }
    object
}

fn what(txn: &Txn, with_data: bool) -> String {
    let op = txn.op().name();
    let size = |data: &Option<Cow<'_, [u8]>>| match with_data {
        true => output::data_text(data.as_deref()),
        false => format!("{} bytes", data.as_ref().map_or(0, |data| data.len())),
    };
    match txn {
        Txn::Create(create) => format!(
            "{op} {} {}{} acl {}",
            create.path,
            size(&create.data),
            kind(create),
            output::acl_text(&create.acl)
        ),
        Txn::Delete(delete) => format!("{op} {}", delete.path),
        Txn::SetData(set) => format!(
            "{op} {} {} version {}",
            set.path,
            size(&set.data),
            set.version
        ),
        Txn::SetAcl(set) => format!(
            "{op} {} acl {} aversion {}",
            set.path,
            output::acl_text(&set.acl),
            set.version
        ),
        Txn::Check(check) => format!("{op} {} version {}", check.path, check.version),
        Txn::Multi(txns) => {
            let parts: Vec<_> = txns.iter().map(|txn| what(txn, with_data)).collect();
            format!("{op} [{}]", parts.join("; "))
        }
        Txn::Error(code) => format!("{op} {}", error(*code)),
        Txn::CreateSession(timeout) => format!("{op} timeout {timeout} ms"),
        Txn::CloseSession(None) => op.to_owned(),
        Txn::CloseSession(Some(paths)) => match paths.is_empty() {
            true => op.to_owned(),
            false => format!("{op} deletes {}", paths.join(" ")),
        },
    }
}

fn kind(create: &CreateTxn) -> String {
    match create.kind {
        CreateKind::Plain { ephemeral: true } | CreateKind::Plain2 { ephemeral: true } => {
            " ephemeral".to_owned()
        }
        CreateKind::Plain { .. } | CreateKind::Plain2 { .. } | CreateKind::Container => {
            String::new()
        }
        CreateKind::Ttl(ttl) => format!(" ttl {ttl} ms"),
    }
}

fn error(code: i32) -> String {
    match ErrorCode::from_wire(code) {
        Some(known) => format!("{code} ({})", known.name()),
        None => code.to_string(),
    }
}

fn put_txn(object: &mut Map<String, Value>, txn: &Txn) {
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("op", txn.op().name().into());
    match txn {
        Txn::Create(create) => {
            put("path", (*create.path).into());
            put("acl", output::acl_json(&create.acl));
            put("parentCversion", create.parent_cversion.into());
            match create.kind {
                CreateKind::Plain { ephemeral } | CreateKind::Plain2 { ephemeral } => {
                    put("ephemeral", ephemeral.into());
                }
                CreateKind::Container => {}
                CreateKind::Ttl(ttl) => {
                    put("ttl", ttl.into());
                }
            }
            output::put_data(object, create.data.as_deref());
        }
        Txn::Delete(delete) => {
            put("path", (*delete.path).into());
        }
        Txn::SetData(set) => {
            put("path", (*set.path).into());
            put("version", set.version.into());
            output::put_data(object, set.data.as_deref());
        }
        Txn::SetAcl(set) => {
            put("path", (*set.path).into());
            put("acl", output::acl_json(&set.acl));
            put("version", set.version.into());
        }
        Txn::Check(check) => {
            put("path", (*check.path).into());
            put("version", check.version.into());
        }
        Txn::Multi(txns) => {
            let parts = txns.iter().map(|txn| {
                let mut part = Map::new();
                put_txn(&mut part, txn);
                Value::Object(part)
            });
            put("txns", parts.collect());
        }
        Txn::Error(code) => {
            put("error", (*code).into());
        }
        Txn::CreateSession(timeout) => {
            put("timeout", (*timeout).into());
        }
        Txn::CloseSession(paths) => {
            let paths = paths.iter().flatten().map(|path| Value::from(&**path));
            put("deleted", paths.collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_proto::txn::{CheckTxn, DeleteTxn, SetDataTxn, TxnHeader};
    use grevy_proto::{Acl, SessionId, Xid, Zxid};

    fn entry(txn: Txn) -> TxnEntry {
        TxnEntry {
            header: TxnHeader {
                session: SessionId(0x10),
                cxid: Xid(3),
                zxid: Zxid(0x1_0000_0002),
                time: 0,
                op: txn.op().wire(),
            },
            txn,
            digest: None,
        }
    }

    fn set(data: &[u8]) -> Txn<'_> {
        Txn::SetData(SetDataTxn {
            path: "/a".into(),
            data: Some(data.into()),
            version: 4,
            reconfig: false,
        })
    }

    #[test]
    fn lines_and_objects() {
        let check = Txn::Check(CheckTxn {
            path: "/c".into(),
            version: 1,
        });
        let delete = Txn::Delete(DeleteTxn {
            path: "/d".into(),
            container: false,
        });
        let create = Txn::Create(CreateTxn {
            path: "/e".into(),
            data: None,
            acl: vec![Acl::OPEN],
            kind: CreateKind::Ttl(50),
            parent_cversion: 2,
        });
        for (txn, with_data, text_end, object) in [
            (
                set(b"hi"),
                false,
                "setData /a 2 bytes version 4",
                json!({"op": "setData", "path": "/a", "version": 4, "data": "hi"}),
            ),
            (
                set(b"\xff"),
                true,
                "setData /a base64:/w== version 4",
                json!({"op": "setData", "path": "/a", "version": 4, "dataBase64": "/w=="}),
            ),
            (
                Txn::Multi(vec![check, delete]),
                false,
                "multi [check /c version 1; delete /d]",
                json!({"op": "multi", "txns": [
                    {"op": "check", "path": "/c", "version": 1},
                    {"op": "delete", "path": "/d"},
                ]}),
            ),
            (
                create,
                true,
                "createTTL /e null ttl 50 ms acl world:anyone:cdrwa",
                json!({"op": "createTTL", "path": "/e", "acl": ["world:anyone:cdrwa"],
                       "parentCversion": 2, "ttl": 50, "data": null}),
            ),
            (
                Txn::Error(-110),
                false,
                "error -110 (NodeExists)",
                json!({"op": "error", "error": -110}),
            ),
            (
                Txn::CloseSession(Some(vec!["/x".into()])),
                false,
                "closeSession deletes /x",
                json!({"op": "closeSession", "deleted": ["/x"]}),
            ),
        ] {
            let entry = entry(txn);
            let line = text(&entry, with_data);
            let head = "1970-01-01T00:00:00.000Z  0x100000002  session 0x10  cxid 3  ";
            assert_eq!(line, format!("{head}{text_end}"));
            let mut expected = json!({"zxid": "0x100000002", "time": 0, "session": "0x10",
                                      "cxid": 3});
            if let (Value::Object(all), Value::Object(more)) = (&mut expected, object) {
                all.extend(more);
            }
            assert_eq!(Value::Object(json(&entry)), expected);
        }
    }
}
