//! Bugs planted in what a server holds, for tests of the checkers.

use super::{Run, Server};
use crate::planted::Bug;
use crate::world::Context;
use grevy_node::Now;
use grevy_proto::txn::{CreateKind, CreateTxn, DeleteTxn, Txn, TxnHeader};
use grevy_proto::{Acl, SessionId, Xid};

impl Server {
    /// Spoils the tree, seldom: an ephemeral znode goes, or comes without a session.
    pub(super) fn plant_in_tree(&mut self, ctx: &mut Context) {
        let Some(bug @ (Bug::LosesEphemeral | Bug::KeepsEphemeral)) = ctx.options.bug else {
            return;
        };
        if !self.random.one_in(10) {
            return;
        }
        let Some(run) = &mut self.run else {
            return;
        };
        let header = |session| TxnHeader {
            session,
            cxid: Xid(0),
            zxid: run.tree.last_zxid(),
            time: 0,
            op: 0,
        };
        let owner = run.tree.ephemeral_owners().next();
        match bug {
            Bug::LosesEphemeral => {
                let Some(owner) = owner else { return };
                let Some(path) = run.tree.ephemerals(owner).next() else {
                    return;
                };
                let txn = Txn::Delete(DeleteTxn {
                    path: path.into(),
                    container: false,
                });
                let header = header(owner);
                run.tree.apply(&header, &txn, &mut |_| {});
            }
            _ => {
                let gone = ctx.history.expired.last().map(|e| SessionId(e.session));
                let Some(gone) = gone.filter(|s| !run.tree.sessions().contains(*s)) else {
                    return;
                };
                let txn = Txn::Create(CreateTxn {
                    path: "/left-behind".into(),
                    data: None,
                    acl: vec![Acl::OPEN],
                    kind: CreateKind::Plain { ephemeral: true },
                    parent_cversion: 0,
                });
                let header = header(gone);
                run.tree.apply(&header, &txn, &mut |_| {});
            }
        }
    }

    /// Expires sessions before their time.
    pub(super) fn expire_early(&mut self, ctx: &mut Context) {
        // The node is told a time far ahead.
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else {
            return;
        };
        let ahead = Now {
            time: now.time + ctx.options.tick * 10,
            ..now
        };
        let Run {
            node,
            tree,
            connections,
            ..
        } = run;
        node.handle_timeout(ahead, tree, &*connections);
        self.with_node(ctx, |_, _, _| {});
    }
}
