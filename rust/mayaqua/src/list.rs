//! The list of `Mayaqua/Memory.c`: sorted when it is searched, with the C's searches and its sort.
//!
//! 1. [`List::add`] appends and marks the list unsorted.
//! 2. [`List::search`] sorts an unsorted list first, then halves it.
//! 3. [`List::insert`] keeps a sorted list sorted: among equals the new item comes before the one that it met.
//!
//! [`insert_position`], [`binary_search`] and [`merge_sort`] are the algorithms by themselves, over places and over items
//! that can be copied. They give what glibc's `bsearch` and `qsort` give the C, for any comparison, consistent or not,
//! and so the same item among equals. Not here: the lock and the reference count of the C's list.

use std::cmp::Ordering;

/// Places in a new list, and the floor of shrinking (C: the same name, Memory.c).
pub const INIT_NUM_RESERVED: u32 = 32;

/// Number of places when one is needed beyond `num_item` (C: `Add` and `Insert`, Mayaqua/Memory.c).
#[must_use]
pub const fn plan_grow(num_item: u32, num_reserved: u32) -> u32 {
    if num_item < num_reserved { num_reserved } else { num_reserved.saturating_mul(2) }
}

/// Number of places when `num_item` are left after a removal (C: `Delete`, Mayaqua/Memory.c).
#[must_use]
pub const fn plan_shrink(num_item: u32, num_reserved: u32) -> u32 {
    let mostly_free = num_item <= num_reserved / 2;
    if mostly_free && num_reserved > INIT_NUM_RESERVED * 2 { num_reserved / 2 } else { num_reserved }
}

/// Where an item goes in a sorted list of `len` items (C: the search of `Insert`, Mayaqua/Memory.c).
///
/// `compare` says how the item at a place compares to the new one.
pub fn insert_position(len: usize, mut compare: impl FnMut(usize) -> Ordering) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        // The C's last place is inside, ours is outside: its middle is (low + high - 1) / 2.
        let middle = low + (high - 1 - low) / 2;
        match compare(middle) {
            Ordering::Equal => return middle,
            Ordering::Greater => high = middle,
            Ordering::Less => low = middle + 1,
        }
    }
    low
}

/// The place of an item in a sorted list of `len` items (C library: `bsearch`, under `Search`, Mayaqua/Memory.c).
///
/// `compare` says how what is looked for compares to the item at a place.
pub fn binary_search(len: usize, mut compare: impl FnMut(usize) -> Ordering) -> Option<usize> {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        match compare(middle) {
            Ordering::Equal => return Some(middle),
            Ordering::Less => high = middle,
            Ordering::Greater => low = middle + 1,
        }
    }
    None
}

/// Sorts, equals in their order (C library: glibc's `qsort`, a merge sort, under `Sort`, Mayaqua/Memory.c).
///
/// The comparisons are those of glibc, in their order: a comparison that contradicts itself gives the same result on
/// both sides, and never a panic, which the standard library's sort reserves itself. One that panics leaves some items
/// twice and others not at all.
pub fn merge_sort<T: Copy>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) {
    // Room for the left half of all; what is in it counts for nothing.
    let mut lefts = items[..items.len() / 2].to_vec();
    merge_halves(items, &mut lefts, compare);
}

fn merge_halves<T: Copy>(items: &mut [T], lefts: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) {
    let middle = items.len() / 2;
    if middle == 0 {
        return;
    }
    let (left, right) = items.split_at_mut(middle);
    merge_halves(left, lefts, compare);
    merge_halves(right, lefts, compare);

    // Only the left half moves out. What was taken of either half leaves the room that the next item goes to: as many
    // places before the next right one as there are left ones to come.
    let left = &mut lefts[..middle];
    left.copy_from_slice(&items[..middle]);
    let (mut left, mut next): (&[T], usize) = (left, middle);
    while let ([a, rest @ ..], Some(b)) = (left, items.get(next)) {
        let merged = next - left.len();
        if compare(a, b).is_gt() {
            items[merged] = *b;
            next += 1;
        } else {
            items[merged] = *a;
            left = rest;
        }
    }
    // What is left on the right is in its place already.
    items[next - left.len()..next].copy_from_slice(left);
}

