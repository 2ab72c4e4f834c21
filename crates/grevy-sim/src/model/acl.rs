//! Permissions, as far as the workload goes: `world`, `digest`, `ip` of one address, `auth`.

use crate::operation::AclEntry;

/// READ
pub const READ: i32 = 1;
/// WRITE
pub const WRITE: i32 = 2;
/// CREATE
pub const CREATE: i32 = 4;
/// DELETE
pub const DELETE: i32 = 8;
/// ADMIN
pub const ADMIN: i32 = 16;

/// An identity: scheme and id.
pub type Identity = (String, String);

/// Whether somebody with `ids` has one of the permissions `perm` by the list `acl`.
pub fn permits(acl: &[AclEntry], perm: i32, ids: &[Identity]) -> bool {
    if acl.is_empty() || ids.iter().any(|(scheme, _)| scheme == "super") {
        return true;
    }
    acl.iter().any(|(perms, scheme, id)| {
        perms & perm != 0
            && ((scheme == "world" && id == "anyone")
                || ids.iter().any(|(s, i)| (s, i) == (scheme, id)))
    })
}

/// The list that a znode gets when a client with `ids` asks for `acl`.
pub fn fixed(acl: &[AclEntry], ids: &[Identity]) -> Option<Vec<AclEntry>> {
    let mut unique: Vec<&AclEntry> = Vec::new();
    for entry in acl {
        if !unique.contains(&entry) {
            unique.push(entry);
        }
    }
    let mut fixed = Vec::new();
    for entry in unique {
        let (perms, scheme, id) = entry;
        match &**scheme {
            "world" if id == "anyone" => fixed.push(entry.clone()),
            "digest" if id.matches(':').count() == 1 => fixed.push(entry.clone()),
            "ip" => fixed.push(entry.clone()),
            "auth" => {
                let mine = ids.iter().filter(|(scheme, _)| scheme == "digest");
                let before = fixed.len();
                fixed.extend(mine.map(|(scheme, id)| (*perms, scheme.clone(), id.clone())));
                if fixed.len() == before {
                    return None;
                }
            }
            _ => return None,
        }
    }
    (!fixed.is_empty()).then_some(fixed)
}

/// What getACL shows to whoever may read but has no ADMIN.
pub fn masked(acl: &[AclEntry]) -> Vec<AclEntry> {
    let mask = |(perms, scheme, id): &AclEntry| {
        let id = match (&**scheme, id.split_once(':')) {
            ("digest", Some((user, _))) => format!("{user}:x"),
            _ => id.clone(),
        };
        (*perms, scheme.clone(), id)
    };
    acl.iter().map(mask).collect()
}
