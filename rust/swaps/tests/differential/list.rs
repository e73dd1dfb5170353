//! The swaps on LIST on both sides, and what one iteration of their benchmarks does.

use softether_sys::{CompareInt, LIST};
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;
use swaps::list::{Api, sequence};

family_tests! { Api, sequence }

const ITEMS: usize = 100;

/// Numbers that stay to the end of the process.
fn numbers() -> &'static [u32] {
    Box::leak((0..ITEMS as u32).map(|number| number * 37 % ITEMS as u32).collect())
}

/// A list of a hundred items, in order or not.
fn full(in_order: bool) -> *mut LIST {
    // SAFETY: the list is alive to the end of the process, and so are its items.
    unsafe {
        let o = (Api::C.new_list)(Some(CompareInt));
        for number in numbers() {
            (Api::C.add)(o, ptr::from_ref(number).cast_mut().cast());
        }
        if in_order {
            (Api::C.sort)(o);
        }
        o
    }
}

/// One that is in no list of [`full`], but equal to one that is.
fn item() -> *mut c_void {
    Box::leak(Box::new(50_u32)) as *mut u32 as *mut c_void
}

/// A hundred numbers.
fn ints() -> *mut LIST {
    // SAFETY: the list is alive to the end of the process.
    unsafe {
        let o = (Api::C.new_int_list)(1);
        (0..ITEMS as u32).for_each(|number| (Api::C.add_int)(o, number));
        o
    }
}

works! {
    new_list(f) {} { (Api::C.release_list)(f(None)) }
    new_list_fast(f) {} { (Api::C.release_list)(f(None)) }
    new_list_ex(f) {} { (Api::C.release_list)(f(None, 1)) }
    new_list_ex2(f) {} { (Api::C.release_list)(f(None, 1, 0)) }
    new_list_single(f) { let item = item(); } { (Api::C.release_list)(f(item)) }
    release_list(f) {} { f((Api::C.new_list)(None)) }
    cleanup_list(f) {} { f((Api::C.new_list_fast)(None)) }
    lock_list(f) { let o = full(true); } { f(o); (Api::C.unlock_list)(o) }
    unlock_list(f) { let o = full(true); } { (Api::C.lock_list)(o); f(o) }
    add(f) { let (o, item) = (full(true), item()); } { f(o, item); (*o).num_item -= 1 }
    add_distinct(f) { let (o, item) = (full(true), item()); } { f(o, item); (*o).num_item -= 1 }
    insert(f) { let (o, item) = (full(true), item()); } { f(o, item); (Api::C.delete)(o, item) }
    delete(f) { let (o, item) = (full(true), item()); } { (Api::C.insert)(o, item); f(o, item) }
    delete_all(f) { let o = full(true); } { f(o) }
    search(f) { let (o, item) = (full(true), item()); } { f(o, item) }
    sort(f) { let (o, mixed) = (full(true), full(false)); } {
        (*o).p.copy_from_nonoverlapping((*mixed).p, ITEMS);
        f(o)
    }
    is_in_list(f) { let (o, item) = (full(true), item()); } { f(o, item) }
    replace_list_pointer(f) { let (o, item) = (full(true), item()); } { f(o, item, item) }
    to_array(f) { let o = full(true); } { softether_sys::Free(f(o)) }
    to_array_ex(f) { let o = full(true); } { softether_sys::Free(f(o, 1)) }
    copy_to_array(f) {
        let o = full(true);
        let mut array = [ptr::null_mut::<c_void>(); ITEMS];
    } {
        f(o, black_box(&mut array).as_mut_ptr().cast())
    }
    compare_int(f) { let (mut one, mut other) = (item(), item()); } { f((&raw mut one).cast(), (&raw mut other).cast()) }
    new_int_list(f) {} { (Api::C.release_int_list)(f(1)) }
    release_int_list(f) {} { f((Api::C.new_int_list)(1)) }
    is_int_in_list(f) { let o = ints(); } { f(o, 99) }
    add_int(f) { let o = ints(); } { f(o, 200); (Api::C.del_int)(o, 200) }
    add_int_distinct(f) { let o = ints(); } { f(o, 99) }
    insert_int(f) { let o = ints(); } { f(o, 200); (Api::C.del_int)(o, 200) }
    insert_int_distinct(f) { let o = ints(); } { f(o, 99) }
    del_int(f) { let o = ints(); } { (Api::C.add_int)(o, 200); f(o, 200) }
}

/// The canary: the comparison of two lists finds what differs.
#[cfg(test)]
#[test]
fn differences_are_found() {
    use swaps::family::Structure;
    use swaps::list::List;
    crate::support::start();
    let spoils: [fn(&mut LIST); 6] = [
        |o| o.num_item -= 1,
        |o| o.num_reserved += 1,
        |o| o.sorted ^= 1,
        |o| o.Param1 += 1,
        |o| o.cmp = None,
        // SAFETY: a list of a hundred.
        |o| unsafe { o.p.swap(o.p.add(ITEMS - 1)) },
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let one = full(true);
        // SAFETY: the list is ours, and the copy frees itself.
        unsafe {
            let view = List::of(one).expect("a list");
            let mut copy = view.copy();
            let other = List::pointer(&mut copy);
            assert_eq!(view.compare(List::of(other).expect("a list")), Ok(()));
            spoil(&mut *other);
            assert!(view.compare(List::of(other).expect("a list")).is_err(), "difference {number}");
        }
    }
}

/// Known difference `list-overflow`: a list that cannot have more places takes no more; the C writes behind its block.
#[cfg(test)]
#[test]
fn a_full_list_takes_no_more() {
    assert!(crate::support::is_known_difference("list-overflow"));
    crate::support::start();
    let o = full(true);
    // SAFETY: the list is ours. That it says to be full is undone before its items are looked at.
    unsafe {
        let before = *o;
        for places in [u32::MAX / 8, u32::MAX] {
            ((*o).num_item, (*o).num_reserved) = (places, places);
            (Api::RUST.add)(o, item());
            assert_eq!(((*o).num_item, (*o).p), (places, before.p));
        }
        // One without places, as a clone of an empty list is.
        ((*o).num_item, (*o).num_reserved) = (0, 0);
        (Api::RUST.add)(o, item());
        assert_eq!(((*o).num_item, (*o).num_reserved), (1, 1));
        assert_eq!(softether_sys::GetMemSize((*o).p.cast()), 8);
        (Api::RUST.release_list)(o);
    }
}