/// How two items of a list compare (C: `COMPARE`, of which a list has one or none).
pub type Compare<T> = fn(&T, &T) -> Ordering;

/// A list of items (C: `LIST`).
#[derive(Clone, Debug)]
pub struct List<T> {
    items: Vec<T>,
    compare: Option<Compare<T>>,
    sorted: bool,
}

impl<T> List<T> {
    /// An empty list (C: `NewList` and `NewListFast`, Mayaqua/Memory.c). Without a comparison it has the order of adding.
    #[must_use]
    pub const fn new(compare: Option<Compare<T>>) -> Self {
        Self { items: Vec::new(), compare, sorted: true }
    }

    /// Appends (C: `Add`, Mayaqua/Memory.c).
    pub fn add(&mut self, item: T) {
        self.items.push(item);
        self.sorted = false;
    }

    /// Puts an item in its place; appends it if there is no comparison (C: `Insert`, Mayaqua/Memory.c).
    pub fn insert(&mut self, item: T) {
        let Some(compare) = self.compare else {
            return self.add(item);
        };
        self.sort();
        let position = insert_position(self.items.len(), |place| compare(&self.items[place], &item));
        self.items.insert(position, item);
    }

    /// Sorts, equals in their order; nothing happens without a comparison (C: `Sort`, Mayaqua/Memory.c).
    pub fn sort(&mut self) {
        if let Some(compare) = self.compare
            && !self.sorted
        {
            self.items.sort_by(compare);
            self.sorted = true;
        }
    }

    /// An item equal to `target`; `None` without a comparison (C: `Search`, Mayaqua/Memory.c).
    pub fn search(&mut self, target: &T) -> Option<&T> {
        let compare = self.compare?;
        self.search_by(|item| compare(target, item))
    }

    /// An item for which `compare`, of what is looked for to the item, is equal. It must agree with the list's own.
    pub fn search_by(&mut self, mut compare: impl FnMut(&T) -> Ordering) -> Option<&T> {
        self.compare?;
        self.sort();
        let place = binary_search(self.items.len(), |place| compare(&self.items[place]))?;
        self.items.get(place)
    }

    /// Removes the item at `place`, the others keep their order (C: `Delete`, Mayaqua/Memory.c, by pointer).
    pub fn remove(&mut self, place: usize) -> Option<T> {
        (place < self.items.len()).then(|| self.items.remove(place))
    }

    /// Removes all items (C: `DeleteAll`, Mayaqua/Memory.c).
    pub fn delete_all(&mut self) {
        self.items.clear();
    }

