//! The swaps on LIST, an array of pointers that is sorted when it is searched (C: Mayaqua/Memory.c).
//!
//! The C reads `p` and `num_item` itself (`LIST_DATA`, `LIST_NUM`), so the structure and its array stay the C's; the order
//! of comparisons and how the array grows are [`mayaqua::list`]'s. Ownership: a LIST is its maker's, or counted by its REF;
//! the items are never the list's, but for the numbers of an integer list. The caller holds the list's lock where several
//! threads use it; only `LockList` and `UnlockList` touch it. A comparison is the C's and runs under whatever its caller holds.

mod sequence;
mod shadow;

use crate::family::{Outcome, Random, Structure, Trace, family};
use crate::memory::{self, ks_inc, malloc};
use mayaqua::list::{INIT_NUM_RESERVED, binary_search, insert_position, merge_sort, plan_grow, plan_shrink};
use softether_sys::{
    COMPARE, DeleteLock, KS_DELETE_COUNT, KS_FREELIST_COUNT, KS_INSERT_COUNT, KS_NEWLIST_COUNT, KS_SEARCH_COUNT,
    KS_SORT_COUNT, KS_TOARRAY_COUNT, LIST, LockInner, NewLock, NewRef, ReAlloc, Release, UINT, UnlockInner, bool_,
};
use std::cmp::Ordering;
use std::ffi::{c_int, c_void};
use std::{ptr, slice};
use switch::{Control, Difference, Kind, Shape, Verdict, compare_bytes, compare_results};

pub use sequence::sequence;
use shadow::*;

/// Bytes of a pointer.
const ITEM_SIZE: u32 = size_of::<*mut c_void>() as u32;

/// So many items fit a block whose size is counted in 32 bits.
const PLACES_MAX: u32 = u32::MAX / ITEM_SIZE;

