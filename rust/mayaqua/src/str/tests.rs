//! Tests of the string functions; those against the C are in `rust/swaps/tests/mayaqua`.

use super::*;
use proptest::prelude::*;

#[test]
fn copies_and_appends_end_inside_their_blocks() {
    assert_eq!((str_cpy(0, b"ab\0c"), str_cpy(1, b"abc"), str_cpy(3, b"abc")), (&b"ab"[..], &b""[..], &b"ab"[..]));
    assert_eq!((str_cat(2, 0, b"cd"), str_cat(2, 5, b"cd"), str_cat(2, 4, b"cd")), (&b"cd"[..], &b"cd"[..], &b"c"[..]));
    assert_eq!((str_cat(2, 3, b"cd"), str_cat(9, 3, b"cd")), (&b""[..], &b""[..]));
    assert!(str_check_len(b"abc\0", 3) && !str_check_len(b"abc\0", 2) && !str_check_len(b"abc", 9));
}

#[test]
fn high_bytes_sort_before_everything_without_case_and_after_with() {
    assert_eq!(str_cmpi(b"aB", b"Ab"), Ordering::Equal);
    assert_eq!((str_cmpi(b"a", b"a\x80"), str_cmpi(b"a", b"ab")), (Ordering::Greater, Ordering::Less));
    assert_eq!(str_cmp(b"a", b"a\x80"), Ordering::Less);
}

#[test]
fn beginnings_and_ends() {
    assert!(start_with(b"Hello", b"hE") && !start_with(b"Hello", b"") && !start_with(b"H", b"He"));
    assert!(end_with(b"Hello", b"LLO") && end_with(b"Hello", b"") && !end_with(b"o", b"lo"));
    assert_eq!((trim_end_with(b"x_BOOL", b"_bool"), trim_end_with(b"x", b"y")), (Some(&b"x"[..]), None));
}

#[test]
fn searching_and_replacing() {
    assert_eq!((search_str(b"aaa", b"aa", 1), search_str(b"aaa", b"aa", 2)), (Some(1), None));
    assert_eq!((search_str(b"a", b"", 0), search_str(b"a", b"a", 9), search_str(b"A", b"a", 0)), (None, None, None));
    assert_eq!(search_str_ex(b"xA", b"a", 0, false), Some(1));
    assert_eq!(replace_str_ex(b"a.A.a", b"a", b"bc", false), (b"bc.bc.bc".to_vec(), 3));
    assert_eq!(replace_str_ex(b"aaa", b"aa", b"", true), (b"a".to_vec(), 1));
    assert_eq!(replace_str_ex(b"aaa", b"", b"x", true), (b"aaa".to_vec(), 0));
    assert!(!in_str_ex(b"a b", b" ", true) && in_str_list(b"abc", b"x;B", b";", false));
}

#[test]
fn ends_that_are_trimmed() {
    assert_eq!((trim(b"\t a b \t"), trim(b" \t"), trim(b"\n ")), (&b"a b"[..], &b""[..], &b"\n"[..]));
    assert_eq!((trim_crlf(b"a\r\n"), trim_crlf(b"a\n\r"), trim_crlf(b"\n")), (&b"a"[..], &b"a\n"[..], &b""[..]));
    assert_eq!((trim_quotes(b"\"a\""), trim_quotes(b"\""), trim_quotes(b"a\"")), (&b"a"[..], &b""[..], &b"a"[..]));
}

#[test]
fn numbers() {
    for (text, value) in [
        (&b""[..], 0u32),
        (b"0", 0),
        (b"0012", 12),
        (b"08", 8),
        (b"0x1fZ", 31),
        (b"000x10", 16),
        (b"0xg", 0),
        (b" \t\x0b 7", 7),
        (b"-1", u32::MAX),
        (b"+010", 8),
        (b" 010", 8),
        (b"4294967297", 1),
        (b"99999999999999999999", u32::MAX),
        (b"-99999999999999999999", u32::MAX),
        (b"12a", 12),
    ] {
        assert_eq!(to_int(text), value, "{}", text.escape_ascii());
    }
    assert_eq!((to_int64(b"1,234x5"), to_int64(b"-1"), to_int64(b"18446744073709551617")), (1234, 0, 1));
    assert_eq!((to_str3(0), to_str3(999), to_str3(1000)), ("0".into(), "999".into(), "1,000".into()));
    assert_eq!(to_str3(u64::MAX), "18,446,744,073,709,551,615");
    assert!(is_num(b" 1,2+-3 x") && !is_num(b"1-2-3") && !is_num(b" ") && !is_num(b"1.5"));
    assert!(
        to_bool(b" 2") && to_bool(b"T") && to_bool(b"yesterday") && !to_bool(b"") && !to_bool(b"0") && !to_bool(b"no")
    );
}

