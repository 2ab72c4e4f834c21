//! Storage for many short byte strings.
//!
//! A znode's name and data are one string here. An allocation each would cost a header, a
//! fat pointer and a call of the allocator per znode; slots of a few sizes, 256 to an
//! allocation, cost none of these. Strings longer than a slot get an allocation of their own.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Where a string is. It is found by this and its length, which the owner keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blob(u32);

/// All strings of a tree.
#[derive(Default)]
pub(crate) struct Blobs {
    classes: [Class; CLASSES],
    large: Vec<Box<[u8]>>,
    vacant_large: Vec<u32>,
}

impl Blobs {
    /// Keeps `head` and `tail`, joined.
    pub(crate) fn insert(&mut self, head: &[u8], tail: &[u8]) -> Blob {
        let len = head.len() + tail.len();
        match class_of(len) {
            Place::Empty => Blob(0),
            Place::Slot(class, size) => Blob(self.classes[class].insert(head, tail, size)),
            Place::Large => {
                let mut bytes = Vec::with_capacity(len);
                bytes.extend_from_slice(head);
                bytes.extend_from_slice(tail);
                let bytes = bytes.into_boxed_slice();
                match self.vacant_large.pop() {
                    Some(index) => {
                        self.large[index as usize] = bytes;
                        Blob(index)
                    }
                    None => {
                        self.large.push(bytes);
                        Blob((self.large.len() - 1) as u32)
                    }
                }
            }
        }
    }

    /// Takes memory for strings to come.
    pub(crate) fn supply(&mut self, room: Room) {
        self.classes[room.class].supply.push(room.bytes);
    }

    /// The string at `blob`, `len` bytes long.
    pub(crate) fn get(&self, blob: Blob, len: usize) -> &[u8] {
        match class_of(len) {
            Place::Empty => &[],
            Place::Slot(class, size) => self.classes[class].slot(blob.0, size, len),
            Place::Large => &self.large[blob.0 as usize],
        }
    }

    /// Replaces what follows the first `keep` bytes of the string at `blob`, `len` bytes long,
    /// with `tail`; in place, if it fits.
    pub(crate) fn replace_tail(
        &mut self,
        blob: Blob,
        len: usize,
        keep: usize,
        tail: &[u8],
    ) -> Blob {
        let new_len = keep + tail.len();
        let bytes = match (class_of(len), class_of(new_len)) {
            (Place::Slot(class, size), Place::Slot(new_class, _)) if class == new_class => {
                self.classes[class].slot_mut(blob.0, size)
            }
            (Place::Large, Place::Large) if len == new_len => &mut self.large[blob.0 as usize],
            _ => {
                let head: Box<[u8]> = self.get(blob, len)[..keep].into();
                self.remove(blob, len);
                return self.insert(&head, tail);
            }
        };
        bytes[keep..new_len].copy_from_slice(tail);
        blob
    }

    /// Gives up the string at `blob`, `len` bytes long.
    pub(crate) fn remove(&mut self, blob: Blob, len: usize) {
        match class_of(len) {
            Place::Empty => {}
            Place::Slot(class, size) => self.classes[class].give_back(blob.0, size),
            Place::Large => {
                self.large[blob.0 as usize] = Box::default();
                self.vacant_large.push(blob.0);
            }
        }
    }
}

/// Slots of one size.
#[derive(Default)]
struct Class {
    chunks: Vec<Chunk>,
    /// Chunks with room. Some may have no memory any more.
    with_room: Vec<u32>,
    /// Chunks without memory that were found among those.
    without_memory: Vec<u32>,
    /// A chunk that was the last one to lose its last string.
    spare: u32,
    /// Memory for chunks to come.
    supply: Vec<Vec<u8>>,
}

/// Memory for one chunk.
pub(crate) struct Room {
    class: usize,
    bytes: Vec<u8>,
}

/// Makes [`Room`] for strings that will be inserted into empty [`Blobs`], which need not be at
/// hand. The system gives memory page by page when it is first written to, and that takes as long
/// as what is written; so somebody else may do it.
#[derive(Default)]
pub(crate) struct Rooms {
    /// The strings of each class so far.
    strings: [usize; CLASSES],
}

