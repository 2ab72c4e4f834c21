//! From words to a command. Source: the `parse` methods in `org.apache.zookeeper.cli`.

use crate::acl;
use crate::command::{Command, DataFormat, Limit, usage};
use crate::error::CliError;
use crate::flags::{Parsed, Spec};
use crate::membership;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use grevy_proto::request::CreateMode;
use grevy_proto::watch::{AddWatchMode, WatcherType};
use std::str::FromStr;

mod spec;

/// What was said, and what is to be done.
#[derive(Debug, PartialEq, Eq)]
pub struct Parse {
    /// For stdout: help that was asked for.
    pub out: String,
    /// For stderr: complaints, old forms; each line ended.
    pub err: String,
    /// The command, or why there is none.
    pub command: Result<Command, CliError>,
}

/// Reads a command that needs a server; `None` if there is none of that name.
pub fn parse(words: &[String]) -> Option<Parse> {
    let quiet = |command| Parse {
        out: String::new(),
        err: String::new(),
        command: Ok(command),
    };
    // These two take no notice of what follows them.
    match words.first()?.as_str() {
        "close" => return Some(quiet(Command::Close)),
        "whoami" => return Some(quiet(Command::WhoAmI)),
        _ => {}
    }
    let (spec, read) = reader(words.first()?)?;
    let mut said = Said::default();
    let command = spec.parse(words).map_err(CliError::new).and_then(|parsed| {
        let name = parsed.args.first().cloned().unwrap_or_default();
        let usage = match spec.in_usage {
            true => format!("{}\n{}", usage(&name), spec.table()),
            false => usage(&name),
        };
        read(&Input { parsed, usage }, &mut said)
    });
    Some(Parse {
        out: said.out,
        err: said.err,
        command,
    })
}

type Read = fn(&Input, &mut Said) -> Result<Command, CliError>;

/// The flags of a command, and how to go on from them.
fn reader(name: &str) -> Option<(Spec, Read)> {
    Some(match name {
        "addWatch" => (spec::ADD_WATCH, add_watch),
        "addauth" => (spec::NONE, add_auth),
        "config" => (spec::CONFIG, config),
        "create" => (spec::CREATE, create),
        "delete" => (spec::DELETE, delete),
        "deleteall" => (spec::DELETE_ALL, delete_all),
        "delquota" => (spec::DEL_QUOTA, del_quota),
        "get" => (spec::GET, get),
        "getAcl" => (spec::GET_ACL, get_acl),
        "getAllChildrenNumber" => (spec::NONE, get_all_children_number),
        "getEphemerals" => (spec::NONE, get_ephemerals),
        "listquota" => (spec::NONE, list_quota),
        "ls" => (spec::LS, ls),
        "reconfig" => (spec::RECONFIG, reconfig),
        "removewatches" => (spec::REMOVE_WATCHES, remove_watches),
        "set" => (spec::SET, set),
        "setAcl" => (spec::SET_ACL, set_acl),
        "setquota" => (spec::SET_QUOTA, set_quota),
        "stat" => (spec::STAT, stat),
        "sync" => (spec::NONE, sync),
        "version" => (spec::NONE, version),
        _ => return None,
    })
}

fn add_watch(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let [_, path] = &input.parsed.args[..] else {
        return Err(input.misuse());
    };
    let mode = input.parsed.value("m").map(str::to_uppercase);
    let mode = match mode.as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
        Some("PERSISTENT") => AddWatchMode::Persistent,
        Some(_) => return Err(input.misuse()),
    };
    Ok(Command::AddWatch {
        path: path.clone(),
        mode,
    })
}

fn add_auth(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    Ok(Command::AddAuth {
        scheme: input.arg(1)?,
        auth: input.optional(2),
    })
}

fn config(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    Ok(Command::Config {
        client: input.parsed.has("c"),
        watch: input.parsed.has("w"),
        stat: input.parsed.has("s"),
    })
}

