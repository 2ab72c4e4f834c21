//! What happens when: events in the order of their times, and of their making within one time.

use grevy_node::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Events to come, and the present.
#[derive(Debug)]
pub struct Schedule<E> {
    now: Time,
    made: u64,
    heap: BinaryHeap<Reverse<Entry<E>>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl<E> Eq for Entry<E> {}
impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<E> Schedule<E> {
    /// Nothing to come; the present is 0.
    pub fn new() -> Self {
        Self {
            now: Time(0),
            made: 0,
            heap: BinaryHeap::new(),
        }
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Adds an event after `delay`.
    pub fn after(&mut self, delay: Duration, event: E) {
        self.at(self.now + delay, event);
    }

    /// Adds an event after `micros`.
    pub fn after_micros(&mut self, micros: u64, event: E) {
        self.after(Duration::from_micros(micros), event);
    }

    /// Adds an event at `time`, or now if that is over.
    pub fn at(&mut self, time: Time, event: E) {
        let at = time.max(self.now);
        let number = self.made;
        self.made += 1;
        self.heap.push(Reverse(Entry { at, number, event }));
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Moves on to the next event.
    pub fn pop(&mut self) -> Option<E> {
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    /// Forgets all that is to come.
    pub fn clear(&mut self) {
        self.heap.clear();
    }
}

impl<E> Default for Schedule<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_and_time_never_goes_back() {
        let mut schedule = Schedule::new();
        for (at, event) in [(5, "b"), (5, "c"), (1, "a")] {
            schedule.at(Time(at), event);
        }
        let mut seen = Vec::new();
        while let Some(event) = schedule.pop() {
            seen.push((schedule.now().0, event));
            if event == "b" {
                schedule.at(Time(2), "late");
            }
        }
        assert_eq!(seen, [(1, "a"), (5, "b"), (5, "c"), (5, "late")]);
    }
}
