//! Requests that a server answers by itself, from the state that it has. Source:
//! `FinalRequestProcessor`.

use crate::auth;
use crate::connection::{ClientId, ConnectionStats, View};
use crate::watches::Watches;
use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::acl::perms;
use grevy_proto::event::encode_notification;
use grevy_proto::multi::{MultiHeader, MultiOp, decode_multi};
use grevy_proto::reply::{GetDataResponse, ReplyHeader};
use grevy_proto::request::{PathOnly, Read, SetWatches, SetWatches2, WatchOf};
use grevy_proto::{
    Decode, DecodeError, Encode, ErrorCode, Id, OpCode, Reader, SessionId, Xid, Zxid,
};
use grevy_tree::Znode;
use grevy_tree::watch::{CatchUp, WatchMode, WatcherId, WatcherType};

/// Whether [`answer`] knows the operation.
pub fn is_read(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Ping
            | OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::GetChildren2
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::MultiRead
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::WhoAmI
    )
}

/// What the four-letter words and the admin server call the last operation of a connection.
pub fn short_name(op: OpCode) -> &'static str {
    match op {
        OpCode::Ping => "PING",
        OpCode::CreateSession => "SESS",
        OpCode::CloseSession => "CLOS",
        OpCode::Create | OpCode::Create2 | OpCode::CreateTtl | OpCode::CreateContainer => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::SetData => "SETD",
        OpCode::SetAcl => "SETA",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Reconfig => "RECO",
        OpCode::Sync => "SYNC",
        OpCode::Check => "CHEC",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::GetAcl => "GETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::GetEphemerals => "GETE",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::WhoAmI => "HOMI",
        _ => "NA",
    }
}

/// Whose request it is, and where the answer goes.
pub struct Caller<'c> {
    /// The connection.
    pub id: ClientId,
    /// Its session.
    pub session: SessionId,
    /// Its identities.
    pub ids: &'c Arc<[Id]>,
    /// Its output buffer.
    pub output: &'c mut Vec<u8>,
    /// Counts events sent from here.
    pub stats: &'c mut ConnectionStats,
}

/// Appends the answer to a read: first the events that setWatches makes up for, then a frame
/// with the header and, on success, the record.
pub fn answer<W: Watches>(
    caller: &mut Caller<'_>,
    op: OpCode,
    xid: Xid,
    mut reader: Reader<'_>,
    view: View<'_, W>,
) {
    let result = match op {
        OpCode::SetWatches => SetWatches::decode(&mut reader).map(|standard| {
            let request = SetWatches2 {
                standard,
                persistent: Vec::new(),
                persistent_recursive: Vec::new(),
            };
            set_watches(caller, &request, view);
        }),
        OpCode::SetWatches2 => {
            SetWatches2::decode(&mut reader).map(|request| set_watches(caller, &request, view))
        }
        _ => Ok(()),
    };
    let start = caller.output.len();
    0i32.encode(caller.output);
    ReplyHeader::ok(xid, view.tree.last_zxid()).encode(caller.output);
    let result = match result {
        Ok(()) => record(caller, op, &mut reader, view),
        Err(error) => Err(error.into()),
    };
    if let Err(Failure(code)) = result {
        caller.output.truncate(start + 4);
        ReplyHeader::error(xid, view.tree.last_zxid(), code).encode(caller.output);
    }
    let len = i32::try_from(caller.output.len() - start - 4).unwrap_or(i32::MAX);
    caller.output[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// Why a read is answered without a record.
struct Failure(ErrorCode);

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self(code)
    }
}
impl From<DecodeError> for Failure {
    fn from(_: DecodeError) -> Self {
        Self(ErrorCode::MarshallingError)
    }
}

fn record<W: Watches>(
    caller: &mut Caller<'_>,
    op: OpCode,
    reader: &mut Reader<'_>,
    view: View<'_, W>,
) -> Result<(), Failure> {
    match op {
        OpCode::Exists => {
            let Read { path, watch } = Read::decode(reader)?;
            if path.contains('\0') {
                return Err(ErrorCode::BadArguments.into());
            }
            let znode = match view.tree.get(&path) {
                Some(znode) => {
                    check(caller, &znode, perms::READ, view)?;
                    Some(znode)
                }
                None => None,
            };
            if watch {
                add_watch(caller, &path, WatchMode::Data, view);
            }
            let znode = znode.ok_or(ErrorCode::NoNode)?;
            znode.stat().encode(caller.output);
        }
        OpCode::GetData => {
            let Read { path, watch } = Read::decode(reader)?;
            let znode = readable(caller, &path, view)?;
            if watch {
                add_watch(caller, &path, WatchMode::Data, view);
            }
            get_data(&znode).encode(caller.output);
        }
        OpCode::GetChildren | OpCode::GetChildren2 => {
            let Read { path, watch } = Read::decode(reader)?;
            let znode = readable(caller, &path, view)?;
            if watch {
                add_watch(caller, &path, WatchMode::Child, view);
            }
            encode_children(&znode, caller.output);
            if op == OpCode::GetChildren2 {
                znode.stat().encode(caller.output);
            }
        }
        OpCode::GetAcl => {
            let PathOnly { path } = PathOnly::decode(reader)?;
            let znode = view.tree.get(&path).ok_or(ErrorCode::NoNode)?;
            let acl = match view.config.prepare.skip_acl {
                true => Cow::Borrowed(znode.acl()),
                false => {
                    let schemes = &view.config.prepare.schemes;
                    let visible = schemes.visible(znode.acl(), caller.ids);
                    visible.ok_or(ErrorCode::NoAuth)?
                }
            };
            acl.encode(caller.output);
            znode.stat().encode(caller.output);
        }
        OpCode::GetAllChildrenNumber => {
            let PathOnly { path } = PathOnly::decode(reader)?;
            let znode = readable(caller, &path, view)?;
            let count = i32::try_from(znode.descendant_count()).unwrap_or(i32::MAX);
            count.encode(caller.output);
        }
        OpCode::GetEphemerals => get_ephemerals(caller, reader, view)?,
        OpCode::MultiRead => multi_read(caller, reader, view)?,
        OpCode::AddWatch => {
            let WatchOf { path, kind } = WatchOf::decode(reader)?;
            let mode = WatchMode::from_wire(kind).ok_or(ErrorCode::MarshallingError)?;
            add_watch(caller, &path, mode, view);
            0i32.encode(caller.output);
        }
        OpCode::CheckWatches | OpCode::RemoveWatches => {
            let WatchOf { path, kind } = WatchOf::decode(reader)?;
            let kind = WatcherType::from_wire(kind).ok_or(ErrorCode::MarshallingError)?;
            let watcher = WatcherId(caller.id.0);
            let found = view.watches.with(|table| match op {
                OpCode::CheckWatches => table.contains(watcher, &path, kind),
                _ => table.remove(watcher, &path, kind),
            });
            if !found {
                return Err(ErrorCode::NoWatcher.into());
            }
        }
        OpCode::WhoAmI => {
            let len = i32::try_from(caller.ids.len()).unwrap_or(i32::MAX);
            len.encode(caller.output);
            for id in caller.ids.iter() {
                id.scheme.encode(caller.output);
                auth::user_name(id).encode(caller.output);
            }
        }
        // Pings and set watches have no record.
        _ => {}
    }
    Ok(())
}

