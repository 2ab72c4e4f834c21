//! Where the server runs. Source: `Environment`.

use crate::metrics::process::Memory;
use crate::version;
use std::env;
use std::fs;

/// What is not known.
const UNKNOWN: &str = "<NA>";

/// What ZooKeeper tells of the JVM, under `java`, in its order.
const JVM: [&str; 7] = [
    "version",
    "vendor",
    "home",
    "class.path",
    "library.path",
    "io.tmpdir",
    "compiler",
];

/// ZooKeeper's keys with their values, in its order. Those of the JVM are there, and of these only
/// the directory for temporary files has a value.
pub fn entries() -> Vec<(String, String)> {
    let jvm = JVM.map(|name| {
        let value = match name {
            "io.tmpdir" => env::temp_dir().display().to_string(),
            _ => UNKNOWN.to_owned(),
        };
        (format!("java.{name}"), value)
    });
    let memory = Memory::now();
    let before = [
        ("zookeeper.version", version::full()),
        ("host.name", system("/proc/sys/kernel/hostname")),
    ];
    let after = [
        ("os.name", os_name().to_owned()),
        ("os.arch", architecture().to_owned()),
        ("os.version", system("/proc/sys/kernel/osrelease")),
        ("user.name", or_unknown(&user_name().unwrap_or_default())),
        ("user.home", variable("HOME")),
        ("user.dir", working_directory()),
        ("os.memory.free", megabytes(memory.available)),
        ("os.memory.max", megabytes(memory.total)),
        ("os.memory.total", megabytes(memory.resident)),
    ];
    let own = |(key, value): (&str, String)| (key.to_owned(), value);
    let (before, after) = (before.map(own), after.map(own));
    before.into_iter().chain(jvm).chain(after).collect()
}

/// The system's name as Java writes it.
fn os_name() -> &'static str {
    match env::consts::OS {
        "linux" => "Linux",
        "macos" => "Mac OS X",
        other => other,
    }
}

/// The processor's name as Java writes it.
fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

fn system(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    or_unknown(text.trim())
}

/// Whose process this is, by the system's list of users.
fn user_name() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let id = ids.split_whitespace().nth(1)?;
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, user) = (fields.next()?, fields.next()?, fields.next()?);
        (user == id).then(|| name.to_owned())
    });
    user.or_else(|| env::var("USER").ok())
}

fn variable(name: &str) -> String {
    or_unknown(&env::var(name).unwrap_or_default())
}

fn working_directory() -> String {
    let directory = env::current_dir().unwrap_or_default();
    or_unknown(&directory.display().to_string())
}

fn or_unknown(text: &str) -> String {
    match text {
        "" => UNKNOWN.to_owned(),
        text => text.replace('\n', " "),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}MB", bytes >> 20)
}
