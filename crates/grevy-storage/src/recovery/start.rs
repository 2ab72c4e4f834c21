//! The order of a recovery.

use super::repair::repair;
use super::replay::{Logs, Replayed};
use super::{Note, Recover, Recovered, RecoveryError, Rejected, Start};
use crate::disk::{Disk, DiskError, OpenMode};
use crate::epochs::{self, EpochFile, Epochs, Stored};
use crate::log::{Log, Resume};
use crate::mark::{self, End, MARK_FILE, MARK_TEMPORARY, Mark, MarkFound};
use crate::names::Name;
use crate::snapshot::{self, Candidate, Fed, Looks, SnapshotInfo};
use crate::store::OpenOptions;
use grevy_proto::{Epoch, Zxid};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the files are, and how to treat them.
pub(crate) struct Place<'a> {
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) snapshots: &'a Path,
    pub(crate) logs: &'a Path,
    /// The marker file that lets an empty server begin exists.
    pub(crate) initialize: bool,
    pub(crate) options: &'a OpenOptions,
}

/// What the directories hold, before any log or snapshot is read.
struct Survey {
    candidates: Vec<Candidate>,
    logs: Vec<Zxid>,
    mark: Option<Mark>,
    ends: Vec<End>,
    accepted: Option<Stored>,
    current: Option<Stored>,
    leftovers: Vec<PathBuf>,
    notes: Vec<Note>,
}

/// A snapshot with what was replayed on it.
struct History {
    snapshot: Option<(PathBuf, Zxid, SnapshotInfo)>,
    replayed: Replayed,
    /// The zxid of the newest snapshot that had been whole but does not load, and its file.
    passed_over: Option<(Zxid, PathBuf)>,
    /// Snapshots that were not even tried, with what is wrong.
    unfit: Vec<(PathBuf, String)>,
}

/// Brings back the history and leaves the directories ready for writing.
pub(crate) fn recover(
    place: &Place<'_>,
    visitor: &mut dyn Recover,
) -> Result<(Log, Epochs, Recovered), RecoveryError> {
    let judged = place.judged(visitor)?;
    // All is well; from here on the disk is changed.
    place.settle(&judged.survey, &judged.history)?;
    let (log, epochs) = place.resume(&judged)?;
    Ok((log, epochs, judged.recovered()))
}

/// Brings back the history and leaves the directories as they are.
pub(crate) fn examine(
    place: &Place<'_>,
    visitor: &mut dyn Recover,
) -> Result<Recovered, RecoveryError> {
    Ok(place.judged(visitor)?.recovered())
}

/// A history that a server may start from.
struct Judged {
    survey: Survey,
    history: History,
    start: Start,
    accepted: Epoch,
    current: Epoch,
}

impl Judged {
    fn recovered(self) -> Recovered {
        let mut notes = self.survey.notes;
        notes.extend(self.history.replayed.notes);
        Recovered {
            is_new: false,
            start: self.start,
            txns: self.history.replayed.txns,
            notes,
        }
    }
}

