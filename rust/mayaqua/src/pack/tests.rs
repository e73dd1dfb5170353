//! Tests of PACK: edges first, then random.

use super::scan::{Event, Scanner};
use super::*;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A PACK in bytes, written by hand.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn int(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn name(self, name: &[u8]) -> Self {
        let length = u32::try_from(name.len()).unwrap();
        self.int(length + 1).raw(name)
    }

    /// One element with one value of `value_type`.
    fn one(value_type: u32, value: &[u8]) -> Vec<u8> {
        Self::default().int(1).name(b"x").int(value_type).int(1).raw(value).0
    }
}

fn decode(bytes: Bytes) -> Result<Pack, Error> {
    Pack::decode(&bytes.0)
}

#[test]
fn every_type_on_the_wire() {
    let mut pack = Pack::new();
    pack.add_int("b", 0x0102_0304).unwrap();
    pack.add_int64("c", 5).unwrap();
    pack.add_data("d", &[0, 1]).unwrap();
    pack.add_str("E", b" s\t").unwrap();
    pack.add_uni_str("a", "ü".into()).unwrap();
    let expected = Bytes::default()
        .int(5)
        .raw(b"\0\0\0\x02b\0\0\0\0\0\0\0\x01\x01\x02\x03\x04")
        .raw(b"\0\0\0\x02c\0\0\0\x04\0\0\0\x01\0\0\0\0\0\0\0\x05")
        .raw(b"\0\0\0\x02d\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\x01")
        .raw(b"\0\0\0\x02E\0\0\0\x02\0\0\0\x01\0\0\0\x01s")
        // Added last, and not yet sorted: what the C writes.
        .raw(b"\0\0\0\x02a\0\0\0\x03\0\0\0\x01\0\0\0\x03\xc3\xbc\0")
        .0;
    assert_eq!(pack.encode().unwrap(), expected);
    assert_eq!(pack.encoded_size(), expected.len() as u64);
    pack.sort();
    assert_eq!(pack.elements().next().unwrap().name(), "a");
}

#[test]
fn an_empty_pack_is_four_zeros_and_what_follows_is_not_looked_at() {
    assert_eq!(Pack::new().encode().unwrap(), [0; 4]);
    assert_eq!(Pack::decode_prefix(&[0, 0, 0, 0, 9]).unwrap().1, 4);
    assert_eq!(Pack::decode(&[]).unwrap_err(), Error::Truncated(0));
    assert_eq!(Pack::decode(&[0, 0, 0]).unwrap_err(), Error::Truncated(3));
}

#[test]
fn counts_beyond_their_limits() {
    for count in [MAX_ELEMENT_NUM + 1, u32::MAX] {
        assert_eq!(decode(Bytes::default().int(count)).unwrap_err(), Error::TooManyElements(count.into()));
    }
    for count in [MAX_VALUE_NUM + 1, u32::MAX] {
        let bytes = Bytes::default().int(1).name(b"x").int(0).int(count).int(7);
        assert_eq!(decode(bytes).unwrap_err(), Error::TooManyValues(count.into()));
    }
    let bytes = Bytes::default().int(1).name(b"x").int(0).int(0);
    assert_eq!(decode(bytes.int(7)).unwrap_err(), Error::NoValues);
}

#[test]
fn counts_that_the_input_cannot_hold() {
    assert!(matches!(decode(Bytes::default().int(MAX_ELEMENT_NUM)), Err(Error::Truncated(_))));
    let bytes = Bytes::default().int(1).name(b"x").int(1).int(MAX_VALUE_NUM).raw(&[0; 64]);
    assert!(matches!(decode(bytes), Err(Error::Truncated(_))));
    let bytes = Bytes::one(1, &MAX_VALUE_SIZE.to_be_bytes());
    assert!(matches!(Pack::decode(&bytes), Err(Error::Truncated(_))));
}

