//! What functions give: the C type, what a body gives for it, and how the two sides' answers are compared.

use super::place::Given;
use crate::memory;
use softether_sys::{self as sys, bool_};
use std::ffi::{CStr, c_char};
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict, compare_bytes, compare_results};

/// What a function gives.
pub trait Answer {
    /// The C type.
    type C: Copy;
    /// What a body gives.
    type Value<'a>;

    /// Makes of a body's value what C expects.
    fn give(value: Self::Value<'_>) -> Self::C;

    /// Compares C's answer with a body's.
    ///
    /// # Safety
    /// `control` is C's answer, and alive.
    unsafe fn compare(control: Self::C, value: Self::Value<'_>) -> Verdict;

    /// Another value, for the tests of the comparison.
    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        value
    }

    /// What an answer says, without addresses; then [`Answer::free`].
    ///
    /// # Safety
    /// `c` is a side's answer, alive, and used no more.
    unsafe fn describe_and_free(c: Self::C) -> String;

    /// Gives back what an answer holds.
    ///
    /// # Safety
    /// `c` is a side's answer, alive, and used no more.
    unsafe fn free(_c: Self::C) {}
}

/// What a function gives that changes nothing: its answer is all there is to compare.
pub trait Plain: Answer {
    /// Compares two answers, C's first.
    fn compare_plain(c: &Self::C, rust: &Self::C) -> Verdict;
}

/// Answers whose C type says it all.
macro_rules! compared_as_they_are {
    ($($answer:ty)*) => {$(
        impl Plain for $answer {
            fn compare_plain(c: &Self::C, rust: &Self::C) -> Verdict {
                compare_results(c, rust)
            }
        }
    )*};
}
compared_as_they_are!(u32 u64 i32 Flag Character);

impl Plain for Sign {
    fn compare_plain(c: &Self::C, rust: &Self::C) -> Verdict {
        compare_results(&c.signum(), &rust.signum())
    }
}

macro_rules! plain {
    ($($number:ty)*) => {$(
        impl Answer for $number {
            type C = $number;
            type Value<'a> = $number;

            fn give(value: $number) -> $number {
                value
            }

            unsafe fn compare(control: $number, value: $number) -> Verdict {
                compare_results(&control, &value)
            }

            fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
                value ^ 1
            }

            unsafe fn describe_and_free(c: $number) -> String {
                format!("{c:x}")
            }
        }
    )*};
}
plain!(u32 u64 i32);

/// Nothing.
impl Answer for () {
    type C = ();
    type Value<'a> = ();

    fn give((): ()) {}

    unsafe fn compare((): (), (): ()) -> Verdict {
        Ok(())
    }

    unsafe fn describe_and_free((): ()) -> String {
        String::new()
    }
}

/// Less than zero, zero, or more: the C says no more of how much.
#[derive(Debug)]
pub struct Sign;

impl Answer for Sign {
    type C = std::ffi::c_int;
    type Value<'a> = std::cmp::Ordering;

    fn give(value: std::cmp::Ordering) -> Self::C {
        value as Self::C
    }

    unsafe fn compare(control: Self::C, value: std::cmp::Ordering) -> Verdict {
        compare_results(&control.signum(), &(value as Self::C))
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        if value.is_eq() { std::cmp::Ordering::Less } else { value.reverse() }
    }

    unsafe fn describe_and_free(c: Self::C) -> String {
        c.signum().to_string()
    }
}

/// Yes or no.
#[derive(Debug)]
pub struct Flag;

impl Answer for Flag {
    type C = bool_;
    type Value<'a> = bool;

    fn give(value: bool) -> bool_ {
        value.into()
    }

    unsafe fn compare(control: bool_, value: bool) -> Verdict {
        compare_results(&(control != 0), &value)
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        !value
    }

    unsafe fn describe_and_free(c: bool_) -> String {
        c.to_string()
    }
}

/// Yes or no, where Rust refuses more than C by a row of docs/LEGACY_BEHAVIOUR.md.
#[derive(Debug)]
pub struct Stricter;