impl Place<'_> {
    fn judged(&self, visitor: &mut dyn Recover) -> Result<Judged, RecoveryError> {
        let mut survey = self.survey()?;
        let history = self.read_history(&mut survey, visitor)?;
        let start = self.judge(&survey, &history)?;
        let (accepted, current) = self.check_epochs(&mut survey, &start)?;
        Ok(Judged {
            survey,
            history,
            start,
            accepted,
            current,
        })
    }

    fn survey(&self) -> Result<Survey, RecoveryError> {
        let disk = &**self.disk;
        let in_snapshots = disk.list(self.snapshots)?;
        let in_logs = disk.list(self.logs)?;
        self.check_not_mixed_up(&in_snapshots, &in_logs)?;
        let mut survey = Survey {
            candidates: snapshot::candidates(&in_snapshots),
            logs: Vec::new(),
            mark: None,
            ends: Vec::new(),
            accepted: epochs::read(disk, self.snapshots, EpochFile::Accepted)?,
            current: epochs::read(disk, self.snapshots, EpochFile::Current)?,
            leftovers: Vec::new(),
            notes: Vec::new(),
        };
        for name in &in_logs {
            match Name::parse(name) {
                Name::Log(zxid) => survey.logs.push(zxid),
                _ if name == MARK_TEMPORARY => survey.discard(self.logs.join(name)),
                Name::Odd => survey.ignore(self.logs.join(name)),
                _ => {}
            }
        }
        survey.logs.sort_unstable();
        for name in &in_snapshots {
            if snapshot::is_leftover(name) {
                survey.discard(self.snapshots.join(name));
            } else if self.snapshots != self.logs && Name::parse(name) == Name::Odd {
                survey.ignore(self.snapshots.join(name));
            }
        }
        self.read_mark(&mut survey)?;
        Ok(survey)
    }

    fn check_not_mixed_up(
        &self,
        in_snapshots: &[String],
        in_logs: &[String],
    ) -> Result<(), RecoveryError> {
        if self.snapshots == self.logs {
            return Ok(());
        }
        let logs = in_snapshots.iter().filter(|name| name.starts_with("log."));
        let snapshots = in_logs.iter().filter(|name| name.starts_with("snapshot."));
        let wrong = logs
            .map(|name| self.snapshots.join(name))
            .chain(snapshots.map(|name| self.logs.join(name)))
            .next();
        match wrong {
            Some(path) => Err(RecoveryError::MixedUp { path }),
            None => Ok(()),
        }
    }

    fn read_mark(&self, survey: &mut Survey) -> Result<(), RecoveryError> {
        let path = self.logs.join(MARK_FILE);
        let promised = [survey.accepted, survey.current]
            .into_iter()
            .flatten()
            .any(|stored| stored.marked == Some(true));
        let missing = match mark::read(&**self.disk, self.logs)? {
            MarkFound::Whole(mark, ends) => {
                survey.mark = Some(mark);
                survey.ends = ends;
                return self.check_epochs_present(survey);
            }
            MarkFound::Missing if !promised => return Ok(()),
            MarkFound::Missing => true,
            MarkFound::Damaged => false,
        };
        if !self.options.accept_lost_mark {
            return Err(RecoveryError::Mark { path, missing });
        }
        survey.notes.push(Note::WithoutMark);
        Ok(())
    }

    /// Where there is a mark there were epochs before it.
    fn check_epochs_present(&self, survey: &Survey) -> Result<(), RecoveryError> {
        for (file, stored) in [
            (EpochFile::Accepted, survey.accepted),
            (EpochFile::Current, survey.current),
        ] {
            if stored.is_none() {
                let path = self.snapshots.join(file.name());
                return Err(RecoveryError::EpochMissing { path });
            }
        }
        Ok(())
    }

    /// Tries the snapshots, newest first, each with the log behind it.
    fn read_history(
        &self,
        survey: &mut Survey,
        visitor: &mut dyn Recover,
    ) -> Result<History, RecoveryError> {
        let mut passed_over = None;
        let (mut tried, mut unfit) = (Vec::new(), Vec::new());
        let mut newer = Vec::new();
        for candidate in std::mem::take(&mut survey.candidates) {
            let path = self.snapshots.join(&candidate.name);
            let len = match self.fit(survey, &candidate, &path)? {
                Ok(len) => len,
                Err(why) => {
                    unfit.push((path.clone(), why.clone()));
                    newer.extend(candidate.named.then_some(candidate.zxid));
                    survey.notes.push(Note::SnapshotSkipped { path, why });
                    continue;
                }
            };
            visitor.begin(Some(candidate.zxid));
            if let Some(len) = len {
                visitor.snapshot_len(len);
            }
            let loaded = match self.load(survey, &candidate, &path, &newer, visitor) {
                // What lies behind an older snapshot need not be there; a newer one was to be.
                Err(error) if !tried.is_empty() => {
                    tried.push((path, error.to_string()));
                    return Err(RecoveryError::NoSnapshotLoads { tried });
                }
                other => other?,
            };
            match loaded {
                Ok((info, replayed)) => {
                    return Ok(History {
                        snapshot: Some((path, candidate.zxid, info)),
                        replayed,
                        passed_over,
                        unfit,
                    });
                }
                Err(why) => {
                    passed_over.get_or_insert((candidate.zxid, path.clone()));
                    newer.extend(candidate.named.then_some(candidate.zxid));
                    survey.notes.push(Note::SnapshotSkipped {
                        path: path.clone(),
                        why: why.clone(),
                    });
                    tried.push((path, why));
                }
            }
        }
        if !tried.is_empty() {
            tried.splice(0..0, unfit);
            return Err(RecoveryError::NoSnapshotLoads { tried });
        }
        let logs = self.logs(survey);
        let replayed = match self.options.trust_empty {
            true => {
                visitor.begin(None);
                logs.replay(Zxid::ZERO, visitor)
            }
            false => logs.replay(Zxid::ZERO, &mut NoState),
        };
        // If records need a state below them, what is wrong is the snapshot and not the log.
        let has_records = replayed.as_ref().map_or(true, |replayed| replayed.txns > 0);
        if has_records && !self.options.trust_empty && !unfit.is_empty() {
            return Err(RecoveryError::NoSnapshotLoads { tried: unfit });
        }
        let replayed = replayed?;
        if replayed.txns > 0 && !self.options.trust_empty {
            let dir = self.snapshots.to_path_buf();
            return Err(RecoveryError::NoSnapshot { dir });
        }
        Ok(History {
            snapshot: None,
            replayed,
            passed_over,
            unfit,
        })
    }

    /// About how long a snapshot is, if that can be told; or why it need not even be tried.
    fn fit(
        &self,
        survey: &Survey,
        candidate: &Candidate,
        path: &Path,
    ) -> Result<Result<Option<u64>, String>, DiskError> {
        // A Java server that had acknowledged it would have set the epoch after it.
        let current = survey.current.map_or(Epoch(0), |stored| stored.epoch);
        if !candidate.named && candidate.zxid.epoch() > current {
            return Ok(Err("it has not got its name yet".into()));
        }
        Ok(
            match snapshot::looks(&**self.disk, path, candidate.compression)? {
                Looks::Whole(len) => Ok(len),
                Looks::CutShort => Err("writing it did not come to its end".into()),
            },
        )
    }

    /// Loads a snapshot, with which the visitor has begun, and replays the log on it. The inner
    /// error says why the snapshot is no good; the outer one, that the server must not start.
    fn load(
        &self,
        survey: &Survey,
        candidate: &Candidate,
        path: &Path,
        newer: &[Zxid],
        visitor: &mut dyn Recover,
    ) -> Result<Result<(SnapshotInfo, Replayed), String>, RecoveryError> {
        let sink = &mut |chunk: &[u8]| visitor.snapshot_chunk(chunk);
        let info = match snapshot::read(&**self.disk, path, candidate.compression, sink) {
            Ok(info) => info,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut through = Through {
            visitor,
            stations: newer.to_vec(),
        };
        let replayed = self.logs(survey).replay(candidate.zxid, &mut through)?;
        // One that came from the leader has no log before it; where an epoch begins behind it,
        // nothing else tells that something is missing.
        let missed = through.stations.iter().find(|zxid| **zxid <= replayed.last);
        if let Some(missed) = missed {
            return Ok(Err(format!(
                "no log leads from it to {missed}, where a newer snapshot stands"
            )));
        }
        // A snapshot taken while writes went on is no state before the last of them is replayed.
        let digested = info.digest.as_ref().map(|digest| digest.zxid);
        match digested.max(info.last_zxid) {
            Some(needed) if needed > replayed.last => Ok(Err(format!(
                "it holds parts of transactions up to {needed}, but the log ends at {}",
                replayed.last
            ))),
            _ => Ok(Ok((info, replayed))),
        }
    }

    fn logs<'s>(&'s self, survey: &'s Survey) -> Logs<'s> {
        Logs {
            disk: &**self.disk,
            dir: self.logs,
            files: &survey.logs,
            mark: survey.mark,
            ends: &survey.ends,
            java_since: survey.java_since(),
            cut_unmarked: self.options.cut_unmarked_tail,
            max_entry: self.options.log.max_entry,
        }
    }

    /// Whether the history reaches as far as it ever did.
    fn judge(&self, survey: &Survey, history: &History) -> Result<Start, RecoveryError> {
        let last = history.replayed.last;
        let mark_file = self.logs.join(MARK_FILE);
        if history.snapshot.is_none() && history.replayed.txns == 0 {
            let marked = survey.mark.is_some_and(|mark| mark.zxid > Zxid::ZERO);
            let led = survey.current.is_some_and(|stored| stored.epoch > Epoch(0));
            let epoch_file = self.snapshots.join(EpochFile::Current.name());
            if (marked || led) && !history.unfit.is_empty() {
                let tried = history.unfit.clone();
                return Err(RecoveryError::NoSnapshotLoads { tried });
            }
            if marked || led {
                let witness = if marked { mark_file } else { epoch_file };
                return Err(RecoveryError::Vanished { witness });
            }
            let promised = survey
                .accepted
                .is_some_and(|stored| stored.epoch > Epoch(0));
            let may_begin = self.options.create_db || self.initialize;
            return Ok(match may_begin && !promised {
                true => Start::Empty,
                false => Start::Unknown,
            });
        }
        let marked = survey.mark.filter(|_| !survey.java_since());
        let marked = marked.map(|mark| (mark.zxid, mark_file));
        for (reached, witness) in marked.into_iter().chain(history.passed_over.clone()) {
            if reached > last && !history.unfit.is_empty() {
                let tried = history.unfit.clone();
                return Err(RecoveryError::NoSnapshotLoads { tried });
            }
            if reached > last {
                return Err(RecoveryError::TooShort {
                    last,
                    reached,
                    witness,
                });
            }
        }
        Ok(Start::History {
            zxid: last,
            snapshot: history.snapshot.clone(),
        })
    }

    /// Reads the promises and sees that history and promises fit. A history that has come from
    /// the leader of a later epoch than `currentEpoch` says is one that a crash overtook: the
    /// history is made durable first, then the epoch. If the promise for that epoch stands, the
    /// step is made up for; a Java server refuses instead (ZOOKEEPER-1653). Without the promise,
    /// the history of a member is one that was being replaced because it had been lost. Returns
    /// the accepted and the current epoch.
    fn check_epochs(
        &self,
        survey: &mut Survey,
        start: &Start,
    ) -> Result<(Epoch, Epoch), RecoveryError> {
        let last = start.zxid().max(Zxid::ZERO);
        let reached = last.epoch();
        let mut current = survey.current.map_or(reached, |stored| stored.epoch);
        let accepted = survey.accepted.map_or(reached, |stored| stored.epoch);
        if reached > current {
            let unfinished = epochs::read_unfinished(&**self.disk, self.snapshots)?;
            let unfinished = unfinished.map(|stored| stored.epoch);
            current = match unfinished.filter(|&epoch| epoch >= reached) {
                Some(epoch) => epoch,
                None if accepted >= reached => reached,
                None if self.options.member && accepted >= current => {
                    return Ok((accepted, current));
                }
                None => {
                    return Err(RecoveryError::EpochBehind {
                        path: self.snapshots.join(EpochFile::Current.name()),
                        current,
                        last,
                    });
                }
            };
            survey.notes.push(Note::EpochRaised { epoch: current });
            survey.current = None;
        }
        if accepted < current {
            return Err(RecoveryError::EpochsCrossed {
                dir: self.snapshots.into(),
                accepted,
                current,
            });
        }
        Ok((accepted, current))
    }

    /// Removes leftovers, repairs the log, and makes durable what was only read.
    fn settle(&self, survey: &Survey, history: &History) -> Result<(), RecoveryError> {
        let disk = &**self.disk;
        for leftover in &survey.leftovers {
            disk.remove(leftover)?;
        }
        repair(disk, self.logs, &history.replayed)?;
        if let Some((path, ..)) = &history.snapshot {
            disk.open(path, OpenMode::Write)?.sync()?;
        }
        if self.snapshots != self.logs {
            disk.sync_dir(self.snapshots)?;
        }
        Ok(())
    }

    /// Opens the log for writing. The epoch files say that there is a mark only while there is.
    fn resume(&self, judged: &Judged) -> Result<(Log, Epochs), RecoveryError> {
        let survey = &judged.survey;
        let dir = self.snapshots.to_path_buf();
        let (accepted, current) = (judged.accepted, judged.current);
        let mut epochs = Epochs::new(self.disk.clone(), dir, accepted, current, false);
        let marked = self.options.log.force_sync;
        let stored = [survey.accepted, survey.current];
        let all = |wanted| {
            stored
                .iter()
                .all(|s| s.is_some_and(|s| s.marked == Some(wanted)))
        };
        if !(all(marked) || all(false)) {
            epochs.write_both()?;
        }
        let log = Log::resume(
            self.disk.clone(),
            self.logs.into(),
            self.options.log.clone(),
            self.resume_at(survey, &judged.history, &judged.start),
        )?;
        epochs.set_marked(marked);
        match marked {
            true if all(true) => {}
            true => epochs.write_both()?,
            false => self.remove_mark()?,
        }
        Ok((log, epochs))
    }

    fn resume_at(&self, survey: &Survey, history: &History, start: &Start) -> Resume {
        let mut ends: Vec<End> = history.replayed.files.iter().map(|file| file.end).collect();
        let newest = ends.pop();
        // What is known of files that need not be read, for the day when an older snapshot does.
        let first = ends.first().or(newest.as_ref()).map(|end| end.file);
        let older = survey.ends.iter().filter(|end| {
            survey.logs.contains(&end.file) && first.is_none_or(|first| end.file < first)
        });
        let mut all: Vec<End> = older.copied().collect();
        all.extend(ends);
        let last = start.zxid().max(Zxid::ZERO);
        let file = match newest {
            // A gap between two transactions is not for the middle of a file.
            Some(end) if end.zxid == last => Some((end.file, end.offset)),
            other => {
                all.extend(other);
                None
            }
        };
        Resume {
            file,
            last,
            ends: all,
        }
    }

    fn remove_mark(&self) -> Result<(), DiskError> {
        match self.disk.remove(&self.logs.join(MARK_FILE)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => self.disk.sync_dir(self.logs),
        }
    }
}

