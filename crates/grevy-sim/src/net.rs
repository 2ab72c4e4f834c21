//! Streams between clients and servers, and between servers: delayed, held up, cut anywhere, reset at any byte, half-open.
//!
//! A stream is first in, first out; what had not arrived when it was reset never does. How badly
//! a link behaves is drawn for each anew.

use crate::random::Random;
use grevy_node::Time;
use std::collections::VecDeque;

/// Mean delays, in µs, of links that are not slow.
const CALM: [u64; 2] = [200, 200];

/// Names a link; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub usize);

/// One of the two ends of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The end that asked for the link.
    Client,
    /// The end that accepted it.
    Server,
}

impl End {
    /// The opposite end.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkStyle {
    /// Mean delay in µs towards the server and towards the client.
    pub delay: [u64; 2],
    /// How what is written comes apart.
    pub cut: Cut,
    /// Bytes that fit between a writer and a reader that does not read.
    pub window: usize,
}

/// How writes are cut into reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A write arrives whole, if the reader takes that much.
    Whole,
    /// In some pieces of any length.
    Pieces,
    /// A byte at a time.
    Bytes,
}

impl LinkStyle {
    /// A link's style, mostly gentle.
    pub fn draw(random: &mut Random) -> Self {
        let mean = *random.pick(&[100, 300, 300, 2_000, 2_000, 50_000]);
        let back = match random.one_in(4) {
            true => mean * 10,
            false => mean,
        };
        Self {
            delay: [mean, back],
            cut: [Cut::Whole, Cut::Pieces, Cut::Bytes][random.weighted(&[6, 5, 1])],
            window: *random.pick(&[64 << 10, 64 << 10, 4 << 10, 700]),
        }
    }
}

impl LinkStyle {
    /// The style of a link between servers, which are near each other most of the time.
    pub fn draw_between_servers(random: &mut Random) -> Self {
        let mean = *random.pick(&[100, 100, 500, 500, 2_000, 10_000]);
        let back = match random.one_in(6) {
            true => mean * 10,
            false => mean,
        };
        Self {
            delay: [mean, back],
            cut: [Cut::Whole, Cut::Pieces, Cut::Bytes][random.weighted(&[8, 4, 1])],
            window: *random.pick(&[64 << 10, 64 << 10, 4 << 10]),
        }
    }
}

/// What a read brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Nothing for now.
    Nothing,
    /// Bytes, at least one.
    Bytes(Vec<u8>),
    /// The other end has said all it had to say.
    End,
    /// The link is broken.
    Reset,
}

/// Bytes on their way to one end.
#[derive(Debug, Default)]
struct Direction {
    in_flight: VecDeque<Packet>,
    arrived: VecDeque<u8>,
    end_sent: bool,
    end_arrived: bool,
    last_at: Time,
    /// Nothing gets through for now; sent again and again until something does.
    held: bool,
    /// Packets that were due meanwhile.
    overdue: usize,
}

#[derive(Debug)]
enum Packet {
    Bytes(Vec<u8>),
    End,
}

#[derive(Debug)]
struct Link {
    style: LinkStyle,
    to_server: Direction,
    to_client: Direction,
    /// Whether each end knows that the link is broken, or let go of it.
    closed: [bool; 2],
    /// Nothing arrives any more, and nobody is told.
    dead: bool,
    random: Random,
}

/// All links that there ever were.
#[derive(Debug)]
pub struct Network {
    links: Vec<Link>,
    random: Random,
    calm: bool,
}

impl Network {
    /// No links.
    pub fn new(random: Random) -> Self {
        Self {
            links: Vec::new(),
            random,
            calm: false,
        }
    }

    /// From now on no link is slow.
    pub fn calm_down(&mut self) {
        self.calm = true;
        for link in &mut self.links {
            link.style.delay = CALM;
        }
    }

    /// A new link from a client.
    pub fn open(&mut self, now: Time) -> LinkId {
        self.open_like(now, LinkStyle::draw)
    }

    /// A new link from one server to another.
    pub fn open_between_servers(&mut self, now: Time) -> LinkId {
        self.open_like(now, LinkStyle::draw_between_servers)
    }

