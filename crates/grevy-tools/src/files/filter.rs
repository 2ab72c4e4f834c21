//! Which znodes and transactions are shown.

use clap::Args;
use grevy_proto::txn::{Txn, TxnEntry};
use grevy_proto::{SessionId, Zxid};

/// All that is given must fit.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only this znode and what is below it.
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Nothing before this zxid; of a snapshot, znodes last changed there or later.
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    pub from: Option<Zxid>,
    /// Nothing behind this zxid.
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    pub to: Option<Zxid>,
    /// Only what this session did; of a snapshot, its ephemeral znodes.
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<SessionId>,
}

/// A zxid, hexadecimal with `0x` or decimal.
pub fn zxid(text: &str) -> Result<Zxid, String> {
    number(text).map(Zxid)
}

/// A session's id, likewise.
pub fn session(text: &str) -> Result<SessionId, String> {
    number(text).map(SessionId)
}

fn number(text: &str) -> Result<i64, String> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).map(u64::cast_signed),
        None => text.parse(),
    }
    .map_err(|_| format!("{text} is not a number; give it as 0x1f or 31"))
}

impl Filter {
    /// Whether a znode is to be shown.
    pub fn takes_znode(&self, path: &str, mzxid: Zxid, owner: i64) -> bool {
        self.takes_path(path)
            && self.takes_zxid(mzxid)
            && self.session.is_none_or(|session| session.0 == owner)
    }

    /// Whether a transaction is to be shown.
    pub fn takes_txn(&self, entry: &TxnEntry) -> bool {
        self.takes_zxid(entry.header.zxid)
            && self
                .session
                .is_none_or(|session| session == entry.header.session)
            && (self.path.is_none() || self.touches(&entry.txn))
    }

    /// Whether a zxid is in the range.
    pub fn takes_zxid(&self, zxid: Zxid) -> bool {
        self.from.is_none_or(|from| zxid >= from) && self.to.is_none_or(|to| zxid <= to)
    }

    fn touches(&self, txn: &Txn) -> bool {
        match txn {
            Txn::Create(create) => self.takes_path(&create.path),
            Txn::Delete(delete) => self.takes_path(&delete.path),
            Txn::SetData(set) => self.takes_path(&set.path),
            Txn::SetAcl(set) => self.takes_path(&set.path),
            Txn::Check(check) => self.takes_path(&check.path),
            Txn::Multi(txns) => txns.iter().any(|txn| self.touches(txn)),
            Txn::CloseSession(Some(paths)) => paths.iter().any(|path| self.takes_path(path)),
            Txn::Error(_) | Txn::CreateSession(_) | Txn::CloseSession(None) => false,
        }
    }

    fn takes_path(&self, path: &str) -> bool {
        self.path
            .as_deref()
            .is_none_or(|root| is_at_or_below(root, path))
    }
}

/// Whether `path` is `root` or below it.
pub fn is_at_or_below(root: &str, path: &str) -> bool {
    match path.strip_prefix(root) {
        Some(rest) => root == "/" || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("0x1f", Ok(31)),
            ("31", Ok(31)),
            ("0xffffffffffffffff", Ok(-1)),
            ("-1", Ok(-1)),
            (
                "1f",
                Err("1f is not a number; give it as 0x1f or 31".to_owned()),
            ),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn subtrees() {
        for (root, path, expected) in [
            ("/", "/a", true),
            ("/", "/", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
        ] {
            assert_eq!(is_at_or_below(root, path), expected, "{root} {path}");
        }
    }

    #[test]
    fn everything_given_must_fit() {
        let filter = Filter {
            path: Some("/a".to_owned()),
            from: Some(Zxid(2)),
            to: Some(Zxid(4)),
            session: Some(SessionId(7)),
        };
        for (path, zxid, owner, expected) in [
            ("/a/b", 2, 7, true),
            ("/a", 4, 7, true),
            ("/b", 3, 7, false),
            ("/a", 1, 7, false),
            ("/a", 5, 7, false),
            ("/a", 3, 8, false),
        ] {
            assert_eq!(filter.takes_znode(path, Zxid(zxid), owner), expected);
        }
        assert!(Filter::default().takes_znode("/x", Zxid(0), 0));
    }
}
