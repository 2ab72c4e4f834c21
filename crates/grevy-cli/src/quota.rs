//! Quotas: limits and usage live in znodes below `/zookeeper/quota`. Source: `SetQuotaCommand`,
//! `ListQuotaCommand`, `DelQuotaCommand`, `Quotas`, `StatsTrack`.

use crate::client::{Client, ClientError, Node};
pub use crate::command::Limit;
use crate::console::Console;
use crate::error::CliError;
use crate::exec::{At, check, visit};
use grevy_proto::request::CreateMode;
use grevy_proto::{Acl, ErrorCode};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

/// Below this, quotas mirror the tree.
const ROOT: &str = "/zookeeper/quota";
/// Holds the limits of the path that its parent mirrors.
const LIMITS: &str = "zookeeper_limits";
/// Holds what is used of them; kept by the servers.
const STATS: &str = "zookeeper_stats";

/// `setquota`.
pub(crate) fn set(
    client: &Client,
    console: &dyn Console,
    path: &str,
    limit: Limit,
    value: &str,
) -> Result<(), CliError> {
    if path.starts_with(ROOT) {
        console.err(&format!("cannot set a quota under the path: {ROOT}\n"));
        return Ok(());
    }
    let value = match limit_value(limit, value) {
        Ok(value) => value,
        Err(complaint) => {
            console.err(&format!("{complaint}\n"));
            return Ok(());
        }
    };
    let (limits, used) = limit_to(client, path, limit, value)?;
    warn(console, &limits, &used);
    Ok(())
}

/// Sets one limit of the subtree at `path`; the others stay as they are. Returns all limits, and
/// what is used of them.
///
/// # Errors
///
/// A request that failed, a znode that does not exist, or a quota above or below this one.
pub fn limit_to(
    client: &Client,
    path: &str,
    limit: Limit,
    value: i64,
) -> Result<(Track, Track), CliError> {
    check(path)?;
    if client.exists(path, false).at(path)?.is_none() {
        let missing = ClientError::Server(ErrorCode::NoNode.wire());
        return Err(CliError {
            message: format!("{path} does not exist."),
            ..CliError::request(&missing, path)
        });
    }
    refuse_nested(client, path)?;
    let mirror = create_mirror(client, path)?;
    let limits_path = format!("{mirror}/{LIMITS}");
    let stats_path = format!("{mirror}/{STATS}");
    if client
        .exists(&limits_path, false)
        .at(&limits_path)?
        .is_none()
    {
        let mut limits = Track::unlimited();
        limits.set(limit, value);
        create(client, &limits_path, Some(&limits))?;
        create(client, &stats_path, Some(&Track::zero()))?;
        Ok((limits, read(client, &stats_path)?))
    } else {
        let mut limits = read(client, &limits_path)?;
        limits.set(limit, value);
        let used = read(client, &stats_path)?;
        client
            .set_data(&limits_path, limits.to_string().as_bytes(), -1)
            .at(&limits_path)?;
        Ok((limits, used))
    }
}

/// The limits of the subtree at `path`, and what is used of them; `None` if it has no quota.
///
/// # Errors
///
/// A request that failed, or znodes that hold no quota.
pub fn of(client: &Client, path: &str) -> Result<Option<(Track, Track)>, CliError> {
    let limits_path = format!("{ROOT}{path}/{LIMITS}");
    check(&limits_path)?;
    match client.get_data(&limits_path, false) {
        Err(error) if error.is(ErrorCode::NoNode) => Ok(None),
        limits => {
            let (limits, _) = limits.at(&limits_path)?;
            let used = read(client, &format!("{ROOT}{path}/{STATS}"))?;
            Ok(Some((Track::parse(&limits.unwrap_or_default())?, used)))
        }
    }
}

/// `listquota`.
pub(crate) fn list(client: &Client, console: &dyn Console, path: &str) -> Result<(), CliError> {
    let limits_path = format!("{ROOT}{path}/{LIMITS}");
    console.err(&format!("absolute path is {limits_path}\n"));
    check(&limits_path)?;
    let both = client.get_data(&limits_path, false).and_then(|limits| {
        let stats = client.get_data(&format!("{ROOT}{path}/{STATS}"), false)?;
        Ok((limits.0, stats.0))
    });
    match both {
        Ok((limits, stats)) => {
            let show = |data: Option<Vec<u8>>| Track::parse(&data.unwrap_or_default());
            let (limits, stats) = (show(limits)?, show(stats)?);
            console.out(&format!("Output quota for {path} {limits}\n"));
            console.out(&format!("Output stat for {path} {stats}\n"));
            Ok(())
        }
        Err(error) if error.is(ErrorCode::NoNode) => {
            console.err(&format!("quota for {path} does not exist.\n"));
            Ok(())
        }
        Err(error) => Err(CliError::request(&error, &limits_path)),
    }
}

