//! P22: zxids have no holes: within an epoch each is the one before plus one, and an epoch begins
//! with 1; in every log and in the committed history. P23: a log holds, under a zxid, what was
//! committed under it.

use super::Case;
use crate::model::log_file::Record;
use crate::world::Context;

/// Whether one zxid may come right behind another.
pub fn follows(last: i64, next: i64) -> bool {
    let (epoch, counter) = (next >> 32, next & 0xffff_ffff);
    next == last + 1 && counter != 0 || epoch > last >> 32 && counter == 1
}

/// The committed history.
pub fn check(case: &mut Case<'_>) {
    let mut last = case.history.base;
    let mut found = Vec::new();
    for (committed, entry) in case.history.committed.iter().zip(&case.entries) {
        case.counts.check("P22");
        if committed.zxid != entry.zxid || !follows(last, entry.zxid) {
            found.push(format!("{:x} follows {last:x}", entry.zxid));
        }
        last = entry.zxid;
    }
    found.into_iter().for_each(|what| case.violate("P22", what));
}

/// A log, as it stood on the disk.
pub fn check_file(ctx: &mut Context, file: &str, records: &[Record]) {
    let mut found = Vec::new();
    let mut last: Option<i64> = None;
    for record in records {
        ctx.counts.check("P23");
        if let Some(last) = last
            && !follows(last, record.zxid)
        {
            let what = format!("{file}: {:x} stands behind {last:x}", record.zxid);
            found.push(("P22", what));
        }
        last = Some(record.zxid);
        let committed = ctx.history.entry(record.zxid);
        if committed.is_some_and(|entry| **entry != record.entry[..]) {
            let what = format!("{file}: {:x} is not what was committed", record.zxid);
            found.push(("P23", what));
        }
    }
    for (property, what) in found {
        ctx.history.violate(property, what);
    }
}