impl Answer for Stricter {
    type C = bool_;
    type Value<'a> = bool;

    fn give(value: bool) -> bool_ {
        value.into()
    }

    unsafe fn compare(control: bool_, value: bool) -> Verdict {
        compare_results(&(control != 0 && value), &value)
    }

    unsafe fn describe_and_free(c: bool_) -> String {
        c.to_string()
    }
}

/// A character.
#[derive(Debug)]
pub struct Character;

impl Answer for Character {
    type C = c_char;
    type Value<'a> = u8;

    fn give(value: u8) -> c_char {
        value.cast_signed()
    }

    unsafe fn compare(control: c_char, value: u8) -> Verdict {
        compare_results(&control.cast_unsigned(), &value)
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        value ^ 1
    }

    unsafe fn describe_and_free(c: c_char) -> String {
        c.to_string()
    }
}

/// Something that the caller passed, or that is in it; the two sides' may be told apart by what a test sees of it.
#[derive(Debug)]
pub struct Pointer<T>(std::marker::PhantomData<T>);

/// What a test sees of what a pointer leads to.
pub trait Seen {
    /// Without addresses.
    fn seen(&self) -> String;
}

impl Seen for sys::ELEMENT {
    fn seen(&self) -> String {
        format!("{:?} {} {}", &self.name[..16], self.type_, self.num_value)
    }
}

impl<T: Seen + 'static> Answer for Pointer<T> {
    type C = *mut T;
    type Value<'a> = Option<*mut T>;

    fn give(value: Self::Value<'_>) -> *mut T {
        value.unwrap_or(ptr::null_mut())
    }

    unsafe fn compare(control: *mut T, value: Self::Value<'_>) -> Verdict {
        compare_results(&control, &Self::give(value))
    }

    fn spoil(_: Self::Value<'_>) -> Self::Value<'_> {
        None
    }

    unsafe fn describe_and_free(c: *mut T) -> String {
        // SAFETY: the caller's.
        unsafe { c.as_ref() }.map_or_else(|| "null".to_owned(), Seen::seen)
    }
}

impl<T: Seen + 'static> Plain for Pointer<T> {
    fn compare_plain(c: &*mut T, rust: &*mut T) -> Verdict {
        compare_results(c, rust)
    }
}

/// Whether two sides made something, and the same.
fn compare_made(c: Option<&[u8]>, rust: Option<&[u8]>) -> Verdict {
    let shape = |made: Option<&[u8]>| if made.is_some() { Shape::Pointer } else { Shape::Null };
    match (c, rust) {
        (Some(c), Some(rust)) => compare_bytes(c, rust),
        (None, None) => Ok(()),
        _ => Err(Difference::new(Kind::Result, shape(c), shape(rust))),
    }
}

/// Bytes that are given by value or by reference.
type Bytes<'a> = std::borrow::Cow<'a, [u8]>;