family! {
    sequence: sequence;

    /// Makes a list with a lock (C: `NewList`, Mayaqua/Memory.c). Without a comparison it has the order of adding.
    makes new_list = NewList(cmp: COMPARE) -> *mut LIST {
        new(cmp, false)
    }

    /// Makes a list without a lock (C: `NewListFast`, Mayaqua/Memory.c).
    makes new_list_fast = NewListFast(cmp: COMPARE) -> *mut LIST {
        new(cmp, true)
    }

    /// Makes a list, `fast` without a lock (C: `NewListEx`, Mayaqua/Memory.c).
    makes new_list_ex = NewListEx(cmp: COMPARE, fast: bool_) -> *mut LIST {
        new(cmp, fast != 0)
    }

    /// Makes a list, `fast` without a lock (C: `NewListEx2`, Mayaqua/Memory.c). `fast_malloc` changes nothing: the C's
    /// `MallocFast` is `Malloc`.
    makes new_list_ex2 = NewListEx2(cmp: COMPARE, fast: bool_, _fast_malloc: bool_) -> *mut LIST {
        new(cmp, fast != 0)
    }

    /// Makes a list of one item without a lock (C: `NewListSingle`, Mayaqua/Memory.c).
    makes new_list_single = NewListSingle(p: *mut c_void) -> *mut LIST {
        let o = new(None, true);
        // SAFETY: it was made just now.
        unsafe { &mut *o.cast::<List>() }.add(p);
        o
    }

    /// Frees a list that nobody refers to any more (C: `ReleaseList`, Mayaqua/Memory.c).
    effect(()) release_list = ReleaseList(o: *mut LIST) {
        // SAFETY: the caller's.
        unsafe { release(o) };
    }

    /// Frees a list (C: `CleanupList`, Mayaqua/Memory.c).
    effect(()) cleanup_list = CleanupList(o: *mut LIST) {
        // SAFETY: the caller's.
        unsafe { cleanup(o) };
    }

    /// Waits for a list's lock (C: `LockList`, Mayaqua/Memory.c).
    effect(()) lock_list = LockList(o: *mut LIST) {
        // SAFETY: the caller's; a list without a lock has null there, which is ignored.
        unsafe {
            if let Some(o) = o.as_ref() {
                LockInner(o.lock);
            }
        }
    }

    /// Gives a list's lock back (C: `UnlockList`, Mayaqua/Memory.c).
    effect(()) unlock_list = UnlockList(o: *mut LIST) {
        // SAFETY: the caller's; a list without a lock has null there, which is ignored.
        unsafe {
            if let Some(o) = o.as_ref() {
                UnlockInner(o.lock);
            }
        }
    }

    /// Appends an item (C: `Add`, Mayaqua/Memory.c). Null is no item.
    changes(()) add = Add(o: List, p: *mut c_void) {
        o.add(p);
    }

    /// Appends an item unless it is there (C: `AddDistinct`, Mayaqua/Memory.c).
    changes(()) add_distinct = AddDistinct(o: List, p: *mut c_void) {
        if !o.items().contains(&p) {
            o.add(p);
        }
    }

    /// Puts an item in its place, or appends it if there is no comparison (C: `Insert`, Mayaqua/Memory.c).
    changes(()) insert = Insert(o: List, p: *mut c_void) {
        // SAFETY: the list's comparison is for its items.
        unsafe { o.insert(p) };
    }

    /// Removes an item; whether it was there (C: `Delete`, Mayaqua/Memory.c).
    changes(0) delete = Delete(o: List, p: *mut c_void) -> bool_ {
        o.delete(p).into()
    }

    /// Removes all items (C: `DeleteAll`, Mayaqua/Memory.c).
    changes(()) delete_all = DeleteAll(o: List) {
        o.0.num_item = 0;
        o.reserve(INIT_NUM_RESERVED);
    }

    /// An item that is equal to the one looked for, or null (C: `Search`, Mayaqua/Memory.c). Sorts first.
    changes(ptr::null_mut()) search = Search(o: List, target: *mut c_void) -> *mut c_void {
        // SAFETY: the list's comparison is for its items, and for what is looked for in it.
        unsafe { o.search(target) }
    }

    /// Sorts (C: `Sort`, Mayaqua/Memory.c).
    changes(()) sort = Sort(o: List) {
        // SAFETY: the list's comparison is for its items.
        unsafe { o.sort() };
    }

    /// Whether an item is there (C: `IsInList`, Mayaqua/Memory.c).
    reads(0) is_in_list = IsInList(o: List, p: *mut c_void) -> bool_ {
        (!p.is_null() && has(o.items(), |item| item == p)).into()
    }

    /// Puts an item in the place of another; whether that was there (C: `ReplaceListPointer`, Mayaqua/Memory.c). The list
    /// counts as sorted as before.
    changes(0) replace_list_pointer = ReplaceListPointer(o: List, oldptr: *mut c_void, newptr: *mut c_void) -> bool_ {
        if oldptr.is_null() || newptr.is_null() {
            return 0;
        }
        let place = o.items_mut().iter_mut().find(|item| **item == oldptr);
        place.map(|item| *item = newptr).is_some().into()
    }

    /// A new array of the items (C: `ToArray`, Mayaqua/Memory.c).
    cloned(shadow_to_array) to_array = ToArray(o: *mut LIST) -> *mut c_void {
        // SAFETY: the caller's.
        unsafe { array(o) }
    }

    /// A new array of the items (C: `ToArrayEx`, Mayaqua/Memory.c). `fast` changes nothing.
    cloned(shadow_to_array_ex) to_array_ex = ToArrayEx(o: *mut LIST, _fast: bool_) -> *mut c_void {
        // SAFETY: the caller's.
        unsafe { array(o) }
    }

    /// Copies the items into an array that has room for them (C: `CopyToArray`, Mayaqua/Memory.c).
    cloned(shadow_copy_to_array) copy_to_array = CopyToArray(o: *mut LIST, p: *mut c_void) {
        // SAFETY: the caller's.
        let Some(o) = (unsafe { List::of(o) }) else { return };
        if !p.is_null() {
            ks_inc(KS_TOARRAY_COUNT);
            // SAFETY: the caller's.
            unsafe { p.cast::<*mut c_void>().copy_from_nonoverlapping(o.items().as_ptr(), o.items().len()) };
        }
    }

    /// Compares two numbers of an integer list (C: `CompareInt`, Mayaqua/Memory.c).
    pure compare_int = CompareInt(p1: *mut c_void, p2: *mut c_void) -> c_int {
        // SAFETY: the caller's: null, or places of items, which are null or numbers.
        let number = |place: *mut c_void| unsafe { place.cast::<*mut UINT>().as_ref()?.as_ref().copied() };
        match (number(p1), number(p2)) {
            (Some(one), Some(other)) => one.cmp(&other) as c_int,
            _ => 0,
        }
    }

    /// Makes a list of numbers (C: `NewIntList`, Mayaqua/Memory.c). Only a sorted one has an order.
    makes new_int_list = NewIntList(sorted: bool_) -> *mut LIST {
        new(if sorted == 0 { None } else { Some(softether_sys::CompareInt) }, false)
    }

    /// Frees a list of numbers (C: `ReleaseIntList`, Mayaqua/Memory.c).
    effect(()) release_int_list = ReleaseIntList(o: *mut LIST) {
        // SAFETY: the caller's; the numbers are the list's.
        unsafe {
            if let Some(o) = List::of(o) {
                o.items().iter().for_each(|number| memory::free(*number));
            }
            release(o);
        }
    }

    /// Whether a number is there (C: `IsIntInList`, Mayaqua/Memory.c).
    reads(0) is_int_in_list = IsIntInList(o: List, i: UINT) -> bool_ {
        // SAFETY: the items are numbers.
        unsafe { o.has_number(i) }.into()
    }

    // An integer list owns its numbers, so that no copy of the list can stand for it in shadow mode.

    /// Appends a number (C: `AddInt`, Mayaqua/Memory.c).
    effect(()) add_int = AddInt(o: *mut LIST, i: UINT) {
        // SAFETY: the caller's.
        if let Some(o) = unsafe { List::of(o) } {
            o.add(memory::malloc_copy(&i.to_ne_bytes()));
        }
    }

    /// Appends a number unless it is there (C: `AddIntDistinct`, Mayaqua/Memory.c).
    effect(()) add_int_distinct = AddIntDistinct(o: *mut LIST, i: UINT) {
        // SAFETY: the caller's; the items are numbers.
        if let Some(o) = unsafe { List::of(o).filter(|o| !o.has_number(i)) } {
            o.add(memory::malloc_copy(&i.to_ne_bytes()));
        }
    }

    /// Puts a number in its place (C: `InsertInt`, Mayaqua/Memory.c).
    effect(()) insert_int = InsertInt(o: *mut LIST, i: UINT) {
        // SAFETY: the caller's; the items are numbers.
        if let Some(o) = unsafe { List::of(o) } {
            // SAFETY: as above.
            unsafe { o.insert(memory::malloc_copy(&i.to_ne_bytes())) };
        }
    }

    /// Puts a number in its place unless it is there (C: `InsertIntDistinct`, Mayaqua/Memory.c).
    effect(()) insert_int_distinct = InsertIntDistinct(o: *mut LIST, i: UINT) {
        // SAFETY: the caller's; the items are numbers.
        if let Some(o) = unsafe { List::of(o).filter(|o| !o.has_number(i)) } {
            // SAFETY: as above.
            unsafe { o.insert(memory::malloc_copy(&i.to_ne_bytes())) };
        }
    }

    /// Removes a number wherever it is (C: `DelInt`, Mayaqua/Memory.c).
    effect(()) del_int = DelInt(o: *mut LIST, i: UINT) {
        // SAFETY: the caller's.
        let Some(o) = (unsafe { List::of(o) }) else { return };
        // SAFETY: the items are numbers of the list's own.
        while let Some(number) = unsafe { o.number(i) } {
            o.delete(number);
            // SAFETY: as above, and it is out of the list.
            unsafe { memory::free(number) };
        }
    }
}

