//! Blocks that a function writes into: what a body says is to be written, and the roles of such parameters.

use super::draw::Draw;
use super::role::{Role, Text, random_text, saved_as_text};
use crate::saved::{self, Saved};
use softether_sys::UINT;
use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::slice;
use switch::{Difference, Kind, Shape, Verdict, compare_bytes};

/// What is to be written somewhere.
#[derive(Debug)]
pub enum Given<'a> {
    /// As it is elsewhere, perhaps overlapping.
    Borrowed(&'a [u8]),
    /// Made by the body.
    Owned(Vec<u8>),
    /// Made by the body without memory of the heap.
    Short([u8; SHORT], usize),
    /// Each byte of a text as the function makes it, of the byte and this other.
    Mapped(&'a [u8], fn(u8, u8) -> u8, u8),
}

/// Most bytes that need no memory of the heap.
const SHORT: usize = 64;

impl Given<'_> {
    /// A text of at most [`SHORT`] bytes.
    ///
    /// # Panics
    /// If it is longer, with nothing changed.
    pub fn format(text: std::fmt::Arguments<'_>) -> Self {
        use std::io::Write;
        let mut short = [0; SHORT];
        let mut rest = &mut short[..];
        rest.write_fmt(text).expect("a text that is short");
        let length = SHORT - rest.len();
        Given::Short(short, length)
    }

    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Given::Borrowed(bytes) => (*bytes).into(),
            Given::Owned(bytes) => bytes.into(),
            Given::Short(bytes, length) => bytes[..*length].into(),
            Given::Mapped(text, map, other) => text.iter().map(|byte| map(*byte, *other)).collect(),
        }
    }
}

impl<'a> From<&'a [u8]> for Given<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Given::Borrowed(bytes)
    }
}

impl From<Vec<u8>> for Given<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Given::Owned(bytes)
    }
}

impl From<String> for Given<'_> {
    fn from(text: String) -> Self {
        Given::Owned(text.into_bytes())
    }
}

impl<const N: usize> From<[u8; N]> for Given<'_> {
    fn from(bytes: [u8; N]) -> Self {
        const { assert!(N <= SHORT) };
        let mut short = [0; SHORT];
        short[..N].copy_from_slice(&bytes);
        Given::Short(short, N)
    }
}

impl FromIterator<u8> for Given<'_> {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        let (mut short, mut length) = ([0; SHORT], 0);
        let mut bytes = bytes.into_iter();
        for byte in bytes.by_ref() {
            let Some(place) = short.get_mut(length) else {
                return Given::Owned(short.into_iter().chain([byte]).chain(bytes).collect());
            };
            *place = byte;
            length += 1;
        }
        Given::Short(short, length)
    }
}

/// A block to write in, or null.
#[derive(Debug)]
pub struct Place<'a> {
    memory: *mut u8,
    size: u32,
    text: Option<&'a [u8]>,
    /// What to write, and whether a NUL follows.
    given: Option<(Given<'a>, bool)>,
    life: PhantomData<&'a mut u8>,
}

impl<'a> Place<'a> {
    pub(super) fn new(memory: *mut u8, size: u32, text: Option<&'a [u8]>) -> Self {
        Place { memory, size, text, given: None, life: PhantomData }
    }

    /// Whether there is no block.
    pub fn is_null(&self) -> bool {
        self.memory.is_null()
    }

    /// Whether the block is where these bytes are.
    pub fn is_at(&self, bytes: Option<&[u8]>) -> bool {
        bytes.map_or(self.is_null(), |bytes| bytes.as_ptr() == self.memory)
    }

