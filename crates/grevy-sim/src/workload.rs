//! What clients ask for: a small world of paths, so that everything meets everything.

use crate::ensemble::Ensemble;
use crate::operation::{AclEntry, CreateCall, CreateOp, Operation, ReadKind};
use crate::options::{Options, Quotas};
use crate::random::Random;

/// What servers of an ensemble set by themselves.
pub const CONFIG: &str = "/zookeeper/config";

/// Whoever may change the ensemble.
pub const OPERATOR: &str = "super:super";
/// The same, as servers know it.
pub const OPERATOR_DIGEST: &str = "super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=";

const USERS: [&str; 3] = ["ann:secret", "bob:hidden", "eve:none"];

/// A change of the ensemble: somebody leaves, comes back, or gets another role.
pub fn reconfigure(random: &mut Random, options: &Options) -> Operation {
    let server = random.index(options.servers());
    match random.one_in(3) {
        true => Operation::Reconfig {
            joining: None,
            leaving: Some((server + 1).to_string()),
        },
        false => Operation::Reconfig {
            joining: Some(Ensemble::line(server, random.one_in(4))),
            leaving: None,
        },
    }
}

/// Znodes that only plain requests touch.
const REGISTERS: [&str; 3] = ["/register-0", "/register-1", "/register-2"];

/// Whether a path is that of a register.
pub fn is_register(path: &str) -> bool {
    REGISTERS.contains(&path)
}

/// A request of a register.
fn of_register(r: &mut Random) -> Operation {
    let path = (*r.pick(&REGISTERS)).to_owned();
    let data = Some(r.bytes(8));
    let version = match r.one_in(2) {
        true => -1,
        false => r.below(6) as i32,
    };
    match r.weighted(&[3, 1, 6, 6]) {
        0 => create_open(path, data),
        1 => Operation::Delete { path, version },
        2 => Operation::SetData {
            path,
            data,
            version,
        },
        _ => Operation::Read {
            kind: ReadKind::Data,
            path,
            watch: false,
        },
    }
}

/// Of a plain znode, with which everybody may do everything.
fn create_open(path: String, data: Option<Vec<u8>>) -> Operation {
    Operation::Create(CreateOp {
        op: CreateCall::Create,
        path,
        data,
        acl: vec![(31, "world".to_owned(), "anyone".to_owned())],
        flags: 0,
        ttl: 0,
    })
}

/// One request.
pub fn draw(random: &mut Random, options: &Options, users: &[String]) -> Operation {
    let r = random;
    let quotas = match options.quotas {
        Quotas::None => 0,
        Quotas::Counted | Quotas::Enforced => 5,
    };
    match r.weighted(&[
        22, 8, 14, 4, 10, 4, 26, 3, 2, 2, 4, 5, 2, 2, 2, 1, 12, quotas,
    ]) {
        16 => of_register(r),
        17 => of_quota(r),
        0 => create(r, options),
        1 => delete(r),
        2 => set_data(r),
        3 => Operation::SetAcl {
            path: path(r),
            acl: acl(r),
            version: version(r),
        },
        4 => {
            let len = r.below(5);
            Operation::Multi((0..len).map(|_| part(r, options)).collect())
        }
        5 => Operation::Sync(path(r)),
        // In an ensemble no transaction says when its time was set.
        6 if options.ensemble.is_none() && r.one_in(50) => Operation::Read {
            kind: read_kind(r),
            path: CONFIG.to_owned(),
            watch: r.one_in(2),
        },
        6 => Operation::Read {
            kind: read_kind(r),
            path: path(r),
            watch: r.one_in(2),
        },
        7 => Operation::GetAcl(path(r)),
        8 => Operation::GetEphemerals(r.pick(&["/", "/a", "", "/b/"]).to_string()),
        9 => Operation::CountDescendants(path(r)),
        10 => {
            let len = r.below(5);
            let kinds = [ReadKind::Data, ReadKind::Children];
            Operation::MultiRead((0..len).map(|_| (*r.pick(&kinds), path(r))).collect())
        }
        11 => Operation::AddWatch {
            path: path(r),
            mode: r.below(2) as i32,
        },
        12 => Operation::WatchOf {
            remove: r.one_in(2),
            path: path(r),
            kind: r.between(1, 5) as i32,
        },
        13 => Operation::WhoAmI,
        14 if users.len() < 2 => Operation::Auth(r.pick(&USERS).to_string()),
        15 if r.one_in(10) => Operation::CloseSession,
        _ => Operation::Ping,
    }
}

/// What has a quota now and then; none of these is below another, as a znode counts for the
/// nearest one only, but for all if usage is counted anew.
const SUBJECTS: [&str; 3] = ["/a", "/b", "/c/x"];

/// A request of a quota. Its two znodes come and go together: what is there and not limited is
/// not counted.
fn of_quota(r: &mut Random) -> Operation {
    let place = format!("/zookeeper/quota{}", r.pick(&SUBJECTS));
    let (limits, usage) = (
        format!("{place}/zookeeper_limits"),
        format!("{place}/zookeeper_stats"),
    );
    let delete = |path| Operation::Delete { path, version: -1 };
    match r.weighted(&[4, 4, 2, 3, 1, 4]) {
        0 if r.one_in(4) => create_open("/zookeeper/quota/c".to_owned(), None),
        0 => create_open(place, None),
        1 => Operation::Multi(vec![
            create_open(limits, Some(limit(r))),
            create_open(usage, None),
        ]),
        2 => Operation::Multi(vec![delete(usage), delete(limits)]),
        3 => Operation::SetData {
            path: limits,
            data: Some(limit(r)),
            version: version(r),
        },
        4 => delete(place),
        _ => Operation::Read {
            kind: read_kind(r),
            path: r.pick(&[limits, usage]).clone(),
            watch: r.one_in(2),
        },
    }
}