/// A LIST.
#[repr(transparent)]
pub struct List(LIST);

impl List {
    fn items(&self) -> &[*mut c_void] {
        match self.0.num_item {
            0 => &[],
            // SAFETY: the first `num_item` places of a list's array are in use.
            count => unsafe { slice::from_raw_parts(self.0.p, count as usize) },
        }
    }

    fn items_mut(&mut self) -> &mut [*mut c_void] {
        match self.0.num_item {
            0 => &mut [],
            // SAFETY: as above.
            count => unsafe { slice::from_raw_parts_mut(self.0.p, count as usize) },
        }
    }

    fn reserve(&mut self, places: u32) {
        self.0.num_reserved = places;
        // SAFETY: the array is the list's and Mayaqua memory.
        self.0.p = unsafe { ReAlloc(self.0.p.cast(), ITEM_SIZE * places) }.cast();
    }

    /// Makes room for one more item; false if there cannot be more.
    #[cold]
    fn grow(&mut self) -> bool {
        if self.0.num_item >= PLACES_MAX {
            return false;
        }
        let reserved = plan_grow(self.0.num_item, self.0.num_reserved).clamp(1, PLACES_MAX);
        if reserved != self.0.num_reserved {
            self.reserve(reserved);
        }
        true
    }

    /// Makes room for one more item and puts it at `place`. A full list takes no more (known difference `list-overflow`).
    #[inline]
    fn put(&mut self, place: usize, item: *mut c_void) {
        let count = self.0.num_item;
        let has_room = count < self.0.num_reserved && self.0.num_reserved <= PLACES_MAX;
        if !has_room && !self.grow() {
            return;
        }
        self.0.num_item = count + 1;
        let items = self.items_mut();
        // At the end nothing moves, and `memmove` need not be called to do so.
        if place < count as usize {
            items.copy_within(place..count as usize, place + 1);
        }
        items[place] = item;
        ks_inc(KS_INSERT_COUNT);
    }

