//! Caches: what they hold never gets older, and in the end is what there is.

use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use crate::options::{Bug, Options};
use crate::planted;
use crate::recipe::Recipe;
use grevy_client::{Client, CreateOptions, Error, ErrorCode};
use grevy_recipes::{Change, NodeCache, NodeData, TreeCache};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const ROOT: &str = "/r/tree";
const PATHS: &[&str] = &[
    "/r/tree",
    "/r/tree/a",
    "/r/tree/a/x",
    "/r/tree/a/y",
    "/r/tree/b",
    "/r/tree/b/x",
];

/// See the module's text.
pub struct Caches {
    recipe: Recipe,
}

impl Caches {
    /// Of the run's recipe.
    pub fn new(options: &Options) -> Self {
        Self {
            recipe: options.recipe,
        }
    }
}

impl Scene for Caches {
    fn role(&self, place: usize) -> Role {
        match place {
            0 | 1 => Role::Looks,
            _ => Role::Does,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        match (self.role(actor.place), self.recipe) {
            (Role::Does, _) => Box::pin(write(actor)),
            (Role::Looks, Recipe::NodeCache) => Box::pin(look_at_node(actor)),
            (Role::Looks, _) => Box::pin(look_at_tree(actor)),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("changes", 10), ("views", 3)]
    }
}

/// Whatever comes of it.
async fn write(mut actor: Actor) -> Result<(), Error> {
    let think = actor.options.think;
    let mut made = 0;
    while actor.plays() {
        actor.idle(think / 2).await;
        made += 1;
        let path = *actor.random.pick(PATHS);
        let data = format!("p{}.{}.{made}", actor.place, actor.life).into_bytes();
        let done = match actor.random.percent(75) {
            true => put(&actor.client, path, &data).await,
            false => actor.client.delete(path, None).await,
        };
        match done {
            Ok(()) => actor.did("changes"),
            Err(error) if error.ends_session() => return Err(error),
            Err(_) => {}
        }
    }
    actor.rest().await;
    Ok(())
}

/// Sets a znode's data, or creates it, with those above it.
async fn put(client: &Client, path: &str, data: &[u8]) -> Result<(), Error> {
    let options = CreateOptions::persistent();
    match client.create(path, data, &options).await {
        Err(error) if error.is(ErrorCode::NodeExists) => {
            client.set_data(path, data, None).await.map(drop)
        }
        Err(error) if error.is(ErrorCode::NoNode) => {
            for (at, _) in path.match_indices('/').skip(1) {
                drop(client.create(&path[..at], data, &options).await);
            }
            client.create(path, data, &options).await.map(drop)
        }
        created => created.map(drop),
    }
}

/// Data with the transaction that set it, by path.
type State = BTreeMap<String, (i64, Vec<u8>)>;

/// What there is of the subtree.
fn truth(actor: &Actor, root: &str) -> State {
    let notes = actor.book.open();
    let below = |path: &str| path == root || path.starts_with(&format!("{root}/"));
    let znodes = notes.truth.model.znodes.iter();
    let own = znodes.filter(|(path, _)| below(path)).map(|(path, znode)| {
        let data = znode.data.clone().unwrap_or_default();
        (path.clone(), (znode.mzxid, data))
    });
    own.collect()
}

fn state_of(node: &NodeData) -> (i64, Vec<u8>) {
    (node.stat.mzxid.0, node.data.clone())
}

/// R12: what is seen of a znode is never older than what was.
#[derive(Default)]
struct Newest(BTreeMap<String, i64>);

impl Newest {
    fn see(&mut self, actor: &Actor, path: &str, node: &NodeData) {
        actor.did("views");
        let mzxid = node.stat.mzxid.0;
        let newest = self.0.entry(path.to_owned()).or_default();
        actor.book.open().counts.check("R12");
        if mzxid < *newest {
            let what = format!("{path} of {mzxid:x} is seen after that of {newest:x}");
            actor.violate("R12", &what);
        }
        *newest = mzxid;
    }
}

/// A cache of either kind.
enum Cache {
    Tree(TreeCache),
    Node(NodeCache),
    /// With a bug.
    Careless(planted::CarelessCache),
}

impl Cache {
    async fn next(&mut self, actor: &Actor, newest: &mut Newest) -> Result<(), Error> {
        match self {
            Self::Tree(tree) => {
                if let Change::Added(path) | Change::Changed(path) = tree.next().await?
                    && let Some(node) = tree.get(&path)
                {
                    newest.see(actor, &path, node);
                }
            }
            Self::Node(node) => {
                if let Some(node) = node.next().await? {
                    newest.see(actor, ROOT, node);
                }
            }
            Self::Careless(tree) => {
                tree.next().await?;
                actor.did("views");
            }
        }
        Ok(())
    }

    fn state(&self) -> State {
        let state = |(path, node): (&str, &NodeData)| (path.to_owned(), state_of(node));
        match self {
            Self::Tree(tree) => tree.nodes().map(state).collect(),
            Self::Node(node) => node
                .get()
                .map(|node| state((ROOT, node)))
                .into_iter()
                .collect(),
            Self::Careless(tree) => tree.nodes().map(state).collect(),
        }
    }
}

async fn look_at_tree(actor: Actor) -> Result<(), Error> {
    let cache = match actor.has(Bug::MissesWhatWasMissed) {
        true => Cache::Careless(planted::CarelessCache::start(&actor.client, ROOT).await?),
        false => Cache::Tree(TreeCache::start(&actor.client, ROOT).await?),
    };
    look(actor, cache, |actor| truth(actor, ROOT)).await
}

async fn look_at_node(actor: Actor) -> Result<(), Error> {
    let cache = Cache::Node(NodeCache::start(&actor.client, ROOT).await?);
    let own = |actor: &Actor| {
        let mut state = truth(actor, ROOT);
        state.retain(|path, _| path == ROOT);
        state
    };
    look(actor, cache, own).await
}

/// R12: in the end the cache holds what there is.
async fn look(
    actor: Actor,
    mut cache: Cache,
    truth: impl Fn(&Actor) -> State,
) -> Result<(), Error> {
    let mut newest = Newest::default();
    let mut still = std::pin::pin!(actor.until(Phase::Still));
    loop {
        tokio::select! {
            biased;
            () = &mut still => break,
            seen = cache.next(&actor, &mut newest) => seen?,
        }
    }
    let deadline = Instant::now() + actor.options.patience();
    loop {
        // What has happened already is told soon.
        let pause = Duration::from_millis(500);
        while let Ok(seen) = timeout(pause, cache.next(&actor, &mut newest)).await {
            seen?;
        }
        actor.book.open().counts.check("R12");
        let (held, there) = (cache.state(), truth(&actor));
        if held == there {
            break;
        }
        if Instant::now() > deadline {
            actor.violate(
                "R12",
                &format!("the cache holds {held:?}, and there is {there:?}"),
            );
            break;
        }
    }
    actor.rest().await;
    Ok(())
}