    fn open_like(&mut self, now: Time, style: fn(&mut Random) -> LinkStyle) -> LinkId {
        let mut random = self.random.fork();
        let mut style = style(&mut random);
        if self.calm {
            style.delay = CALM;
        }
        let direction = || Direction {
            last_at: now,
            ..Direction::default()
        };
        self.links.push(Link {
            style,
            to_server: direction(),
            to_client: direction(),
            closed: [false; 2],
            dead: false,
            random,
        });
        LinkId(self.links.len() - 1)
    }

    /// What the link is like.
    pub fn style(&self, id: LinkId) -> LinkStyle {
        self.links[id.0].style
    }

    /// Writes as much of `bytes` as there is room for. Returns how much that was, and when
    /// [`Network::arrive`] is due at the other end, once for each time.
    pub fn send(&mut self, id: LinkId, from: End, bytes: &[u8], now: Time) -> (usize, Vec<Time>) {
        let link = &mut self.links[id.0];
        if link.closed[from as usize] {
            return (0, Vec::new());
        }
        let room = link.room(from);
        let taken = bytes.len().min(room);
        let mut rest = &bytes[..taken];
        let mut due = Vec::new();
        while !rest.is_empty() {
            let len = match link.style.cut {
                Cut::Whole => rest.len(),
                // What is long comes in larger pieces, or a run would be about nothing else.
                Cut::Pieces => 1 + link.random.index(rest.len().min(200)).max(rest.len() / 8),
                Cut::Bytes => 1.max(rest.len() / 64),
            };
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            due.extend(link.put(from, Packet::Bytes(piece.to_vec()), now));
        }
        (taken, due)
    }

    /// Says that nothing more will be written. Returns when that arrives.
    pub fn finish(&mut self, id: LinkId, from: End, now: Time) -> Option<Time> {
        let link = &mut self.links[id.0];
        let direction = link.direction(from.other());
        if direction.end_sent {
            return None;
        }
        direction.end_sent = true;
        link.put(from, Packet::End, now)
    }

    /// Something arrives at `end`. Returns whether there is anything new to read.
    pub fn arrive(&mut self, id: LinkId, end: End) -> bool {
        let link = &mut self.links[id.0];
        if link.dead {
            return false;
        }
        let direction = link.direction(end);
        if direction.held {
            direction.overdue += 1;
            return false;
        }
        match direction.in_flight.pop_front() {
            Some(Packet::Bytes(bytes)) => direction.arrived.extend(bytes),
            Some(Packet::End) => direction.end_arrived = true,
            None => return false,
        }
        !link.closed[end as usize]
    }

    /// Reads up to `max` bytes at `end`.
    pub fn receive(&mut self, id: LinkId, end: End, max: usize) -> Received {
        let link = &mut self.links[id.0];
        if link.closed[end as usize] {
            return Received::Reset;
        }
        let direction = link.direction(end);
        let len = direction.arrived.len().min(max);
        if len > 0 {
            return Received::Bytes(direction.arrived.drain(..len).collect());
        }
        match direction.end_arrived {
            true => Received::End,
            false => Received::Nothing,
        }
    }

    /// Breaks the link: what is under way is lost, both ends learn of it when they next look.
    pub fn reset(&mut self, id: LinkId) {
        let link = &mut self.links[id.0];
        link.closed = [true; 2];
        link.dead = true;
        link.to_client = Direction::default();
        link.to_server = Direction::default();
    }

    /// `end` lets go of the link: it reads and writes nothing more. What it has written still
    /// arrives.
    pub fn close(&mut self, id: LinkId, end: End) {
        let link = &mut self.links[id.0];
        link.closed[end as usize] = true;
        link.direction(end).arrived.clear();
    }

    /// Nothing arrives any more in either direction, and neither end is told: a cut cable, or a
    /// machine that lost power.
    pub fn kill(&mut self, id: LinkId) {
        self.links[id.0].dead = true;
    }

    /// From now on nothing gets through to `end`; nobody is told, and nothing is lost.
    pub fn hold(&mut self, id: LinkId, end: End) {
        self.links[id.0].direction(end).held = true;
    }