    #[inline]
    fn add(&mut self, item: *mut c_void) {
        if !item.is_null() {
            self.put(self.0.num_item as usize, item);
            self.0.sorted = 0;
        }
    }

    /// # Safety
    /// The list's comparison is for its items and for this one.
    unsafe fn insert(&mut self, mut item: *mut c_void) {
        if item.is_null() {
            return;
        }
        let Some(compare) = self.0.cmp else { return self.add(item) };
        if self.0.sorted == 0 {
            // SAFETY: the caller's.
            unsafe { self.sort() };
        }
        let items = self.0.p;
        let place = insert_position(self.0.num_item as usize, |place| {
            // SAFETY: the caller's; the comparison takes the places of two items.
            unsafe { compare(items.add(place).cast(), (&raw mut item).cast()) }.cmp(&0)
        });
        self.put(place, item);
    }

    fn delete(&mut self, item: *mut c_void) -> bool {
        let count = self.0.num_item as usize;
        let place = self.items().iter().position(|other| *other == item);
        let Some(place) = place.filter(|_| !item.is_null()) else { return false };
        self.items_mut().copy_within(place + 1..count, place);
        self.0.num_item -= 1;
        let reserved = plan_shrink(self.0.num_item, self.0.num_reserved);
        if reserved != self.0.num_reserved {
            self.reserve(reserved);
        }
        ks_inc(KS_DELETE_COUNT);
        true
    }

    /// # Safety
    /// The list's comparison is for its items.
    unsafe fn sort(&mut self) {
        let Some(compare) = self.0.cmp else { return };
        let mut order = move |one: &*mut c_void, other: &*mut c_void| -> Ordering {
            let (one, other) = (ptr::from_ref(one), ptr::from_ref(other));
            // SAFETY: the caller's; the comparison takes the places of two items, and only reads them.
            unsafe { compare(one.cast_mut().cast(), other.cast_mut().cast()) }.cmp(&0)
        };
        merge_sort(self.items_mut(), &mut order);
        self.0.sorted = 1;
        ks_inc(KS_SORT_COUNT);
    }

