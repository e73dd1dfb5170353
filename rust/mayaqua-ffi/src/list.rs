//! Lists of the caller's pointers, which the library never looks behind; the caller's function compares them
//! ([`mayaqua::list`]).

use crate::arg;
use crate::error::{Failure, Status, boundary};
use crate::handle::Table;
use crate::queue::Item;
use mayaqua::list::{binary_search, insert_position, merge_sort};
use std::cmp::Ordering;
use std::ffi::{c_int, c_void};

/// Compares what two items point to: below 0, 0 or above 0, as strcmp does. `context` is what the list was made with. It is
/// called inside functions on the list, by the same thread, and must not call functions on that list: those answer
/// MAYAQUA_STATUS_BUSY.
pub type CompareFn = Option<unsafe extern "C" fn(a: *const c_void, b: *const c_void, context: *mut c_void) -> c_int>;

/// A list with its comparison.
#[derive(Debug)]
pub struct Items {
    items: Vec<Item>,
    compare: CompareFn,
    context: Item,
    sorted: bool,
}

impl Items {
    /// How two items compare; all are equal without a comparison.
    fn compare(&self, a: Item, b: Item) -> Ordering {
        // SAFETY: granted when the list was made and the items were put in.
        self.compare.map_or(Ordering::Equal, |compare| unsafe { compare(a.0, b.0, self.context.0) }.cmp(&0))
    }

    fn sort(&mut self) {
        if self.compare.is_some() && !self.sorted {
            let mut items = std::mem::take(&mut self.items);
            merge_sort(&mut items, &mut |a, b| self.compare(*a, *b));
            self.items = items;
            self.sorted = true;
        }
    }

    fn add(&mut self, item: Item) {
        self.items.push(item);
        self.sorted = false;
    }

    fn at(&self, place: usize) -> Item {
        self.items.get(place).copied().unwrap_or(Item(std::ptr::null_mut()))
    }
}

fn item(item: *mut c_void) -> Result<Item, Failure> {
    if item.is_null() { Err(Failure::invalid("an item is null")) } else { Ok(Item(item)) }
}

/// The objects.
pub(crate) static OBJECTS: Table<Items> = Table::new(4);

/// Pointers in an order. What they point to stays the caller's, and stays as long as it is in the list.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// The handle's number; 0 is no object.
    pub id: u64,
}

/// Makes an empty list. With a comparison it is sorted when it is searched; with null it keeps the order of adding. The
/// caller frees it with mayaqua_list_free. `context` goes to every comparison.
///
/// As mayaqua_buf_new.
///
/// # Safety
///
/// `compare` takes every item of the list, from any thread that calls functions on it, and does not unwind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_list_new(compare: CompareFn, context: *mut c_void, list: *mut List) -> Status {
    boundary(|| {
        arg::check(list)?;
        let id = OBJECTS.insert(Items { items: Vec::new(), compare, context: Item(context), sorted: true })?;
        // SAFETY: the caller's.
        unsafe { arg::put(list, List { id }) }
    })
}

/// Appends an item, which is not null.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_list_add(list: List, item: *mut c_void) -> Status {
    boundary(|| {
        let item = self::item(item)?;
        OBJECTS.with(list.id, |list| {
            list.add(item);
            Ok(())
        })
    })
}

/// Puts an item, which is not null, in its place; without a comparison, at the end. Equal items are allowed.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_list_insert(list: List, item: *mut c_void) -> Status {
    boundary(|| {
        let item = self::item(item)?;
        OBJECTS.with(list.id, |list| {
            if list.compare.is_none() {
                list.add(item);
                return Ok(());
            }
            list.sort();
            let position = insert_position(list.items.len(), |place| list.compare(list.at(place), item));
            list.items.insert(position, item);
            Ok(())
        })
    })
}

/// Gives an item equal to `target`, which the comparison takes as it takes items.
///
/// MAYAQUA_STATUS_NOT_FOUND: there is none, or the list has no comparison.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_list_search(list: List, target: *mut c_void, found: *mut *mut c_void) -> Status {
    boundary(|| {
        arg::check(found)?;
        let target = self::item(target)?;
        let item = OBJECTS.with(list.id, |list| {
            list.sort();
            let place = list
                .compare
                .and_then(|_| binary_search(list.items.len(), |place| list.compare(target, list.at(place))));
            place.map(|place| list.at(place)).ok_or_else(|| Status::NotFound.into())
        })?;
        // SAFETY: the caller's.
        unsafe { arg::put(found, item.0) }
    })
}

/// Sorts, equals in their order. Without a comparison nothing happens.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_list_sort(list: List) -> Status {
    boundary(|| {
        OBJECTS.with(list.id, |list| {
            list.sort();
            Ok(())
        })
    })
}

/// Removes the first item that is this very pointer; the others keep their order.
///
/// MAYAQUA_STATUS_NOT_FOUND: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_list_delete(list: List, item: *mut c_void) -> Status {
    boundary(|| {
        let item = self::item(item)?;
        OBJECTS.with(list.id, |list| {
            let place = list.items.iter().position(|other| other.0 == item.0).ok_or(Status::NotFound)?;
            list.items.remove(place);
            Ok(())
        })
    })
}

/// Removes all items.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_list_delete_all(list: List) -> Status {
    boundary(|| {
        OBJECTS.with(list.id, |list| {
            list.items.clear();
            Ok(())
        })
    })
}

/// Gives the item at a place, counted from 0.
///
/// MAYAQUA_STATUS_NOT_FOUND: the list has no such place.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_list_get(list: List, place: usize, item: *mut *mut c_void) -> Status {
    boundary(|| {
        arg::check(item)?;
        let found =
            OBJECTS.with(list.id, |list| list.items.get(place).copied().ok_or_else(|| Status::NotFound.into()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(item, found.0) }
    })
}

/// Gives the number of items.
///
/// # Safety
///
/// The result may be written where the last argument points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_list_num(list: List, num: *mut usize) -> Status {
    boundary(|| {
        let value = OBJECTS.with(list.id, |list| Ok(list.items.len()))?;
        // SAFETY: the caller's.
        unsafe { arg::put(num, value) }
    })
}

/// Frees a list, not what its items point to. A zeroed handle is none.
///
/// MAYAQUA_STATUS_BAD_HANDLE: it was freed already.
#[unsafe(no_mangle)]
pub extern "C" fn mayaqua_list_free(list: List) -> Status {
    boundary(|| OBJECTS.remove(list.id))
}
