//! A configuration file with any text: it is read, or refused with reasons.

#![no_main]

use grevy_server::config::{Arguments, Files, load};
use std::io;
use std::path::Path;

/// One file, and nothing else on the machine.
struct One<'a>(&'a [u8]);

impl Files for One<'_> {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok((path == Path::new("zoo.cfg")).then(|| self.0.to_vec()))
    }

    fn is_no_directory(&self, _: &Path) -> bool {
        false
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    match load(&Arguments::parse(["zoo.cfg"]), &One(bytes)) {
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