    /// The block's size as the C was told; 0 means that it is large enough.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// The string in the block, if the role says that there is one.
    pub fn text(&self) -> Option<&'a [u8]> {
        self.text
    }

    /// Writes bytes at the start of the block, which has room for them.
    pub fn put(&mut self, bytes: impl Into<Given<'a>>) {
        self.given = Some((bytes.into(), false));
    }

    /// Writes a string and its NUL, which the block has room for.
    pub fn put_text(&mut self, text: impl Into<Given<'a>>) {
        self.given = Some((text.into(), true));
    }

    /// Cuts the string in the block down to a part of itself. What stays whole is not written to: it may be a constant.
    pub fn cut_to(&mut self, part: impl FnOnce(&[u8]) -> &[u8]) {
        let Some(text) = self.text else { return };
        let part = part(text);
        if part.len() < text.len() {
            self.put_text(part);
        }
    }

    /// Changes each character of the string in the block, of it and `other`. Those that stay are not written to.
    pub fn map(&mut self, other: u8, map: fn(u8, u8) -> u8) {
        if let Some(text) = self.text {
            self.given = Some((Given::Mapped(text, map, other), false));
        }
    }

    /// Writes as much of a string as fits the block, as `StrCpy` does.
    pub fn put_cut(&mut self, text: &'a [u8]) {
        self.put_text(&text[..mayaqua::str::str_cpy_len(self.size(), text.len())]);
    }

    /// The same of a text that was made.
    pub fn put_made(&mut self, text: String) {
        let mut text = text.into_bytes();
        text.truncate(mayaqua::str::str_cpy_len(self.size(), text.len()));
        self.put_text(text);
    }

    /// Writes as many units of a wide string as fit the block, and a NUL, which always does.
    pub fn put_units(&mut self, units: &[softether_sys::wchar_t]) {
        let fit = match self.size() / size_of::<softether_sys::wchar_t>() {
            0 => 0,
            fit => units.len().min(fit - 1),
        };
        let mut bytes = Vec::with_capacity((fit + 1) * size_of::<softether_sys::wchar_t>());
        units[..fit].iter().chain(&[0]).for_each(|unit| bytes.extend_from_slice(&unit.to_ne_bytes()));
        self.put(bytes);
    }

    /// Writes behind the string in the block.
    pub fn append(&mut self, text: &'a [u8]) {
        // SAFETY: the string is the block's, so its NUL is.
        self.memory = unsafe { self.memory.add(self.text.map_or(0, <[u8]>::len)) };
        self.text = None;
        self.put_text(text);
    }

    /// # Safety
    /// The block is there, and has room for what was put.
    // Inlined, so that of the kinds of what is given only those are looked at that the body makes.
    #[inline(always)]
    pub(super) unsafe fn commit(self) {
        let Some((given, with_nul)) = self.given else { return };
        let (from, length) = match &given {
            Given::Borrowed(bytes) => (bytes.as_ptr(), bytes.len()),
            Given::Owned(bytes) => (bytes.as_ptr(), bytes.len()),
            Given::Short(bytes, length) => (bytes.as_ptr(), *length),
            Given::Mapped(text, map, other) => {
                for place in 0..text.len() {
                    // SAFETY: the text is the block's.
                    unsafe {
                        let byte = self.memory.add(place);
                        let (old, new) = (*byte, map(*byte, *other));
                        if new != old {
                            byte.write(new);
                        }
                    }
                }
                return;
            }
        };
        if length == 0 && !with_nul {
            return;
        }
        // SAFETY: the caller's; the bytes may be the block's own, so they may overlap.
        unsafe {
            from.copy_to(self.memory, length);
            if with_nul {
                self.memory.add(length).write(0);
            }
        }
    }

    pub(super) fn hold(&mut self) {
        let given = self.given.take().or_else(|| Some((Given::Borrowed(self.text?), true)));
        self.given = given.map(|(given, with_nul)| (Given::Owned(given.bytes().into_owned()), with_nul));
        self.text = None;
    }

    /// # Safety
    /// The block is there, C has written what was put, or as much.
    pub(super) unsafe fn compare(&self) -> Verdict {
        let Some((given, with_nul)) = &self.given else { return Ok(()) };
        let bytes = given.bytes();
        let length = bytes.len();
        // SAFETY: the caller's.
        let c = unsafe { slice::from_raw_parts(self.memory, length + usize::from(*with_nul)) };
        compare_bytes(&c[..length], &bytes)?;
        match c.get(length) {
            Some(1..) => Err(Difference::new(Kind::Length, Shape::Word("longer text"), Shape::Word("text"))),
            _ => Ok(()),
        }
    }

    pub(super) fn spoil(&mut self) {
        if let Some((given, _)) = &mut self.given {
            let mut bytes = given.bytes().into_owned();
            bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            *given = Given::Owned(bytes);
        }
    }
}

