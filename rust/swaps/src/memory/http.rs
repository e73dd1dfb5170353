//! Headers of HTTP of the C's, read in place (C: Mayaqua/HTTP.c).

use mayaqua::str::str_cmpi;
use softether_sys as sys;
use std::cmp::Ordering;
use std::ffi::{CStr, c_char};

/// A value of a header, whole for `'a`.
#[derive(Clone, Copy)]
pub struct HttpValue<'a>(&'a sys::HTTP_VALUE);

impl<'a> HttpValue<'a> {
    /// # Safety
    /// `value` is null, or whole and unchanged for `'a`.
    pub unsafe fn of(value: *mut sys::HTTP_VALUE) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe { value.as_ref() }.map(HttpValue)
    }

    /// What C knows it by.
    pub fn pointer(self) -> *mut sys::HTTP_VALUE {
        std::ptr::from_ref(self.0).cast_mut()
    }

    /// Its name.
    pub fn name(self) -> &'a [u8] {
        bytes(self.0.Name)
    }

    /// What it says.
    pub fn data(self) -> &'a [u8] {
        bytes(self.0.Data)
    }
}

/// A string of a header, which has a NUL.
fn bytes<'a>(string: *const c_char) -> &'a [u8] {
    // SAFETY: of a header that is whole for 'a.
    unsafe { CStr::from_ptr(string) }.to_bytes()
}

/// A header, whole for `'a` and changed by nobody else.
#[derive(Clone, Copy)]
pub struct HttpHeader<'a>(&'a sys::HTTP_HEADER);

impl<'a> HttpHeader<'a> {
    /// # Safety
    /// `header` is null, or whole, and nobody else uses it for `'a`.
    pub unsafe fn of(header: *mut sys::HTTP_HEADER) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe { header.as_ref() }.map(HttpHeader)
    }

    /// What C knows it by.
    pub fn pointer(self) -> *mut sys::HTTP_HEADER {
        std::ptr::from_ref(self.0).cast_mut()
    }

    /// Its first line.
    pub fn first_line(self) -> [&'a [u8]; 3] {
        [self.0.Method, self.0.Target, self.0.Version].map(|part| bytes(part))
    }

    /// Number of its values.
    pub fn count(self) -> usize {
        // SAFETY: a header has a list.
        unsafe { (*self.0.ValueList).num_item as usize }
    }

    /// Its values, in the list's order.
    pub fn values(self) -> impl Iterator<Item = HttpValue<'a>> {
        // SAFETY: each place is below the count, and holds a value.
        (0..self.count()).filter_map(move |place| unsafe { HttpValue::of((*(*self.0.ValueList).p.add(place)).cast()) })
    }

    /// The value of that name, of several the one that the C's `bsearch` meets. A header that is not sorted finds none.
    pub fn value(self, name: &[u8]) -> Option<HttpValue<'a>> {
        // SAFETY: a header has a list; it is sorted as the C's search would sort it.
        let list = unsafe {
            (*self.0.ValueList).cmp?;
            if (*self.0.ValueList).sorted == 0 {
                sys::Sort(self.0.ValueList);
            }
            &*self.0.ValueList
        };
        super::ks_inc(sys::KS_SEARCH_COUNT);
        let (mut low, mut high) = (0, list.num_item as usize);
        while low < high {
            let middle = low.midpoint(high);
            // SAFETY: middle < high <= the number of values.
            let value = unsafe { HttpValue::of((*list.p.add(middle)).cast()) }?;
            match str_cmpi(value.name(), name) {
                Ordering::Equal => return Some(value),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }
}