    /// Number of items (C: `LIST_NUM`).
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The item at `place` (C: `LIST_DATA`, which does not look at the length).
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.items.get(place)
    }

    /// The items in their present order (C: `ToArray` and `CopyToArray`, Mayaqua/Memory.c).
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// The items in their present order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<T: PartialEq> List<T> {
    /// Removes the first item that equals `item`; whether there was one (C: `Delete`, Mayaqua/Memory.c).
    pub fn delete(&mut self, item: &T) -> bool {
        let place = self.items.iter().position(|other| other == item);
        place.and_then(|place| self.remove(place)).is_some()
    }

    /// Whether an item equals `item` (C: `IsInList`, Mayaqua/Memory.c).
    #[must_use]
    pub fn is_in_list(&self, item: &T) -> bool {
        self.items.contains(item)
    }

    /// Appends unless an equal item is there (C: `AddDistinct`, Mayaqua/Memory.c).
    pub fn add_distinct(&mut self, item: T) {
        if !self.is_in_list(&item) {
            self.add(item);
        }
    }

    /// Puts `new` in the place of the first item that equals `old`; whether there was one. As in the C the list counts as
    /// sorted as before (C: `ReplaceListPointer`, Mayaqua/Memory.c).
    pub fn replace(&mut self, old: &T, new: T) -> bool {
        let found = self.items.iter_mut().find(|item| *item == old);
        found.is_some_and(|item| {
            *item = new;
            true
        })
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Items that are equal by `.0` and told apart by `.1`.
    type Pair = (u8, u16);

    fn pairs() -> List<Pair> {
        List::new(Some(|a: &Pair, b: &Pair| a.0.cmp(&b.0)))
    }

    #[test]
    fn an_insert_among_equals_comes_before_the_one_it_meets() {
        let mut list = pairs();
        for number in 0..4 {
            list.insert((5, number));
        }
        // The middle of two is the first, of three the second.
        assert_eq!(list.as_slice(), [(5, 2), (5, 3), (5, 1), (5, 0)]);
    }

    #[test]
    fn an_added_item_is_found_and_the_list_sorted_then() {
        let mut list = pairs();
        list.add((2, 0));
        list.add((1, 1));
        assert_eq!(list.as_slice(), [(2, 0), (1, 1)]);
        assert_eq!(list.search(&(2, 9)), Some(&(2, 0)));
        assert_eq!(list.as_slice(), [(1, 1), (2, 0)]);
        assert_eq!(list.search(&(3, 0)), None);
    }

    #[test]
    fn without_a_comparison_nothing_is_sorted_or_found() {
        let mut list = List::new(None);
        list.insert(2);
        list.insert(1);
        list.sort();
        assert_eq!(list.search(&1), None);
        assert_eq!(list.as_slice(), [2, 1]);
    }

    #[test]
    fn deleting_replacing_and_adding_once() {
        let mut list = List::new(None);
        [1, 2, 1].into_iter().for_each(|item| list.add(item));
        list.add_distinct(2);
        assert!(list.delete(&1) && !list.delete(&7) && list.replace(&2, 3) && !list.replace(&2, 4));
        assert_eq!(list.as_slice(), [3, 1]);
        assert_eq!((list.remove(2), list.remove(0), list.get(1)), (None, Some(3), None));
        list.delete_all();
        assert!(list.is_empty());
    }

    #[test]
    fn places_grow_by_doubling_and_shrink_by_halving() {
        assert_eq!((plan_grow(31, 32), plan_grow(32, 32)), (32, 64));
        assert_eq!((plan_shrink(32, 64), plan_shrink(64, 128), plan_shrink(65, 128)), (64, 64, 128));
        assert_eq!(plan_grow(u32::MAX, u32::MAX), u32::MAX);
    }

    #[test]
    fn a_comparison_that_contradicts_itself_ends() {
        let mut items: Vec<u32> = (0..1000).collect();
        let mut turn = false;
        merge_sort(&mut items, &mut |_, _| {
            turn = !turn;
            if turn { Ordering::Less } else { Ordering::Greater }
        });
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1000));
    }

    proptest! {
        #[test]
        fn merge_sort_is_the_stable_sort(mut items: Vec<Pair>) {
            let mut expected = items.clone();
            expected.sort_by_key(|pair| pair.0);
            merge_sort(&mut items, &mut |a, b| a.0.cmp(&b.0));
            prop_assert_eq!(items, expected);
        }

        #[test]
        fn inserts_keep_the_order_and_everything_is_found(keys: Vec<u8>) {
            let mut list = pairs();
            for (number, key) in (0u16..).zip(&keys) {
                if number % 3 == 0 { list.add((*key, number)) } else { list.insert((*key, number)) }
            }
            for key in 0..=u8::MAX {
                prop_assert_eq!(list.search(&(key, 0)).is_some(), keys.contains(&key));
            }
            prop_assert!(list.as_slice().is_sorted_by_key(|pair| pair.0));
            prop_assert_eq!(list.len(), keys.len());
        }
    }
}
