//! Files and folders that stand for znodes.

use crate::exit::Failure;
use crate::znodes::connection::join;
use grevy_cli::client::path;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file with the data of a folder's own znode.
pub const OWN_DATA: &str = ".znode";
/// No znode may be larger by default, and nothing local that is read should be much.
const MAX_FILE: u64 = 16 << 20;

/// Data by path, of `top` and all below it, as a file or folder has it.
pub fn read(local: &Path, top: &str) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut found = BTreeMap::new();
    // What was named may be a link; what is in it may not.
    let there = fs::metadata(local).map_err(|error| Failure::file(local, "read", &error))?;
    if !there.is_dir() {
        found.insert(top.to_owned(), read_file(local)?);
        return Ok(found);
    }
    let mut folders = vec![(local.to_owned(), top.to_owned())];
    while let Some((folder, znode)) = folders.pop() {
        let own = folder.join(OWN_DATA);
        let data = match own.exists() {
            true => read_file(&own)?,
            false => Vec::new(),
        };
        found.insert(znode.clone(), data);
        let failed = |error: io::Error| Failure::file(&folder, "list", &error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.path();
            let name = name_of(&file, &entry.file_name())?;
            if name == OWN_DATA {
                continue;
            }
            let child = join(&znode, &name);
            path::check(&child)
                .map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
            let metadata = metadata(&file)?;
            if metadata.is_dir() {
                folders.push((file, child));
            } else if metadata.is_file() {
                found.insert(child, read_file(&file)?);
            } else {
                let file = file.display();
                return Err(Failure::usage(format!(
                    "{file} is neither a file nor a folder; move it away"
                )));
            }
        }
    }
    Ok(found)
}

/// Writes data by path to a folder. What is there besides is left alone.
pub fn write(local: &Path, top: &str, znodes: &BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    for (znode, data) in znodes {
        let place = place(local, top, znode)?;
        let below = match znode.as_str() {
            "/" => "/".to_owned(),
            znode => format!("{znode}/"),
        };
        let next = znodes
            .range(below.clone()..)
            .find(|(path, _)| *path != znode);
        let has_children = next.is_some_and(|(path, _)| path.starts_with(&below));
        let is_folder = has_children || znode == top;
        let (folder, file) = match is_folder {
            true => (Some(place.as_path()), place.join(OWN_DATA)),
            false => (place.parent(), place.clone()),
        };
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|error| Failure::file(folder, "create", &error))?;
        }
        if !is_folder || !data.is_empty() {
            fs::write(&file, data).map_err(|error| Failure::file(&file, "write", &error))?;
        }
    }
    Ok(())
}

/// Where a znode goes. Names of znodes hold no slash and are neither `.` nor `..`, so nothing
/// leaves the folder.
fn place(local: &Path, top: &str, znode: &str) -> Result<PathBuf, Failure> {
    let below = znode
        .strip_prefix(top.trim_end_matches('/'))
        .unwrap_or_default();
    let mut place = local.to_owned();
    for name in below.split('/').filter(|name| !name.is_empty()) {
        if name == OWN_DATA || matches!(name, "." | "..") {
            return Err(Failure::usage(format!(
                "{znode} has a name that cannot be a file's here; use export"
            )));
        }
        place.push(name);
    }
    Ok(place)
}

fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let there = fs::metadata(file).map_err(|error| Failure::file(file, "read", &error))?;
    if there.len() > MAX_FILE {
        let file = file.display();
        return Err(Failure::usage(format!("{file} is too large for a znode")));
    }
    fs::read(file).map_err(|error| Failure::file(file, "read", &error))
}

/// Of the link, if it is one.
fn metadata(file: &Path) -> Result<fs::Metadata, Failure> {
    fs::symlink_metadata(file).map_err(|error| Failure::file(file, "read", &error))
}

fn name_of(file: &Path, name: &std::ffi::OsStr) -> Result<String, Failure> {
    let text = name
        .to_str()
        .ok_or_else(|| Failure::usage(format!("{}: the name is not text", file.display())))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_znodes() {
        let local = Path::new("/local");
        for (top, znode, expected) in [
            ("/app", "/app", Some("/local")),
            ("/app", "/app/a/b", Some("/local/a/b")),
            ("/", "/a", Some("/local/a")),
            ("/", "/", Some("/local")),
            ("/app", "/app/.znode", None),
            ("/app", "/app/../etc", None),
        ] {
            let got = place(local, top, znode).ok();
            assert_eq!(got.as_deref(), expected.map(Path::new), "{top} {znode}");
        }
    }
}
