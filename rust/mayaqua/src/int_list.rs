//! Lists of numbers (C: `NewIntList`, `NewInt64List` and their functions, Mayaqua/Memory.c; their text form, Str.c).

use crate::list::List;
use crate::str;

/// A list of numbers, of 32 or 64 bits (C: a `LIST` of pointers to each).
#[derive(Clone, Debug)]
pub struct IntList<T = u32> {
    list: List<T>,
}

impl<T: Ord + Copy> IntList<T> {
    /// An empty list, in ascending order or in that of adding (C: `NewIntList` and `NewInt64List`, Mayaqua/Memory.c).
    #[must_use]
    pub fn new(sorted: bool) -> Self {
        Self { list: List::new(sorted.then_some(Ord::cmp)) }
    }

    /// Appends (C: `AddInt` and `AddInt64`, Mayaqua/Memory.c).
    pub fn add(&mut self, number: T) {
        self.list.add(number);
    }

    /// Appends what is not there (C: `AddIntDistinct` and `AddInt64Distinct`, Mayaqua/Memory.c).
    pub fn add_distinct(&mut self, number: T) {
        self.list.add_distinct(number);
    }

    /// Puts in its place (C: `InsertInt`, Mayaqua/Memory.c).
    pub fn insert(&mut self, number: T) {
        self.list.insert(number);
    }

    /// Puts in its place what is not there (C: `InsertIntDistinct`, Mayaqua/Memory.c).
    pub fn insert_distinct(&mut self, number: T) {
        if !self.contains(number) {
            self.list.insert(number);
        }
    }

    /// Removes every one that is `number` (C: `DelInt`, Mayaqua/Memory.c).
    pub fn delete(&mut self, number: T) {
        while self.list.delete(&number) {}
    }

    /// Whether `number` is there (C: `IsIntInList` and `IsInt64InList`, Mayaqua/Memory.c).
    #[must_use]
    pub fn contains(&self, number: T) -> bool {
        self.list.is_in_list(&number)
    }

    /// The numbers in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.list.as_slice()
    }
}

impl IntList {
    /// The numbers of a text, each once; separated by spaces, commas, slashes, semicolons and tabs. What is no number is
    /// left out (C: `StrToIntList`, Mayaqua/Str.c).
    #[must_use]
    pub fn parse(text: &[u8], sorted: bool) -> Self {
        let mut list = Self::new(sorted);
        for token in str::parse_token_without_null_str(text, b" ,/;\t") {
            if str::is_num(token) {
                list.insert_distinct(str::to_int(token));
            }
        }
        list
    }

    /// The numbers as text; an empty separator is `", "` (C: `IntListToStr`, Mayaqua/Str.c).
    #[must_use]
    pub fn to_text(&self, separator: &str) -> String {
        let separator = if str::is_empty_str(separator.as_bytes()) { ", " } else { separator };
        self.as_slice().iter().map(u32::to_string).collect::<Vec<_>>().join(separator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers_and_back() {
        let list = IntList::parse(b"443, 992/5555;x 0443\t1194,0x10", true);
        assert_eq!(list.as_slice(), [443, 992, 1194, 5555]);
        assert_eq!((list.to_text(""), list.to_text("-")), ("443, 992, 1194, 5555".into(), "443-992-1194-5555".into()));
        assert_eq!(IntList::parse(b"2 1", false).as_slice(), [2, 1]);
    }

    #[test]
    fn every_one_of_a_number_is_deleted() {
        let mut list = IntList::<u64>::new(false);
        [1, 2, 1].into_iter().for_each(|number| list.add(number));
        list.add_distinct(2);
        list.delete(1);
        list.insert_distinct(2);
        list.insert(u64::MAX);
        assert_eq!(list.as_slice(), [2, u64::MAX]);
        assert!(list.contains(2) && !list.contains(1));
    }
}