impl Rooms {
    /// Room, if a string of `len` bytes more needs any.
    pub(crate) fn next(&mut self, len: usize) -> Option<Room> {
        let Place::Slot(class, size) = class_of(len) else {
            return None;
        };
        let strings = &mut self.strings[class];
        let is_full = strings.is_multiple_of(SLOTS);
        *strings += 1;
        is_full.then(|| {
            // Zeros might not be written.
            let mut bytes = alloc::vec![1; size * SLOTS];
            bytes.clear();
            Room { class, bytes }
        })
    }
}

/// 256 slots; no memory, if all are vacant and it has been given back.
#[derive(Default)]
struct Chunk {
    /// The slots that were ever used. The memory behind them is first written when it is needed,
    /// not cleared beforehand.
    bytes: Vec<u8>,
    used: u16,
    /// The first of the vacant slots among them; each holds the number of the next one.
    vacant: u16,
}

const SLOTS: usize = 256;
const NO_SLOT: u16 = u16::MAX;

impl Class {
    fn insert(&mut self, head: &[u8], tail: &[u8], size: usize) -> u32 {
        let number = self.roomy_chunk(size);
        let chunk = &mut self.chunks[number as usize];
        let len = head.len() + tail.len();
        let slot = match chunk.vacant {
            NO_SLOT => {
                let end = chunk.bytes.len() + size;
                chunk.bytes.extend_from_slice(head);
                chunk.bytes.extend_from_slice(tail);
                chunk.bytes.resize(end, 0);
                chunk.used
            }
            slot => {
                let at = usize::from(slot) * size;
                chunk.vacant = u16::from_le_bytes([chunk.bytes[at], chunk.bytes[at + 1]]);
                chunk.bytes[at..at + head.len()].copy_from_slice(head);
                chunk.bytes[at + head.len()..at + len].copy_from_slice(tail);
                slot
            }
        };
        chunk.used += 1;
        if usize::from(chunk.used) == SLOTS {
            self.with_room.pop();
        }
        number * SLOTS as u32 + u32::from(slot)
    }

    /// A chunk with memory and a vacant slot; the last of those with room.
    fn roomy_chunk(&mut self, size: usize) -> u32 {
        while let Some(&number) = self.with_room.last() {
            if self.chunks[number as usize].bytes.capacity() > 0 {
                return number;
            }
            self.with_room.pop();
            self.without_memory.push(number);
        }
        let number = self.without_memory.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk::default());
            (self.chunks.len() - 1) as u32
        });
        self.chunks[number as usize] = Chunk {
            bytes: match self.supply.pop() {
                Some(bytes) => bytes,
                None => Vec::with_capacity(size * SLOTS),
            },
            used: 0,
            vacant: NO_SLOT,
        };
        self.with_room.push(number);
        number
    }

    fn give_back(&mut self, index: u32, size: usize) {
        let number = index / SLOTS as u32;
        let slot = (index % SLOTS as u32) as u16;
        let chunk = &mut self.chunks[number as usize];
        if usize::from(chunk.used) == SLOTS {
            self.with_room.push(number);
        }
        chunk.used -= 1;
        let at = usize::from(slot) * size;
        chunk.bytes[at..at + 2].copy_from_slice(&chunk.vacant.to_le_bytes());
        chunk.vacant = slot;
        // One empty chunk keeps its memory, lest a znode that comes and goes makes the memory
        // come and go with it.
        if chunk.used == 0 && self.spare != number {
            let spare = &mut self.chunks[self.spare as usize];
            if spare.used == 0 {
                spare.bytes = Vec::new();
            }
            self.spare = number;
        }
    }

    fn slot(&self, index: u32, size: usize, len: usize) -> &[u8] {
        let at = index as usize % SLOTS * size;
        &self.chunks[index as usize / SLOTS].bytes[at..at + len]
    }

    fn slot_mut(&mut self, index: u32, size: usize) -> &mut [u8] {
        let at = index as usize % SLOTS * size;
        &mut self.chunks[index as usize / SLOTS].bytes[at..at + size]
    }
}

enum Place {
    Empty,
    /// Which class, and how many bytes its slots have.
    Slot(usize, usize),
    Large,
}

const CLASSES: usize = 32;