/// `delquota`: one limit, or all and the znodes that held them.
pub(crate) fn delete(
    client: &Client,
    console: &dyn Console,
    path: &str,
    limit: Option<Limit>,
) -> Result<(), CliError> {
    if !remove(client, path, limit)? {
        console.out(&format!("Quota does not exist for {path}\n"));
    }
    Ok(())
}

/// Takes one limit of the subtree at `path` away, or all; tells whether it had a quota.
///
/// # Errors
///
/// A request that failed, or znodes that hold no quota.
pub fn remove(client: &Client, path: &str, limit: Option<Limit>) -> Result<bool, CliError> {
    let mirror = format!("{ROOT}{path}");
    let limits_path = format!("{mirror}/{LIMITS}");
    check(&limits_path)?;
    if client
        .exists(&limits_path, false)
        .at(&limits_path)?
        .is_none()
    {
        return Ok(false);
    }
    let Some(limit) = limit else {
        let (children, _) = client.get_children(&mirror, false).at(&mirror)?;
        for child in children {
            let child = format!("{mirror}/{child}");
            client.delete(&child, -1).at(&child)?;
        }
        trim(client, &mirror)?;
        return Ok(true);
    };
    let mut limits = read(client, &limits_path)?;
    limits.set(limit, -1);
    client
        .set_data(&limits_path, limits.to_string().as_bytes(), -1)
        .at(&limits_path)?;
    Ok(true)
}

fn limit_value(limit: Limit, text: &str) -> Result<i64, &'static str> {
    let not_a_number = "NumberFormatException happens when parsing the option value";
    match limit {
        Limit::Count | Limit::CountHard => match text.parse::<i32>() {
            Ok(count) if count > 0 => Ok(count.into()),
            Ok(_) => Err("the num quota must be greater than zero"),
            Err(_) => Err(not_a_number),
        },
        Limit::Bytes | Limit::BytesHard => match text.parse::<i64>() {
            Ok(bytes) if bytes >= 0 => Ok(bytes),
            Ok(_) => Err("the bytes quota must be greater than or equal to zero"),
            Err(_) => Err(not_a_number),
        },
    }
}

/// Quotas do not nest: neither above nor below another.
fn refuse_nested(client: &Client, path: &str) -> Result<(), CliError> {
    let mirror = format!("{ROOT}{path}");
    // Fails for the root, which cannot have a quota.
    check(&mirror)?;
    let has_limits = |at: &str| -> Result<bool, CliError> {
        let (children, _) = client.get_children(at, false).at(at)?;
        Ok(children.iter().any(|child| child == LIMITS))
    };
    let mut below = None;
    if client.exists(&mirror, false).at(&mirror)?.is_some() {
        visit(client, &mirror, false, &mut |at| match at != mirror
            && has_limits(at).unwrap_or(false)
        {
            true => {
                below = Some(at.to_owned());
                ControlFlow::Break(())
            }
            false => ControlFlow::Continue(()),
        })?;
    }
    if let Some(child) = below {
        let child = child.strip_prefix(ROOT).unwrap_or(&child);
        return Err(CliError::new(format!(
            "{path} has a child {child} which has a quota"
        )));
    }
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .filter(|at| *at > 0);
    for end in ends {
        let parent = path.get(..end).unwrap_or_default();
        let mirror = format!("{ROOT}{parent}");
        match client.get_children(&mirror, false) {
            Ok((children, _)) if children.iter().any(|child| child == LIMITS) => {
                return Err(CliError::new(format!(
                    "{path} has a parent {parent} which has a quota"
                )));
            }
            Ok(_) => {}
            Err(error) if error.is(ErrorCode::NoNode) => return Ok(()),
            Err(error) => return Err(CliError::request(&error, &mirror)),
        }
    }
    Ok(())
}

/// Creates the znodes down to the one that mirrors `path`, and returns it.
fn create_mirror(client: &Client, path: &str) -> Result<String, CliError> {
    let mut mirror = String::new();
    let whole = format!("{ROOT}{path}");
    for name in whole.split('/').filter(|name| !name.is_empty()) {
        mirror.push('/');
        mirror.push_str(name);
        if client.exists(&mirror, false).at(&mirror)?.is_none() {
            create(client, &mirror, None)?;
        }
    }
    Ok(mirror)
}

/// Somebody else may have been faster.
fn create(client: &Client, path: &str, data: Option<&Track>) -> Result<(), CliError> {
    let node = Node {
        data: data.map(|track| track.to_string().into_bytes()),
        acl: vec![Acl::OPEN],
        mode: CreateMode::Persistent,
        ttl: 0,
    };
    match client.create(path, &node) {
        Err(error) if !error.is(ErrorCode::NodeExists) => Err(CliError::request(&error, path)),
        _ => Ok(()),
    }
}

