//! PACKs of the C's, read in place: elements by name, values by index (C: Mayaqua/Pack.c).

use super::{index, ks_inc};
use mayaqua::pack::cut_name;
use mayaqua::str::{str_cmpi, until_nul};
use softether_sys as sys;
use std::slice;

/// An element, whole for `'a`.
#[derive(Clone, Copy)]
pub struct Element<'a>(&'a sys::ELEMENT);

impl<'a> Element<'a> {
    /// # Safety
    /// `element` is null, or whole and unchanged for `'a`.
    pub unsafe fn of(element: *mut sys::ELEMENT) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe { element.as_ref() }.map(Element)
    }

    /// What C knows it by.
    pub fn pointer(self) -> *mut sys::ELEMENT {
        std::ptr::from_ref(self.0).cast_mut()
    }

    /// Its name.
    pub fn name(self) -> &'a [u8] {
        until_nul(self.name_with_rest())
    }

    /// Its name, the NUL, and what is behind that in the array.
    pub fn name_with_rest(self) -> &'a [u8] {
        let name = &self.0.name;
        // SAFETY: the bytes of the name, signed or not.
        unsafe { slice::from_raw_parts(name.as_ptr().cast(), name.len()) }
    }

    /// Its type, if it is of that type.
    pub fn of_type(self, value_type: u32) -> Option<Self> {
        (self.0.type_ == value_type).then_some(self)
    }

    /// Number of its values.
    pub fn count(self) -> u32 {
        self.0.num_value
    }

    /// A value; `None` where there is none, and where the C left a hole.
    ///
    /// What a pointer is returned of is not initialised but for the fields of its type.
    pub fn value(self, index: u32) -> Option<*const sys::VALUE> {
        if index >= self.0.num_value || self.0.values.is_null() {
            return None;
        }
        // SAFETY: an element has num_value pointers.
        let value = unsafe { *self.0.values.add(index as usize) };
        (!value.is_null()).then_some(value.cast_const())
    }
}

/// A PACK, whole for `'a` and changed by nobody else.
#[derive(Clone, Copy)]
pub struct Pack<'a>(&'a sys::PACK);

impl<'a> Pack<'a> {
    /// # Safety
    /// `pack` is null, or whole, and nobody else uses it for `'a`.
    pub unsafe fn of(pack: *mut sys::PACK) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe { pack.as_ref() }.map(Pack)
    }

    /// Number of elements.
    pub fn len(self) -> u32 {
        // SAFETY: a PACK has a list.
        unsafe { (*self.0.elements).num_item }
    }

    /// An element by its place.
    ///
    /// # Safety
    /// There are more than `place` elements.
    unsafe fn at(self, place: usize) -> Option<Element<'a>> {
        // SAFETY: the caller's; the list's pointers are to elements.
        unsafe { Element::of((*(*self.0.elements).p.add(place)).cast()) }
    }

    /// The element of that name, cut as the C cuts it. Sorts the list, as the C's search does.
    pub fn element(self, name: &[u8]) -> Option<Element<'a>> {
        let name = cut_name(name);
        // SAFETY: a PACK has a list, whose function of comparison sorts by name.
        unsafe {
            if (*self.0.elements).sorted == 0 {
                sys::Sort(self.0.elements);
            }
        }
        ks_inc(sys::KS_SEARCH_COUNT);
        let (mut low, mut high) = (0, self.len() as usize);
        while low < high {
            let middle = low.midpoint(high);
            // SAFETY: middle < high <= the number of elements.
            let element = unsafe { self.at(middle) }?;
            match str_cmpi(element.name(), name) {
                std::cmp::Ordering::Equal => return Some(element),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// The number in a value of type INT.
pub fn int(value: *const sys::VALUE) -> u32 {
    // SAFETY: of `Element::value`; an element of that type has that field set.
    unsafe { (*value).IntValue }
}

/// The number in a value of type INT64.
pub fn int64(value: *const sys::VALUE) -> u64 {
    // SAFETY: as in `int`.
    unsafe { (*value).Int64Value }
}

/// The bytes of a value of type DATA.
pub fn data<'a>(value: *const sys::VALUE) -> &'a [u8] {
    // SAFETY: as in `int`; the data are as long as the value says.
    unsafe { super::view((*value).Data, (*value).Size) }
}

/// The bytes of a value of type STR.
pub fn text<'a>(value: *const sys::VALUE) -> &'a [u8] {
    // SAFETY: as in `int`; the string has a NUL.
    unsafe { std::ffi::CStr::from_ptr((*value).Str) }.to_bytes()
}

/// The units of a value of type UNISTR.
pub fn units<'a>(value: *const sys::VALUE) -> &'a [sys::wchar_t] {
    // SAFETY: as in `int`; the string has a NUL.
    unsafe { wide((*value).UniStr) }
}

/// A wide string without its NUL.
///
/// # Safety
/// `string` has a NUL, and stays for `'a`.
pub unsafe fn wide<'a>(string: *const sys::wchar_t) -> &'a [sys::wchar_t] {
    let mut length = 0;
    // SAFETY: the caller's.
    unsafe {
        while *string.add(length) != 0 {
            length += 1;
        }
        slice::from_raw_parts(string, length)
    }
}

/// As many bytes as the C counts, of units with their NUL.
pub fn wide_size(units: usize) -> u32 {
    index((units + 1) * size_of::<sys::wchar_t>())
}
