#![doc = include_str!("../README.md")]

pub mod bench;
pub mod config;
pub mod ensemble;
pub mod events;
pub mod exit;
pub mod files;
pub mod output;
pub mod recipes;
pub mod znodes;

mod interrupt;
mod progress;
mod prompt;
mod replace;

use clap::Subcommand;
use exit::Failure;
use recipes::child::Ran;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// The tools, as verbs of the `grevy` command.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Look into snapshots and transaction logs.
    Inspect(files::inspect::Arguments),
    /// Check the files of a server, and whether it could start from them.
    Verify(files::verify::Arguments),
    /// Make a damaged transaction log readable again.
    Repair(files::repair::Arguments),
    /// Write a znode's data to standard output.
    Get(znodes::read::Get),
    /// Replace a znode's data.
    Set(znodes::write::Set),
    /// Create a znode.
    Create(znodes::write::Create),
    /// List a znode's children.
    Ls(znodes::list::Arguments),
    /// Show a znode's metadata, and whether it exists.
    Stat(znodes::read::StatOf),
    /// Show a znode's access control list.
    #[command(name = "getAcl", visible_alias = "get-acl")]
    GetAcl(znodes::read::GetAcl),
    /// Replace a znode's access control list.
    #[command(name = "setAcl", visible_alias = "set-acl")]
    SetAcl(znodes::write::SetAcl),
    /// Delete znodes.
    Rm(znodes::remove::Arguments),
    /// Draw a subtree.
    Tree(znodes::tree::Arguments),
    /// Look for znodes.
    Find(znodes::find::Arguments),
    /// Count znodes and bytes by subtree.
    Du(znodes::du::Arguments),
    /// Copy a znode or subtree.
    Cp(znodes::copy::Arguments),
    /// Move a subtree, as one transaction.
    Mv(znodes::rename::Arguments),
    /// Make a subtree of another cluster like one of this.
    Mirror(znodes::mirror::Arguments),
    /// Write a subtree as JSON.
    Export(znodes::export::Arguments),
    /// Write what export wrote to a cluster.
    Import(znodes::import::Arguments),
    /// Show the servers of an ensemble: roles, zxids, lag, sessions, watches, latency.
    Status(ensemble::status::Arguments),
    /// Show the servers of an ensemble live.
    Top(ensemble::top::Arguments),
    /// Show the configuration of an ensemble: who votes, who observes, where.
    Members(ensemble::configuration::Arguments),
    /// Change who is in an ensemble.
    Reconfig(ensemble::reconfig::Arguments),
    /// Let a server catch up with its leader.
    Sync(znodes::session::Sync),
    /// Show as whom the servers know this client.
    #[command(name = "whoami")]
    WhoAmI(znodes::session::WhoAmI),
    /// Measure how fast a server or ensemble is.
    Bench(bench::Arguments),
    /// Show, set and delete limits of subtrees.
    Quota(znodes::quota::Arguments),
    /// Make a subtree like a local file or folder, or the other way round.
    Config(config::Arguments),
    /// Run a command while holding a lock.
    Lock(recipes::lock::Arguments),
    /// Run a command while leading.
    Elect(recipes::elect::Arguments),
    /// Run a command when fewer than N others do.
    Semaphore(recipes::semaphore::Arguments),
    /// Run a command, or print a line, for each change of a znode or subtree.
    Watch(recipes::watch::Arguments),
}

/// What `main` has to do before anything else: becomes the command that lock, elect, semaphore or
/// watch runs, if this process was started for that. Returns `None` if not, or if that failed an
/// exit code.
pub fn become_command(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let ran = recipes::bound::become_command(arguments)?;
    Some(ExitCode::from(report(ran)))
}

/// Runs a tool to its end.
pub fn run(tool: &Tool) -> ExitCode {
    let mut out = BufWriter::new(io::stdout());
    let result = dispatch(tool, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit_code) => ExitCode::from(exit_code),
        Err(failure) => {
            // What was found before the failure is worth having; whether it arrives is no news.
            let _ = out.flush();
            if !failure.message.is_empty() {
                eprintln!("grevy: {failure}");
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(tool: &Tool, out: &mut dyn Write) -> Result<u8, Failure> {
    let exit = match tool {
        Tool::Lock(arguments) => return Ok(report(recipes::lock::run(arguments))),
        Tool::Elect(arguments) => return Ok(report(recipes::elect::run(arguments))),
        Tool::Semaphore(arguments) => return Ok(report(recipes::semaphore::run(arguments))),
        Tool::Watch(arguments) => return Ok(report(recipes::watch::run(arguments, out)?)),
        Tool::Inspect(arguments) => files::inspect::run(arguments, out),
        Tool::Verify(arguments) => files::verify::run(arguments, out),
        Tool::Repair(arguments) => files::repair::run(arguments, out),
        Tool::Get(arguments) => znodes::read::get(arguments, out),
        Tool::Set(arguments) => znodes::write::set(arguments, out),
        Tool::Create(arguments) => znodes::write::create(arguments, out),
        Tool::Ls(arguments) => znodes::list::run(arguments, out),
        Tool::Stat(arguments) => znodes::read::stat(arguments, out),
        Tool::GetAcl(arguments) => znodes::read::get_acl(arguments, out),
        Tool::SetAcl(arguments) => znodes::write::set_acl(arguments, out),
        Tool::Rm(arguments) => znodes::remove::run(arguments, out),
        Tool::Tree(arguments) => znodes::tree::run(arguments, out),
        Tool::Find(arguments) => znodes::find::run(arguments, out),
        Tool::Du(arguments) => znodes::du::run(arguments, out),
        Tool::Cp(arguments) => znodes::copy::run(arguments, out),
        Tool::Mv(arguments) => znodes::rename::run(arguments, out),
        Tool::Mirror(arguments) => znodes::mirror::run(arguments, out),
        Tool::Export(arguments) => znodes::export::run(arguments, out),
        Tool::Import(arguments) => znodes::import::run(arguments, out),
        Tool::Status(arguments) => ensemble::status::run(arguments, out),
        Tool::Members(arguments) => ensemble::configuration::run(arguments, out),
        Tool::Reconfig(arguments) => ensemble::reconfig::run(arguments, out),
        Tool::Sync(arguments) => znodes::session::sync(arguments, out),
        Tool::WhoAmI(arguments) => znodes::session::who_am_i(arguments, out),
        Tool::Quota(arguments) => znodes::quota::run(arguments, out),
        Tool::Bench(arguments) => bench::run(arguments, out),
        Tool::Config(arguments) => config::run(arguments, out),
        Tool::Top(arguments) => ensemble::top::run(arguments, out),
    }?;
    Ok(exit as u8)
}

/// Says what there is to say of a command that ran another one.
fn report(ran: Ran) -> u8 {
    if let Some(message) = &ran.message {
        eprintln!("grevy: {message}");
    }
    ran.exit_code
}
