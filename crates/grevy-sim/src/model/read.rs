//! What a read must say, given the state and who asks.

use super::acl::{self, Identity, permits};
use super::tree::{Model, Znode};
use crate::answer::Answer;
use crate::operation::{Operation, ReadKind};
use grevy_proto::ErrorCode;

impl Model {
    /// The answer to a read that does not depend on watches; `None` if it does.
    pub fn read(&self, operation: &Operation, session: i64, ids: &[Identity]) -> Option<Answer> {
        let answer = match operation {
            Operation::Read { kind, path, .. } => self.read_one(*kind, path, ids),
            Operation::GetAcl(path) => self.get_acl(path, ids),
            Operation::CountDescendants(path) => self.readable(path, ids).map(|_| {
                let below = match &**path {
                    "/" => "/".to_owned(),
                    path => format!("{path}/"),
                };
                let inside = |other: &&String| other.starts_with(&below) && *other != path;
                Answer::Number(self.znodes.keys().filter(inside).count() as i32)
            }),
            Operation::GetEphemerals(prefix) => {
                let prefix = if prefix == "/" { "" } else { prefix };
                let mut paths = self.ephemerals(session);
                paths.retain(|path| path.starts_with(prefix));
                Ok(Answer::Names(paths))
            }
            Operation::MultiRead(reads) => {
                let part = |(kind, path): &(ReadKind, String)| {
                    let read = self.read_one(*kind, path, ids);
                    read.unwrap_or_else(|code| Answer::Error(code.wire()))
                };
                Ok(Answer::Parts(reads.iter().map(part).collect()))
            }
            Operation::Sync(path) => Ok(Answer::Path(path.clone())),
            Operation::WhoAmI => {
                let user = |(scheme, id): &Identity| {
                    let name = match &**scheme {
                        "digest" => id.split(':').next().unwrap_or_default().to_owned(),
                        _ => id.clone(),
                    };
                    (scheme.clone(), name)
                };
                Ok(Answer::Users(ids.iter().map(user).collect()))
            }
            Operation::AddWatch { .. } => Ok(Answer::Number(0)),
            Operation::Ping => Ok(Answer::Done),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|code| Answer::Error(code.wire())))
    }

    fn read_one(&self, kind: ReadKind, path: &str, ids: &[Identity]) -> Result<Answer, ErrorCode> {
        let znode = self.readable(path, ids)?;
        let names = || znode.children.iter().cloned().collect();
        Ok(match kind {
            ReadKind::Exists => Answer::Stat(znode.stat()),
            ReadKind::Data => Answer::Data(znode.data.clone(), znode.stat()),
            ReadKind::Children => Answer::Names(names()),
            ReadKind::Children2 => Answer::NamesStat(names(), znode.stat()),
        })
    }

    fn get_acl(&self, path: &str, ids: &[Identity]) -> Result<Answer, ErrorCode> {
        let znode = self.get(path).ok_or(ErrorCode::NoNode)?;
        let list = if permits(&znode.acl, acl::ADMIN, ids) {
            znode.acl.clone()
        } else if permits(&znode.acl, acl::READ, ids) {
            acl::masked(&znode.acl)
        } else {
            return Err(ErrorCode::NoAuth);
        };
        Ok(Answer::Acl(list, znode.stat()))
    }

    fn readable(&self, path: &str, ids: &[Identity]) -> Result<&Znode, ErrorCode> {
        let znode = self.get(path).ok_or(ErrorCode::NoNode)?;
        match permits(&znode.acl, acl::READ, ids) {
            true => Ok(znode),
            false => Err(ErrorCode::NoAuth),
        }
    }
}
