//! `grevy verify`: whether a server could start from its files, and whether all of them are sound.

use super::replay::Replay;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use clap::Args;
use grevy_proto::txn::TxnEntry;
use grevy_proto::{Decode, Zxid};
use grevy_storage::log::{LogReader, MAX_ENTRY, Step, follows};
use grevy_storage::recovery::{Note, Start};
use grevy_storage::snapshot::{self, Candidate, DigestValue, SnapshotError};
use grevy_storage::{Dirs, Disk, OpenOptions, RealDisk, Recover, Recovered, RecoveryError};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which directories.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy verify /var/lib/zookeeper
  grevy verify /var/lib/zookeeper /var/log/zookeeper

Every snapshot and log is read to its end: checksums, structure, the order of zxids, and the digests
of the tree where the files have them. Then the history is brought back as a server would, without
changing anything. A server may be running on the directories meanwhile.

Exit codes: 0 if all is sound, 1 if something is damaged, 2 if the directories cannot be read.")]
pub struct Arguments {
    /// dataDir of zoo.cfg, or its version-2.
    #[arg(value_name = "DATADIR")]
    data: PathBuf,
    /// dataLogDir, if it is another.
    #[arg(value_name = "LOGDIR")]
    log: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Something about a file.
struct Finding {
    level: Level,
    file: PathBuf,
    offset: Option<u64>,
    what: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Sound,
    Note,
    Damaged,
}

/// Looks at everything, and tells.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let dirs = Dirs {
        data: configured(&arguments.data),
        log: configured(arguments.log.as_ref().unwrap_or(&arguments.data)),
    };
    // A wrong path is a wrong argument, and not a history that has vanished.
    let names = RealDisk.list(&dirs.snapshots())?;
    RealDisk.list(&dirs.logs())?;
    let mut replay = Replay::default();
    // What a server accepts is up to its settings.
    let mut options = OpenOptions::default();
    options.log.max_entry = usize::MAX;
    let recovered = grevy_storage::examine(Arc::new(RealDisk), &dirs, &options, &mut replay);
    let mut findings = Vec::new();
    judge_start(&dirs, &recovered, &mut replay, &mut findings)?;
    drop(replay);
    for candidate in snapshot::candidates(&names) {
        let mut longest = 0;
        let finding = check_snapshot(&dirs.snapshots(), &candidate, &mut longest)?;
        let file = finding.file.clone();
        add(&mut findings, finding);
        findings.extend(judge_length(&file, None, "data", longest));
    }
    let mut last = None;
    for (_, path) in super::logs(&dirs.logs())? {
        let mut longest = (0, 0);
        let finding = check_log(&path, &mut last, &mut longest)?;
        add(&mut findings, finding);
        let (offset, len) = longest;
        findings.extend(judge_length(&path, Some(offset), "a transaction", len));
    }
    let sound = findings
        .iter()
        .all(|finding| finding.level != Level::Damaged);
    for finding in &findings {
        finding.write(arguments.output.is_json(), out)?;
    }
    write_verdict(arguments, sound, recovered.as_ref().ok(), out)?;
    Ok(if sound { Exit::Done } else { Exit::Finding })
}

/// The directory as `zoo.cfg` names it.
fn configured(dir: &Path) -> PathBuf {
    match (dir.file_name(), dir.parent()) {
        (Some(name), Some(parent)) if name == super::VERSION => parent.to_owned(),
        _ => dir.to_owned(),
    }
}

/// What recovery has said of a file counts more than what the file alone looks like.
fn add(findings: &mut Vec<Finding>, finding: Finding) {
    let known = |old: &Finding| old.level != Level::Sound && old.file == finding.file;
    if finding.level == Level::Sound || !findings.iter().any(known) {
        findings.push(finding);
    }
}