#[test]
fn types_that_are_none() {
    for number in [5, 6, u32::MAX] {
        let bytes = Bytes::default().int(1).name(b"x").int(number).int(MAX_VALUE_NUM).int(0);
        assert_eq!(decode(bytes).unwrap_err(), Error::UnknownType(number));
    }
}

#[test]
fn names_and_their_lengths() {
    let named = |name: Bytes| decode(name.int(0).int(1).int(7));
    let count = || Bytes::default().int(1);
    assert_eq!(named(count().name(b"")).unwrap().get_int(""), 7);
    assert_eq!(named(count().name(&[b'n'; 63])).unwrap().get_int(&"N".repeat(63)), 7);
    assert_eq!(named(count().name(&[b'n'; 64])).unwrap_err(), Error::NameTooLong(64));
    assert_eq!(named(count().int(0)).unwrap_err(), Error::NoName);
    assert_eq!(named(count().int(u32::MAX)).unwrap_err(), Error::NameTooLong(0xffff_fffe));
    assert_eq!(named(count().name(b"a\0b")).unwrap_err(), Error::NulInside);
    assert_eq!(named(count().name(b"a\0")).unwrap_err(), Error::NulInside);
}

#[test]
fn lengths_of_values_beyond_their_limits() {
    for (value_type, limit) in [(1, MAX_VALUE_SIZE), (2, MAX_VALUE_SIZE - 1), (3, MAX_VALUE_SIZE)] {
        for size in [limit + 1, u32::MAX] {
            let bytes = Bytes::one(value_type, &size.to_be_bytes());
            assert_eq!(Pack::decode(&bytes).unwrap_err(), Error::ValueTooLarge(size.into()));
        }
        let bytes = Bytes::one(value_type, &limit.to_be_bytes());
        assert!(matches!(Pack::decode(&bytes), Err(Error::Truncated(_))));
    }
}

#[test]
fn strings_and_their_nuls() {
    let string = |value_type, bytes: &[u8]| {
        let value = Bytes::default().int(u32::try_from(bytes.len()).unwrap()).raw(bytes).0;
        Pack::decode(&Bytes::one(value_type, &value))
    };
    assert_eq!(string(2, b"\t a b\0\0").unwrap().get_str("x"), Some(&b"a b"[..]));
    assert_eq!(string(2, b"").unwrap().get_str("x"), Some(&b""[..]));
    assert_eq!(string(2, b"a\0b").unwrap_err(), Error::NulInside);
    assert_eq!(string(3, b" \xc3\xbc \0").unwrap().get_uni_str("x"), Some(&"ü".into()));
    assert_eq!(string(3, b"a\xe3\x81").unwrap().get_uni_str("x"), Some(&"a".into()));
    assert_eq!(string(3, b"a\0\0b").unwrap_err(), Error::NulInside);
    assert_eq!(string(1, b"a\0b").unwrap().get_data("x"), Some(&b"a\0b"[..]));
}

#[test]
fn a_name_is_there_once_whatever_its_case() {
    let bytes = Bytes::default().int(2).name(b"x").int(0).int(1).int(7).name(b"X").int(0).int(1).int(8);
    assert_eq!(decode(bytes).unwrap_err(), Error::DuplicateName);
    let mut pack = Pack::new();
    pack.add_int("Name", 7).unwrap();
    assert_eq!(pack.add_int("nAME", 8), Err(Error::DuplicateName));
    assert_eq!(pack.add_int64_ex("name", 8, 0, 1), Err(Error::DuplicateName));
    assert_eq!((pack.get_int("NAME"), pack.len()), (7, 1));
}

#[test]
fn values_of_another_type_are_not_there() {
    let mut pack = Pack::new();
    pack.add_int("i", 7).unwrap();
    pack.add_data("d", b"123").unwrap();
    assert_eq!((pack.get_int64("i"), pack.get_str("d"), pack.get_uni_str("i")), (0, None, None));
    assert_eq!((pack.get_int("d"), pack.get_bool("d"), pack.get_data("i")), (0, false, None));
    assert!(pack.is_element("D") && !pack.is_element("e"));
}

