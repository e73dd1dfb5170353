//! Roles and answers of PACKs.

use super::answer::Answer;
use super::draw::Draw;
use super::place::{Place, Room, place};
use super::role::{Role, Text, saved_as_text};
use crate::memory::{self, index, pack};
use crate::saved::{self, Saved};
use mayaqua::pack::Values;
use softether_sys as sys;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict, compare_bytes, compare_results};

/// Names that a drawn PACK may have, and that are looked for.
const NAMES: [&std::ffi::CStr; 8] = [c"a", c"B", c"hello", c"HELLO", c"timeout", c"", c"a\xff", c"z@y"];

/// A PACK, or null.
#[derive(Debug)]
pub struct PackOf;

impl Role for PackOf {
    type C = *mut sys::PACK;
    type Raw = *mut sys::PACK;
    type View<'a> = Option<pack::Pack<'a>>;

    unsafe fn view<'a>(raw: *mut sys::PACK) -> Self::View<'a> {
        // SAFETY: the caller's.
        unsafe { pack::Pack::of(raw) }
    }

    fn draw(draw: &mut Draw) -> *mut sys::PACK {
        let elements = draw.pick(&[None, Some(0), Some(1), Some(8)], |draw| Some(draw.below(9)));
        elements.map_or(ptr::null_mut(), |elements| draw_pack(draw, elements))
    }
}

/// A PACK of up to so many elements of random types.
fn draw_pack(draw: &mut Draw, elements: usize) -> *mut sys::PACK {
    // SAFETY: a new PACK, names and strings with their NULs, data of the size given.
    unsafe {
        let p = sys::NewPack();
        for _ in 0..elements {
            let name = NAMES[draw.below(NAMES.len())].as_ptr().cast_mut();
            let total = 1 + draw.below(3) as u32;
            let kind = draw.below(5);
            for place in 0..total {
                let mut data: Vec<u8> = (0..draw.below(20)).map(|_| draw.byte()).collect();
                let size = index(data.len());
                match kind {
                    0 => sys::PackAddIntEx(p, name, draw.below(3) as u32, place, total),
                    1 => sys::PackAddInt64Ex(p, name, draw.random(), place, total),
                    2 => sys::PackAddDataEx(p, name, data.as_mut_ptr().cast(), size, place, total),
                    3 => {
                        data.retain(|byte| *byte != 0);
                        let text = CString::new(data).unwrap_or_default();
                        sys::PackAddStrEx(p, name, text.as_ptr().cast_mut(), place, total)
                    }
                    _ => {
                        let mut wide: Vec<_> = data.iter().map(|byte| sys::wchar_t::from(byte | 1) * 17).collect();
                        wide.push(0);
                        sys::PackAddUniStrEx(p, name, wide.as_mut_ptr(), place, total)
                    }
                };
            }
        }
        let address = p as usize;
        // SAFETY: the case's own, used no more.
        draw.finally(move || sys::FreePack(address as *mut sys::PACK));
        p
    }
}

/// A name of an element, or any other string.
#[derive(Debug)]
pub struct Name;

impl Role for Name {
    type C = *mut c_char;
    type Raw = *mut c_char;
    type View<'a> = Option<&'a [u8]>;

    unsafe fn view<'a>(raw: *mut c_char) -> Option<&'a [u8]> {
        // SAFETY: the caller's.
        unsafe { Text::view(raw) }
    }

    fn draw(draw: &mut Draw) -> *mut c_char {
        let known = draw.pick(&[None, Some(0), Some(1), Some(3), Some(6)], |draw| Some(draw.below(NAMES.len() + 1)));
        match known.map(|known| NAMES.get(known)) {
            None => ptr::null_mut(),
            Some(Some(name)) => draw.block(name.to_bytes_with_nul()).cast(),
            Some(None) => Text::draw(draw),
        }
    }

    saved_as_text!();
}

/// A place that holds an element's address, as a list's comparison gets it.
#[derive(Debug)]
pub struct ElementOf;

impl Role for ElementOf {
    type C = *mut c_void;
    type Raw = *mut c_void;
    type View<'a> = Option<pack::Element<'a>>;