fn judge_start(
    dirs: &Dirs,
    recovered: &Result<Recovered, RecoveryError>,
    replay: &mut Replay,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let recovered = match recovered {
        Ok(recovered) => recovered,
        Err(error) => {
            let (file, offset, what) = match error {
                RecoveryError::Log { path, offset, what } => {
                    (path.clone(), Some(*offset), what.to_string())
                }
                error => (dirs.snapshots(), None, error.to_string()),
            };
            findings.push(damaged(file, offset, what));
            return Ok(());
        }
    };
    for note in &recovered.notes {
        let (file, offset) = place_of(note, dirs);
        findings.push(Finding {
            level: match note {
                Note::SnapshotSkipped { path, .. } if is_finished(path)? => Level::Damaged,
                _ => Level::Note,
            },
            file,
            offset,
            what: format!("when a server starts: {note}"),
        });
    }
    if let Some(zxid) = replay.differs_since() {
        let what = format!(
            "the state rebuilt from these files differs since transaction {zxid} from the one \
             that the log tells of; compare it with another server's"
        );
        findings.push(damaged(dirs.logs(), None, what));
    }
    for path in replay
        .tree()
        .map(|tree| tree.finish_recovery())
        .into_iter()
        .flatten()
    {
        let what = format!("{path} has an access control list that no file holds");
        findings.push(damaged(dirs.snapshots(), None, what));
    }
    Ok(())
}

/// A crash may leave a snapshot that is not; servers pass it over, and nothing is lost by that.
fn is_finished(snapshot: &Path) -> Result<bool, Failure> {
    let compression = super::compression(snapshot);
    Ok(snapshot::looks_whole(&RealDisk, snapshot, compression)?)
}

fn place_of(note: &Note, dirs: &Dirs) -> (PathBuf, Option<u64>) {
    match note {
        Note::SnapshotSkipped { path, .. }
        | Note::LogRemoved { path }
        | Note::LeftoverRemoved { path }
        | Note::Ignored { path } => (path.clone(), None),
        Note::TailCut { path, offset, .. }
        | Note::TornBeforeNext { path, offset, .. }
        | Note::CutByJava { path, offset } => (path.clone(), Some(*offset)),
        Note::EpochRaised { .. } => (dirs.snapshots(), None),
        Note::WithoutMark => (dirs.logs(), None),
    }
}

/// `longest`: how many bytes of data a znode of it has at most.
fn check_snapshot(
    dir: &Path,
    candidate: &Candidate,
    longest: &mut usize,
) -> Result<Finding, Failure> {
    let file = dir.join(&candidate.name);
    if !is_finished(&file)? {
        return Ok(Finding {
            level: Level::Note,
            file,
            offset: None,
            what: "writing it did not come to its end; servers pass it over".to_owned(),
        });
    }
    let mut replay = Replay::default();
    replay.begin(Some(candidate.zxid));
    let sink = &mut |chunk: &[u8]| replay.snapshot_chunk(chunk);
    let info = match snapshot::read(&RealDisk, &file, candidate.compression, sink) {
        Ok(info) => info,
        Err(SnapshotError::Disk(error)) => return Err(error.into()),
        Err(error) => return Ok(damaged(file, None, error.to_string())),
    };
    let (znodes, digest) = replay.tree().map_or((0, 0), |tree| {
        let lengths = tree
            .znodes()
            .map(|znode| znode.data().map_or(0, <[u8]>::len));
        *longest = lengths.max().unwrap_or(0);
        (tree.znodes().count(), tree.digest())
    });
    // An empty server's snapshot names no digest. Behind a fuzzy snapshot's name stands the log.
    let told = info.digest.filter(|digest| digest.zxid == candidate.zxid);
    if let Some(DigestValue::Number(told)) = told.map(|digest| digest.value)
        && candidate.zxid != Zxid::ZERO
        && told != digest
    {
        let what = format!("its znodes have the digest {digest}, but it says {told}");
        return Ok(damaged(file, None, what));
    }
    Ok(Finding {
        level: Level::Sound,
        file,
        offset: None,
        what: format!("{znodes} znodes"),
    })
}