#[test]
fn values_at_their_places() {
    let mut pack = Pack::new();
    pack.add_int_ex("i", 5, 1, 3).unwrap();
    pack.add_int_ex("i", 6, 2, 3).unwrap();
    assert_eq!(pack.element("i").unwrap().values(), &Values::Int([0, 5, 6].into()));
    // Fewer values than the element was made with: as in the C nothing happens.
    pack.add_int_ex("i", 9, 3, 4).unwrap();
    pack.add_int_ex("i", 7, 0, 2).unwrap();
    assert_eq!(pack.element("i").unwrap().values(), &Values::Int([7, 5, 6].into()));
    assert_eq!(pack.add_int_ex("i", 7, 3, 3), Err(Error::IndexOutOfRange { index: 3, total: 3 }));
    assert_eq!(pack.add_int_ex("i", 7, 0, 0), Err(Error::IndexOutOfRange { index: 0, total: 0 }));
    let total = MAX_VALUE_NUM as usize + 1;
    assert_eq!(pack.add_int_ex("j", 7, 0, total), Err(Error::TooManyValues(total as u64)));
    assert_eq!((pack.index_count("i"), pack.index_count("j"), pack.get_int_ex("i", 3)), (3, 0, 0));
}

#[test]
fn deleting_keeps_the_others() {
    let mut pack = Pack::new();
    for (value, name) in ["c", "a", "d", "b"].into_iter().enumerate() {
        pack.add_int(name, u32::try_from(value).unwrap()).unwrap();
    }
    assert!(pack.del_element("A") && !pack.del_element("a"));
    assert_eq!((pack.get_int("c"), pack.get_int("d"), pack.get_int("b"), pack.len()), (0, 2, 3, 3));
    let names: Vec<_> = pack.elements().map(|element| element.name().into_owned()).collect();
    assert_eq!(names, ["b", "c", "d"]);
}

#[test]
fn addresses_take_four_elements() {
    let mut pack = Pack::new();
    let v4 = Ip::from(IpAddr::from(Ipv4Addr::new(10, 1, 2, 3)));
    let v6 = Ip { address: Ipv6Addr::LOCALHOST.into(), scope_id: 4 };
    pack.add_ip("a", v4).unwrap();
    pack.add_ip_ex("b", v6, 0, 2).unwrap();
    pack.add_ip_ex("b", v4, 1, 2).unwrap();
    assert_eq!(pack.len(), 8);
    assert_eq!(pack.get_int("a"), 0x0302_010a);
    assert_eq!((pack.get_ip("a"), pack.get_ip("b"), pack.get_ip_ex("b", 1)), (Some(v4), Some(v6), Some(v4)));
    assert_eq!(pack.get_ip("c"), None);
    pack.add_ip6_addr("d", Ipv6Addr::LOCALHOST).unwrap();
    assert_eq!(pack.get_ip6_addr("d"), Some(Ipv6Addr::LOCALHOST));
}

#[test]
fn numbers_and_strings_as_their_readers_cut_them() {
    let mut pack = Pack::new();
    pack.add_int("n", 65_537).unwrap();
    pack.add_str("s", b"Hello").unwrap();
    assert_eq!(pack.get_num("n"), 65_536);
    assert!(pack.cmp_str("s", b"hELLO") && !pack.cmp_str("s", b"hell") && !pack.cmp_str("n", b""));
}

#[test]
fn what_a_pack_shows_of_itself_holds_no_values() {
    let mut pack = Pack::new();
    pack.add_str("password", b"secret").unwrap();
    assert!(!format!("{pack:?}").contains("secret"));
}