    unsafe fn view<'a>(raw: *mut c_void) -> Self::View<'a> {
        // SAFETY: the caller's.
        unsafe { pack::Element::of(*raw.cast::<*mut sys::ELEMENT>().as_ref()?) }
    }

    fn draw(draw: &mut Draw) -> *mut c_void {
        let kind = draw.pick(&[0, 1, 2, 3, 4], |draw| draw.below(NAMES.len() + 2));
        let place = match kind {
            0 => return ptr::null_mut(),
            1 => None,
            // SAFETY: an ELEMENT is numbers and pointers, for which zeros are values.
            _ => Some(unsafe { std::mem::zeroed::<sys::ELEMENT>() }),
        };
        let Some(mut element) = place else { return draw.block(&[0; size_of::<*mut sys::ELEMENT>()]).cast() };
        for (to, from) in element.name.iter_mut().zip(NAMES[kind - 2].to_bytes()) {
            *to = from.cast_signed();
        }
        let mut both = Box::new((ptr::null_mut::<sys::ELEMENT>(), element));
        both.0 = &raw mut both.1;
        let both = Box::into_raw(both);
        // SAFETY: the case's own, used no more.
        draw.finally(move || drop(unsafe { Box::from_raw(both) }));
        both.cast()
    }
}

/// A block for a wide string, of a size in bytes.
#[derive(Debug)]
pub struct WideRoom;

impl Role for WideRoom {
    type C = *mut sys::wchar_t;
    type Raw = (*mut sys::wchar_t, sys::UINT);
    place!();

    unsafe fn view<'a>((memory, size): Self::Raw) -> Place<'a> {
        Place::new(memory.cast(), size, None)
    }

    fn draw(draw: &mut Draw) -> Self::Raw {
        let (memory, size) = Room::draw(draw);
        (memory.cast(), size)
    }

    unsafe fn save((memory, size): Self::Raw, input: &mut Vec<u8>) -> bool {
        // SAFETY: the caller's.
        unsafe { Room::save((memory.cast(), size), input) }
    }

    fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<Self::Raw> {
        let (memory, size) = Room::load(saved, draw)?;
        Some((memory.cast(), size))
    }
}

/// A BUF that a PACK is read from.
#[derive(Debug)]
pub struct ReadBuf;

/// What is left of it to read.
#[derive(Debug)]
pub struct Rest<'a> {
    buf: *mut sys::BUF,
    bytes: Option<&'a [u8]>,
    used: usize,
}

impl Rest<'_> {
    /// Reads a PACK, and puts the position behind it.
    pub fn decode(&mut self) -> Option<mayaqua::pack::Pack> {
        let (pack, used) = mayaqua::pack::Pack::decode_prefix(self.bytes?).ok()?;
        self.used = used;
        Some(pack)
    }
}

impl Role for ReadBuf {
    type C = *mut sys::BUF;
    type Raw = *mut sys::BUF;
    type View<'a> = Rest<'a>;

    unsafe fn view<'a>(buf: *mut sys::BUF) -> Rest<'a> {
        // SAFETY: the caller's: null, or a BUF.
        let bytes = unsafe { buf.as_ref().and_then(|b| memory::view(b.Buf, b.Size).get(b.Current as usize..)) };
        Rest { buf, bytes, used: 0 }
    }

    unsafe fn commit(view: Rest<'_>) {
        if view.used > 0 {
            // SAFETY: the caller's; as many bytes were there.
            unsafe { (*view.buf).Current += index(view.used) };
        }
    }

    unsafe fn compare(view: &Rest<'_>) -> Verdict {
        let Some(bytes) = view.bytes.filter(|_| view.used > 0) else { return Ok(()) };
        // SAFETY: the caller's.
        let buf = unsafe { &*view.buf };
        compare_results(&((buf.Size - buf.Current) as usize), &(bytes.len() - view.used))
    }

