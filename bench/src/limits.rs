//! What the kernel allows this process, and the servers that inherit it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that 10,000 connections need, with room to spare.
const WANTED: u64 = 65_536;

/// Raises the limit of open files as far as allowed; returns what it is now.
pub fn raise_open_files() -> u64 {
    let now = getrlimit(Resource::Nofile);
    // The superuser may go beyond the hard limit; everybody else up to it.
    let hard = now.maximum.unwrap_or(u64::MAX);
    let attempts = [WANTED.max(hard), hard];
    for limit in attempts {
        let wanted = Rlimit {
            current: Some(limit.min(WANTED)),
            maximum: Some(limit),
        };
        if setrlimit(Resource::Nofile, wanted).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
