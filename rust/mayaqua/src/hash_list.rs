//! The hash list of `Mayaqua/Memory.c`: a list for each hash value, sorted as [`crate::list`] sorts.
//!
//! Not here: the lock and the reference count of the C's hash list.

use crate::list::{Compare, List};

/// The most bits of a hash value that choose a list (C: a number in `NewHashList`, Memory.c).
pub const MAX_BITS: u32 = 31;
/// Bits for those who do not say (C: a number in `NewHashList`, Memory.c).
pub const DEFAULT_BITS: u32 = 16;

/// Items by hash value (C: `HASH_LIST`). The table of 2^bits places comes with the first item.
#[derive(Clone, Debug)]
pub struct HashList<T> {
    entries: Vec<Option<Box<List<T>>>>,
    hash: fn(&T) -> u32,
    compare: Compare<T>,
    size: u32,
    len: usize,
}

impl<T> HashList<T> {
    /// An empty list with 2^`bits` places (C: `NewHashList`, Mayaqua/Memory.c): 0 bits are 16, more than 31 are 31.
    #[must_use]
    pub fn new(hash: fn(&T) -> u32, compare: Compare<T>, bits: u32) -> Self {
        let bits = if bits == 0 { DEFAULT_BITS } else { bits.min(MAX_BITS) };
        Self { entries: Vec::new(), hash, compare, size: 1 << bits, len: 0 }
    }

    /// The place of an item (C: `CalcHashForHashList`, Mayaqua/Memory.c).
    #[must_use]
    pub fn calc_hash(&self, item: &T) -> u32 {
        (self.hash)(item) % self.size
    }

    /// Adds an item (C: `AddHash`, Mayaqua/Memory.c).
    pub fn add(&mut self, item: T) {
        let place = self.calc_hash(&item) as usize;
        if self.entries.is_empty() {
            self.entries.resize_with(self.size as usize, || None);
        }
        if let Some(entry) = self.entries.get_mut(place) {
            entry.get_or_insert_with(|| Box::new(List::new(Some(self.compare)))).insert(item);
            self.len += 1;
        }
    }

    /// An item that compares equal to `target` and has its hash (C: `SearchHash`, Mayaqua/Memory.c).
    pub fn search(&mut self, target: &T) -> Option<&T> {
        let place = self.calc_hash(target) as usize;
        self.entries.get_mut(place)?.as_mut()?.search(target)
    }

    /// Number of items (C: `HASH_LIST_NUM`).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The items in the order of their places (C: `HashListToArray` of one without `AllList`, Mayaqua/Memory.c).
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().flatten().flat_map(|list| list.iter())
    }
}

impl<T: PartialEq> HashList<T> {
    /// Removes an item that equals `item`; whether there was one (C: `DeleteHash`, Mayaqua/Memory.c).
    pub fn delete(&mut self, item: &T) -> bool {
        let place = self.calc_hash(item) as usize;
        let Some(entry) = self.entries.get_mut(place) else { return false };
        let Some(list) = entry else { return false };
        let deleted = list.delete(item);
        if list.is_empty() {
            *entry = None;
        }
        self.len -= usize::from(deleted);
        deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn bits_have_a_default_and_a_limit() {
        let size = |bits| HashList::<u32>::new(|item| *item, Ord::cmp, bits).size;
        assert_eq!((size(0), size(1), size(31), size(32)), (65536, 2, 1 << 31, 1 << 31));
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(steps: Vec<(bool, u8)>) {
            let mut list = HashList::new(|item: &u8| u32::from(*item), Ord::cmp, 3);
            let mut model = BTreeSet::new();
            for (add, item) in steps {
                if add && model.insert(item) {
                    list.add(item);
                } else if !add {
                    prop_assert_eq!(list.delete(&item), model.remove(&item));
                }
                prop_assert_eq!(list.search(&item).is_some(), model.contains(&item));
                prop_assert_eq!(list.len(), model.len());
            }
            prop_assert_eq!(list.iter().copied().collect::<BTreeSet<_>>(), model);
        }
    }
}
