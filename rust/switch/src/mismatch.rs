//! What a comparison says when control (C) and candidate (Rust) differ: a [`Difference`] from the
//! comparator, kept as a [`MismatchRecord`]. Neither can hold a byte of the traffic: shapes are made of
//! lengths and fixed words, arguments appear only as a keyed digest.
//! What follows from a mismatch (count, keep, demote) is in `swap.rs`.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

use crate::{Contract, Info};

/// A comparator's answer: agreement, or how control and candidate differ.
pub type Verdict = Result<(), Difference>;

/// What differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One side made more bytes than the other.
    Length,
    /// Equal lengths, other bytes.
    Bytes,
    /// The returned values.
    Result,
    /// The state left behind.
    State,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Length => "length",
            Kind::Bytes => "bytes",
            Kind::Result => "result",
            Kind::State => "state",
        })
    }
}

/// What a result looks like, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Nothing is returned.
    Unit,
    /// A null pointer.
    Null,
    /// Any other pointer.
    Pointer,
    /// A number or flag that is zero.
    Zero,
    /// Any other number or flag.
    NonZero,
    /// So many bytes.
    Bytes(usize),
    /// A fixed word of the comparator's choice.
    Word(&'static str),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Unit => f.write_str("nothing"),
            Shape::Null => f.write_str("null"),
            Shape::Pointer => f.write_str("pointer"),
            Shape::Zero => f.write_str("zero"),
            Shape::NonZero => f.write_str("non-zero"),
            Shape::Bytes(length) => write!(f, "{length} bytes"),
            Shape::Word(word) => f.write_str(word),
        }
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Values that can be reported by their shape.
pub trait Shaped {
    /// The value's shape.
    fn shape(&self) -> Shape;
}

impl Shaped for () {
    fn shape(&self) -> Shape {
        Shape::Unit
    }
}

impl<T> Shaped for *mut T {
    fn shape(&self) -> Shape {
        if self.is_null() { Shape::Null } else { Shape::Pointer }
    }
}

impl<T> Shaped for *const T {
    fn shape(&self) -> Shape {
        if self.is_null() { Shape::Null } else { Shape::Pointer }
    }
}

macro_rules! shaped_by_zero {
    ($($number:ty)*) => {$(
        impl Shaped for $number {
            fn shape(&self) -> Shape {
                if *self == <$number>::default() { Shape::Zero } else { Shape::NonZero }
            }
        }
    )*};
}

shaped_by_zero!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize bool);

/// How control and candidate differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    kind: Kind,
    first_differing_offset: Option<usize>,
    length: Sides<Option<usize>>,
    shape: Sides<Shape>,
    /// Out of line: verdicts are passed by value, and almost always without.
    given: Box<Given>,
}

/// What the two sides were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Given {
    digest: Option<u64>,
    input: Option<Vec<u8>>,
}

/// One value of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// The control's.
    pub c: T,
    /// The candidate's.
    pub rust: T,
}

impl Difference {
    /// A difference of `kind` between a C result shaped `c` and a Rust result shaped `rust`.
    pub fn new(kind: Kind, c: Shape, rust: Shape) -> Difference {
        Difference {
            kind,
            first_differing_offset: None,
            length: Sides { c: None, rust: None },
            shape: Sides { c, rust },
            given: Box::default(),
        }
    }

    /// Adds the offset, in bytes, where the two begin to differ.
    pub fn at(mut self, offset: usize) -> Difference {
        self.first_differing_offset = Some(offset);
        self
    }

    /// Adds the lengths of both results, in bytes.
    pub fn lengths(mut self, c: usize, rust: usize) -> Difference {
        self.length = Sides { c: Some(c), rust: Some(rust) };
        self
    }

    /// Adds a [`digest`] of what the arguments point to, in place of the digest of their values.
    pub fn arguments(mut self, digest: u64) -> Difference {
        self.given.digest = Some(digest);
        self
    }

    /// Adds the whole input, for `capture.rs`. Called by `swap!`.
    #[doc(hidden)]
    pub fn input(mut self, input: Option<Vec<u8>>) -> Difference {
        self.given.input = input;
        self
    }

    /// The whole input, if it was captured.
    pub(crate) fn captured(&self) -> Option<&[u8]> {
        self.given.input.as_deref()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} differs: c {}, rust {}", self.kind, self.shape.c, self.shape.rust)?;
        match self.first_differing_offset {
            Some(offset) => write!(f, ", first at byte {offset}"),
            None => Ok(()),
        }
    }
}

/// Compares byte strings: length first, then content.
pub fn compare_bytes(c: &[u8], rust: &[u8]) -> Verdict {
    if c == rust {
        return Ok(());
    }
    let kind = if c.len() == rust.len() { Kind::Bytes } else { Kind::Length };
    let common = c.iter().zip(rust).take_while(|(c, rust)| c == rust).count();
    Err(Difference::new(kind, Shape::Bytes(c.len()), Shape::Bytes(rust.len())).lengths(c.len(), rust.len()).at(common))
}

