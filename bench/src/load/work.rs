//! Which request comes next.

use super::keys::{KeyPath, digits};
use crate::client::{Connection, DATA_BYTES, MULTI_SETS, Operation};

/// What a client does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Reads a znode drawn at random.
    Get,
    /// Writes a znode drawn at random.
    Set,
    /// Writes ten znodes drawn at random in one multi.
    Multi,
    /// Nine reads for one write, at random.
    Mixed,
    /// Creates znodes that were never there.
    Create,
    /// Creates the znodes of the benchmark, in order.
    Fill,
}

/// The stream of requests of one measurement, the same in every run.
pub struct Work {
    mix: Mix,
    /// Znodes to draw from.
    keys: u64,
    key: KeyPath,
    data: [u8; DATA_BYTES],
    random: u64,
    created: u64,
    /// Ends in ten digits that number what is created.
    create_path: Vec<u8>,
}

impl Work {
    /// `parent` is where [`Mix::Create`] puts its znodes.
    pub fn new(mix: Mix, keys: u64, parent: &str) -> Work {
        Work {
            mix,
            keys,
            key: KeyPath::default(),
            data: [b'x'; DATA_BYTES],
            random: 0x9e37_79b9_7f4a_7c15,
            created: 0,
            create_path: format!("{parent}/n0000000000").into_bytes(),
        }
    }

    /// Queues the next request on `connection`.
    #[inline]
    pub fn issue(&mut self, connection: &mut Connection, start: u64) {
        match self.mix {
            Mix::Get => self.get(connection, start),
            Mix::Set => self.set(connection, start),
            Mix::Multi => {
                let numbers: [u64; MULTI_SETS] = std::array::from_fn(|_| self.draw(self.keys));
                let key = &mut self.key;
                let paths = numbers.iter().map(|&number| *key.of(number));
                connection.multi(paths, &self.data, start);
            }
            Mix::Mixed => {
                if self.draw(10) == 0 {
                    self.set(connection, start);
                } else {
                    self.get(connection, start);
                }
            }
            Mix::Create => {
                let number = self.create_path.len() - 10;
                digits(&mut self.create_path[number..], self.created);
                connection.create(Operation::Create, &self.create_path, &self.data, start);
                self.created += 1;
            }
            Mix::Fill => {
                connection.create(
                    Operation::Fill,
                    self.key.of(self.created),
                    &self.data,
                    start,
                );
                self.created += 1;
            }
        }
    }

    #[inline]
    fn get(&mut self, connection: &mut Connection, start: u64) {
        let number = self.draw(self.keys);
        connection.get(self.key.of(number), start);
    }

    #[inline]
    fn set(&mut self, connection: &mut Connection, start: u64) {
        let number = self.draw(self.keys);
        // Data that differ, lest a server that compresses or compares look better than it is.
        let (head, _) = self.data.split_at_mut(8);
        head.copy_from_slice(&self.random.to_le_bytes());
        connection.set(self.key.of(number), &self.data, start);
    }

    /// A number below `end`, by xorshift.
    #[inline]
    fn draw(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((u128::from(self.random) * u128::from(end)) >> 64) as u64
    }
}
