//! Damage at rest, tried on copies of the disk: a server that starts on a damaged disk holds
//! everything that was acknowledged, or refuses and says what is wrong where (P30).

use crate::ensemble::is_enough;
use crate::history::Dump;
use crate::model::dump::dump_tree;
use crate::random::Random;
use crate::server::{Server, StartError};
use crate::world::Context;
use grevy_proto::ServerId;
use grevy_storage::OpenOptions;
use grevy_storage::testing::{MemDisk, SECTOR};
use std::path::PathBuf;

/// Damages some copies of the disk as it is now, and recovers from each.
pub fn try_on_copies(server: &mut Server, random: &mut Random, ctx: &mut Context) {
    if !server.is_marked {
        // A second fault on top of one that took the mark: beyond the dose.
        return;
    }
    try_without_any_file(server, ctx);
    for _ in 0..3 {
        let disk = server.disk.fork();
        let Some((kind, path)) = damage(&disk, random) else {
            return;
        };
        ctx.counts.fault(kind);
        ctx.counts.check("P30");
        let what = format!("{kind} in {}", path.display());
        match server.open(ctx, &disk) {
            Ok(begun) => {
                let tree = begun.tree;
                let zxid = tree.last_zxid().0;
                let last = ctx.history.last();
                if zxid < last {
                    let lost = format!(
                        "after {what} the history ends at {zxid:x}, where {last:x} was applied"
                    );
                    ctx.history.violate("P30", lost);
                    return;
                }
                ctx.counts.did("recovered from damage");
                // What was decided and not applied yet may be on disk as well.
                if zxid == last {
                    ctx.history.dumps.push(Dump {
                        server: server.index,
                        zxid,
                        at: ctx.schedule.now(),
                        occasion: "damage at rest",
                        text: dump_tree(&tree),
                        digest: tree.digest(),
                    });
                }
            }
            Err(why) => {
                ctx.counts.did("refused damage");
                Rot { kind, path }.check_refusal(ctx, &why.to_string());
                if !ctx.history.violations.is_empty() {
                    return;
                }
            }
        }
    }
}

/// An emptied folder looks like that of a new server, and only the operator can tell them apart:
/// with `db.autocreate=false` the server refuses.
fn try_without_any_file(server: &Server, ctx: &mut Context) {
    let disk = server.disk.fork();
    for (path, _) in disk.files() {
        disk.lose(&path);
    }
    ctx.counts.fault("emptied folder");
    ctx.counts.check("P30");
    let options = OpenOptions {
        create_db: false,
        ..Server::open_options(&ctx.options)
    };
    match server.open_with(ctx, &disk, options) {
        Err(StartError::Unknown) => ctx.counts.did("refused damage"),
        Err(why) => {
            let what = format!("in an emptied folder the server refuses for another reason: {why}");
            ctx.history.violate("P30", what);
        }
        Ok(_) => {
            let what = "the server begins anew in an emptied folder".to_owned();
            ctx.history.violate("P30", what);
        }
    }
}

/// Damage that a server is to start on.
#[derive(Debug, Clone)]
pub struct Rot {
    kind: &'static str,
    path: PathBuf,
}

impl Rot {
    /// Damage of that kind in a file.
    pub fn new(kind: &'static str, path: PathBuf) -> Self {
        Self { kind, path }
    }

    /// A server has refused to start on it: does it say why?
    pub fn check_refusal(&self, ctx: &mut Context, why: &str) {
        ctx.counts.check("P30");
        if why.contains("no space left") || why.contains("input/output error") {
            // Another fault came first.
            return;
        }
        let name = self.path.file_name();
        let named = name.is_some_and(|name| why.contains(&*name.to_string_lossy()));
        // A file that is gone may be missed by what it was to lead to.
        if !named && self.kind != "file missing" && self.kind != "old sector comes back" {
            let what = format!(
                "after {} in {} the server refuses without saying so: {why}",
                self.kind,
                self.path.display()
            );
            ctx.history.violate("P30", what);
        }
    }
}

/// Damages the disk of a member of an ensemble, or empties it, as the dose allows: no more than
/// a minority of the voters at a time, and each with all others holding a history.
pub fn strike(servers: &mut [Server], at: usize, random: &mut Random, ctx: &mut Context) {
    let Some(membership) = ctx.history.membership.clone() else {
        return;
    };
    let evidence = &ctx.history.ledger.servers;
    let is_struck = |s: &&Server| s.rot.is_some() || evidence[s.index].is_damaged;
    // The others must be enough to decide, and to hold everything.
    let is_whole = |id: ServerId| {
        let other = &servers[id.0 as usize - 1];
        other.index != at && !is_struck(&other)
    };
    let others_are_enough = is_enough(&membership, is_whole);
    let others = evidence.iter().enumerate();
    let have_history = others
        .filter(|(other, _)| *other != at)
        .all(|(_, e)| e.durable > 0 && e.current > 0);
    let server = &mut servers[at];
    if !others_are_enough || !have_history {
        return;
    }
    if random.one_in(3) {
        server.kill(ctx);
        return server.empty_disk(ctx);
    }
    if !server.is_marked || !server.is_up() {
        return;
    }
    server.kill(ctx);
    if let Some((kind, path)) = damage(&server.disk, random) {
        ctx.counts.fault(kind);
        trace!(
            ctx.trace,
            ctx.schedule.now(),
            "s{at} {kind} in {}",
            path.display()
        );
        server.mark_rotten(kind, path);
    }
}

fn damage(disk: &MemDisk, random: &mut Random) -> Option<(&'static str, PathBuf)> {
    let files: Vec<(PathBuf, u64)> = disk
        .files()
        .into_iter()
        .filter(|(_, len)| *len > 0)
        .collect();
    if files.is_empty() {
        return None;
    }
    let (path, len) = random.pick(&files).clone();
    let len = len as usize;
    let sectors = len.div_ceil(SECTOR);
    let kind = match random.below(6) {
        0 | 1 => {
            disk.flip_bit(&path, random.index(len * 8));
            "bit flip"
        }
        2 => {
            disk.zero_sector(&path, random.index(sectors));
            "sector zeroed"
        }
        3 => {
            let at = random.index(len);
            disk.rot(&path, |bytes| bytes.truncate(at));
            "file truncated"
        }
        4 => {
            // The right bytes in the wrong place.
            let (from, to) = (random.index(sectors), random.index(sectors));
            disk.rot(&path, |bytes| {
                let sector: Vec<u8> = bytes.chunks(SECTOR).nth(from).unwrap_or_default().to_vec();
                if let Some(target) = bytes.chunks_mut(SECTOR).nth(to) {
                    let n = target.len().min(sector.len());
                    target[..n].copy_from_slice(&sector[..n]);
                }
            });
            "misdirected write"
        }
        _ => {
            disk.lose(&path);
            "file missing"
        }
    };
    Some((kind, path))
}
