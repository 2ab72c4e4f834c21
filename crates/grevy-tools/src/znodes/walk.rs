//! Visits a znode and all below it, with many requests under way.

use super::connection::join;
use super::window::WINDOW;
use crate::exit::{At, Exit, Failure};
use crate::interrupt;
use grevy_cli::client::{Client, Pending};
use grevy_proto::{Acl, ErrorCode, Stat};
use std::collections::VecDeque;
use std::io::{self, IsTerminal};

/// What is asked of each znode besides its children's names and its Stat.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want {
    /// Its data.
    pub data: bool,
    /// Its access control list.
    pub acl: bool,
    /// How far below the first znode to go; all the way if `None`.
    pub depth: Option<usize>,
}

impl Want {
    /// All that makes up a znode.
    pub const ALL: Self = Self {
        data: true,
        acl: true,
        depth: None,
    };
}

/// A znode that was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: String,
    /// How far below the first znode.
    pub level: usize,
    /// With its data, if that was wanted.
    pub stat: Stat,
    /// If it was wanted.
    pub data: Option<Vec<u8>>,
    /// If it was wanted, else empty.
    pub acl: Vec<Acl>,
}

/// Requests about a znode.
struct Asked {
    path: String,
    level: usize,
    children: Pending<(Vec<String>, Stat)>,
    data: Option<Pending<(Option<Vec<u8>>, Stat)>>,
    acl: Option<Pending<Vec<Acl>>>,
}

/// Visits `root` and all below it, level by level, each level in the order of names. What is
/// deleted meanwhile is passed over, but for `root`. `enter` says whether a znode is visited.
/// What may not be read is a failure.
pub fn walk(
    client: &Client,
    root: &str,
    want: Want,
    enter: &dyn Fn(&str) -> bool,
    see: &mut dyn FnMut(Found) -> Result<(), Failure>,
) -> Result<(), Failure> {
    visit(client, root, want, enter, &mut Err, see)
}

/// As [`walk`], everywhere, but goes on where something may not be read, as find(1) does: a line
/// on stderr names it, it is not seen, and the command ends with what is returned.
pub fn survey(
    client: &Client,
    root: &str,
    want: Want,
    see: &mut dyn FnMut(Found) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut denied = |failure: Failure| {
        // A line of progress may be there.
        let clear = match io::stderr().is_terminal() {
            true => "\r\x1b[K",
            false => "",
        };
        eprintln!("{clear}grevy: {failure}");
        exit = Exit::Denied;
        Ok(())
    };
    visit(client, root, want, &everything, &mut denied, see)?;
    Ok(exit)
}

fn visit(
    client: &Client,
    root: &str,
    want: Want,
    enter: &dyn Fn(&str) -> bool,
    denied: &mut dyn FnMut(Failure) -> Result<(), Failure>,
    see: &mut dyn FnMut(Found) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next = VecDeque::from([(root.to_owned(), 0)]);
    let mut asked = VecDeque::new();
    loop {
        interrupt::check()?;
        while asked.len() < WINDOW
            && let Some((path, level)) = next.pop_front()
        {
            asked.push_back(ask(client, path, level, want));
        }
        let Some(oldest) = asked.pop_front() else {
            return Ok(());
        };
        let settled = match oldest.settle(root) {
            Err(failure) if failure.exit == Exit::Denied => {
                denied(failure)?;
                None
            }
            settled => settled?,
        };
        let Some((found, mut children)) = settled else {
            continue;
        };
        if want.depth.is_none_or(|depth| found.level < depth) {
            children.sort_unstable();
            let paths = children.iter().map(|child| join(&found.path, child));
            let entered = paths.filter(|path| enter(path));
            next.extend(entered.map(|path| (path, found.level + 1)));
        }
        see(found)?;
    }
}

/// For [`walk`]: everything.
pub fn everything(_: &str) -> bool {
    true
}

/// For [`walk`]: all but what ZooKeeper keeps for itself.
pub fn users_own(path: &str) -> bool {
    path != "/zookeeper"
}

fn ask(client: &Client, path: String, level: usize, want: Want) -> Asked {
    Asked {
        data: want.data.then(|| client.submit_get_data(&path)),
        acl: want.acl.then(|| client.submit_get_acl(&path)),
        children: client.submit_get_children(&path),
        level,
        path,
    }
}

impl Asked {
    /// Waits for the answers; `None` if the znode is gone.
    fn settle(self, root: &str) -> Result<Option<(Found, Vec<String>)>, Failure> {
        let Self {
            path,
            level,
            children,
            data,
            acl,
        } = self;
        let data = data.map(Pending::wait).transpose();
        let acl = acl.map(Pending::wait).transpose();
        let children = children.wait();
        let all = data.and_then(|data| Ok((data, acl?, children?)));
        let (data, acl, (children, stat)) = match all {
            Err(error) if error.is(ErrorCode::NoNode) && path != root => return Ok(None),
            all => all.at(&path)?,
        };
        let (data, stat) = data.unwrap_or((None, stat));
        let found = Found {
            path,
            level,
            stat,
            data,
            acl: acl.unwrap_or_default(),
        };
        Ok(Some((found, children)))
    }
}
