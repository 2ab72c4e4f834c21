//! A file that is replaced as a whole, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The new content, beside the file until [`finish`](Self::finish) puts it in its place. Dropped
/// before, it goes, and the file is as it was.
pub struct Replacement {
    file: BufWriter<File>,
    /// Where the content is, and where it goes; `None` if it goes there directly.
    places: Option<(PathBuf, PathBuf)>,
}

impl Replacement {
    /// Nothing is written yet. Devices and pipes cannot be replaced; they are written to.
    pub fn of(path: &Path) -> io::Result<Self> {
        // A link stays one.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(Self {
                file: BufWriter::new(File::options().write(true).open(&target)?),
                places: None,
            });
        }
        if old.is_some() {
            // Whoever may not write the file may not replace it either.
            drop(File::options().write(true).open(&target)?);
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = target.with_file_name(format!(".{name}.grevy-{}", std::process::id()));
        let file = BufWriter::new(File::create_new(&temporary)?);
        let replacement = Self {
            file,
            places: Some((temporary.clone(), target)),
        };
        if let Some(old) = old {
            fs::set_permissions(&temporary, old.permissions())?;
        }
        Ok(replacement)
    }

    /// What goes if this process has to end at once.
    pub fn temporary(&self) -> Option<PathBuf> {
        self.places.as_ref().map(|(temporary, _)| temporary.clone())
    }

    /// Makes it durable, and puts it in its place.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some((temporary, target)) = &self.places {
            self.file.get_ref().sync_all()?;
            fs::rename(temporary, target)?;
            self.places = None;
        }
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.places {
            // There is nobody to tell, and whoever failed says why.
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_there() {
        let dir = env::temp_dir().join(format!("grevy-replace-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the test");
        let path = dir.join("file");
        fs::write(&path, "old").expect("a file for the test");
        let content = || fs::read_to_string(&path).expect("it is there");
        let files = || fs::read_dir(&dir).expect("it is there").count();
        let mut given_up = Replacement::of(&path).expect("it can be written");
        given_up.write_all(b"new").expect("there is room");
        assert_eq!((content().as_str(), files()), ("old", 2));
        drop(given_up);
        assert_eq!((content().as_str(), files()), ("old", 1));
        let mut finished = Replacement::of(&path).expect("it can be written");
        finished.write_all(b"new").expect("there is room");
        finished.finish().expect("it can be renamed");
        assert_eq!((content().as_str(), files()), ("new", 1));
        fs::remove_dir_all(&dir).expect("it can be removed");
    }
}