#[test]
fn hexadecimal_digits() {
    assert_eq!((hex_to_int(b"0xFfg"), hex_to_int(b"123456789"), hex_to_int(b"")), (255, 0x2345_6789, 0));
    assert_eq!((to_hex(0), to_hex(0xAB)), ("0".into(), "ab".into()));
    assert_eq!(bin_to_str(&[0x0f, 0xa0]), "0FA0");
    assert_eq!((bin_to_str_ex(&[1, 0xff], ' '), bin_to_str_ex(&[], ':')), ("01 FF".into(), String::new()));
    assert_eq!((str_to_bin(b"0a:B-1 2"), str_to_bin(b"01x02")), (vec![10, 0xb1], vec![1]));
    assert_eq!(str_to_mac(b"5e-00 01:0203,04"), Some([0x5e, 0, 1, 2, 3, 4]));
    assert_eq!((str_to_mac(b"5e00010203"), mac_to_str([0x5e, 0, 1, 2, 3, 4])), (None, "5E-00-01-02-03-04".into()));
}

#[test]
fn safe_strings() {
    assert!(
        is_safe_str(b"a (1)") && !is_safe_str(b" a") && !is_safe_str(b"a ") && !is_safe_str(b"a/b") && is_safe_str(b"")
    );
    assert_eq!(
        (en_safe_str(b"a/\xff", b'_'), en_printable_ascii_str(b"a\x7f\n", b'?')),
        (b"a__".to_vec(), b"a??".to_vec())
    );
    let header = en_safe_http_header_value_str;
    assert_eq!(header(b"a\r\nb\\r\\nc\n", b' '), b"a\nbc");
    assert_eq!(header(b"a\r\nb\\r\\", b'.'), b"a..b..\\");
    assert_eq!(url_decode(b"%41+%4x%zz"), b"A \x04");
    assert_eq!(url_decode(b"%4"), b"%4");
}

#[test]
fn tokens() {
    let with = |string| parse_token_with_null_str(string, b",;").map(<[u8]>::to_vec).collect::<Vec<_>>();
    let without = |string| parse_token_without_null_str(string, b",;").map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!((with(b"a,;b"), with(b"")), (vec![b"a".to_vec(), vec![], b"b".to_vec()], vec![vec![]]));
    assert_eq!((without(b",a;,b,"), without(b"")), (vec![b"a".to_vec(), b"b".to_vec()], vec![]));
    assert_eq!(parse_cmd_line(b" a \"b  c\" d\"\"e \"\" f"), [&b"a"[..], b"b  c", b"d\"e", b"\"", b"f"]);
    assert_eq!(unique_token(&[b"a", b"B", b"A"]), [b"a", b"B"]);
    assert_eq!(get_key_and_value(b" key \t v a l ", b" \t"), Some((&b"key"[..], &b"v a l "[..])));
    assert_eq!(
        (get_key_and_value(b"key", b"="), get_key_and_value(b"==", b"=")),
        (Some((&b"key"[..], &b""[..])), None)
    );
}

proptest! {
    #[test]
    fn digits_come_back(bytes: Vec<u8>, value: u32) {
        prop_assert_eq!(str_to_bin(bin_to_str(&bytes).as_bytes()), bytes.clone());
        prop_assert_eq!(str_to_bin(bin_to_str_ex(&bytes, ':').as_bytes()), bytes);
        prop_assert_eq!(hex_to_int(to_hex(value).as_bytes()), value);
        prop_assert_eq!(to_int(value.to_string().as_bytes()), value);
    }
}
