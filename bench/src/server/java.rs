//! Apache ZooKeeper from its published jars.

use super::Launcher;
use crate::failure::{Failure, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command that serves with the configuration file `config`.
pub fn command(launcher: &Launcher, config: &Path) -> Result<Command> {
    let jars = jars(&launcher.work)?;
    let mut command = Command::new("java");
    command
        .args(&launcher.java_options)
        // Warnings only: a favour to the Java server, which logs every session by default.
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("-cp")
        .arg(jars.join("*"))
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(config);
    Ok(command)
}

/// The folder with the jars, fetched with Maven when they are not there.
fn jars(work: &Path) -> Result<PathBuf> {
    let jars = work.join("java");
    if jars.is_dir() {
        return Ok(jars);
    }
    let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("java-server.xml");
    eprintln!(
        "fetching the Java server with Maven into {}",
        jars.display()
    );
    let status = Command::new("mvn")
        .args([
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg("-f")
        .arg(&pom)
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .status()
        .map_err(|error| {
            Failure::from(error).during("starting mvn, which fetches the Java server")
        })?;
    if !status.success() {
        return Err(Failure::new(format!(
            "mvn could not fetch what {} names: {status}",
            pom.display()
        )));
    }
    Ok(jars)
}