/// Steps of 8 bytes up to 128, of 16 up to 256, of 32 up to 512: about 5% are left unused.
fn class_of(len: usize) -> Place {
    match len {
        0 => Place::Empty,
        1..=128 => {
            let step = (len - 1) / 8;
            Place::Slot(step, (step + 1) * 8)
        }
        129..=256 => {
            let step = (len - 129) / 16;
            Place::Slot(16 + step, 128 + (step + 1) * 16)
        }
        257..=512 => {
            let step = (len - 257) / 32;
            Place::Slot(24 + step, 256 + (step + 1) * 32)
        }
        _ => Place::Large,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn every_length_fits_its_slot() {
        let mut sizes = [0; CLASSES];
        for len in 1..=512 {
            let Place::Slot(class, size) = class_of(len) else {
                panic!("{len} has no slot");
            };
            assert!(
                len <= size && size <= len + len / 16 + 16,
                "{len} in {size}"
            );
            assert!(sizes[class] == 0 || sizes[class] == size);
            sizes[class] = size;
        }
        assert!(sizes.is_sorted() && sizes[0] == 8);
    }

    #[test]
    fn memory_of_empty_chunks_is_given_back() {
        let mut blobs = Blobs::default();
        let all: Vec<Blob> = (0..4 * SLOTS).map(|_| blobs.insert(b"ab", b"cd")).collect();
        for blob in all {
            blobs.remove(blob, 4);
        }
        let chunks = &blobs.classes[0].chunks;
        let kept = chunks.iter().filter(|chunk| chunk.bytes.capacity() > 0);
        assert_eq!((chunks.len(), kept.count()), (4, 1));
    }

    /// Exactly as much is made as is used.
    #[test]
    fn memory_is_made_elsewhere() {
        let (mut blobs, mut rooms) = (Blobs::default(), Rooms::default());
        let mut made = Vec::new();
        for n in 0..3 * SLOTS + 1 {
            for len in [0, 1, 100, 600] {
                if let Some(room) = rooms.next(len) {
                    made.push(room.bytes.as_ptr());
                    blobs.supply(room);
                }
                let text = vec![n as u8; len];
                let blob = blobs.insert(&[], &text);
                assert_eq!(blobs.get(blob, len), text);
            }
        }
        assert_eq!(made.len(), 2 * 4);
        for class in &blobs.classes {
            assert!(class.supply.is_empty());
            for chunk in &class.chunks {
                assert!(made.contains(&chunk.bytes.as_ptr()));
            }
        }
    }

    fn length() -> impl Strategy<Value = usize> {
        prop_oneof![0..40usize, 100..140usize, 240..300usize, 500..600usize]
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(usize, usize),
        Replace(prop::sample::Index, usize, usize),
        Remove(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (length(), length()).prop_map(|(head, tail)| Step::Insert(head, tail)),
            1 => (any::<prop::sample::Index>(), length(), length())
                .prop_map(|(which, keep, tail)| Step::Replace(which, keep, tail)),
            2 => any::<prop::sample::Index>().prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn strings_stay_as_they_are(steps in prop::collection::vec(step(), 0..600)) {
            let mut blobs = Blobs::default();
            let mut model: BTreeMap<usize, (Blob, Vec<u8>)> = BTreeMap::new();
            let pick = |model: &BTreeMap<usize, _>, which: prop::sample::Index| {
                (!model.is_empty()).then(|| *model.keys().nth(which.index(model.len())).unwrap())
            };
            for (n, step) in steps.into_iter().enumerate() {
                let fill = |len| vec![n as u8; len];
                match step {
                    Step::Insert(head, tail) => {
                        let blob = blobs.insert(&fill(head), &fill(tail));
                        model.insert(n, (blob, fill(head + tail)));
                    }
                    Step::Replace(which, keep, tail) => {
                        let Some(key) = pick(&model, which) else { continue };
                        let (blob, bytes) = model.get_mut(&key).unwrap();
                        let keep = keep.min(bytes.len());
                        *blob = blobs.replace_tail(*blob, bytes.len(), keep, &fill(tail));
                        bytes.truncate(keep);
                        bytes.extend(fill(tail));
                    }
                    Step::Remove(which) => {
                        let Some(key) = pick(&model, which) else { continue };
                        let (blob, bytes) = model.remove(&key).unwrap();
                        blobs.remove(blob, bytes.len());
                    }
                }
                for (blob, bytes) in model.values() {
                    prop_assert_eq!(blobs.get(*blob, bytes.len()), &bytes[..]);
                }
            }
        }
    }
}