impl Survey {
    /// Where there is a mark, both epoch files were ours; one that is not was set by Java since.
    fn java_since(&self) -> bool {
        self.mark.is_some() && self.current.is_some_and(|stored| stored.marked.is_none())
    }

    /// Marks a file for removal.
    fn discard(&mut self, path: PathBuf) {
        self.notes
            .push(Note::LeftoverRemoved { path: path.clone() });
        self.leftovers.push(path);
    }

    fn ignore(&mut self, path: PathBuf) {
        self.notes.push(Note::Ignored { path });
    }
}

/// Hands on what is recovered, and sees whether it leads through where newer snapshots stand that
/// do not load.
struct Through<'a> {
    visitor: &'a mut dyn Recover,
    /// Those that were not passed.
    stations: Vec<Zxid>,
}

impl Recover for Through<'_> {
    fn begin(&mut self, zxid: Option<Zxid>) {
        self.visitor.begin(zxid);
    }

    fn snapshot_len(&mut self, len: u64) {
        self.visitor.snapshot_len(len);
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        self.visitor.snapshot_chunk(chunk)
    }

    fn txn(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Rejected> {
        self.stations.retain(|station| *station != zxid);
        self.visitor.txn(zxid, entry)
    }
}

/// Takes records only to count them.
struct NoState;

impl Recover for NoState {
    fn begin(&mut self, _: Option<Zxid>) {}

    fn snapshot_chunk(&mut self, _: &[u8]) -> Result<Fed, Rejected> {
        Ok(Fed::More)
    }

    fn txn(&mut self, _: Zxid, _: &[u8]) -> Result<(), Rejected> {
        Ok(())
    }
}