    fn draw(draw: &mut Draw) -> *mut sys::BUF {
        let elements = draw.pick(&[None, Some(0), Some(1), Some(8)], |draw| Some(draw.below(9)));
        let Some(elements) = elements else { return ptr::null_mut() };
        let pack = draw_pack(draw, elements);
        let (before, behind) = (draw.below(3), draw.below(3));
        // SAFETY: a BUF of the case's own.
        unsafe {
            let encoded = sys::PackToBuf(pack);
            let bytes = [&[7; 2][..before], memory::view((*encoded).Buf, (*encoded).Size), &[7; 2][..behind]].concat();
            sys::FreeBuf(encoded);
            let buf = sys::NewBufFromMemory(bytes.as_ptr().cast_mut().cast(), index(bytes.len()));
            sys::SeekBuf(buf, index(before), 0);
            // SAFETY: used no more.
            draw.finally(move || sys::FreeBuf(buf));
            buf
        }
    }
}

/// A new PACK of the C's, or null.
///
/// Where Rust makes none and C does, that is one of the differences of PACK in docs/LEGACY_BEHAVIOUR.md: Rust takes what is
/// whole and legal, C also what is not.
#[derive(Debug)]
pub struct NewPack;

impl Answer for NewPack {
    type C = *mut sys::PACK;
    type Value<'a> = Option<mayaqua::pack::Pack>;

    fn give(value: Self::Value<'_>) -> *mut sys::PACK {
        let Some(value) = value else { return ptr::null_mut() };
        // SAFETY: a new PACK, elements made of values of their types; C frees all of it.
        unsafe {
            let p = sys::NewPack();
            for element in value.elements() {
                let mut values = new_values(element.values());
                let name = CString::new(element.name_bytes()).unwrap_or_default();
                let value_type = element.value_type().number();
                let count = index(values.len());
                sys::AddElement(p, sys::NewElement(name.as_ptr().cast_mut(), value_type, count, values.as_mut_ptr()));
            }
            p
        }
    }

    unsafe fn compare(control: *mut sys::PACK, value: Self::Value<'_>) -> Verdict {
        let Some(value) = value else { return Ok(()) };
        if control.is_null() {
            return Err(Difference::new(Kind::Result, Shape::Null, Shape::Pointer));
        }
        // SAFETY: the caller's; Rust's is freed here.
        unsafe {
            let rust = Self::give(Some(value));
            let verdict = compare_bytes(&encoded(control), &encoded(rust));
            sys::FreePack(rust);
            verdict
        }
    }

