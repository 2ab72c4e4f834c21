//! A whole state as text, the same from a server and from the model.

use super::tree::Model;
use crate::operation::AclEntry;
use grevy_proto::Stat;
use grevy_tree::Tree;
use std::fmt::Write;

impl Model {
    /// A line for each session and znode.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        for (session, timeout) in &self.sessions {
            session_line(*session, *timeout, &mut out);
        }
        for (path, znode) in &self.znodes {
            let owner = znode.stored_owner();
            let data = znode.data.as_deref();
            line(path, data, &znode.acl, &znode.stat(), owner, &mut out);
        }
        out
    }
}

/// The same of a server's tree.
pub fn dump_tree(tree: &Tree) -> String {
    let mut out = String::new();
    for (session, timeout) in tree.sessions().iter() {
        session_line(session.0, timeout, &mut out);
    }
    let mut lines: Vec<(String, String)> = tree
        .znodes()
        .map(|znode| {
            let path = match znode.path() {
                path if path.is_empty() => "/".to_owned(),
                path => path,
            };
            let entry = |acl: &grevy_proto::Acl| {
                (acl.perms, acl.id.scheme.to_string(), acl.id.id.to_string())
            };
            let acl: Vec<AclEntry> = znode.acl().iter().map(entry).collect();
            let owner = znode.persisted().ephemeral_owner;
            let mut text = String::new();
            line(&path, znode.data(), &acl, &znode.stat(), owner, &mut text);
            (path, text)
        })
        .collect();
    lines.sort();
    lines.into_iter().for_each(|(_, line)| out.push_str(&line));
    out
}

fn session_line(session: i64, timeout: i32, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "session {session:x} {timeout}");
}

fn line(
    path: &str,
    data: Option<&[u8]>,
    acl: &[AclEntry],
    stat: &Stat,
    owner: i64,
    out: &mut String,
) {
    let data = data.map(|data| data.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let _ = writeln!(
        out,
        "{path} {data:?} {acl:?} c{} m{} p{} ctime{} mtime{} v{} cv{} av{} owner{owner:x} n{}",
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.ctime,
        stat.mtime,
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.num_children
    );
}