fn create(input: &Input, said: &mut Said) -> Result<Command, CliError> {
    /// The largest time to live that fits beside its mark in 8 bytes.
    const MAX_TTL: i64 = (1 << 40) - 1;

    let path = input.arg(1)?;
    let has = |flag| input.parsed.has(flag);
    let (is_ephemeral, is_sequential, is_container) = (has("e"), has("s"), has("c"));
    if is_container && (is_ephemeral || is_sequential) {
        return Err(CliError::new(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        ));
    }
    let ttl: Option<i64> = input.number("t", || "-t argument must be a long value".to_owned())?;
    let mode = match (ttl, is_ephemeral, is_sequential, is_container) {
        (Some(_), true, ..) => {
            return Err(CliError::new("TTLs cannot be used with Ephemeral znodes"));
        }
        (Some(_), _, _, true) => {
            return Err(CliError::new("TTLs cannot be used with Container znodes"));
        }
        (Some(ttl), ..) if !(1..=MAX_TTL).contains(&ttl) => {
            return Err(CliError::new(format!(
                "ttl must be positive and cannot be larger than: {MAX_TTL}"
            )));
        }
        (Some(_), _, true, _) => CreateMode::PersistentSequentialWithTtl,
        (Some(_), ..) => CreateMode::PersistentWithTtl,
        (None, true, true, _) => CreateMode::EphemeralSequential,
        (None, true, ..) => CreateMode::Ephemeral,
        (None, _, true, _) => CreateMode::PersistentSequential,
        (None, _, _, true) => CreateMode::Container,
        (None, ..) => CreateMode::Persistent,
    };
    Ok(Command::Create {
        path,
        data: input.optional(2),
        acl: match input.optional(3) {
            Some(text) => said.acl(&text),
            None => vec![grevy_proto::Acl::OPEN],
        },
        mode,
        ttl: ttl.unwrap_or(0),
    })
}

fn delete(input: &Input, said: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    if input.parsed.args.len() > 2 {
        said.deprecated("delete path [version]", "delete [-v version] path");
    }
    Ok(Command::Delete {
        path,
        version: input.version()?,
    })
}

fn delete_all(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    let batch = input.number("b", || "-b argument must be an int value".to_owned())?;
    Ok(Command::DeleteAll {
        path,
        batch: batch.unwrap_or(1000),
    })
}

fn del_quota(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    Ok(Command::DelQuota {
        path: input.arg(1)?,
        limit: input.limit(),
    })
}

fn get(input: &Input, said: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    let has = |flag| input.parsed.has(flag);
    Ok(Command::Get {
        path,
        stat: has("s"),
        watch: has("w") | input.old_watch(said, "get", "get [-s] [-w] path"),
        format: match (has("x"), has("b")) {
            (true, _) => DataFormat::HexDump,
            (false, true) => DataFormat::Base64,
            (false, false) => DataFormat::Plain,
        },
    })
}

fn get_acl(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    Ok(Command::GetAcl {
        path: input.arg(1)?,
        stat: input.parsed.has("s"),
    })
}

fn get_all_children_number(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    Ok(Command::GetAllChildrenNumber { path })
}

fn get_ephemerals(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    Ok(Command::GetEphemerals {
        prefix: input.optional(1).unwrap_or_else(|| "/".to_owned()),
    })
}

fn list_quota(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    Ok(Command::ListQuota { path })
}

fn ls(input: &Input, said: &mut Said) -> Result<Command, CliError> {
    let has = |flag| input.parsed.has(flag);
    if has("?") {
        said.out = format!("usage: ls [options] path\n{}", spec::LS.table());
    }
    let watch = has("w") | input.old_watch(said, "ls", "ls [-w] path");
    Ok(Command::Ls {
        path: input.arg(1)?,
        stat: has("s"),
        watch,
        recursive: has("R"),
    })
}

fn reconfig(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let has = |flag| input.parsed.has(flag);
    let is_whole = has("file") || has("members");
    let is_change = has("add") || has("remove");
    if !is_whole && !is_change {
        return Err(input.misuse());
    }
    let version = match input.parsed.value("v") {
        None => -1,
        Some(text) => i64::from_str_radix(text, 16)
            .map_err(|_| CliError::new("-v must be followed by a long (configuration version)"))?,
    };
    if is_whole && is_change {
        return Err(CliError::new(
            "Can't use -file or -members together with -add or -remove (mixing incremental and \
             non-incremental modes is not allowed)",
        ));
    }
    if has("file") && has("members") {
        return Err(CliError::new(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ));
    }
    let lower = |flag| input.parsed.value(flag).map(str::to_lowercase);
    let members = match input.parsed.value("file") {
        None => lower("members"),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
            let members = text.and_then(|text| membership::normalize(&text));
            Some(members.map_err(|why| CliError::new(format!("Error processing {file}: {why}")))?)
        }
    };
    Ok(Command::Reconfig {
        joining: lower("add"),
        leaving: lower("remove"),
        members,
        version,
        stat: has("s"),
    })
}