    /// What was held back gets through: [`Network::arrive`] is due so many times.
    pub fn release(&mut self, id: LinkId, end: End) -> usize {
        let direction = self.links[id.0].direction(end);
        direction.held = false;
        std::mem::take(&mut direction.overdue)
    }

    /// Whether `end` has let go of the link or knows that it is broken.
    pub fn is_closed(&self, id: LinkId, end: End) -> bool {
        self.links[id.0].closed[end as usize]
    }
}

impl Link {
    fn direction(&mut self, to: End) -> &mut Direction {
        match to {
            End::Client => &mut self.to_client,
            End::Server => &mut self.to_server,
        }
    }

    fn room(&mut self, from: End) -> usize {
        let window = self.style.window;
        let direction = self.direction(from.other());
        if direction.end_sent {
            return 0;
        }
        let flying = direction.in_flight.iter().map(|packet| match packet {
            Packet::Bytes(bytes) => bytes.len(),
            Packet::End => 0,
        });
        let waiting = flying.sum::<usize>() + direction.arrived.len();
        window.saturating_sub(waiting)
    }

    fn put(&mut self, from: End, packet: Packet, now: Time) -> Option<Time> {
        if self.dead {
            // It takes up room in the sender's buffers, and goes nowhere.
            self.direction(from.other()).in_flight.push_back(packet);
            return None;
        }
        let mean = match from {
            End::Client => self.style.delay[0],
            End::Server => self.style.delay[1],
        };
        let delay = self.random.around(mean).clamp(10, 2_000_000);
        let direction = self.direction(from.other());
        let at = Time(now.0 + delay).max(direction.last_at);
        direction.last_at = at;
        direction.in_flight.push_back(packet);
        if direction.held {
            direction.overdue += 1;
            return None;
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(cut: Cut) -> (Network, LinkId) {
        let mut network = Network::new(Random::new(3));
        let id = network.open(Time(0));
        network.links[id.0].style = LinkStyle {
            delay: [100, 100],
            cut,
            window: 300,
        };
        (network, id)
    }

    #[test]
    fn bytes_arrive_in_order_however_they_are_cut() {
        for cut in [Cut::Whole, Cut::Pieces, Cut::Bytes] {
            let (mut network, id) = network(cut);
            let text: Vec<u8> = (0..200).collect();
            let (taken, due) = network.send(id, End::Client, &text, Time(0));
            assert_eq!(taken, 200);
            assert!(due.is_sorted());
            let mut got = Vec::new();
            for _ in due {
                assert!(network.arrive(id, End::Server));
                if let Received::Bytes(bytes) = network.receive(id, End::Server, 7) {
                    got.extend(bytes);
                }
            }
            while let Received::Bytes(bytes) = network.receive(id, End::Server, 1000) {
                got.extend(bytes);
            }
            assert_eq!(got, text);
        }
    }

    #[test]
    fn a_window_fills_and_a_reset_loses_what_is_under_way() {
        let (mut network, id) = network(Cut::Whole);
        assert_eq!(network.send(id, End::Server, &[1; 500], Time(0)).0, 300);
        assert_eq!(network.send(id, End::Server, &[1; 500], Time(0)).0, 0);
        assert!(network.arrive(id, End::Client));
        assert_eq!(
            network.receive(id, End::Client, 100),
            Received::Bytes(vec![1; 100])
        );
        assert_eq!(network.send(id, End::Server, &[1; 500], Time(0)).0, 100);
        network.reset(id);
        assert!(!network.arrive(id, End::Client));
        assert_eq!(network.receive(id, End::Client, 100), Received::Reset);
    }

    #[test]
    fn the_end_comes_after_the_bytes() {
        let (mut network, id) = network(Cut::Whole);
        network.send(id, End::Server, b"bye", Time(0));
        assert!(network.finish(id, End::Server, Time(0)).is_some());
        assert_eq!(network.finish(id, End::Server, Time(0)), None);
        network.arrive(id, End::Client);
        network.arrive(id, End::Client);
        let read = |network: &mut Network| network.receive(id, End::Client, 100);
        assert_eq!(read(&mut network), Received::Bytes(b"bye".to_vec()));
        assert_eq!(read(&mut network), Received::End);
    }
}
