//! The children of a znode.

use alloc::vec::Vec;

/// Ids of the children, in the order of their creation but for this: where one was removed, the
/// last one stands. Each child knows its place, so neither adding nor removing searches.
#[derive(Default)]
pub(crate) struct Children(Vec<u32>);

impl Children {
    /// The ids.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.0
    }

    /// Adds a child and says its place.
    pub(crate) fn push(&mut self, id: u32) -> u32 {
        // A lone child is common; the usual first capacity of four would be mostly wasted.
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        self.0.push(id);
        (self.0.len() - 1) as u32
    }

    /// Removes the child at this place. If another child takes the place, returns its id.
    pub(crate) fn remove(&mut self, place: u32) -> Option<u32> {
        let place = place as usize;
        self.0.swap_remove(place);
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        self.0.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_child_takes_a_vacated_place() {
        let mut children = Children::default();
        for (place, id) in [7, 8, 9].into_iter().enumerate() {
            assert_eq!(children.push(id), place as u32);
        }
        assert_eq!(children.remove(0), Some(9));
        assert_eq!(children.ids(), [9, 8]);
        assert_eq!(children.remove(1), None);
        assert_eq!(children.ids(), [9]);
        assert_eq!(children.remove(0), None);
        assert_eq!(children.ids(), []);
    }
}
