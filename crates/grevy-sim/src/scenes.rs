//! Scenes of ensembles: how a server comes to stand for a history that it no longer has, and
//! what has to come of it. In some of them ZooKeeper has lost what it had acknowledged.

mod pauses;
mod removal;

pub use pauses::{counter_runs_out, rolling_restart};
pub use removal::{change_interrupted, leader_removed};

use crate::ensemble::Ensemble;
use crate::model::log_file;
use crate::options::{Faults, Options, Quotas};
use crate::planted::Bug;
use crate::run::{Outcome, play};
use crate::server::log_name;
use crate::world::World;
use grevy_storage::DiskOp;
use grevy_storage::testing::Fault;
use std::path::PathBuf;
use std::time::Duration;

/// What becomes of the disk of a server that was part of every quorum so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing is left of it.
    Emptied,
    /// The same, and a new server may not take itself for new.
    EmptiedAndKnown,
    /// The length of a record that was acknowledged reads as zero.
    ZeroedLength,
    /// The newest log is gone.
    LogMissing,
    /// A sync of the log fails, and what it covered is lost without another word.
    FailedSync,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Emptied,
        Self::EmptiedAndKnown,
        Self::ZeroedLength,
        Self::LogMissing,
        Self::FailedSync,
    ];
}

/// Three servers without any faults but those of a scene.
fn options(seed: u64, bug: Option<Bug>) -> Options {
    let drawn = Options::ensemble(seed);
    Options {
        ensemble: Some(Ensemble {
            voters: 3,
            observers: 0,
            grouped: false,
            init_ticks: 10,
            sync_ticks: 5,
            commit_log: 500,
            always_snapshot: false,
            read_log: true,
            reconfig: true,
            changes: false,
            create_db: true,
            last_counter: u32::MAX - 1,
            local_sessions: false,
            upgrades: false,
            masters: false,
            read_only: 0,
            eager_acl_check: false,
        }),
        tick: Duration::from_millis(200),
        clients: 4,
        think: 60_000,
        depth: 3,
        requests: 600,
        sync_time: 500,
        first_zxid: 0,
        first_sequence: 0,
        faults: Faults::NONE,
        quotas: Quotas::None,
        bug,
        ..drawn
    }
}

/// One server lags behind; another, that has everything, stops; and the third, without which
/// nothing could have been decided meanwhile, comes up with damage. The two that are up must not
/// go on without what they cannot have.
pub fn lagging_and_damaged(seed: u64, loss: Loss, bug: Option<Bug>) -> Outcome {
    let mut options = options(seed, bug);
    if let Some(ensemble) = &mut options.ensemble {
        ensemble.create_db = loss != Loss::EmptiedAndKnown;
    }
    play(options, |world| {
        let (whole, damaged, lagging) = (0, 1, 2);
        world.run_for(Duration::from_secs(2));
        stop(world, lagging);
        world.run_for(Duration::from_secs(2));
        if loss == Loss::FailedSync {
            fail_sync(world, damaged);
        }
        world.run_for(Duration::from_secs(1));
        stop(world, whole);
        world.servers[damaged].stays_down = true;
        world.servers[damaged].kill(&mut world.ctx);
        damage(world, damaged, loss);
        for server in [damaged, lagging] {
            restart(world, server);
        }
        world.run_for(Duration::from_secs(8));
        world.end();
    })
}

fn stop(world: &mut World, server: usize) {
    world.servers[server].stays_down = true;
    world.servers[server].cut_power(&mut world.ctx);
}

fn restart(world: &mut World, server: usize) {
    world.servers[server].stays_down = false;
    world.servers[server].start(&mut world.ctx);
}

fn fail_sync(world: &mut World, server: usize) {
    let server = &mut world.servers[server];
    server.faulted = true;
    if let Some(log) = newest_log(server) {
        server.disk.fail(DiskOp::Sync, log, 0, Fault::Dropped);
    }
}

fn newest_log(server: &crate::server::Server) -> Option<PathBuf> {
    let files = server.disk.files();
    let logs = files.into_iter().map(|(path, _)| path);
    let logs = logs.filter(|path| log_name(path).is_some());
    logs.max_by_key(|path| log_name(path))
}

fn damage(world: &mut World, server: usize, loss: Loss) {
    let World { ctx, servers, .. } = world;
    let server = &mut servers[server];
    match loss {
        Loss::Emptied | Loss::EmptiedAndKnown => server.empty_disk(ctx),
        Loss::FailedSync => {}
        Loss::ZeroedLength | Loss::LogMissing => {
            let Some(path) = newest_log(server) else {
                return;
            };
            let kind = match loss {
                Loss::LogMissing => {
                    server.disk.lose(&path);
                    "file missing"
                }
                _ => {
                    server.disk.rot(&path, |bytes| {
                        let (records, _) = log_file::records(bytes);
                        if let Some(record) = records.get(records.len() / 2) {
                            let length = record.offset + 8;
                            bytes[length..length + 4].fill(0);
                        }
                    });
                    "zeroed length"
                }
            };
            server.mark_rotten(kind, path);
        }
    }
}