/// The parts of [`Role`] that all roles have that view a [`Place`].
macro_rules! place {
    () => {
        type View<'a> = Place<'a>;

        #[inline(always)]
        unsafe fn commit(view: Place<'_>) {
            // SAFETY: the caller's.
            unsafe { view.commit() }
        }

        fn hold(view: &mut Place<'_>) {
            view.hold();
        }

        unsafe fn compare(view: &Place<'_>) -> Verdict {
            // SAFETY: the caller's.
            unsafe { view.compare() }
        }

        fn spoil(view: &mut Place<'_>) {
            view.spoil();
        }
    };
}
pub(crate) use place;

/// Room in every drawn block, whatever size is announced.
const DRAWN: usize = 700;

/// A block of a size, to write a string in.
pub type Room = RoomOf<c_char>;

/// A block of a size, to write in.
#[derive(Debug)]
pub struct RoomOf<C>(PhantomData<C>);

impl<C: 'static> Role for RoomOf<C> {
    type C = *mut C;
    type Raw = (*mut C, UINT);
    place!();

    unsafe fn view<'a>((memory, size): Self::Raw) -> Place<'a> {
        Place::new(memory.cast(), size, None)
    }

    fn draw(draw: &mut Draw) -> Self::Raw {
        let size = draw.pick(&[None, Some(0), Some(1), Some(2), Some(5), Some(600)], |draw| Some(draw.below(60)));
        size.map_or((std::ptr::null_mut(), 8), |size| (draw.room(DRAWN).cast(), size as UINT))
    }

    // What the block held before is not kept: it is only written to.
    unsafe fn save((memory, size): Self::Raw, input: &mut Vec<u8>) -> bool {
        saved::put_number(u64::from(!memory.is_null()), input);
        saved::put_number(size.into(), input);
        // A size of 0 says that there is enough, and not how much.
        size != 0
    }

    fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<Self::Raw> {
        let (is_there, size) = (saved.number()?, saved.size()?);
        let room = (size as usize <= switch::INPUT_SIZE_MAX).then_some(size as usize)?;
        Some((if is_there == 0 { std::ptr::null_mut() } else { draw.room(room).cast() }, size))
    }
}

/// A block with a string in it, which is changed in place or appended to.
#[derive(Debug)]
pub struct Buffer;

impl Role for Buffer {
    type C = *mut c_char;
    type Raw = (*mut c_char, UINT);
    place!();

    unsafe fn view<'a>((memory, size): Self::Raw) -> Place<'a> {
        // SAFETY: the caller's: a string with its NUL.
        Place::new(memory.cast(), size, unsafe { Text::view(memory) })
    }

    fn draw(draw: &mut Draw) -> Self::Raw {
        let size = draw.pick(&[None, Some(0), Some(13), Some(14), Some(600)], |draw| Some(draw.below(300)));
        let Some(size) = size else { return (std::ptr::null_mut(), 8) };
        let mut block = random_text(draw);
        block.resize(DRAWN, 0);
        (draw.block(&block).cast(), size as UINT)
    }

    unsafe fn save((memory, size): Self::Raw, input: &mut Vec<u8>) -> bool {
        saved::put_number(size.into(), input);
        // SAFETY: the caller's: null, or a string with its NUL.
        saved::put_bytes(unsafe { Text::view(memory) }, input);
        // As for `RoomOf`.
        size != 0
    }

    fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<Self::Raw> {
        let (size, text) = (saved.size()?, saved.bytes()?);
        let Some(text) = text else { return Some((std::ptr::null_mut(), size)) };
        let room = (size as usize <= switch::INPUT_SIZE_MAX).then_some(size as usize)?;
        let mut block = text.to_vec();
        block.resize(room.max(text.len() + 1), 0);
        Some((draw.block(&block).cast(), size))
    }
}

/// A string that gets no longer in place.
#[derive(Debug)]
pub struct InPlace;

impl Role for InPlace {
    type C = *mut c_char;
    type Raw = *mut c_char;
    place!();

    unsafe fn view<'a>(raw: *mut c_char) -> Place<'a> {
        // SAFETY: the caller's: a string with its NUL.
        Place::new(raw.cast(), 0, unsafe { Text::view(raw) })
    }

    fn draw(draw: &mut Draw) -> *mut c_char {
        Text::draw(draw)
    }

    saved_as_text!();
}

