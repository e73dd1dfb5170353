//! LIST: the same steps on the C's and on the crate's, with items that are equal and yet told apart.

use crate::support::{random, start};
use mayaqua::list::{List, merge_sort};
use rand::Rng;
use softether_sys as sys;
use std::ffi::{c_int, c_void};

/// Items are numbers below 2^16 in place of pointers: equal by their upper byte. 0 is none.
const fn key(item: usize) -> usize {
    item >> 8
}

unsafe extern "C" fn compare(a: *mut c_void, b: *mut c_void) -> c_int {
    // SAFETY: the C hands over pointers to two items of its list.
    let (a, b) = unsafe { (*a.cast::<usize>(), *b.cast::<usize>()) };
    key(a).cmp(&key(b)) as c_int
}

fn pointer(item: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(item)
}

#[test]
fn random_steps() {
    start();
    let mut random = random();
    for _ in 0..3000 {
        // SAFETY: a LIST of this test alone.
        let c = unsafe { sys::NewListFast(Some(compare)) };
        let mut rust = List::new(Some(|a: &usize, b: &usize| key(*a).cmp(&key(*b))));
        for _ in 0..random.random_range(0..100) {
            let item = random.random_range(1..16 << 8);
            // SAFETY: a live LIST, whose items are numbers that nobody follows.
            unsafe {
                match random.random_range(0..8) {
                    0..2 => {
                        sys::Add(c, pointer(item));
                        rust.add(item);
                    }
                    2..5 => {
                        sys::Insert(c, pointer(item));
                        rust.insert(item);
                    }
                    5 => assert_eq!(sys::Search(c, pointer(item)).addr(), rust.search(&item).copied().unwrap_or(0)),
                    6 => {
                        let item = rust.get(random.random_range(0..8)).copied().unwrap_or(item);
                        assert_eq!(sys::Delete(c, pointer(item)) != 0, rust.delete(&item));
                    }
                    _ => {
                        sys::Sort(c);
                        rust.sort();
                    }
                }
                let items = std::slice::from_raw_parts((*c).p.cast::<usize>(), (*c).num_item as usize);
                assert_eq!(items, rust.as_slice());
            }
        }
        // SAFETY: used no more.
        unsafe { sys::ReleaseList(c) };
    }
}

/// glibc's sort and the crate's on a comparison that contradicts itself: the same comparisons, the same result.
#[test]
fn a_comparison_that_contradicts_itself() {
    unsafe extern "C" fn nonsense(a: *mut c_void, b: *mut c_void) -> c_int {
        // SAFETY: the C hands over pointers to two items of its list.
        let (a, b) = unsafe { (*a.cast::<usize>(), *b.cast::<usize>()) };
        c_int::try_from((a * 31 + b * 17) % 3).unwrap() - 1
    }
    start();
    let mut random = random();
    for length in 0..200 {
        let mut items: Vec<usize> = (0..length).map(|_| random.random_range(1..1000)).collect();
        // SAFETY: a LIST of this test alone, whose items are numbers that nobody follows.
        let sorted = unsafe {
            let c = sys::NewListFast(Some(nonsense));
            items.iter().for_each(|item| sys::Add(c, pointer(*item)));
            sys::Sort(c);
            let sorted = std::slice::from_raw_parts((*c).p.cast::<usize>(), length).to_vec();
            sys::ReleaseList(c);
            sorted
        };
        merge_sort(&mut items, &mut |a, b| ((a * 31 + b * 17) % 3).cmp(&1));
        assert_eq!(items, sorted);
    }
}
