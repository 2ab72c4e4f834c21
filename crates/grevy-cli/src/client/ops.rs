//! Requests, one method each. Paths are the client's, below the chroot.

use super::shared::Effect;
use super::{Client, ClientError, Reply, path};
use grevy_proto::multi::{MultiHeader, MultiOp, encode_multi};
use grevy_proto::reply::{Create2Response, GetDataResponse};
use grevy_proto::request::{
    Create, CreateMode, CreateTtl, Delete, Nullable, PathOnly, Read, Reconfig, SetAcl, SetData,
    WatchOf,
};
use grevy_proto::watch::{AddWatchMode, WatchKind, WatcherType};
use grevy_proto::{Acl, Decode, DecodeError, Encode, ErrorCode, OpCode, Reader, Stat};
use std::borrow::Cow;

/// Where the ensemble's configuration lies, whatever the chroot.
const CONFIG: &str = "/zookeeper/config";

/// What a new znode is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its access control list.
    pub acl: Vec<Acl>,
    /// Its kind.
    pub mode: CreateMode,
    /// Its time to live in ms, for the modes that have one.
    pub ttl: i64,
}

/// What a request asks for when nothing is left of the reply's record.
type Done = Result<(), ClientError>;

impl Client {
    /// Creates a znode; returns its path, with its number if it is sequential.
    pub fn create(&self, path: &str, node: &Node) -> Result<String, ClientError> {
        let create = Create {
            path: self.server_path(path).into(),
            data: node.data.as_deref(),
            acl: node.acl.clone(),
            flags: node.mode as i32,
        };
        let created = if node.mode.is_ttl() {
            let ttl = node.ttl;
            let record = self.ask(OpCode::CreateTtl, &CreateTtl { create, ttl })?;
            decode::<Create2Response<'_>>(&record)?.path.into_owned()
        } else {
            let op = match node.mode {
                CreateMode::Container => OpCode::CreateContainer,
                _ => OpCode::Create,
            };
            // A container's reply has a Stat too; the path comes first in both.
            let record = self.ask(op, &create)?;
            decode::<Cow<'_, str>>(&record)?.into_owned()
        };
        Ok(path::strip(self.chroot(), &created).to_owned())
    }

    /// Deletes a znode of the given version, or -1 for any.
    pub fn delete(&self, path: &str, version: i32) -> Done {
        // The root below a chroot is as undeletable as the real one.
        let path = match path {
            "/" => Cow::Borrowed("/"),
            _ => self.server_path(path).into(),
        };
        self.ask(OpCode::Delete, &Delete { path, version })?;
        Ok(())
    }

    /// Asks for several deletions, of any version, as one transaction.
    pub fn submit_deletes(&self, paths: &[String]) -> Reply {
        let ops: Vec<_> = paths
            .iter()
            .map(|path| {
                MultiOp::Delete(Delete {
                    path: self.server_path(path).into(),
                    version: -1,
                })
            })
            .collect();
        let mut body = Vec::new();
        encode_multi(&ops, &mut body);
        self.shared.submit(OpCode::Multi, body, Effect::None)
    }

