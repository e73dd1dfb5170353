//! Strings: each function on both sides, on edges and on random strings of characters that matter.

use crate::support::{random, start};
use mayaqua::http::{SYSTEM_TIME_EPOCH, http_date};
use mayaqua::str;
use mayaqua::uni_str::{UniStr, Utf8Units};
use rand::Rng;
use rand::rngs::StdRng;
use softether_sys as sys;
use std::ffi::{CStr, CString, c_char};

const ROUNDS: usize = 20_000;

/// A string without NULs: short, of characters that mean something to these functions.
fn string(random: &mut StdRng) -> CString {
    const CHARACTERS: &[u8] = b"00112aAbBfFxXzZ  \t\t,,-+;:/\"\\nr\r\n%$@.~\x7f\x80\xc3\xa9\xff";
    let length = random.random_range(0..12);
    CString::new((0..length).map(|_| CHARACTERS[random.random_range(0..CHARACTERS.len())]).collect::<Vec<_>>()).unwrap()
}

/// Calls `compare` on edges and on random strings, two at a time.
fn each(mut compare: impl FnMut(&CStr, &CStr)) {
    start();
    let edges =
        [c"", c"0", c"0x", c" 0x1f", c"-1", c"+010", c"4294967296", c"99999999999999999999", c"a\xff", c"true", c"yes"];
    edges.iter().for_each(|a| edges.iter().for_each(|b| compare(a, b)));
    let mut random = random();
    for _ in 0..ROUNDS {
        let (a, b) = (string(&mut random), string(&mut random));
        compare(&a, &b);
    }
}

/// A C string as the C wants its pointers; it does not write there.
fn c(string: &CStr) -> *mut c_char {
    string.as_ptr().cast_mut()
}

/// What a function of the C leaves in a copy of a string.
fn changed(string: &CStr, change: impl FnOnce(*mut c_char)) -> Vec<u8> {
    let mut block = [string.to_bytes_with_nul(), &[0; 8]].concat();
    change(block.as_mut_ptr().cast());
    str::until_nul(&block).to_vec()
}

/// What a function of the C writes into a block.
fn written(size: usize, write: impl FnOnce(*mut c_char, u32)) -> Vec<u8> {
    let mut block = vec![0u8; size];
    write(block.as_mut_ptr().cast(), u32::try_from(size).unwrap());
    str::until_nul(&block).to_vec()
}

#[test]
fn comparisons() {
    each(|a, b| {
        let (x, y) = (a.to_bytes(), b.to_bytes());
        // SAFETY: strings with their NULs.
        unsafe {
            assert_eq!(sys::StrCmpi(c(a), c(b)), str::str_cmpi(x, y) as i32, "{a:?} {b:?}");
            assert_eq!(sys::StrCmp(c(a), c(b)).signum(), str::str_cmp(x, y) as i32, "{a:?} {b:?}");
            assert_eq!(sys::StartWith(c(a), c(b)) != 0, str::start_with(x, y), "{a:?} {b:?}");
            assert_eq!(sys::EndWith(c(a), c(b)) != 0, str::end_with(x, y), "{a:?} {b:?}");
            assert_eq!(sys::InStr(c(a), c(b)) != 0, str::in_str_ex(x, y, false), "{a:?} {b:?}");
            assert_eq!(sys::IsEmptyStr(c(a)) != 0, str::is_empty_str(x), "{a:?}");
            for (start, case_sensitive) in [(0, false), (1, true), (3, true)] {
                let place = sys::SearchStrEx(c(a), c(b), start, case_sensitive.into());
                let found = str::search_str_ex(x, y, start as usize, case_sensitive);
                assert_eq!((place != u32::MAX).then_some(place as usize), found, "{a:?} {b:?} {start}");
            }
        }
    });
}

#[test]
fn numbers() {
    each(|a, _| {
        let x = a.to_bytes();
        // SAFETY: a string with its NUL.
        unsafe {
            assert_eq!(sys::ToInt(c(a)), str::to_int(x), "{a:?}");
            assert_eq!(sys::ToInt64(c(a)), str::to_int64(x), "{a:?}");
            assert_eq!(sys::HexToInt(c(a)), str::hex_to_int(x), "{a:?}");
            assert_eq!(sys::IsNum(c(a)) != 0, str::is_num(x), "{a:?}");
            assert_eq!(sys::ToBool(c(a)) != 0, str::to_bool(x), "{a:?}");
        }
    });
    for value in [0, 9, 999, 1000, 123_456, u64::MAX] {
        // SAFETY: blocks of the sizes given.
        let text = written(64, |block, size| unsafe { sys::ToStr3(block, size, value) });
        assert_eq!(text, str::to_str3(value).as_bytes());
    }
}