    /// # Safety
    /// The list's comparison is for its items and for this one.
    unsafe fn search(&mut self, mut target: *mut c_void) -> *mut c_void {
        let Some(compare) = self.0.cmp.filter(|_| !target.is_null()) else { return ptr::null_mut() };
        if self.0.sorted == 0 {
            // SAFETY: the caller's.
            unsafe { self.sort() };
        }
        let items = self.0.p;
        let place = binary_search(self.0.num_item as usize, |place| {
            // SAFETY: the caller's; the comparison takes the places of two items.
            unsafe { compare((&raw mut target).cast(), items.add(place).cast()) }.cmp(&0)
        });
        ks_inc(KS_SEARCH_COUNT);
        place.and_then(|place| self.items().get(place).copied()).unwrap_or(ptr::null_mut())
    }

    /// # Safety
    /// The items are numbers.
    unsafe fn number(&self, i: u32) -> Option<*mut c_void> {
        // SAFETY: the caller's.
        self.items().iter().copied().find(|number| unsafe { number.cast::<UINT>().read() } == i)
    }

    /// # Safety
    /// The items are numbers.
    unsafe fn has_number(&self, i: u32) -> bool {
        // SAFETY: the caller's.
        has(self.items(), |number| unsafe { number.cast::<UINT>().read() } == i)
    }
}

/// Whether one of the items is such a one, looked for four at a time.
fn has(items: &[*mut c_void], is_such: impl Fn(*mut c_void) -> bool) -> bool {
    let (fours, rest) = items.as_chunks::<4>();
    fours.iter().any(|four| four.map(&is_such).contains(&true)) || rest.iter().any(|item| is_such(*item))
}

fn new(cmp: COMPARE, fast: bool) -> *mut LIST {
    let o = malloc(size_of::<LIST>() as u32).cast::<LIST>();
    // SAFETY: a lock and a reference count may be made at any time.
    let (lock, reference) = if fast { (ptr::null_mut(), ptr::null_mut()) } else { unsafe { (NewLock(), NewRef()) } };
    let members = LIST {
        ref_: reference,
        num_item: 0,
        num_reserved: INIT_NUM_RESERVED,
        p: malloc(ITEM_SIZE * INIT_NUM_RESERVED).cast(),
        lock,
        cmp,
        sorted: 1,
        Param1: 0,
    };
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a LIST.
    unsafe { o.write(members) };
    ks_inc(KS_NEWLIST_COUNT);
    o
}

/// # Safety
/// `o` is null or a list that its caller refers to no more.
unsafe fn release(o: *mut LIST) {
    // SAFETY: the caller's.
    unsafe {
        if !o.is_null() && ((*o).ref_.is_null() || Release((*o).ref_) == 0) {
            cleanup(o);
        }
    }
}

/// # Safety
/// `o` is null or a list that is used no more.
unsafe fn cleanup(o: *mut LIST) {
    if o.is_null() {
        return;
    }
    // SAFETY: the caller's; both blocks are Mayaqua memory.
    unsafe {
        memory::free((*o).p.cast());
        if !(*o).lock.is_null() {
            DeleteLock((*o).lock);
        }
        memory::free(o.cast());
    }
    ks_inc(KS_FREELIST_COUNT);
}

/// # Safety
/// `o` is null or a list.
unsafe fn array(o: *mut LIST) -> *mut c_void {
    // SAFETY: the caller's.
    let Some(o) = (unsafe { List::of(o) }) else { return ptr::null_mut() };
    let array = malloc(ITEM_SIZE * o.0.num_item.min(PLACES_MAX));
    ks_inc(KS_TOARRAY_COUNT);
    // SAFETY: new memory with room for all items.
    unsafe { array.cast::<*mut c_void>().copy_from_nonoverlapping(o.items().as_ptr(), o.items().len()) };
    array
}