/// Not every server takes what is so long: `len` bytes of something, the longest in the file.
fn judge_length(file: &Path, offset: Option<u64>, what: &str, len: usize) -> Option<Finding> {
    (len > MAX_ENTRY).then(|| Finding {
        level: Level::Note,
        file: file.to_owned(),
        offset,
        what: format!(
            "it has {what} of {len} bytes: a server starts only if jute.maxbuffer and \
             jute.maxbuffer.extrasize together allow that; not set, they allow {MAX_ENTRY}"
        ),
    })
}

/// `last`: the last transaction of the logs before, which this one has to follow. `longest`: where
/// the longest transaction here stands, and its length in bytes.
fn check_log(
    file: &Path,
    last: &mut Option<Zxid>,
    longest: &mut (u64, usize),
) -> Result<Finding, Failure> {
    let mut reader = LogReader::open(&RealDisk, file)?;
    let mut txns = 0_u64;
    let path = file.to_owned();
    loop {
        let record = match reader.read()? {
            Step::Record(record) => record,
            Step::End(ending) => {
                return Ok(match ending.flaw {
                    Some(flaw) => damaged(path, Some(ending.offset), flaw.to_string()),
                    None => Finding {
                        level: Level::Sound,
                        file: path,
                        offset: None,
                        what: format!("{txns} transactions"),
                    },
                });
            }
        };
        let next = record.zxid;
        if record.entry.len() > longest.1 {
            *longest = (record.offset, record.entry.len());
        }
        if let Some(last) = *last
            && !follows(last, next)
        {
            let what = match next > last {
                true => format!("transactions are missing between {last} and {next}"),
                false => format!("transaction {next} stands behind {last}"),
            };
            return Ok(damaged(path, Some(record.offset), what));
        }
        if let Err(error) = TxnEntry::from_bytes(record.entry) {
            let what = format!("transaction {next} cannot be understood: {error}");
            return Ok(damaged(path, Some(record.offset), what));
        }
        *last = Some(next);
        txns += 1;
    }
}

fn damaged(file: PathBuf, offset: Option<u64>, what: String) -> Finding {
    Finding {
        level: Level::Damaged,
        file,
        offset,
        what,
    }
}

impl Finding {
    fn write(&self, is_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let level = match self.level {
            Level::Sound => "sound",
            Level::Note => "note",
            Level::Damaged => "damaged",
        };
        let file = self.file.display();
        if is_json {
            let object = json!({
                "type": level, "file": file.to_string(), "offset": self.offset, "what": self.what,
            });
            output::line(out, &object)?;
            return Ok(());
        }
        let offset = match self.offset {
            Some(offset) => format!(" at offset {offset}"),
            None => String::new(),
        };
        writeln!(out, "{level:<8} {file}{offset}: {}", self.what)?;
        Ok(())
    }
}

fn write_verdict(
    arguments: &Arguments,
    sound: bool,
    recovered: Option<&Recovered>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if arguments.output.is_json() {
        let start = recovered.map(|recovered| {
            json!({
                "zxid": recovered.start.zxid().to_string(), "transactions": recovered.txns,
                "snapshot": snapshot_of(recovered),
            })
        });
        output::line(
            out,
            &json!({"type": "verdict", "sound": sound, "start": start}),
        )?;
        return Ok(());
    }
    match recovered {
        None => writeln!(out, "A server would refuse to start.")?,
        Some(recovered) => match (&recovered.start, snapshot_of(recovered)) {
            (Start::Unknown, _) => writeln!(out, "There is no data.")?,
            (Start::Empty, _) => writeln!(out, "There is no data; a server would begin anew.")?,
            (start, snapshot) => writeln!(
                out,
                "A server would start at zxid {}, from {} and {} transactions behind it.",
                start.zxid(),
                snapshot.as_deref().unwrap_or("nothing"),
                recovered.txns
            )?,
        },
    }
    Ok(())
}

fn snapshot_of(recovered: &Recovered) -> Option<String> {
    match &recovered.start {
        Start::History { snapshot, .. } => snapshot
            .as_ref()
            .map(|(path, ..)| path.display().to_string()),
        Start::Empty | Start::Unknown => None,
    }
}
