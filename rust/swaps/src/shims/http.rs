//! Roles and answers of HTTP.

use super::answer::{Answer, Plain, Seen};
use super::draw::Draw;
use super::role::{Role, saved_as_number};
use crate::memory::http::{HttpHeader, HttpValue};
use crate::memory::{self, index};
use crate::saved::{self, Saved};
use softether_sys as sys;
use std::ffi::{CStr, CString, c_void};
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict, compare_results};

/// Names of values that a drawn header may have.
const NAMES: [&CStr; 6] = [c"Host", c"a", c"CONTENT-TYPE", c"A", c"Content-Length", c"aaab"];

/// A header, or null.
#[derive(Debug)]
pub struct HeaderOf;

impl Role for HeaderOf {
    type C = *mut sys::HTTP_HEADER;
    type Raw = *mut sys::HTTP_HEADER;
    type View<'a> = Option<HttpHeader<'a>>;

    unsafe fn view<'a>(raw: *mut sys::HTTP_HEADER) -> Self::View<'a> {
        // SAFETY: the caller's.
        unsafe { HttpHeader::of(raw) }
    }

    fn draw(draw: &mut Draw) -> *mut sys::HTTP_HEADER {
        let values = draw.pick(&[None, Some(0), Some(1), Some(6)], |draw| Some(draw.below(7)));
        values.map_or(ptr::null_mut(), |values| draw_header(draw, values))
    }
}

/// A header of so many values; at most one is a Content-Length, of a legal value.
fn draw_header(draw: &mut Draw, values: usize) -> *mut sys::HTTP_HEADER {
    let text = |text: &CStr| text.as_ptr().cast_mut();
    let mut names = NAMES.to_vec();
    let is_unsorted = draw.below(8) == 0;
    // SAFETY: a new header, strings with their NULs; the header takes the values over.
    unsafe {
        let (method, target, version) = (text(c"HTTP/1.1"), text(c"200"), text(c"OK"));
        let header = sys::NewHttpHeaderEx(method, target, version, is_unsorted.into());
        for _ in 0..values {
            let name = names[draw.below(names.len())];
            let is_length = name == c"Content-Length";
            let limit = [1, 1000, 16 << 20][draw.below(3)];
            let number = draw.below(limit);
            let data = CString::new(number.to_string()).unwrap_or_default();
            sys::AddHttpValue(header, sys::NewHttpValue(text(name), text(&data)));
            if is_length {
                names.retain(|name| *name != c"Content-Length");
            }
        }
        // SAFETY: the case's own, used no more.
        draw.finally(move || sys::FreeHttpHeader(header));
        header
    }
}

/// A header that a value may be added to.
#[derive(Debug)]
pub struct OpenHeader;

/// The header and what is to be added.
pub struct Open<'a> {
    header: Option<HttpHeader<'a>>,
    /// Name and data.
    added: Option<[Box<[u8]>; 2]>,
}

impl Open<'_> {
    /// Whether there is no header.
    pub fn is_null(&self) -> bool {
        self.header.is_none()
    }

    /// Number of values so far.
    pub fn count(&self) -> usize {
        self.header.map_or(0, HttpHeader::count)
    }

    /// Adds a value.
    pub fn add(&mut self, name: &[u8], data: &[u8]) {
        self.added = Some([name.into(), data.into()]);
    }
}

impl Role for OpenHeader {
    type C = *mut sys::HTTP_HEADER;
    type Raw = *mut sys::HTTP_HEADER;
    type View<'a> = Open<'a>;

    unsafe fn view<'a>(raw: *mut sys::HTTP_HEADER) -> Open<'a> {
        // SAFETY: the caller's.
        Open { header: unsafe { HttpHeader::of(raw) }, added: None }
    }

    unsafe fn commit(view: Open<'_>) {
        if let (Some(header), Some([name, data])) = (view.header, view.added) {
            // SAFETY: the caller's; the header takes the value over.
            unsafe { sys::AddHttpValue(header.pointer(), NewValue::give(Some((&name, &data)))) };
        }
    }

    unsafe fn compare(view: &Open<'_>) -> Verdict {
        let (Some(header), Some([name, data])) = (view.header, &view.added) else { return Ok(()) };
        let is_there = header.values().any(|value| value.name() == &**name && value.data() == &**data);
        compare_results(&is_there, &true)
    }

    fn spoil(view: &mut Open<'_>) {
        if let Some([_, data]) = &mut view.added {
            *data = Box::from(*b"spoiled");
        }
    }

    fn draw(draw: &mut Draw) -> *mut sys::HTTP_HEADER {
        let values = draw.pick(&[None, Some(0), Some(6)], |draw| Some(draw.below(7)));
        values.map_or(ptr::null_mut(), |values| draw_header(draw, values))
    }
}

/// A place that holds a value's address, as a list's comparison gets it.
#[derive(Debug)]
pub struct ValueOf;