fn values() -> impl Strategy<Value = Values> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let string = prop::collection::vec(1u8.., 0..20);
    let units = prop::collection::vec(any::<u16>(), 0..20);
    prop_oneof![
        prop::collection::vec(any::<u32>(), 1..5).prop_map(|values| Values::Int(values.into())),
        prop::collection::vec(any::<u64>(), 1..5).prop_map(|values| Values::Int64(values.into())),
        prop::collection::vec(bytes().prop_map(Into::into), 1..5).prop_map(|values| Values::Data(values.into())),
        prop::collection::vec(string.prop_map(|string| crate::str::trim(&string).into()), 1..5)
            .prop_map(|values| Values::Str(values.into())),
        prop::collection::vec(units.prop_map(|units| UniStr::from_units(units).trimmed()), 1..5)
            .prop_map(|values| Values::UniStr(values.into())),
    ]
}

fn pack() -> impl Strategy<Value = Pack> {
    prop::collection::vec(("[a-d@]{0,3}", values()), 0..12).prop_map(|elements| {
        let mut pack = Pack::new();
        for (name, values) in elements {
            let _ = pack.add_element(Element::new(name.as_bytes(), values).unwrap());
        }
        pack
    })
}

/// What the scanner tells, with pieces of the same thing joined.
fn scan(chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<(String, u64), Error> {
    let mut scanner = Scanner::new();
    let mut told = String::new();
    for chunk in chunks {
        scanner.push(chunk.as_ref(), |event, _| {
            match event {
                Event::Name(bytes) | Event::Bytes(bytes) => {
                    bytes.iter().for_each(|byte| told += &format!("{byte:02x}"))
                }
                other => told += &format!("{other:?}"),
            }
            Ok(())
        })?;
    }
    scanner.finish()?;
    Ok((told, scanner.position()))
}

proptest! {
    #[test]
    fn reading_what_was_written_gives_the_same(pack in pack()) {
        let bytes = pack.encode().unwrap();
        let again = Pack::decode(&bytes).unwrap();
        prop_assert!(pack.elements().eq(again.elements()));
        prop_assert_eq!(again.encode().unwrap(), bytes);
    }

    #[test]
    fn every_prefix_is_refused(pack in pack(), cut: prop::sample::Index) {
        let bytes = pack.encode().unwrap();
        let cut = cut.index(bytes.len());
        prop_assert_eq!(Pack::decode(&bytes[..cut]).unwrap_err(), Error::Truncated(cut as u64));
    }

    #[test]
    fn anything_is_read_or_refused(bytes: Vec<u8>) {
        let _ = Pack::decode(&bytes);
    }

    /// A byte changed somewhere in a sound PACK: nearer to the edges than random bytes are.
    #[test]
    fn a_changed_pack_is_read_or_refused(pack in pack(), place: prop::sample::Index, byte: u8) {
        let mut bytes = pack.encode().unwrap();
        *place.get_mut(&mut bytes) = byte;
        let whole = scan(std::iter::once(&bytes));
        prop_assert_eq!(whole, scan(bytes.chunks(1)));
        if let Ok(pack) = Pack::decode(&bytes) {
            let again = pack.encode().unwrap();
            prop_assert_eq!(Pack::decode(&again).unwrap().encode().unwrap(), again);
        }
    }

    #[test]
    fn chunks_make_no_difference(pack in pack(), size in 1usize..40) {
        let bytes = pack.encode().unwrap();
        let whole = scan(std::iter::once(&bytes)).unwrap();
        prop_assert_eq!(whole.1, bytes.len() as u64);
        prop_assert_eq!(whole, scan(bytes.chunks(size)).unwrap());
    }
}

#[test]
fn messages_that_only_say_an_error_and_padding() {
    let mut pack = Pack::of_error(7);
    assert_eq!((pack.error(), Pack::new().error()), (7, 0));
    pack.add_dummy_value(&[1, 2, 3]).unwrap();
    assert_eq!((pack.get_data("PENCORE"), pack.len()), (Some(&[1, 2, 3][..]), 2));
    assert_eq!(pack.add_dummy_value(&[]), Err(Error::DuplicateName));
}