fn spoiled(value: Option<Bytes<'_>>) -> Option<Bytes<'_>> {
    value.map(|bytes| [b"spoiled ", &*bytes].concat().into())
}

/// A new string of Mayaqua memory, or null.
#[derive(Debug)]
pub struct NewText;

impl Answer for NewText {
    type C = *mut c_char;
    type Value<'a> = Option<Bytes<'a>>;

    fn give(value: Option<Bytes<'_>>) -> *mut c_char {
        let Some(text) = value else { return ptr::null_mut() };
        let memory = memory::malloc(memory::index(text.len() + 1)).cast::<u8>();
        // SAFETY: new memory of that size.
        unsafe {
            memory.copy_from_nonoverlapping(text.as_ptr(), text.len());
            memory.add(text.len()).write(0);
        }
        memory.cast()
    }

    unsafe fn compare(control: *mut c_char, value: Option<Bytes<'_>>) -> Verdict {
        // SAFETY: the caller's.
        let c = (!control.is_null()).then(|| unsafe { CStr::from_ptr(control) }.to_bytes());
        compare_made(c, value.as_deref())
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        spoiled(value)
    }

    unsafe fn describe_and_free(c: *mut c_char) -> String {
        // SAFETY: the caller's.
        unsafe {
            let text = (!c.is_null()).then(|| CStr::from_ptr(c).to_bytes().escape_ascii().to_string());
            Self::free(c);
            format!("{text:?}")
        }
    }

    unsafe fn free(c: *mut c_char) {
        // SAFETY: the caller's.
        unsafe { memory::free(c.cast()) }
    }
}

/// A new BUF with the position behind its bytes, or null.
#[derive(Debug)]
pub struct NewBuf;

impl Answer for NewBuf {
    type C = *mut sys::BUF;
    type Value<'a> = Option<Given<'a>>;

    fn give(value: Option<Given<'_>>) -> *mut sys::BUF {
        let Some(given) = value else { return ptr::null_mut() };
        let bytes = given.bytes();
        // SAFETY: a new BUF takes any bytes.
        unsafe {
            let buf = sys::NewBuf();
            sys::WriteBuf(buf, bytes.as_ptr().cast_mut().cast(), memory::index(bytes.len()));
            buf
        }
    }

    unsafe fn compare(control: *mut sys::BUF, value: Option<Given<'_>>) -> Verdict {
        // SAFETY: the caller's.
        let c = unsafe { control.as_ref().map(|buf| memory::view(buf.Buf, buf.Size)) };
        compare_made(c, value.as_ref().map(Given::bytes).as_deref())
    }

    fn spoil(value: Self::Value<'_>) -> Self::Value<'_> {
        spoiled(value.as_ref().map(Given::bytes)).map(|bytes| bytes.into_owned().into())
    }

    unsafe fn describe_and_free(c: *mut sys::BUF) -> String {
        // SAFETY: the caller's.
        unsafe {
            let text = c.as_ref().map(|b| format!("{} {}", b.Current, memory::view(b.Buf, b.Size).escape_ascii()));
            Self::free(c);
            format!("{text:?}")
        }
    }

    unsafe fn free(c: *mut sys::BUF) {
        if !c.is_null() {
            // SAFETY: the caller's.
            unsafe { sys::FreeBuf(c) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each answer is the same as itself, and another than its spoiled one.
    #[test]
    fn answers_that_differ_are_found() {
        fn plain<A: Answer>(make: impl Fn() -> A::Value<'static>) {
            // SAFETY: answers without memory of their own.
            unsafe {
                assert!(A::compare(A::give(make()), make()).is_ok());
                assert!(A::compare(A::give(make()), A::spoil(make())).is_err());
                assert!(A::compare(A::give(A::spoil(make())), make()).is_err());
            }
        }
        for value in [0, 1, u32::MAX] {
            plain::<u32>(|| value);
            plain::<u64>(|| value.into());
            plain::<i32>(|| value.cast_signed());
            plain::<Flag>(|| value == 0);
            plain::<Character>(|| value as u8);
        }
        for order in [std::cmp::Ordering::Less, std::cmp::Ordering::Equal, std::cmp::Ordering::Greater] {
            plain::<Sign>(|| order);
        }
    }

    #[test]
    fn made_bytes_that_differ_are_found() {
        for (c, rust, is_same) in [
            (Some(&b"a"[..]), Some(&b"a"[..]), true),
            (None, None, true),
            (None, Some(b""), false),
            (Some(b""), None, false),
            (Some(b"a"), Some(b"b"), false),
            (Some(b"a"), Some(b"ab"), false),
        ] {
            assert_eq!(compare_made(c, rust).is_ok(), is_same, "{c:?} {rust:?}");
        }
    }

    /// `Stricter` allows Rust to refuse what C takes, and not the other way round.
    #[test]
    fn stricter_is_allowed_one_way_only() {
        for (c, rust, is_allowed) in [(1, true, true), (0, false, true), (1, false, true), (0, true, false)] {
            // SAFETY: numbers.
            assert_eq!(unsafe { Stricter::compare(c, rust) }.is_ok(), is_allowed, "{c} {rust}");
        }
    }
}
