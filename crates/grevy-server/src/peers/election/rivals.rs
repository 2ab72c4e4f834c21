//! Servers of one number, which take each other's place on a connection: each calls again as soon
//! as it is cut off by the other, many times a second if it is let.

use std::time::Duration;
use tokio::time::Instant;

/// A server that has lost its connection without this one's knowing comes back once, or twice if
/// calls have crossed. More within [`CALM`] of each other, and there are two of it.
const MANY: u32 = 3;
/// How long after a connection was replaced it is forgotten that it was.
const CALM: Duration = Duration::from_secs(10);
/// How long rivals have to let each other have the connection.
const TURN: Duration = Duration::from_secs(3);
/// How often the operator is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How connections with one server were replaced while they were alive.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    /// How often in a row.
    replaced: u32,
    last: Option<Instant>,
    told: Option<Instant>,
}

impl Rivals {
    /// A connection was replaced. Whether the operator is to be told that there are two servers.
    pub(super) fn replace(&mut self, now: Instant) -> bool {
        let is_calm = self.last.is_none_or(|last| now - last >= CALM);
        self.replaced = if is_calm { 1 } else { self.replaced + 1 };
        self.last = Some(now);
        if self.replaced < MANY || self.told.is_some_and(|told| now - told < TELL_EVERY) {
            return false;
        }
        self.told = Some(now);
        true
    }

    /// Until when the present connection must not be replaced.
    pub(super) fn turn_ends(&self) -> Option<Instant> {
        let last = self.last.filter(|_| self.replaced >= MANY)?;
        Some(last + TURN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_now_and_then_has_no_rival() {
        let start = Instant::now();
        let mut rivals = Rivals::default();
        for n in 0..10 {
            assert!(!rivals.replace(start + CALM * 2 * n));
            assert!(!rivals.replace(start + CALM * 2 * n + TURN));
            assert_eq!(rivals.turn_ends(), None);
        }
    }

    #[test]
    fn rivals_take_turns_and_are_told_of_seldom() {
        let mut now = Instant::now();
        let mut rivals = Rivals::default();
        let mut told = Vec::new();
        for n in 0..50 {
            if rivals.replace(now) {
                told.push(n);
            }
            now = rivals.turn_ends().unwrap_or(now);
        }
        assert_eq!(told, [2, 22, 42]);
    }
}