fn remove_watches(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let which = [
        ("c", WatcherType::Children),
        ("d", WatcherType::Data),
        ("p", WatcherType::Persistent),
        ("r", WatcherType::PersistentRecursive),
    ];
    let which = which.into_iter().find(|(flag, _)| input.parsed.has(flag));
    Ok(Command::RemoveWatches {
        path: input.arg(1)?,
        which: which.map_or(WatcherType::Any, |(_, which)| which),
        local: input.parsed.has("l"),
    })
}

fn set(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    /// Java's decoder does not insist on padding.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let (path, data) = (input.arg(1)?, input.arg(2)?);
    let data = match input.parsed.has("b") {
        false => data.into_bytes(),
        true => BASE64
            .decode(&data)
            .map_err(|error| CliError::new(format!("{data} is not base64: {error}")))?,
    };
    Ok(Command::Set {
        path,
        data,
        version: input.version()?,
        stat: input.parsed.has("s"),
    })
}

fn set_acl(input: &Input, said: &mut Said) -> Result<Command, CliError> {
    let (path, acl) = (input.arg(1)?, input.arg(2)?);
    Ok(Command::SetAcl {
        path,
        acl: said.acl(&acl),
        version: input.version()?,
        stat: input.parsed.has("s"),
        recursive: input.parsed.has("R"),
    })
}

fn set_quota(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    // One of the four was given, or the flags would not have been read.
    let limit = input.limit().ok_or_else(|| input.misuse())?;
    let value = input.parsed.value(limit.flag()).unwrap_or_default();
    Ok(Command::SetQuota {
        path,
        limit,
        value: value.to_owned(),
    })
}

fn stat(input: &Input, said: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    let old = input.old_watch(said, "stat", "stat [-w] path");
    Ok(Command::Stat {
        path,
        watch: input.parsed.has("w") | old,
    })
}

fn sync(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    let path = input.arg(1)?;
    Ok(Command::Sync { path })
}

fn version(input: &Input, _: &mut Said) -> Result<Command, CliError> {
    match input.optional(1) {
        None => Ok(Command::Version),
        Some(_) => Err(input.misuse()),
    }
}

/// A command's flags and arguments.
struct Input {
    parsed: Parsed,
    /// What to say if they are wrong.
    usage: String,
}

/// What is printed on the way.
#[derive(Default)]
struct Said {
    out: String,
    err: String,
}

impl Input {
    /// The argument at `at`; the command's name is the one at 0.
    fn arg(&self, at: usize) -> Result<String, CliError> {
        self.optional(at).ok_or_else(|| self.misuse())
    }

    fn optional(&self, at: usize) -> Option<String> {
        self.parsed.args.get(at).cloned()
    }

    fn misuse(&self) -> CliError {
        CliError::new(self.usage.clone())
    }

    /// `-v`, or -1 for any version.
    fn version(&self) -> Result<i32, CliError> {
        let value = self.parsed.value("v").unwrap_or_default();
        let number = self.number("v", || format!("-v {value} is not a version number"))?;
        Ok(number.unwrap_or(-1))
    }

    fn number<T: FromStr>(
        &self,
        flag: &str,
        complaint: impl Fn() -> String,
    ) -> Result<Option<T>, CliError> {
        let value = self.parsed.value(flag).map(str::parse).transpose();
        value.map_err(|_| CliError::new(complaint()))
    }

    fn limit(&self) -> Option<Limit> {
        let mut all = [
            Limit::Count,
            Limit::Bytes,
            Limit::CountHard,
            Limit::BytesHard,
        ]
        .into_iter();
        all.find(|limit| self.parsed.has(limit.flag()))
    }

    /// Whether a second argument asks for a watch, as it did before 3.5.
    fn old_watch(&self, said: &mut Said, name: &str, new: &str) -> bool {
        let is_old = self.parsed.args.len() > 2;
        if is_old {
            said.deprecated(&format!("{name} path [watch]"), new);
        }
        is_old
    }
}

impl Said {
    fn deprecated(&mut self, old: &str, new: &str) {
        self.err.push_str(&format!(
            "'{old}' has been deprecated. Please use '{new}' instead.\n"
        ));
    }

    fn acl(&mut self, text: &str) -> Vec<grevy_proto::Acl> {
        let (acl, complaints) = acl::parse(text);
        for complaint in complaints {
            self.err.push_str(&complaint);
            self.err.push('\n');
        }
        acl
    }
}

impl Limit {
    /// The flag that stands for it.
    fn flag(self) -> &'static str {
        match self {
            Self::Count => "n",
            Self::Bytes => "b",
            Self::CountHard => "N",
            Self::BytesHard => "B",
        }
    }
}

#[cfg(test)]
mod tests;