    /// The Stat of a znode, if it exists.
    pub fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, ClientError> {
        match self.read(OpCode::Exists, path, watch.then_some(WatchKind::Exists)) {
            Ok(record) => decode(&record).map(Some),
            Err(error) if error.is(ErrorCode::NoNode) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Data and Stat of a znode.
    pub fn get_data(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Option<Vec<u8>>, Stat), ClientError> {
        data_and_stat(&self.read(OpCode::GetData, path, watch.then_some(WatchKind::Data))?)
    }

    /// Replaces the data of a znode of the given version, or -1 for any.
    pub fn set_data(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, ClientError> {
        let set = SetData {
            path: self.server_path(path).into(),
            data: Some(data),
            version,
        };
        decode(&self.ask(OpCode::SetData, &set)?)
    }

    /// Access control list and Stat of a znode.
    pub fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), ClientError> {
        let record = self.ask(OpCode::GetAcl, &self.path_only(path))?;
        let mut reader = Reader::new(&record);
        Ok((Decode::decode(&mut reader)?, Decode::decode(&mut reader)?))
    }

    /// Replaces the access control list of a znode of the given aversion, or -1 for any.
    pub fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, ClientError> {
        let set = SetAcl {
            path: self.server_path(path).into(),
            acl: acl.to_vec(),
            version,
        };
        decode(&self.ask(OpCode::SetAcl, &set)?)
    }

    /// Names of a znode's children, in no particular order, and its Stat.
    pub fn get_children(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Vec<String>, Stat), ClientError> {
        let watch = watch.then_some(WatchKind::Child);
        children_and_stat(&self.read(OpCode::GetChildren2, path, watch)?)
    }

    /// Asks the server to catch up with its leader.
    pub fn submit_sync(&self, path: &str) -> Reply {
        self.send(OpCode::Sync, &self.path_only(path), Effect::None)
    }

    /// Adds an identity, here and after every reconnect. A refusal ends the session.
    pub fn add_auth(&self, scheme: &str, auth: Option<&[u8]>) {
        self.shared
            .add_identity(scheme.to_owned(), auth.map(<[u8]>::to_vec));
    }

    /// Leaves a watch that stays.
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> Done {
        let path = self.server_path(path);
        let watch = WatchOf {
            path: path.as_str().into(),
            kind: mode as i32,
        };
        let effect = Effect::Register(mode.kind(), path.clone());
        self.send(OpCode::AddWatch, &watch, effect).wait()?;
        Ok(())
    }

    /// Removes watches; `local`: even if the server does not know them or cannot be asked.
    pub fn remove_watches(&self, path: &str, which: WatcherType, local: bool) -> Done {
        let path = self.server_path(path);
        let watch = WatchOf {
            path: path.as_str().into(),
            kind: which as i32,
        };
        let effect = Effect::Remove(which, path.clone(), local);
        self.send(OpCode::RemoveWatches, &watch, effect).wait()?;
        Ok(())
    }

    /// Whole paths of the session's ephemeral znodes. Neither the prefix nor the answer knows of
    /// the chroot, as in Java's client.
    pub fn get_ephemerals(&self, prefix: &str) -> Result<Vec<String>, ClientError> {
        let prefix = PathOnly {
            path: prefix.into(),
        };
        let record = self.ask(OpCode::GetEphemerals, &prefix)?;
        Ok(strings(&mut Reader::new(&record))?)
    }

    /// How many znodes are below one.
    pub fn get_all_children_number(&self, path: &str) -> Result<i32, ClientError> {
        decode(&self.ask(OpCode::GetAllChildrenNumber, &self.path_only(path))?)
    }

    /// The connection's identities: scheme and user.
    pub fn who_am_i(&self) -> Result<Vec<(String, String)>, ClientError> {
        let record = self
            .shared
            .submit(OpCode::WhoAmI, Vec::new(), Effect::None)
            .wait()?;
        let mut reader = Reader::new(&record);
        let mut users = Vec::new();
        for _ in 0..reader.vector_len()?.unwrap_or(0) {
            let mut word = || {
                reader
                    .string()
                    .map(|word| word.unwrap_or_default().into_owned())
            };
            users.push((word()?, word()?));
        }
        Ok(users)
    }

    /// Data and Stat of the ensemble's configuration.
    pub fn get_config(&self, watch: bool) -> Result<(Option<Vec<u8>>, Stat), ClientError> {
        let watch = watch.then_some(WatchKind::Data);
        data_and_stat(&self.read_server_path(OpCode::GetData, CONFIG.to_owned(), watch)?)
    }

    /// Changes the ensemble's membership; returns the new configuration and its Stat.
    pub fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        config_id: i64,
    ) -> Result<(Option<Vec<u8>>, Stat), ClientError> {
        let nullable = |text: Option<&'_ str>| Nullable(text.map(|text| text.to_owned().into()));
        let reconfig = Reconfig {
            joining: nullable(joining),
            leaving: nullable(leaving),
            members: nullable(members),
            config_id,
        };
        data_and_stat(&self.ask(OpCode::Reconfig, &reconfig)?)
    }

    fn chroot(&self) -> &str {
        &self.shared.config.connect.chroot
    }

    pub(super) fn server_path(&self, path: &str) -> String {
        path::prepend(self.chroot(), path)
    }

    pub(super) fn path_only(&self, path: &str) -> PathOnly<'static> {
        PathOnly {
            path: self.server_path(path).into(),
        }
    }

    fn read(
        &self,
        op: OpCode,
        path: &str,
        watch: Option<WatchKind>,
    ) -> Result<Vec<u8>, ClientError> {
        self.read_server_path(op, self.server_path(path), watch)
    }

    fn read_server_path(
        &self,
        op: OpCode,
        path: String,
        watch: Option<WatchKind>,
    ) -> Result<Vec<u8>, ClientError> {
        let read = Read {
            path: path.as_str().into(),
            watch: watch.is_some(),
        };
        let effect = match watch {
            Some(kind) => Effect::Register(kind, path.clone()),
            None => Effect::None,
        };
        self.send(op, &read, effect).wait()
    }

    fn ask(&self, op: OpCode, record: &dyn Encode) -> Result<Vec<u8>, ClientError> {
        self.send(op, record, Effect::None).wait()
    }

    fn send(&self, op: OpCode, record: &dyn Encode, effect: Effect) -> Reply {
        self.shared.submit(op, record.to_bytes(), effect)
    }
}

/// The first error among the results of a multi.
pub fn multi_outcome(record: &[u8]) -> Done {
    let mut reader = Reader::new(record);
    loop {
        let header = MultiHeader::decode(&mut reader)?;
        match OpCode::from_wire(header.op) {
            _ if header.done => return Ok(()),
            Some(OpCode::Delete) => {}
            Some(OpCode::Error) => match reader.int()? {
                0 => {}
                code => return Err(ClientError::Server(code)),
            },
            _ => return Err(DecodeError::UnknownValue(header.op).into()),
        }
    }
}

/// Reads a record; what follows it is left alone.
pub(super) fn decode<'a, T: Decode<'a>>(record: &'a [u8]) -> Result<T, ClientError> {
    Ok(T::decode(&mut Reader::new(record))?)
}

pub(super) fn children_and_stat(record: &[u8]) -> Result<(Vec<String>, Stat), ClientError> {
    let mut reader = Reader::new(record);
    Ok((strings(&mut reader)?, Decode::decode(&mut reader)?))
}

pub(super) fn data_and_stat(record: &[u8]) -> Result<(Option<Vec<u8>>, Stat), ClientError> {
    let response: GetDataResponse<'_> = decode(record)?;
    Ok((response.data.map(<[u8]>::to_vec), response.stat))
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let names = Vec::<Cow<'_, str>>::decode(reader)?;
    Ok(names.into_iter().map(Cow::into_owned).collect())
}
