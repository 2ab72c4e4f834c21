//! `grevy inspect log`: the transactions in a log. Source: `LogFormatter`, `TxnLogToolkit`.

use super::filter::Filter;
use super::transaction;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use clap::Args;
use grevy_proto::Decode;
use grevy_proto::txn::TxnEntry;
use grevy_storage::RealDisk;
use grevy_storage::log::{Flaw, LogReader, LogRecord, Step};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy inspect log data/version-2/log.1
  grevy inspect log data --from 0x100000000 --path /kafka
  grevy inspect log log.1 --session 0x1000083a1f80000 --output json

Records with a wrong checksum are shown with a mark and reading goes on behind them, as
`zkTxnLogToolkit.sh` does. If anything is damaged the exit code is 1.")]
pub struct Arguments {
    /// A log, or a directory of logs (or the one above its version-2).
    #[arg(value_name = "FILE|DIR")]
    logs: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Show data too; JSON always has it.
    #[arg(long)]
    data: bool,
    #[command(flatten)]
    output: Output,
}

/// Shows it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for file in files(arguments)? {
        if !show(arguments, &file, out)? {
            exit = Exit::Finding;
        }
    }
    Ok(exit)
}

/// The files that may hold what is wanted: zxids in names say where each begins.
fn files(arguments: &Arguments) -> Result<Vec<PathBuf>, Failure> {
    if !arguments.logs.is_dir() {
        return Ok(vec![arguments.logs.clone()]);
    }
    let dir = super::version_dir(&arguments.logs);
    let all = super::logs(&dir)?;
    if all.is_empty() {
        let dir = dir.display();
        return Err(Failure::usage(format!("there is no log in {dir}")));
    }
    let filter = &arguments.filter;
    let next = all.iter().skip(1).map(|(zxid, _)| Some(*zxid));
    let wanted = all
        .iter()
        .zip(next.chain([None]))
        .filter(|((begin, _), next)| {
            let ends_before = |from| next.is_some_and(|next| next <= from);
            filter.to.is_none_or(|to| *begin <= to) && !filter.from.is_some_and(ends_before)
        });
    Ok(wanted.map(|((_, path), _)| path.clone()).collect())
}

/// Shows one file; tells whether it is sound.
fn show(arguments: &Arguments, file: &Path, out: &mut dyn Write) -> Result<bool, Failure> {
    let mut reader = LogReader::open(&RealDisk, file)?;
    let mut printer = Printer {
        arguments,
        file,
        out,
        shown: 0,
        seen: 0,
        sound: true,
    };
    loop {
        let ending = match reader.read()? {
            Step::Record(record) => {
                printer.record(&record, true)?;
                continue;
            }
            Step::End(ending) => ending,
        };
        if ending.flaw == Some(Flaw::Checksum)
            && let Some(record) = reader.read_flawed()?
        {
            printer.sound = false;
            printer.record(&record, false)?;
            continue;
        }
        printer.end(ending.offset)?;
        if let Some(flaw) = ending.flaw {
            printer.sound = false;
            complain(file, ending.offset, &flaw.to_string());
        }
        return Ok(printer.sound);
    }
}

fn complain(file: &Path, offset: u64, what: &str) {
    eprintln!("grevy: {} at offset {offset}: {what}", file.display());
}

struct Printer<'a> {
    arguments: &'a Arguments,
    file: &'a Path,
    out: &'a mut dyn Write,
    shown: u64,
    seen: u64,
    sound: bool,
}

impl Printer<'_> {
    fn record(&mut self, record: &LogRecord<'_>, intact: bool) -> io::Result<()> {
        self.seen += 1;
        if !self.arguments.filter.takes_zxid(record.zxid) {
            return Ok(());
        }
        if !intact {
            let what = format!("the checksum of {} is wrong", record.zxid);
            complain(self.file, record.offset, &what);
        }
        let entry = match TxnEntry::from_bytes(record.entry) {
            Ok(entry) => entry,
            Err(error) => {
                self.sound = false;
                let what = format!("{} cannot be understood: {error}", record.zxid);
                complain(self.file, record.offset, &what);
                return Ok(());
            }
        };
        if !self.arguments.filter.takes_txn(&entry) {
            return Ok(());
        }
        self.shown += 1;
        if !self.arguments.output.is_json() {
            let mark = if intact { "" } else { "CRC ERROR  " };
            let text = transaction::text(&entry, self.arguments.data);
            return writeln!(self.out, "{mark}{text}");
        }
        let mut object = transaction::json(&entry);
        object.insert("type".to_owned(), "transaction".into());
        object.insert("file".to_owned(), self.file_text());
        object.insert("offset".to_owned(), record.offset.into());
        object.insert("checksumOk".to_owned(), intact.into());
        output::line(self.out, &Value::Object(object))
    }

    fn end(&mut self, offset: u64) -> io::Result<()> {
        if self.arguments.output.is_json() {
            let object = json!({
                "type": "end", "file": self.file_text(), "offset": offset,
                "transactions": self.seen, "shown": self.shown,
            });
            return output::line(self.out, &object);
        }
        writeln!(
            self.out,
            "{}: {} of {} transactions, the last ends at offset {offset}",
            self.file.display(),
            self.shown,
            self.seen
        )
    }

    fn file_text(&self) -> Value {
        self.file.display().to_string().into()
    }
}
