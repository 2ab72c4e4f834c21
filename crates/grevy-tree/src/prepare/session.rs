//! The end of a session.

use super::Preparer;
use crate::ephemeral_type::EphemeralType;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use grevy_proto::ErrorCode;
use grevy_proto::txn::Txn;

impl Preparer<'_> {
    /// All ephemeral znodes of the session go, also those that are only proposed. Whether the
    /// session is known does not matter: this is its last request, or made for it. If it has moved,
    /// it is not the last one. ZooKeeper takes it from anywhere.
    pub(super) fn close_session(&mut self) -> Result<Txn<'static>, ErrorCode> {
        let moved = ErrorCode::SessionMoved;
        if self.context.session_state == Err(moved) {
            return Err(moved);
        }
        let session = self.context.session;
        let kept = self
            .tree
            .ephemerals(session)
            .filter(|path| self.pending.leaves_ephemeral(self.tree, path, session));
        let mut paths: Vec<Cow<'static, str>> = kept.map(Cow::Owned).collect();
        let is_new = |path: &&str| {
            self.tree
                .get(path)
                .is_none_or(|znode| znode.kind() != EphemeralType::Ephemeral(session))
        };
        let new = self.pending.ephemerals(session).filter(is_new);
        paths.extend(new.map(|path| Cow::Owned(path.into())));
        // What is already applied must not show.
        paths.sort_unstable();
        for path in &paths {
            self.remove(path);
        }
        if !self.context.config.close_session_paths {
            return Ok(Txn::CloseSession(None));
        }
        // Servers delete those that are not listed, too; a list too long for a record would stop
        // them all.
        let mut room = self.room;
        paths.retain(|path| {
            let left = room.checked_sub(path.len() + 4);
            room = left.unwrap_or(0);
            left.is_some()
        });
        Ok(Txn::CloseSession(Some(paths)))
    }
}