#[test]
fn trimmed_and_safe() {
    each(|a, _| {
        let x = a.to_bytes();
        // SAFETY: a block with the string, its NUL and a few bytes more, which one of these reads.
        unsafe {
            assert_eq!(changed(a, |block| sys::Trim(block)), str::trim(x), "{a:?}");
            assert_eq!(changed(a, |block| sys::TrimCrlf(block)), str::trim_crlf(x), "{a:?}");
            assert_eq!(changed(a, |block| sys::TrimQuotes(block)), str::trim_quotes(x), "{a:?}");
            assert_eq!(changed(a, |block| sys::EnSafeStr(block, b'_' as c_char)), str::en_safe_str(x, b'_'), "{a:?}");
            assert_eq!(sys::IsSafeStr(c(a)) != 0, str::is_safe_str(x), "{a:?}");
            let printable = changed(a, |block| sys::EnPrintableAsciiStr(block, b'?' as c_char));
            assert_eq!(printable, str::en_printable_ascii_str(x, b'?'), "{a:?}");
            for replace in [b' ', b'.'] {
                let value = changed(a, |block| sys::EnSafeHttpHeaderValueStr(block, replace as c_char));
                assert_eq!(value, str::en_safe_http_header_value_str(x, replace), "{a:?}");
            }
            let decoded = sys::UrlDecode(c(a));
            assert_eq!(CStr::from_ptr(decoded).to_bytes(), str::url_decode(x), "{a:?}");
            sys::Free(decoded.cast());
        }
    });
}

#[test]
fn copied_and_replaced() {
    each(|a, b| {
        let (x, y) = (a.to_bytes(), b.to_bytes());
        // SAFETY: strings with their NULs, blocks of the sizes given.
        unsafe {
            for size in [1, 2, 5, 40] {
                let copy = written(size, |block, size| {
                    sys::StrCpy(block, size, c(a));
                });
                assert_eq!(copy, str::str_cpy(size, x));
                let both = written(size, |block, size| {
                    sys::StrCpy(block, size, c(a));
                    sys::StrCat(block, size, c(b));
                });
                let first = str::str_cpy(size, x);
                assert_eq!(both, [first, str::str_cat(first.len(), size, y)].concat(), "{a:?} {b:?} {size}");
            }
            for case_sensitive in [false, true] {
                let mut count = 0;
                let text = written(400, |block, size| {
                    count = sys::ReplaceStrEx(block, size, c(a), c(b), c(c"<new>"), case_sensitive.into());
                });
                assert_eq!((text, count as usize), str::replace_str_ex(x, y, b"<new>", case_sensitive), "{a:?} {b:?}");
            }
        }
    });
}

/// The tokens of a list of the C's, which is freed.
fn tokens(list: *mut sys::TOKEN_LIST) -> Vec<Vec<u8>> {
    // SAFETY: a list of the C's with NumTokens strings.
    unsafe {
        let count = (*list).NumTokens as usize;
        let tokens = (0..count).map(|place| CStr::from_ptr(*(*list).Token.add(place)).to_bytes().to_vec()).collect();
        sys::FreeToken(list);
        tokens
    }
}

#[test]
fn cut_into_tokens() {
    each(|a, b| {
        let (x, y) = (a.to_bytes(), b.to_bytes());
        let owned = |token: &[u8]| token.to_vec();
        // SAFETY: strings with their NULs.
        unsafe {
            let with: Vec<_> = str::parse_token_with_null_str(x, y).map(owned).collect();
            assert_eq!(tokens(sys::ParseTokenWithNullStr(c(a), c(b))), with, "{a:?} {b:?}");
            let without: Vec<_> = str::parse_token_without_null_str(x, y).map(owned).collect();
            assert_eq!(tokens(sys::ParseTokenWithoutNullStr(c(a), c(b))), without, "{a:?} {b:?}");
            assert_eq!(tokens(sys::ParseCmdLine(c(a))), str::parse_cmd_line(x), "{a:?}");
            let (mut key, mut value) = ([0u8; 64], [0u8; 64]);
            let found = sys::GetKeyAndValue(c(a), key.as_mut_ptr().cast(), 64, value.as_mut_ptr().cast(), 64, c(b));
            let found = (found != 0).then(|| (str::until_nul(&key), str::until_nul(&value)));
            assert_eq!(found, str::get_key_and_value(x, y), "{a:?} {b:?}");
        }
    });
}