fn get_data<'t>(znode: &Znode<'t>) -> GetDataResponse<'t> {
    GetDataResponse {
        data: znode.data(),
        stat: znode.stat(),
    }
}

fn encode_children(znode: &Znode<'_>, out: &mut Vec<u8>) {
    i32::try_from(znode.child_count())
        .unwrap_or(i32::MAX)
        .encode(out);
    for name in znode.children() {
        name.encode(out);
    }
}

/// The znode at `path`, if it exists and the caller may read it.
fn readable<'t, W>(
    caller: &Caller<'_>,
    path: &str,
    view: View<'t, W>,
) -> Result<Znode<'t>, ErrorCode> {
    let znode = view.tree.get(path).ok_or(ErrorCode::NoNode)?;
    check(caller, &znode, perms::READ, view)?;
    Ok(znode)
}

fn check<W>(
    caller: &Caller<'_>,
    znode: &Znode<'_>,
    perm: i32,
    view: View<'_, W>,
) -> Result<(), ErrorCode> {
    match view.config.permits(znode.acl(), perm, caller.ids) {
        true => Ok(()),
        false => Err(ErrorCode::NoAuth),
    }
}

fn add_watch<W: Watches>(caller: &Caller<'_>, path: &str, mode: WatchMode, view: View<'_, W>) {
    let watcher = WatcherId(caller.id.0);
    view.watches.with(|table| table.add(watcher, path, mode));
}

/// Paths of the session's ephemerals that begin with a prefix, by plain comparison of text.
fn get_ephemerals<W>(
    caller: &mut Caller<'_>,
    reader: &mut Reader<'_>,
    view: View<'_, W>,
) -> Result<(), Failure> {
    let prefix = reader.string()?.unwrap_or_default();
    let prefix = match prefix.trim() {
        "" | "/" => "",
        _ => &*prefix,
    };
    let paths: Vec<Cow<'_, str>> = view
        .tree
        .ephemerals(caller.session)
        .filter(|path| path.starts_with(prefix))
        .map(Cow::from)
        .collect();
    paths.encode(caller.output);
    Ok(())
}

/// Each read has a result of its own; all are of one state.
fn multi_read<W>(
    caller: &mut Caller<'_>,
    reader: &mut Reader<'_>,
    view: View<'_, W>,
) -> Result<(), Failure> {
    let start = caller.output.len();
    for op in decode_multi(reader)? {
        let MultiOp::Read(op, read) = op else {
            return Err(ErrorCode::MarshallingError.into());
        };
        // A short request can name a long znode many times.
        if caller.output.len() - start > view.config.output_limit {
            return Err(ErrorCode::MarshallingError.into());
        }
        match readable(caller, &read.path, view) {
            Ok(znode) => {
                MultiHeader::result(op).encode(caller.output);
                match op {
                    OpCode::GetData => get_data(&znode).encode(caller.output),
                    _ => encode_children(&znode, caller.output),
                }
            }
            Err(code) => {
                MultiHeader::error(code.wire()).encode(caller.output);
                code.wire().encode(caller.output);
            }
        }
    }
    MultiHeader::END.encode(caller.output);
    Ok(())
}

/// Registers watches of an earlier connection; what they missed is sent at once, with the
/// zxid -1.
fn set_watches<W: Watches>(caller: &mut Caller<'_>, request: &SetWatches2<'_>, view: View<'_, W>) {
    let watcher = WatcherId(caller.id.0);
    let ids = caller.ids;
    let mut look = |path: &str| {
        let znode = view.tree.get(path)?;
        let stat = znode.persisted();
        Some(CatchUp {
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            readable: view.config.permits(znode.acl(), perms::READ, ids),
        })
    };
    view.watches.with(|table| {
        table.set_again(watcher, request, &mut look, &mut |kind, path| {
            let before = caller.output.len();
            encode_notification(Zxid(-1), kind, path, caller.output);
            caller.stats.count_event(caller.output.len() - before);
        });
    });
}