    fn spoil(_: Self::Value<'_>) -> Self::Value<'_> {
        Some(mayaqua::pack::Pack::new())
    }

    unsafe fn describe_and_free(c: *mut sys::PACK) -> String {
        if c.is_null() {
            return "null".to_owned();
        }
        // SAFETY: the caller's.
        unsafe {
            let text = encoded(c).escape_ascii().to_string();
            sys::FreePack(c);
            text
        }
    }

    unsafe fn free(c: *mut sys::PACK) {
        // SAFETY: the caller's; null is ignored.
        unsafe { sys::FreePack(c) }
    }
}

/// What the C writes for a PACK.
///
/// # Safety
/// A whole PACK.
unsafe fn encoded(pack: *mut sys::PACK) -> Vec<u8> {
    // SAFETY: the caller's; the BUF is this function's.
    unsafe {
        let buf = sys::PackToBuf(pack);
        let bytes = memory::view((*buf).Buf, (*buf).Size).to_vec();
        sys::FreeBuf(buf);
        bytes
    }
}

/// The values of an element for C.
fn new_values(values: &Values) -> Vec<*mut sys::VALUE> {
    let bytes = |bytes: &[u8], size: usize| Content::Bytes(bytes, index(size)).value();
    match values {
        Values::Int(values) => values.iter().map(|value| Content::Int(*value).value()).collect(),
        Values::Int64(values) => values.iter().map(|value| Content::Int64(*value).value()).collect(),
        Values::Data(values) => values.iter().map(|value| bytes(value, value.len())).collect(),
        Values::Str(values) => {
            values.iter().map(|value| Content::Text(value, index(value.len() + 1)).value()).collect()
        }
        Values::UniStr(values) => values
            .iter()
            .map(|value| {
                let units: Vec<_> = value.units().map(sys::wchar_t::from).chain([0]).collect();
                Content::Units(&units).value()
            })
            .collect(),
    }
}

/// What is in a VALUE.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content<'a> {
    /// Of type INT.
    Int(u32),
    /// Of type INT64.
    Int64(u64),
    /// Of type DATA, with the size that it announces.
    Bytes(&'a [u8], u32),
    /// Of type STR without its NUL, with the size of its memory.
    Text(&'a [u8], u32),
    /// Of type UNISTR with its NUL.
    Units(&'a [sys::wchar_t]),
}

impl Content<'_> {
    /// A VALUE of Mayaqua memory. As in the C the fields of other types are not set.
    fn value(self) -> *mut sys::VALUE {
        let value = memory::malloc(index(size_of::<sys::VALUE>())).cast::<sys::VALUE>();
        // SAFETY: new memory for a VALUE; each block has as many bytes as are written.
        unsafe {
            match self {
                Content::Int(int) => {
                    (*value).Size = index(size_of::<u32>());
                    (*value).IntValue = int;
                }
                Content::Int64(int) => {
                    (*value).Size = index(size_of::<u64>());
                    (*value).Int64Value = int;
                }
                Content::Bytes(bytes, size) => {
                    (*value).Size = size;
                    (*value).Data = memory::malloc_copy(bytes);
                }
                Content::Text(text, size) => {
                    let memory = memory::malloc(size).cast::<u8>();
                    memory.copy_from_nonoverlapping(text.as_ptr(), text.len());
                    memory.add(text.len()).write(0);
                    (*value).Size = size;
                    (*value).Str = memory.cast();
                }
                Content::Units(units) => {
                    let size = index(size_of_val(units));
                    let memory = memory::malloc(size).cast::<sys::wchar_t>();
                    memory.copy_from_nonoverlapping(units.as_ptr(), units.len());
                    (*value).Size = size;
                    (*value).UniStr = memory;
                }
            }
        }
        value
    }
}

/// A new VALUE of one type, or null.
#[derive(Debug)]
pub struct NewValue<const TYPE: u32>;

impl<const TYPE: u32> NewValue<TYPE> {
    /// # Safety
    /// `value` is null, or a VALUE of that type.
    unsafe fn content<'a>(value: *const sys::VALUE) -> Option<Content<'a>> {
        // SAFETY: the caller's.
        (!value.is_null()).then(|| unsafe {
            match TYPE {
                sys::VALUE_INT => Content::Int((*value).IntValue),
                sys::VALUE_INT64 => Content::Int64((*value).Int64Value),
                sys::VALUE_DATA => Content::Bytes(pack::data(value), (*value).Size),
                _ => Content::Text(pack::text(value), (*value).Size),
            }
        })
    }
}

impl<const TYPE: u32> Answer for NewValue<TYPE> {
    type C = *mut sys::VALUE;
    type Value<'a> = Option<Content<'a>>;

    fn give(value: Self::Value<'_>) -> *mut sys::VALUE {
        value.map_or(ptr::null_mut(), Content::value)
    }

    unsafe fn compare(control: *mut sys::VALUE, value: Self::Value<'_>) -> Verdict {
        let word = |content: Option<Content<'_>>| if content.is_some() { Shape::Pointer } else { Shape::Null };
        // SAFETY: the caller's.
        let c = unsafe { Self::content(control) };
        if c == value { Ok(()) } else { Err(Difference::new(Kind::Result, word(c), word(value))) }
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        value.map(|value| match value {
            Content::Int(int) => Content::Int(int ^ 1),
            Content::Int64(int) => Content::Int64(int ^ 1),
            Content::Bytes(..) => Content::Bytes(b"spoiled", 7),
            _ => Content::Text(b"spoiled", 8),
        })
    }

    unsafe fn describe_and_free(c: *mut sys::VALUE) -> String {
        // SAFETY: the caller's.
        unsafe {
            let text = format!("{:?}", Self::content(c));
            Self::free(c);
            text
        }
    }

    unsafe fn free(c: *mut sys::VALUE) {
        // SAFETY: the caller's; null is ignored.
        unsafe { sys::FreeValue(c, TYPE) }
    }
}
