//! PACK: what one side writes the other reads, and both write the same bytes.

use crate::support::{random, start};
use mayaqua::pack::{Pack, Values};
use mayaqua::uni_str::UniStr;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use softether_sys as sys;
use std::ffi::CString;

/// How many random PACKs each test compares.
fn count() -> u64 {
    std::env::var("MAYAQUA_PACKS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000_000)
}

/// A PACK of the C's that frees itself.
struct CPack(*mut sys::PACK);

impl Drop for CPack {
    fn drop(&mut self) {
        // SAFETY: used no more.
        unsafe { sys::FreePack(self.0) };
    }
}

impl CPack {
    fn encode(&self) -> Vec<u8> {
        // SAFETY: a live PACK; the BUF is this function's.
        unsafe {
            let buf = sys::PackToBuf(self.0);
            let bytes = std::slice::from_raw_parts((*buf).Buf.cast::<u8>(), (*buf).Size as usize).to_vec();
            sys::FreeBuf(buf);
            bytes
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the BUF is this function's and has the bytes given.
        unsafe {
            let buf = sys::NewBufFromMemory(bytes.as_ptr().cast_mut().cast(), u32::try_from(bytes.len()).unwrap());
            let pack = sys::BufToPack(buf);
            sys::FreeBuf(buf);
            (!pack.is_null()).then_some(Self(pack))
        }
    }
}

/// Adds the same values to both; names collide now and then, so that both must refuse.
fn add(random: &mut StdRng, c: &CPack, rust: &mut Pack) {
    const NAMES: [&str; 12] = ["a", "B", "b", "Hello", "hello", "", "pencore", "x@y", "z", "ab", "A", "timeout"];
    let name = NAMES[random.random_range(0..NAMES.len())];
    let c_name = CString::new(name).unwrap();
    let total = if random.random_bool(0.2) { random.random_range(1..5u32) } else { 1 };
    let kind = random.random_range(0..5);
    for index in 0..total {
        let place = (index as usize, total as usize);
        let number: u64 = random.random();
        let int = u32::try_from(number >> 32).unwrap();
        let mut data = [0u8; 24];
        let data = &mut data[..random.random_range(0..24)];
        random.fill(data);
        let p = c_name.as_ptr().cast_mut();
        // SAFETY: a live PACK, strings with a NUL, data of the size given.
        let (added, same) = unsafe {
            match kind {
                0 => (sys::PackAddIntEx(c.0, p, int, index, total), rust.add_int_ex(name, int, place.0, place.1)),
                1 => (
                    sys::PackAddInt64Ex(c.0, p, number, index, total),
                    rust.add_int64_ex(name, number, place.0, place.1),
                ),
                2 => {
                    let length = u32::try_from(data.len()).unwrap();
                    let added = sys::PackAddDataEx(c.0, p, data.as_mut_ptr().cast(), length, index, total);
                    (added, rust.add_data_ex(name, data, place.0, place.1))
                }
                3 => {
                    data.iter_mut()
                        .for_each(|byte| *byte = if *byte < 60 { b" \t"[usize::from(*byte) % 2] } else { *byte });
                    let string = CString::new(&*data).unwrap();
                    let added = sys::PackAddStrEx(c.0, p, string.as_ptr().cast_mut(), index, total);
                    (added, rust.add_str_ex(name, data, place.0, place.1))
                }
                _ => {
                    let mut wide: Vec<sys::wchar_t> =
                        data.chunks_exact(2).map(|pair| i32::from(pair[0]) << 8 | i32::from(pair[1] | 1)).collect();
                    wide.push(0);
                    let units: Vec<u16> = wide.iter().map(|unit| u16::try_from(*unit).unwrap()).collect();
                    let added = sys::PackAddUniStrEx(c.0, p, wide.as_mut_ptr(), index, total);
                    (added, rust.add_uni_str_ex(name, UniStr::from_units(units), place.0, place.1))
                }
            }
        };
        assert_eq!(!added.is_null(), same.is_ok(), "{name} {kind} {index} {total}");
    }
}

fn random_packs(random: &mut StdRng) -> (CPack, Pack) {
    // SAFETY: a PACK of this test alone.
    let (c, mut rust) = (CPack(unsafe { sys::NewPack() }), Pack::new());
    for _ in 0..random.random_range(0..5) {
        add(random, &c, &mut rust);
    }
    (c, rust)
}

#[test]
fn both_write_the_same_and_read_what_the_other_wrote() {
    start();
    let mut random = random();
    for _ in 0..count() {
        let (c, rust) = random_packs(&mut random);
        let bytes = rust.encode().unwrap();
        assert_eq!(c.encode(), bytes);
        let (c, rust) = (CPack::decode(&bytes).unwrap(), Pack::decode(&bytes).unwrap());
        let again = rust.encode().unwrap();
        assert_eq!(c.encode(), again);
    }
}

/// What Rust takes, C takes as the same. What Rust refuses, C may take: the differences whose ids begin with `pack-`. The C
/// is not asked then, since some of that makes it read outside its memory.
#[test]
fn what_rust_takes_of_changed_messages_the_c_takes_as_the_same() {
    start();
    let mut random = StdRng::seed_from_u64(random().random());
    let (mut taken, mut refused) = (0u64, 0u64);
    for _ in 0..count() / 10 {
        let mut bytes = random_packs(&mut random).1.encode().unwrap();
        for _ in 0..random.random_range(1..4) {
            let place = random.random_range(0..bytes.len());
            bytes[place] = if random.random() { random.random_range(0..6) } else { random.random() };
        }
        let Ok(rust) = Pack::decode(&bytes) else {
            refused += 1;
            continue;
        };
        taken += 1;
        let c = CPack::decode(&bytes).unwrap_or_else(|| panic!("the C refuses {}", bytes.escape_ascii()));
        assert_eq!(c.encode(), rust.encode().unwrap(), "{}", bytes.escape_ascii());
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

/// The known differences whose C side can be shown without harm (docs/LEGACY_BEHAVIOUR.md).
#[test]
fn what_the_c_takes_and_rust_refuses() {
    start();
    let one = |value_type: u8, values: u8, rest: &[u8]| {
        [&[0, 0, 0, 1, 0, 0, 0, 2, b'x', 0, 0, 0, value_type, 0, 0, 0, values][..], rest].concat()
    };
    for (id, bytes) in [
        ("pack-truncated", one(0, 1, &[0, 0])),
        ("pack-truncated", one(1, 2, &[0, 0, 0, 1, 7])),
        ("pack-memory-bomb", one(1, 255, &[])),
        ("pack-unknown-type", one(9, 3, &[])),
        ("pack-value-too-large", one(1, 1, &[0xff; 8])),
        ("pack-nul-inside", one(2, 1, &[0, 0, 0, 3, b'a', 0, b'b'])),
    ] {
        assert!(CPack::decode(&bytes).is_some(), "the C does not show {id}");
        assert!(Pack::decode(&bytes).is_err(), "Rust does not refuse {id}");
    }
    let long_name = [&[0, 0, 0, 1, 0, 0, 0, 101][..], &[b'n'; 100], &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7]].concat();
    assert!(CPack::decode(&long_name).is_some() && Pack::decode(&long_name).is_err(), "pack-name-length");

    // pack-hole: the C writes what it cannot read as it was; Rust writes a 0.
    // SAFETY: a PACK of this test alone.
    let c = CPack(unsafe { sys::NewPack() });
    // SAFETY: as above, and a string with a NUL.
    unsafe { sys::PackAddIntEx(c.0, c"x".as_ptr().cast_mut(), 7, 1, 3) };
    assert!(Pack::decode(&c.encode()).is_err());
    let mut rust = Pack::new();
    rust.add_int_ex("x", 7, 1, 3).unwrap();
    let again = Pack::decode(&rust.encode().unwrap()).unwrap();
    assert_eq!(again.element("x").unwrap().values(), &Values::Int([0, 7, 0].into()));
}