#[test]
fn digits() {
    each(|a, _| {
        let mut data = a.to_bytes().to_vec();
        let size = u32::try_from(data.len()).unwrap();
        // SAFETY: strings with their NULs, blocks of the sizes given; the BUF is this test's.
        unsafe {
            let text = written(64, |block, room| sys::BinToStr(block, room, data.as_mut_ptr().cast(), size));
            assert_eq!(text, str::bin_to_str(&data).as_bytes());
            let text = written(64, |block, room| sys::BinToStrEx(block, room, data.as_mut_ptr().cast(), size));
            assert_eq!(text, str::bin_to_str_ex(&data, ' ').as_bytes());
            let buf = sys::StrToBin(c(a));
            let bytes = std::slice::from_raw_parts((*buf).Buf.cast::<u8>(), (*buf).Size as usize).to_vec();
            sys::FreeBuf(buf);
            assert_eq!(bytes, str::str_to_bin(&data), "{a:?}");
        }
    });
}

#[test]
fn wide_strings_and_their_utf8() {
    start();
    let mut random = random();
    for _ in 0..ROUNDS {
        let length = random.random_range(1..12);
        let mut utf8: Vec<u8> = (0..length).map(|_| random.random_range(1..=255)).collect();
        let size = u32::try_from(utf8.len()).unwrap();
        let mut wide = [0 as sys::wchar_t; 16];
        // SAFETY: blocks of the sizes given; the string has a NUL, since it is shorter than its block.
        unsafe {
            let count = sys::Utf8ToUni(wide.as_mut_ptr(), 64, utf8.as_mut_ptr(), size);
            let units: Vec<u16> = wide[..count as usize].iter().map(|unit| u16::try_from(*unit).unwrap()).collect();
            assert_eq!(units, Utf8Units::new(&utf8).collect::<Vec<_>>(), "{}", utf8.escape_ascii());
            let mut again = [0u8; 64];
            let written = sys::UniToUtf8(again.as_mut_ptr(), 64, wide.as_mut_ptr());
            assert_eq!(&again[..written as usize], UniStr::from_utf8(&utf8).as_utf8(), "{}", utf8.escape_ascii());
            sys::UniTrim(wide.as_mut_ptr());
            let written = sys::UniToUtf8(again.as_mut_ptr(), 64, wide.as_mut_ptr());
            assert_eq!(&again[..written as usize], UniStr::from_utf8(&utf8).trimmed().as_utf8());
        }
    }
}

#[test]
fn dates_of_http() {
    start();
    let mut random = random();
    for time in (0..2000).map(|_| random.random_range(0..4_000_000_000_000)).chain([0, 951_782_400_000]) {
        // SAFETY: a block of the size given.
        let text = written(64, |block, size| unsafe { sys::GetHttpDateStr(block, size, time) });
        assert_eq!(String::from_utf8(text).unwrap(), http_date(time + SYSTEM_TIME_EPOCH), "{time}");
    }
}

/// What Rust writes C writes too, and what Rust reads C reads too. C reads other texts as something: `base64-lenient`.
#[test]
fn base64_of_bytes() {
    start();
    let mut random = random();
    for _ in 0..ROUNDS {
        let mut data: Vec<u8> = (0..random.random_range(0..40)).map(|_| random.random()).collect();
        let size = i32::try_from(data.len()).unwrap();
        let mut text = mayaqua::base64::encode(&data).into_bytes();
        let (mut c, mut again) = ([0u8; 64], [0u8; 64]);
        // SAFETY: blocks with room for what is made; C reads up to three bytes behind a text that is cut, and this is whole.
        unsafe {
            let length = sys::B64_Encode(c.as_mut_ptr().cast(), data.as_mut_ptr().cast(), size);
            assert_eq!(&c[..usize::try_from(length).unwrap()], &text[..]);
            let size = i32::try_from(text.len()).unwrap();
            let length = sys::B64_Decode(again.as_mut_ptr().cast(), text.as_mut_ptr().cast(), size);
            assert_eq!(&again[..usize::try_from(length).unwrap()], &data[..]);
        }
        assert_eq!(mayaqua::base64::decode(&text), Ok(data));
    }
    let (mut lenient, mut block) = (*b"Zg!!\0\0\0\0", [0u8; 8]);
    // SAFETY: as above.
    let length = unsafe { sys::B64_Decode(block.as_mut_ptr().cast(), lenient.as_mut_ptr().cast(), 4) };
    assert!(length > 0 && mayaqua::base64::decode(b"Zg!!").is_err());
}
