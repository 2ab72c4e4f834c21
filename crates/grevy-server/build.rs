//! Puts the time of the build into the server: `SOURCE_DATE_EPOCH` for builds that must come out
//! the same, else when this crate was first built here.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs()).to_string()
    };
    let time = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| now());
    println!("cargo::rustc-env=GREVY_BUILD_TIME={time}");
}