impl Role for ValueOf {
    type C = *mut c_void;
    type Raw = *mut c_void;
    type View<'a> = Option<HttpValue<'a>>;

    unsafe fn view<'a>(raw: *mut c_void) -> Self::View<'a> {
        // SAFETY: the caller's.
        unsafe { HttpValue::of(*raw.cast::<*mut sys::HTTP_VALUE>().as_ref()?) }
    }

    fn draw(draw: &mut Draw) -> *mut c_void {
        let kind = draw.pick(&[0, 1, 2, 3, 5], |draw| draw.below(NAMES.len() + 2));
        if kind == 0 {
            return ptr::null_mut();
        }
        let name = NAMES.get(kind.wrapping_sub(2)).map(|name| name.as_ptr().cast_mut());
        let value =
            name.map_or(ptr::null_mut(), |name| Box::into_raw(Box::new(sys::HTTP_VALUE { Name: name, Data: name })));
        let place = Box::into_raw(Box::new(value));
        draw.finally(move || {
            // SAFETY: the case's own, used no more.
            unsafe {
                if !value.is_null() {
                    drop(Box::from_raw(value));
                }
                drop(Box::from_raw(place));
            }
        });
        place.cast()
    }
}

/// A time of SoftEther's, from 1970 to 2096.
#[derive(Debug)]
pub struct Milliseconds;

impl Role for Milliseconds {
    type C = u64;
    type Raw = u64;
    type View<'a> = u64;

    unsafe fn view<'a>(raw: u64) -> Self::View<'a> {
        raw
    }

    fn draw(draw: &mut Draw) -> u64 {
        draw.pick(&[0, 951_782_400_000, 4_000_000_000_000], |draw| draw.random() % 4_000_000_000_000)
    }

    saved_as_number!();
}

impl Seen for sys::HTTP_VALUE {
    fn seen(&self) -> String {
        // SAFETY: a value of a header that is alive.
        unsafe { format!("{:?} {:?}", CStr::from_ptr(self.Name), CStr::from_ptr(self.Data)) }
    }
}

/// A new value of a header, or null.
#[derive(Debug)]
pub struct NewValue;

impl NewValue {
    /// # Safety
    /// `value` is null, or whole.
    unsafe fn content<'a>(value: *mut sys::HTTP_VALUE) -> Option<(&'a [u8], &'a [u8])> {
        // SAFETY: the caller's.
        unsafe { HttpValue::of(value) }.map(|value| (value.name(), value.data()))
    }
}

impl Answer for NewValue {
    type C = *mut sys::HTTP_VALUE;
    type Value<'a> = Option<(&'a [u8], &'a [u8])>;

    fn give(value: Self::Value<'_>) -> *mut sys::HTTP_VALUE {
        let Some((name, data)) = value else { return ptr::null_mut() };
        let new = memory::malloc(index(size_of::<sys::HTTP_VALUE>())).cast::<sys::HTTP_VALUE>();
        let text = |text: &[u8]| super::answer::NewText::give(Some(text.into()));
        // SAFETY: new memory for a value.
        unsafe { new.write(sys::HTTP_VALUE { Name: text(name), Data: text(data) }) };
        new
    }

    unsafe fn compare(control: *mut sys::HTTP_VALUE, value: Self::Value<'_>) -> Verdict {
        let word = |is_some: bool| if is_some { Shape::Pointer } else { Shape::Null };
        // SAFETY: the caller's.
        let c = unsafe { Self::content(control) };
        if c == value { Ok(()) } else { Err(Difference::new(Kind::Result, word(c.is_some()), word(value.is_some()))) }
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        value.map(|(name, _)| (name, &b"spoiled"[..]))
    }

    unsafe fn describe_and_free(c: *mut sys::HTTP_VALUE) -> String {
        // SAFETY: the caller's.
        unsafe {
            let text = format!("{:?}", Self::content(c));
            Self::free(c);
            text
        }
    }

    unsafe fn free(c: *mut sys::HTTP_VALUE) {
        // SAFETY: the caller's; null is ignored.
        unsafe { sys::FreeHttpValue(c) }
    }
}

/// The length of a body. Rust has none where C takes any text: known difference `http-content-length`.
#[derive(Debug)]
pub struct ContentLength;

impl Answer for ContentLength {
    type C = u32;
    type Value<'a> = u32;

    fn give(value: u32) -> u32 {
        value
    }

    unsafe fn compare(control: u32, value: u32) -> Verdict {
        Self::compare_plain(&control, &value)
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        value + 1
    }

    unsafe fn describe_and_free(c: u32) -> String {
        c.to_string()
    }
}

impl Plain for ContentLength {
    fn compare_plain(c: &u32, rust: &u32) -> Verdict {
        if *rust == 0 { Ok(()) } else { compare_results(c, rust) }
    }
}