fn limit(r: &mut Random) -> Vec<u8> {
    let count = r.between(1, 10);
    let bytes = *r.pick(&[30, 300, 3_000]);
    let text = match r.below(5) {
        0 => format!("count={count},bytes={bytes}"),
        1 => format!("count=-1,bytes=-1=;countHardLimit={count}"),
        2 => format!("count=-1,bytes=-1=;byteHardLimit={bytes}"),
        3 => format!("count={count},bytes={bytes}=;byteHardLimit={bytes};countHardLimit={count}"),
        _ => "countHardLimit=,what".to_owned(),
    };
    text.into_bytes()
}

fn part(r: &mut Random, options: &Options) -> Operation {
    match r.weighted(&[5, 2, 4, 2]) {
        0 => match create(r, options) {
            // A multi cannot carry these modes outside of createTTL.
            Operation::Create(create) if create.op != CreateCall::Ttl && create.flags > 4 => {
                set_data(r)
            }
            create => create,
        },
        1 => delete(r),
        2 => set_data(r),
        _ => Operation::Check {
            path: path(r),
            version: version(r),
        },
    }
}

fn create(r: &mut Random, options: &Options) -> Operation {
    let op = match r.weighted(&[8, 6, 2, 2]) {
        0 => CreateCall::Create,
        1 => CreateCall::Create2,
        2 => CreateCall::Container,
        _ => CreateCall::Ttl,
    };
    let flags = match op {
        CreateCall::Create | CreateCall::Create2 => *r.pick(&[0, 0, 1, 1, 2, 3, 3]),
        CreateCall::Container => 4,
        CreateCall::Ttl => *r.pick(&[5, 6]),
    };
    let ttl = match r.one_in(20) {
        true => 0,
        false => r.between(1, 2_000) as i64,
    };
    let mut path = path(r);
    if options.first_sequence != 0 && r.one_in(3) {
        path = "/busy/n-".to_owned();
    } else if [2, 3, 6].contains(&flags) && r.one_in(2) {
        path.push_str("/s-");
    }
    Operation::Create(CreateOp {
        op,
        path,
        data: data(r),
        acl: acl(r),
        flags,
        ttl,
    })
}

fn delete(r: &mut Random) -> Operation {
    Operation::Delete {
        path: path(r),
        version: version(r),
    }
}

fn set_data(r: &mut Random) -> Operation {
    Operation::SetData {
        path: path(r),
        data: data(r),
        version: version(r),
    }
}

fn read_kind(r: &mut Random) -> ReadKind {
    *r.pick(&[
        ReadKind::Exists,
        ReadKind::Data,
        ReadKind::Children,
        ReadKind::Children2,
    ])
}

fn path(r: &mut Random) -> String {
    match r.weighted(&[30, 20, 6, 1, 1, 2]) {
        0 => format!("/{}", r.pick(&["a", "b", "c", "d"])),
        1 => format!("/{}/{}", r.pick(&["a", "b", "c"]), r.pick(&["x", "y", "z"])),
        2 => format!("/a/x/{}", r.pick(&["1", "2"])),
        3 => "/".to_owned(),
        4 => r.pick(&["/zookeeper", "/zookeeper/quota"]).to_string(),
        _ => format!("/a/s-{:010}", r.below(20)),
    }
}

fn version(r: &mut Random) -> i32 {
    match r.weighted(&[5, 4, 1]) {
        0 => -1,
        1 => r.below(4) as i32,
        _ => *r.pick(&[i32::MAX, -2, i32::MIN]),
    }
}

fn data(r: &mut Random) -> Option<Vec<u8>> {
    match r.weighted(&[2, 2, 8, 1, 1]) {
        0 => None,
        1 => Some(Vec::new()),
        2 => {
            let len = r.below(20) as usize;
            Some(r.bytes(len))
        }
        3 => {
            let len = r.below(700) as usize;
            Some(r.bytes(len))
        }
        _ => {
            let len = r.below(4000) as usize;
            Some(r.bytes(len))
        }
    }
}

/// Mostly open; sometimes only for somebody, or not valid.
fn acl(r: &mut Random) -> Vec<AclEntry> {
    let entry = |perms: i32, scheme: &str, id: &str| (perms, scheme.to_owned(), id.to_owned());
    let open = entry(31, "world", "anyone");
    let digest = grevy_node::auth::digest(USERS[r.index(2)]);
    match r.weighted(&[30, 3, 3, 2, 1, 1, 1]) {
        0 => vec![open],
        1 => vec![entry(1 + r.below(31) as i32, "world", "anyone")],
        2 => vec![entry(31, "digest", &digest), entry(1, "world", "anyone")],
        3 => vec![entry(31, "auth", "")],
        4 => vec![entry(31, "digest", &digest)],
        5 => Vec::new(),
        _ => vec![open.clone(), entry(31, "nonsense", "x"), open],
    }
}
