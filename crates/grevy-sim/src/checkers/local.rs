//! Local sessions: each is at home in one run of one server, until the ensemble knows it. What
//! they may write is judged with all transactions: until then no ephemeral znodes (P19), and in
//! the order asked for also while that changes (P1).

use crate::history::{Conversation, Frame, History};
use crate::model::Model;
use crate::operation::Operation;
use crate::world::Context;
use grevy_proto::OpCode;
use grevy_proto::quorum::Packet;
use std::collections::BTreeSet;

/// createSession's code.
const OPENS: [u8; 4] = (-10i32).to_be_bytes();

/// The session that an entry opens.
pub fn opened_by(entry: &[u8]) -> Option<i64> {
    let session = entry.get(..8)?.try_into().ok()?;
    (entry.get(28..32)? == OPENS).then(|| i64::from_be_bytes(session))
}

/// A transaction is handed to a log.
pub fn appended(ctx: &mut Context, entry: &[u8]) {
    if let Some(session) = opened_by(entry) {
        ctx.history.opening.insert(session);
    }
}

/// A transaction is committed.
pub fn committed(ctx: &mut Context, entry: &[u8]) {
    if opened_by(entry).is_some_and(|session| ctx.history.homes.contains_key(&session)) {
        ctx.counts.did("sessions upgraded");
    }
}

/// A connection of a server, in this run of it, serves a session from now on.
pub fn attached(ctx: &mut Context, server: usize, incarnation: u32, session: i64) {
    if !ctx
        .options
        .ensemble
        .as_ref()
        .is_some_and(|e| e.local_sessions)
    {
        return;
    }
    if ctx.history.opening.contains(&session) {
        if ctx
            .history
            .homes
            .get(&session)
            .is_some_and(|home| *home != incarnation)
        {
            ctx.counts.did("upgraded sessions moved");
        }
        return;
    }
    ctx.counts.check("P20 local");
    match ctx.history.homes.get(&session) {
        None => {
            ctx.counts.did("local sessions");
            ctx.history.homes.insert(session, incarnation);
        }
        Some(home) if *home == incarnation => ctx.counts.did("local sessions resumed"),
        Some(_) => {
            let what = format!("s{server} resumes the local session {session:x} of another server");
            ctx.history.violate("P20", what);
        }
    }
}

/// Whether a packet asks for a local session to become the ensemble's.
pub fn upgrades(ctx: &Context, packet: &Packet) -> bool {
    let Packet::Request(request) = packet else {
        return false;
    };
    request.op == OpCode::CreateSession.wire() && ctx.history.homes.contains_key(&request.session.0)
}

/// Whether a request was rightly answered without a transaction, as of a local session in this
/// state.
pub fn is_answered(operation: &Operation, session: i64, state: &Model, err: i32) -> bool {
    state.is_local(session)
        && match operation {
            Operation::CloseSession => err == 0,
            other => {
                let local = grevy_proto::ErrorCode::EphemeralOnLocalSession.wire();
                err == local && makes_ephemerals(other)
            }
        }
}

/// The requests of a connection that were refused for making ephemeral znodes, and so became
/// nothing. Whether they were refused rightly is another question.
pub fn refused(conversation: &Conversation) -> BTreeSet<i32> {
    let code = grevy_proto::ErrorCode::EphemeralOnLocalSession.wire();
    let refused = |frame: &Frame| match frame {
        Frame::Reply { xid, err, .. } if *err == code => Some(*xid),
        _ => None,
    };
    let frames = conversation.received.iter();
    frames.filter_map(|(_, frame)| refused(frame)).collect()
}

/// Whether a request became nothing because its session was and stayed a local one, answered or
/// not.
pub fn is_refused(history: &History, session: i64, operation: &Operation) -> bool {
    let is_local = history.homes.contains_key(&session) && !history.opening.contains(&session);
    is_local && makes_ephemerals(operation)
}

/// Whether a request makes ephemeral znodes.
pub fn makes_ephemerals(operation: &Operation) -> bool {
    match operation {
        Operation::Create(create) => create.flags == 1 || create.flags == 3,
        Operation::Multi(parts) => parts.iter().any(makes_ephemerals),
        _ => false,
    }
}
