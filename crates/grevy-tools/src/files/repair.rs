//! `grevy repair`: makes a damaged log readable again. Source: `TxnLogToolkit`.
//!
//! A record whose frame is right and whose entry can be understood gets the checksum that fits
//! it, in place of the wrong one. Where no record can be made out, the log is cut. Nothing else
//! is changed, so all other records stay where they are.

use crate::exit::{Exit, Failure};
use crate::files::transaction;
use crate::prompt;
use clap::Args;
use grevy_proto::txn::TxnEntry;
use grevy_proto::{Decode, Zxid};
use grevy_storage::RealDisk;
use grevy_storage::log::{Flaw, LogReader, Step, checksum};
use grevy_storage::mark::{self, MarkFound};
use grevy_storage::names::Name;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What to repair, and how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy repair data/version-2/log.1 --dry-run
  grevy repair data/version-2/log.1              writes log.1.repaired beside it
  grevy repair data/version-2/log.1 --in-place   and keeps the old one as log.1.damaged

A record with a wrong checksum that can be understood otherwise keeps its content and gets a
checksum that fits, after you have seen it. Where nothing can be made out any more, the log is cut;
transactions behind that are lost to this server. If other servers have a quorum, it is safer to move
this server's data away and let it fetch everything from them.

Exit codes: 0 if the log is sound or was repaired, 1 if it is damaged and was not repaired.")]
pub struct Arguments {
    /// The log.
    #[arg(value_name = "LOGFILE")]
    file: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Put the repaired log in the place of the old one, which is kept as LOGFILE.damaged.
    #[arg(long, conflicts_with = "to")]
    in_place: bool,
    /// Where to write the repaired log; LOGFILE.repaired if not given.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// What is to be done to a log.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// Where a checksum has to be replaced, and by what.
    checksums: Vec<(u64, u64)>,
    /// Where the log is to end, and why.
    cut: Option<(u64, Flaw)>,
    last: Option<Zxid>,
}

/// Looks, asks and repairs.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut reader = LogReader::open(&RealDisk, &arguments.file)?;
    let plan = plan(&mut reader, out)?;
    if plan
        == (Plan {
            last: plan.last,
            ..Plan::default()
        })
    {
        writeln!(out, "{} is sound", arguments.file.display())?;
        return Ok(Exit::Done);
    }
    if let Some((offset, flaw)) = plan.cut {
        let bytes = reader.file_len() - offset;
        writeln!(out, "at offset {offset}: {flaw}; cut there, {bytes} bytes")?;
        warn_of_loss(arguments, &mut reader, &plan, offset, out)?;
    }
    if arguments.dry_run {
        return Ok(Exit::Finding);
    }
    out.flush()?;
    if !arguments.yes && !prompt::confirm("Repair it like this?")? {
        return Ok(Exit::Finding);
    }
    let repaired = apply(arguments, &plan)?;
    writeln!(out, "wrote {}", repaired.display())?;
    Ok(Exit::Done)
}

fn plan(reader: &mut LogReader, out: &mut dyn Write) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    loop {
        let ending = match reader.read()? {
            Step::Record(record) => {
                plan.last = Some(record.zxid);
                continue;
            }
            Step::End(ending) => ending,
        };
        let Some(flaw) = ending.flaw else {
            return Ok(plan);
        };
        if flaw == Flaw::Header {
            return Err(Failure::new(
                Exit::Finding,
                format!("{}: {flaw}; is it a log at all?", reader.path().display()),
            ));
        }
        // An entry that nobody understands would only stop the server elsewhere.
        let understood = match flaw {
            Flaw::Checksum => reader.read_flawed()?.and_then(|record| {
                let entry = TxnEntry::from_bytes(record.entry).ok()?;
                let follows = plan.last.is_none_or(|last| record.zxid > last);
                follows.then(|| (record.zxid, checksum(record.entry), entry))
            }),
            _ => None,
        };
        let Some((zxid, sum, entry)) = understood else {
            plan.cut = Some((ending.offset, flaw));
            return Ok(plan);
        };
        let text = transaction::text(&entry, true);
        writeln!(
            out,
            "at offset {}: {flaw}; replace it: {text}",
            ending.offset
        )?;
        plan.checksums.push((ending.offset, sum));
        plan.last = Some(zxid);
    }
}

/// Says what a cut would take away that had been acknowledged, as far as anybody can know.
fn warn_of_loss(
    arguments: &Arguments,
    reader: &mut LogReader,
    plan: &Plan,
    offset: u64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if let Some(at) = reader.intact_behind(plan.last.unwrap_or(Zxid(-1)))? {
        writeln!(
            out,
            "warning: an intact record stands behind it at offset {at}, and would be lost"
        )?;
    }
    let name = arguments.file.file_name().and_then(|name| name.to_str());
    let (Some(Name::Log(zxid)), Some(dir)) = (name.map(Name::parse), arguments.file.parent())
    else {
        return Ok(());
    };
    if let MarkFound::Whole(mark, ends) = mark::read(&RealDisk, dir)? {
        let closed = ends.iter().find(|end| end.file == zxid);
        let durable = closed.map(|end| end.offset);
        let durable = durable.or((mark.file == Some(zxid)).then_some(mark.offset));
        if let Some(durable) = durable.filter(|&durable| durable > offset) {
            writeln!(
                out,
                "warning: this log was durable up to offset {durable}, so transactions that were \
                 acknowledged would be lost, and a Grevy server will refuse to start with it"
            )?;
        }
    }
    Ok(())
}

/// Writes the repaired log; returns where it is.
fn apply(arguments: &Arguments, plan: &Plan) -> Result<PathBuf, Failure> {
    let source = &arguments.file;
    let backup = with_suffix(source, ".damaged");
    if arguments.in_place && backup.exists() {
        let backup = backup.display();
        return Err(Failure::usage(format!(
            "{backup} exists already; move it away"
        )));
    }
    let target = match &arguments.to {
        Some(to) => to.clone(),
        // What an earlier run wrote beside it is not in the way.
        None if arguments.in_place => {
            with_suffix(source, &format!(".grevy-{}", std::process::id()))
        }
        None => with_suffix(source, ".repaired"),
    };
    if target.exists() {
        let target = target.display();
        return Err(Failure::usage(format!(
            "{target} exists already; move it away, or name another file with --to"
        )));
    }
    write_repaired(source, &target, plan)
        .map_err(|error| Failure::file(&target, "write", &error))?;
    if !arguments.in_place {
        return Ok(target);
    }
    fs::rename(source, &backup).map_err(|error| Failure::file(source, "rename", &error))?;
    fs::rename(&target, source).map_err(|error| Failure::file(&target, "rename", &error))?;
    Ok(source.clone())
}

fn write_repaired(source: &Path, target: &Path, plan: &Plan) -> io::Result<()> {
    let len = match plan.cut {
        Some((offset, _)) => offset,
        None => source.metadata()?.len(),
    };
    let mut from = io::Read::take(File::open(source)?, len);
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(target)?;
    io::copy(&mut from, &mut to)?;
    for (offset, sum) in &plan.checksums {
        to.seek(SeekFrom::Start(*offset))?;
        to.write_all(&sum.to_be_bytes())?;
    }
    to.sync_all()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    text.into()
}