/// A block that is large enough for what the function writes, with or without null.
#[derive(Debug)]
pub struct Output<C, const NULLABLE: bool = true>(PhantomData<C>);

impl<C: 'static, const NULLABLE: bool> Role for Output<C, NULLABLE> {
    type C = *mut C;
    type Raw = *mut C;
    place!();

    unsafe fn view<'a>(raw: *mut C) -> Place<'a> {
        Place::new(raw.cast(), 0, None)
    }

    fn draw(draw: &mut Draw) -> *mut C {
        let is_null = NULLABLE && draw.pick(&[true, false], |_| false);
        if is_null { std::ptr::null_mut() } else { draw.room(DRAWN).cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What C leaves instead of what the body said is found: another byte, more of it, and no end.
    #[test]
    fn a_block_that_differs_is_found() {
        for (said, left, is_same) in [
            (&b"text"[..], &b"text\0"[..], true),
            (b"text", b"tex\0\0", false),
            (b"text", b"texts\0", false),
            (b"", b"\0", true),
            (b"", b"t\0", false),
        ] {
            let mut memory = left.to_vec();
            memory.resize(16, 0xcc);
            let mut place = Place::new(memory.as_mut_ptr(), 16, None);
            place.put_text(said);
            place.hold();
            // SAFETY: a block of sixteen bytes.
            assert_eq!(unsafe { place.compare() }.is_ok(), is_same, "{said:?} {left:?}");
        }
    }

    /// A string that was to stay as it is, and did not.
    #[test]
    fn a_string_that_was_to_stay_is_compared() {
        let mut memory = *b"text\0";
        let address = memory.as_mut_ptr();
        // SAFETY: a string with its NUL, of this test alone.
        let mut place = unsafe { <InPlace as Role>::view(address.cast()) };
        place.hold();
        // SAFETY: as above.
        unsafe {
            assert!(place.compare().is_ok());
            address.write(b'T');
            assert!(place.compare().is_err());
        }
    }

    /// The planted fault is one that the comparison finds.
    #[test]
    fn a_spoiled_write_is_found() {
        let mut memory = *b"text\0";
        let mut place = Place::new(memory.as_mut_ptr(), 5, None);
        place.put_text(&b"text"[..]);
        place.spoil();
        // SAFETY: a string with its NUL.
        assert!(unsafe { place.compare() }.is_err());
    }

    /// Bytes that come one by one are kept in order, however many.
    #[test]
    fn bytes_are_collected() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 3 * SHORT] {
            let bytes: Vec<u8> = (0..length).map(|place| place as u8).collect();
            let given: Given<'_> = bytes.iter().copied().collect();
            assert_eq!(given.bytes(), bytes);
            assert_eq!(matches!(given, Given::Owned(_)), length > SHORT, "{length}");
        }
    }

    /// Writing in place: cut from the front, mapped, appended, and cut to the size.
    #[test]
    fn what_is_said_is_written() {
        let write = |role_text: bool, size: u32, say: &dyn Fn(&mut Place<'_>)| {
            let mut memory = *b" ab \0.......";
            let address = memory.as_mut_ptr();
            let text = role_text.then(|| {
                // SAFETY: the four bytes of the string; what is written comes through the same pointer.
                unsafe { slice::from_raw_parts(address, 4) }
            });
            let mut place = Place::new(address, size, text);
            say(&mut place);
            // SAFETY: twelve bytes, of which at most that many are written.
            unsafe {
                place.commit();
                slice::from_raw_parts(address, 12).to_vec()
            }
        };
        assert_eq!(write(true, 0, &|place| place.cut_to(mayaqua::str::trim)), b"ab\0 \0.......");
        assert_eq!(
            write(true, 0, &|place| place.map(b'_', |byte, other| if byte == b' ' { other } else { byte })),
            b"_ab_\0......."
        );
        assert_eq!(write(true, 0, &|place| place.append(b"cd")), b" ab cd\0.....");
        assert_eq!(write(false, 4, &|place| place.put_cut(b"longer")), b"lon\0\0.......");
        assert_eq!(write(false, 4, &|place| place.put_made("longer".to_owned())), b"lon\0\0.......");
        assert_eq!(write(false, 12, &|place| place.put([1, 2])), b"\x01\x02b \0.......");
    }
}
