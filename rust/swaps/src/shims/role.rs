//! What parameters are: the C type, what the Rust side sees of it, and how a test draws one.

use super::draw::Draw;
use crate::saved::{self, Saved};
use softether_sys::{UINT, bool_};
use std::cmp::Ordering;
use std::ffi::{CStr, c_char, c_void};
use std::hash::Hash;
use std::marker::PhantomData;
use std::ptr::NonNull;
use switch::Verdict;

/// What a parameter is.
pub trait Role {
    /// The C type of the parameter, of the first if the role takes two.
    type C: Copy + Hash;
    /// The parameter, with its length if the role takes two.
    type Raw: Copy;
    /// What the body sees.
    type View<'a>;

    /// Views what C passed.
    ///
    /// # Safety
    /// `raw` is what the role says, and nobody else changes it for `'a`.
    unsafe fn view<'a>(raw: Self::Raw) -> Self::View<'a>;

    /// Writes what the body said.
    ///
    /// # Safety
    /// As for [`Role::view`], which `view` came from.
    unsafe fn commit(_view: Self::View<'_>) {}

    /// Makes what the body said independent of the memory that C is about to change.
    fn hold(_view: &mut Self::View<'_>) {}

    /// Compares what C left with what the body said.
    ///
    /// # Safety
    /// As for [`Role::view`], which `view` came from; [`Role::hold`] was called before C ran.
    unsafe fn compare(_view: &Self::View<'_>) -> Verdict {
        Ok(())
    }

    /// Spoils what the body said, for the tests of the comparison.
    fn spoil(_view: &mut Self::View<'_>) {}

    /// Draws one for a test.
    fn draw(draw: &mut Draw) -> Self::Raw;

    /// Writes down what it holds, for a captured input. `false`: it cannot be, as with structures of the C, which are
    /// addresses of addresses.
    ///
    /// # Safety
    /// As for [`Role::view`].
    unsafe fn save(_raw: Self::Raw, _input: &mut Vec<u8>) -> bool {
        false
    }

    /// Makes it again from what [`Role::save`] wrote, in memory of the draw.
    fn load(_saved: &mut Saved<'_>, _draw: &mut Draw) -> Option<Self::Raw> {
        None
    }
}

/// `save` and `load` of a role that is a number.
macro_rules! saved_as_number {
    () => {
        unsafe fn save(raw: Self::Raw, input: &mut Vec<u8>) -> bool {
            saved::put_number(raw.into(), input);
            true
        }

        fn load(saved: &mut Saved<'_>, _draw: &mut Draw) -> Option<Self::Raw> {
            saved.number()?.try_into().ok()
        }
    };
}
pub(super) use saved_as_number;

/// `save` and `load` of a role that is a string.
macro_rules! saved_as_text {
    () => {
        unsafe fn save(raw: Self::Raw, input: &mut Vec<u8>) -> bool {
            // SAFETY: the caller's: null, or a string with its NUL.
            saved::put_bytes((!raw.is_null()).then(|| unsafe { CStr::from_ptr(raw) }.to_bytes()), input);
            true
        }

        fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<Self::Raw> {
            let text = saved.bytes()?;
            Some(text.map_or(std::ptr::null_mut(), |text| draw.text(text).cast()))
        }
    };
}
pub(super) use saved_as_text;

/// A number.
#[derive(Debug)]
pub struct Number;

impl Role for Number {
    type C = UINT;
    type Raw = UINT;
    type View<'a> = u32;

    unsafe fn view<'a>(raw: UINT) -> Self::View<'a> {
        raw
    }

    fn draw(draw: &mut Draw) -> UINT {
        draw.pick(&[0, 1, 2, 3, 10, 16, u32::MAX - 1, u32::MAX], |draw| draw.random() as u32 >> draw.below(32))
    }

    saved_as_number!();
}

/// A number of 64 bits.
#[derive(Debug)]
pub struct Number64;

impl Role for Number64 {
    type C = u64;
    type Raw = u64;
    type View<'a> = u64;

    unsafe fn view<'a>(raw: u64) -> Self::View<'a> {
        raw
    }

    fn draw(draw: &mut Draw) -> u64 {
        draw.pick(&[0, 1, 9, 10, 999, 1000, u64::MAX - 1, u64::MAX], |draw| draw.random() >> draw.below(64))
    }

    saved_as_number!();
}

/// Yes or no.
#[derive(Debug)]
pub struct Flag;

impl Role for Flag {
    type C = bool_;
    type Raw = bool_;
    type View<'a> = bool;

    unsafe fn view<'a>(raw: bool_) -> Self::View<'a> {
        raw != 0
    }

    fn draw(draw: &mut Draw) -> bool_ {
        draw.pick(&[0, 1], |draw| draw.below(2) as bool_)
    }

    saved_as_number!();
}

/// A character.
#[derive(Debug)]
pub struct Character;

impl Role for Character {
    type C = c_char;
    type Raw = c_char;
    type View<'a> = u8;

    unsafe fn view<'a>(raw: c_char) -> Self::View<'a> {
        raw.cast_unsigned()
    }

    fn draw(draw: &mut Draw) -> c_char {
        let all: Vec<c_char> = (c_char::MIN..=c_char::MAX).collect();
        draw.pick(&all, |draw| draw.byte().cast_signed())
    }

    unsafe fn save(raw: c_char, input: &mut Vec<u8>) -> bool {
        saved::put_number(raw.cast_unsigned().into(), input);
        true
    }

    fn load(saved: &mut Saved<'_>, _draw: &mut Draw) -> Option<c_char> {
        u8::try_from(saved.number()?).ok().map(u8::cast_signed)
    }
}

/// A string, which may be null.
#[derive(Debug)]
pub struct Text;

/// Strings on which the C's string functions turn.
const EDGES: [Option<&CStr>; 14] = [
    None,
    Some(c""),
    Some(c" "),
    Some(c"0"),
    Some(c"0x"),
    Some(c" 0x1f"),
    Some(c"-1"),
    Some(c"4294967296"),
    Some(c"99999999999999999999"),
    Some(c"a\xff"),
    Some(c"yes"),
    Some(c"\"true\"\r\n"),
    Some(c"\t Abc-9F \t"),
    Some(c"aaab"),
];

/// A random string of characters that mean something to these functions.
pub fn random_text(draw: &mut Draw) -> Vec<u8> {
    const CHARACTERS: &[u8] = b"00112aAbBfFxXzZ  \t\t,,-+;:/\"\\nr\r\n%$@.~\x7f\x80\xc3\xa9\xff";
    let length = if draw.below(16) == 0 { draw.below(300) } else { draw.below(12) };
    (0..length).map(|_| CHARACTERS[draw.below(CHARACTERS.len())]).collect()
}

impl Role for Text {
    type C = *mut c_char;
    type Raw = *mut c_char;
    type View<'a> = Option<&'a [u8]>;

    unsafe fn view<'a>(raw: *mut c_char) -> Option<&'a [u8]> {
        // SAFETY: the caller's: a string with its NUL.
        (!raw.is_null()).then(|| unsafe { CStr::from_ptr(raw) }.to_bytes())
    }

    fn draw(draw: &mut Draw) -> *mut c_char {
        let text =
            draw.pick(&EDGES.map(|edge| edge.map(|edge| edge.to_bytes().to_vec())), |draw| Some(random_text(draw)));
        text.map_or(std::ptr::null_mut(), |text| draw.text(&text).cast())
    }

    saved_as_text!();
}

/// A string that is read no further than is needed, and so never measured. It may be null.
#[derive(Debug)]
pub struct Unmeasured;

/// Where such a string begins.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a>(NonNull<c_char>, PhantomData<&'a CStr>);

impl<'a> Beginning<'a> {
    /// As the C library's `strcmp`.
    pub fn str_cmp(self, other: Beginning<'_>) -> Ordering {
        unsafe extern "C" {
            fn strcmp(one: *const c_char, other: *const c_char) -> std::ffi::c_int;
        }
        // SAFETY: both are strings with their NULs.
        unsafe { strcmp(self.0.as_ptr(), other.0.as_ptr()) }.cmp(&0)
    }

    /// Its bytes, the NUL last.
    pub fn bytes(self) -> impl Iterator<Item = u8> + use<'a> {
        let mut next = Some(self.0);
        std::iter::from_fn(move || {
            let at = next?;
            // SAFETY: a byte of the string, whose NUL is the last one.
            let byte = unsafe { at.read() };
            // SAFETY: as above: what is no NUL has another byte behind it.
            next = (byte != 0).then(|| unsafe { at.add(1) });
            Some(byte.cast_unsigned())
        })
    }
}

impl Role for Unmeasured {
    type C = *mut c_char;
    type Raw = *mut c_char;
    type View<'a> = Option<Beginning<'a>>;

    unsafe fn view<'a>(raw: *mut c_char) -> Option<Beginning<'a>> {
        NonNull::new(raw).map(|raw| Beginning(raw, PhantomData))
    }

    fn draw(draw: &mut Draw) -> *mut c_char {
        Text::draw(draw)
    }

    saved_as_text!();
}

/// Bytes and their number; null has none.
#[derive(Debug)]
pub struct Data;

impl Role for Data {
    type C = *mut c_void;
    type Raw = (*mut c_void, UINT);
    type View<'a> = Option<&'a [u8]>;

    unsafe fn view<'a>((data, size): Self::Raw) -> Option<&'a [u8]> {
        // SAFETY: the caller's.
        (!data.is_null()).then(|| unsafe { crate::memory::view(data, size) })
    }

    fn draw(draw: &mut Draw) -> Self::Raw {
        let sizes = [None, Some(0), Some(1), Some(6), Some(55), Some(56), Some(63), Some(64), Some(65), Some(200)];
        let size = draw.pick(&sizes, |draw| Some(draw.below(200)));
        let Some(size) = size else { return (std::ptr::null_mut(), 0) };
        let bytes: Vec<u8> = (0..size).map(|_| draw.byte()).collect();
        (draw.block(&bytes).cast(), size as UINT)
    }

    unsafe fn save((data, size): Self::Raw, input: &mut Vec<u8>) -> bool {
        // SAFETY: the caller's.
        unsafe { saved::put_data(data, size, input) };
        true
    }

    fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<Self::Raw> {
        let (data, size) = saved.data()?;
        Some((data.map_or(std::ptr::null_mut(), |data| draw.block(data).cast()), size))
    }
}

/// Bytes and their number; null has none, and may only be where there are none.
#[derive(Debug)]
pub struct Source;

impl Role for Source {
    type C = *mut c_void;
    type Raw = (*mut c_void, UINT);
    /// `None`: null with a size.
    type View<'a> = Option<&'a [u8]>;

    unsafe fn view<'a>((data, size): Self::Raw) -> Option<&'a [u8]> {
        // SAFETY: the caller's.
        (size == 0 || !data.is_null()).then(|| unsafe { crate::memory::view(data, size) })
    }

    fn draw(draw: &mut Draw) -> Self::Raw {
        let (data, size) = Data::draw(draw);
        let is_wrong = data.is_null() && draw.pick(&[false, true], |_| false);
        (data, if is_wrong { 5 } else { size })
    }

    unsafe fn save((data, size): Self::Raw, input: &mut Vec<u8>) -> bool {
        // SAFETY: the caller's.
        unsafe { saved::put_data(data, size, input) };
        true
    }

    fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<Self::Raw> {
        let (data, size) = saved.data()?;
        Some((data.map_or(std::ptr::null_mut(), |data| draw.block(data).cast()), size))
    }
}

/// `N` bytes, which may be null.
#[derive(Debug)]
pub struct Bytes<C, const N: usize>(PhantomData<C>);

impl<C: 'static, const N: usize> Role for Bytes<C, N> {
    type C = *mut C;
    type Raw = *mut C;
    type View<'a> = Option<&'a [u8; N]>;

    unsafe fn view<'a>(raw: *mut C) -> Option<&'a [u8; N]> {
        // SAFETY: the caller's.
        unsafe { raw.cast::<[u8; N]>().as_ref() }
    }

    fn draw(draw: &mut Draw) -> *mut C {
        let is_null = draw.pick(&[true, false], |_| false);
        let bytes = std::array::from_fn::<u8, N, _>(|_| draw.byte());
        if is_null { std::ptr::null_mut() } else { draw.block(&bytes).cast() }
    }

    unsafe fn save(raw: *mut C, input: &mut Vec<u8>) -> bool {
        // SAFETY: the caller's.
        saved::put_bytes(unsafe { Self::view(raw) }.map(<[u8; N]>::as_slice), input);
        true
    }

    fn load(saved: &mut Saved<'_>, draw: &mut Draw) -> Option<*mut C> {
        match saved.bytes()? {
            None => Some(std::ptr::null_mut()),
            Some(bytes) => (bytes.len() == N).then(|| draw.block(bytes).cast()),
        }
    }
}
