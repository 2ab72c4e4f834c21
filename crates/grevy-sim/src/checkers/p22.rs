//! P22: zxids have no holes: within an epoch each is the one before plus one, and an epoch begins
//! with 1; in every log and in the committed history. P23: a log holds, under a zxid, what was
//! committed under it.

use super::Case;
use crate::history::OnDisk;
use crate::world::Context;
use std::collections::BTreeMap;

fn follows(last: i64, next: i64) -> bool {
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

/// Logs, as they stood on the disk.
pub fn check_files(ctx: &mut Context, records: Vec<OnDisk>) {
    let committed: BTreeMap<i64, &[u8]> = ctx
        .history
        .committed
        .iter()
        .map(|c| (c.zxid, c.entry.as_slice()))
        .collect();
    let mut found = Vec::new();
    let mut last: Option<(&str, i64)> = None;
    for record in &records {
        ctx.counts.check("P23");
        let before = last.filter(|(file, _)| *file == record.file);
        if let Some((_, zxid)) = before
            && !follows(zxid, record.zxid)
        {
            let what = format!("{}: {:x} stands behind {zxid:x}", record.file, record.zxid);
            found.push(("P22", what));
        }
        last = Some((&record.file, record.zxid));
        if let Some(&entry) = committed.get(&record.zxid)
            && entry != record.entry
        {
            let what = format!(
                "{}: {:x} is not what was committed",
                record.file, record.zxid
            );
            found.push(("P23", what));
        }
    }
    for (property, what) in found {
        ctx.history.violate(property, what);
    }
}
