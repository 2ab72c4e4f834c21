//! A live configuration of two znodes that are changed together: its value is always one that
//! was written, and good; it never gets older; what is refused leaves the last good one.

use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use grevy_client::{CreateOptions, Error, ErrorCode, Transaction};
use grevy_recipes::{Config, ConfigError, TreeCache};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const ROOT: &str = "/r/config";
const ONE: &str = "/r/config/one";
const OTHER: &str = "/r/config/other";
const BAD: &str = "bad";

/// See the module's text.
pub struct Configs;

impl Scene for Configs {
    fn role(&self, place: usize) -> Role {
        match place {
            0 | 1 => Role::Looks,
            _ => Role::Does,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        match self.role(actor.place) {
            Role::Does => Box::pin(write(actor)),
            Role::Looks => Box::pin(look(actor)),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("changes", 10), ("views", 3)]
    }
}

async fn write(mut actor: Actor) -> Result<(), Error> {
    let think = actor.options.think;
    let mut made = 0;
    while actor.plays() {
        actor.idle(think * 2).await;
        made += 1;
        let value = format!("p{}.{}.{made}", actor.place, actor.life);
        let other = match actor.random.one_in(4) {
            true => BAD,
            false => &value,
        };
        let mut both = Transaction::new();
        both.set_data(ONE, value.as_bytes(), None)
            .set_data(OTHER, other.as_bytes(), None);
        match actor.client.multi(both).await {
            Ok(_) => actor.did("changes"),
            Err(error) if error.ends_session() => return Err(error),
            Err(error) if error.is(ErrorCode::NoNode) => {
                for path in ["/r", ROOT, ONE, OTHER] {
                    let options = CreateOptions::persistent();
                    drop(actor.client.create(path, b"first", &options).await);
                }
            }
            Err(_) => {}
        }
    }
    actor.rest().await;
    Ok(())
}

/// A good configuration, with the transactions that set its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    text: String,
    zxids: (i64, i64),
}

fn read(tree: &TreeCache) -> Result<Value, String> {
    let part = |path: &str| {
        let node = tree.get(path).ok_or("a part is missing")?;
        let text = String::from_utf8_lossy(&node.data).into_owned();
        Ok::<_, String>((text, node.stat.mzxid.0))
    };
    let (one, other) = (part(ONE)?, part(OTHER)?);
    match one.0 == other.0 {
        true => Ok(Value {
            text: one.0,
            zxids: (one.1, other.1),
        }),
        false => Err(format!("{} and {} are not the same", one.0, other.0)),
    }
}

async fn look(actor: Actor) -> Result<(), Error> {
    let mut config = loop {
        match Config::start(&actor.client, ROOT, read).await {
            Ok(config) => break config,
            Err(ConfigError::Client(error)) => return Err(error),
            // There is none yet, or no good one.
            Err(ConfigError::Rejected(_)) => tokio::time::sleep(actor.options.think).await,
        }
        if !actor.plays() {
            // There may never be one.
            actor.rest().await;
            return Ok(());
        }
    };
    let mut last = config.get().zxids;
    let mut still = std::pin::pin!(actor.until(Phase::Still));
    loop {
        tokio::select! {
            biased;
            () = &mut still => break,
            changed = config.changed() => drop(changed?),
        }
        judge_value(&actor, &config, &mut last);
    }
    let deadline = Instant::now() + actor.options.patience();
    loop {
        // What has happened already is told soon.
        let pause = Duration::from_millis(500);
        while let Ok(changed) = timeout(pause, config.changed()).await {
            drop(changed?);
            judge_value(&actor, &config, &mut last);
        }
        if is_up_to_date(&actor, &config) {
            break;
        }
        if Instant::now() > deadline {
            let (value, rejected) = (config.get(), config.rejected());
            let what = format!("in the end it is {value:?}, and {rejected:?} was refused");
            actor.violate("R13", &what);
            break;
        }
    }
    actor.rest().await;
    Ok(())
}

/// R13: see the module's text.
fn judge_value(actor: &Actor, config: &Config<Value>, last: &mut (i64, i64)) {
    let value = config.get();
    let mut notes = actor.book.open();
    notes.counts.did("views");
    notes.counts.check("R13");
    let was_written = |path: &str, zxid: i64| {
        let mut writes = notes.truth.writes.iter().rev();
        let write = writes.find(|write| write.zxid == zxid && write.path == path);
        write.is_some_and(|write| write.data == value.text.as_bytes())
    };
    if !was_written(ONE, value.zxids.0) || !was_written(OTHER, value.zxids.1) {
        notes.violate("R13", format!("{value:?} was never written"));
    }
    if value.zxids.0 < last.0 || value.zxids.1 < last.1 {
        notes.violate("R13", format!("{value:?} comes after that of {last:?}"));
    }
    if config.rejected().is_some() {
        notes.counts.did("refused");
    }
    *last = value.zxids;
}

/// Whether the value is that of the znodes, or they are refused.
fn is_up_to_date(actor: &Actor, config: &Config<Value>) -> bool {
    let notes = actor.book.open();
    let part = |path: &str| notes.truth.data(path).map(<[u8]>::to_vec);
    let (one, other) = (part(ONE), part(OTHER));
    match one.is_some() && one == other {
        true => config.rejected().is_none() && one.as_deref() == Some(config.get().text.as_bytes()),
        false => config.rejected().is_some(),
    }
}