/// Deletes the znode and those above it that have no other children.
fn trim(client: &Client, mirror: &str) -> Result<(), CliError> {
    let mut at = mirror;
    while at != ROOT {
        let (children, _) = client.get_children(at, false).at(at)?;
        if !children.is_empty() {
            break;
        }
        client.delete(at, -1).at(at)?;
        let Some((parent, _)) = at.rsplit_once('/') else {
            break;
        };
        at = parent;
    }
    Ok(())
}

fn warn(console: &dyn Console, limits: &Track, used: &Track) {
    for (what, soft, hard) in [
        ("count", Limit::Count, Limit::CountHard),
        ("bytes", Limit::Bytes, Limit::BytesHard),
    ] {
        let now = used.get(soft);
        let is_below = |limit| limits.get(limit) > -1 && limits.get(limit) < now;
        if is_below(soft) || is_below(hard) {
            console.out(&format!(
                "[Warning]: the {what} quota you create is less than the existing {what}:{now}\n"
            ));
        }
    }
}

fn read(client: &Client, path: &str) -> Result<Track, CliError> {
    let (data, _) = client.get_data(path, false).at(path)?;
    Track::parse(&data.unwrap_or_default())
}

/// Limits, or what is used of them: `count=4,bytes=5=;byteHardLimit=6;countHardLimit=7`. The
/// second `=` makes parsers before 3.7 ignore what follows. -1 is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track(BTreeMap<String, i64>);

impl Track {
    /// No limit of any kind.
    fn unlimited() -> Self {
        let mut track = Self(BTreeMap::new());
        for limit in [
            Limit::Count,
            Limit::Bytes,
            Limit::CountHard,
            Limit::BytesHard,
        ] {
            track.set(limit, -1);
        }
        track
    }

    /// Nothing used.
    fn zero() -> Self {
        let mut track = Self(BTreeMap::new());
        track.set(Limit::Count, 0);
        track.set(Limit::Bytes, 0);
        track
    }

    fn parse(data: &[u8]) -> Result<Self, CliError> {
        let text = String::from_utf8_lossy(data);
        let mut track = Self(BTreeMap::new());
        for pair in text.split([',', ';']).filter(|pair| !pair.is_empty()) {
            let mut parts = pair.split('=');
            let (key, value) = (parts.next(), parts.next());
            let value = match value {
                Some("") => Ok(-1),
                value => value.unwrap_or_default().parse(),
            };
            let (Some(key), Ok(value)) = (key, value) else {
                return Err(CliError::new(format!(
                    "the quota \"{text}\" cannot be read"
                )));
            };
            track.0.insert(key.to_owned(), value);
        }
        Ok(track)
    }

    /// How much of it; -1 is no limit.
    pub fn get(&self, limit: Limit) -> i64 {
        self.0.get(limit.key()).copied().unwrap_or(-1)
    }

    fn set(&mut self, limit: Limit, value: i64) {
        self.0.insert(limit.key().to_owned(), value);
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, bytes) = (self.get(Limit::Count), self.get(Limit::Bytes));
        write!(f, "count={count},bytes={bytes}")?;
        let is_soft = |key: &str| key == Limit::Count.key() || key == Limit::Bytes.key();
        let mut mark = "=";
        for (key, value) in self.0.iter().filter(|(key, _)| !is_soft(key)) {
            write!(f, "{mark};{key}={value}")?;
            mark = "";
        }
        Ok(())
    }
}

impl Limit {
    fn key(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::CountHard => "countHardLimit",
            Self::BytesHard => "byteHardLimit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_round_trip() {
        for text in [
            "count=-1,bytes=-1",
            "count=4,bytes=5",
            "count=5,bytes=1=;byteHardLimit=1000;countHardLimit=100",
            "count=-1,bytes=-1=;countHardLimit=2",
        ] {
            assert_eq!(Track::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(Track::parse(b"").unwrap().to_string(), "count=-1,bytes=-1");
        for bad in ["count", "count=x", "x"] {
            assert!(Track::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn values() {
        let num = Err("the num quota must be greater than zero");
        let bytes = Err("the bytes quota must be greater than or equal to zero");
        let number = Err("NumberFormatException happens when parsing the option value");
        for (limit, text, expected) in [
            (Limit::Count, "5", Ok(5)),
            (Limit::Count, "0", num),
            (Limit::CountHard, "-1", num),
            (Limit::Count, "9999999999", number),
            (Limit::Bytes, "0", Ok(0)),
            (Limit::BytesHard, "9999999999", Ok(9_999_999_999)),
            (Limit::Bytes, "-1", bytes),
            (Limit::BytesHard, "x", number),
        ] {
            assert_eq!(limit_value(limit, text), expected, "{limit:?} {text}");
        }
    }
}