/// Compares returned values. The comparator of `contract: pure`.
pub fn compare_results<R: PartialEq + Shaped>(c: &R, rust: &R) -> Verdict {
    if c == rust {
        return Ok(());
    }
    Err(Difference::new(Kind::Result, c.shape(), rust.shape()))
}

/// A SipHash of `value` with a random key of this process: tells equal from unequal, and nothing else.
pub fn digest<T: Hash + ?Sized>(value: &T) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one(value)
}

static BUILD_ID: OnceLock<&'static str> = OnceLock::new();

/// Names this build in mismatch records. The first call counts; false if it was named already.
pub fn set_build_id(id: &'static str) -> bool {
    BUILD_ID.set(id).is_ok()
}

/// The name of this build; the crate's version until [`set_build_id`].
pub fn build_id() -> &'static str {
    BUILD_ID.get().copied().unwrap_or(env!("CARGO_PKG_VERSION"))
}

/// One mismatch, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MismatchRecord {
    /// The swap's name.
    pub swap: &'static str,
    /// Its contract, which says how the two were compared.
    pub contract: Contract,
    /// The how manyth mismatch of this swap in this process, from 1.
    pub sequence: u64,
    /// What differed.
    pub kind: Kind,
    /// Where the results begin to differ, in bytes.
    pub first_differing_offset: Option<usize>,
    /// The lengths of both results, in bytes.
    pub length: Sides<Option<usize>>,
    /// What both results look like.
    pub shape: Sides<Shape>,
    /// A [`digest`] of the arguments, in hexadecimal.
    pub arguments: String,
    /// The build that ran.
    pub build_id: &'static str,
}

impl MismatchRecord {
    pub(crate) fn new(info: &Info, sequence: u64, difference: &Difference, arguments: u64) -> MismatchRecord {
        MismatchRecord {
            swap: info.name,
            contract: info.contract,
            sequence,
            kind: difference.kind,
            first_differing_offset: difference.first_differing_offset,
            length: difference.length,
            shape: difference.shape,
            arguments: format!("{:016x}", difference.given.digest.unwrap_or(arguments)),
            build_id: build_id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The canary: planted differences must be found, each way round, and named for the right side.
    #[test]
    fn bytes_that_differ_are_found_both_ways_round() {
        let cases: [(&[u8], &[u8], Kind, usize); 6] = [
            (b"", b"a", Kind::Length, 0),
            (b"ab", b"abc", Kind::Length, 2),
            (b"xb", b"abc", Kind::Length, 0),
            (b"a", b"b", Kind::Bytes, 0),
            (b"abcd", b"abcx", Kind::Bytes, 3),
            (b"\0\0", b"\0\x01", Kind::Bytes, 1),
        ];
        for (one, other, kind, offset) in cases {
            for (c, rust) in [(one, other), (other, one)] {
                let difference = compare_bytes(c, rust).unwrap_err();
                assert_eq!(difference.kind, kind);
                assert_eq!(difference.first_differing_offset, Some(offset));
                assert_eq!(difference.length, Sides { c: Some(c.len()), rust: Some(rust.len()) });
                assert_eq!(difference.shape.c, Shape::Bytes(c.len()));
                assert_eq!(difference.shape.rust, Shape::Bytes(rust.len()));
            }
        }
        assert_eq!(compare_bytes(b"", b""), Ok(()));
        assert_eq!(compare_bytes(b"same", b"same"), Ok(()));
    }

    #[test]
    fn results_that_differ_are_found_both_ways_round() {
        let there: *const u8 = &7;
        let difference = compare_results(&std::ptr::null(), &there).unwrap_err();
        assert_eq!(difference.shape, Sides { c: Shape::Null, rust: Shape::Pointer });
        let difference = compare_results(&there, &std::ptr::null()).unwrap_err();
        assert_eq!(difference.shape, Sides { c: Shape::Pointer, rust: Shape::Null });
        assert_eq!(compare_results(&5u32, &0).unwrap_err().shape.rust, Shape::Zero);
        assert_eq!(compare_results(&0u32, &5).unwrap_err().shape.c, Shape::Zero);
        assert_eq!(compare_results(&there, &there), Ok(()));
    }

    #[test]
    fn a_record_shows_nothing_of_the_content() {
        let difference = compare_bytes(b"hunter2", b"hunter3").unwrap_err();
        let info = Info { index: 0, name: "leak", symbol: "Leak", file: "", group: "test", contract: Contract::Cloned };
        let difference = difference.input(Some(b"hunter2".to_vec()));
        let record = MismatchRecord::new(&info, 1, &difference, digest("hunter2"));
        let shown = serde_json::to_string(&record).unwrap() + &difference.to_string();
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("\"contract\":\"cloned\""), "{shown}");
        assert!(shown.contains("\"shape\":{\"c\":\"7 bytes\",\"rust\":\"7 bytes\"}"), "{shown}");
    }

    #[test]
    fn a_digest_tells_equal_from_unequal() {
        assert_eq!(digest(b"one".as_slice()), digest(b"one".as_slice()));
        assert_ne!(digest(b"one".as_slice()), digest(b"two".as_slice()));
        assert_ne!(digest(&(1u32, 2u32)), digest(&(2u32, 1u32)));
    }
}
