//! `grevy config edit`.

use crate::exit::{At, Exit, Failure};
use crate::output;
use crate::znodes::connection::{Target, znode_path};
use clap::Args;
use grevy_proto::ErrorCode;
use serde_json::json;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to edit.
#[derive(Debug, Args)]
#[command(after_help = "\
$VISUAL or $EDITOR is run on a copy of the data, vi if neither is set. If the znode was changed by
somebody else meanwhile, it is left alone, and your text is kept in a file.")]
pub struct Arguments {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Edits, and sets what was not changed by others.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments { path, target } = arguments;
    let connection = target.connect()?;
    let client = &connection.client;
    let (data, stat) = client.get_data(path, false).at(path)?;
    let data = data.unwrap_or_default();
    let file = temporary(path, &data)?;
    run_editor(&file)?;
    let edited = fs::read(&file).map_err(|error| Failure::file(&file, "read", &error))?;
    let changed = edited != data;
    if changed {
        match client.set_data(path, &edited, stat.version) {
            Err(error) if error.is(ErrorCode::BadVersion) => {
                return Err(Failure::new(
                    Exit::Conflict,
                    format!(
                        "{path} was changed by somebody else meanwhile; your text is in {}",
                        file.display()
                    ),
                ));
            }
            set => {
                set.at(path).map_err(|failure| kept(failure, &file))?;
            }
        }
    }
    // It is in a directory that is emptied anyway.
    let _ = fs::remove_file(&file);
    if target.is_json() {
        output::line(out, &json!({"path": path, "changed": changed}))?;
    }
    Ok(Exit::Done)
}

fn kept(failure: Failure, file: &Path) -> Failure {
    let message = format!("{failure}; your text is in {}", file.display());
    Failure::new(failure.exit, message)
}

/// A file with the data that only its owner may read.
fn temporary(path: &str, data: &[u8]) -> Result<PathBuf, Failure> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name: String = name.chars().take(64).collect();
    let file = env::temp_dir().join(format!("grevy-{}-{name}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut opened| opened.write_all(data));
    written.map_err(|error| Failure::file(&file, "write", &error))?;
    Ok(file)
}

/// The variable may have arguments, so a shell takes it apart.
fn run_editor(file: &Path) -> Result<(), Failure> {
    let editor = env::var_os("VISUAL").or_else(|| env::var_os("EDITOR"));
    let mut script = editor.unwrap_or_else(|| "vi".into());
    script.push(" \"$1\"");
    let status = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(file)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            Exit::Finding,
            format!("the editor ended with {status}; nothing was changed"),
        )),
        Err(error) => Err(no_editor(&error)),
    }
}

fn no_editor(error: &io::Error) -> Failure {
    Failure::usage(format!("cannot run an editor: {error}; set EDITOR"))
}
