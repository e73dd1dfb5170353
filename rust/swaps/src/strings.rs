//! The swaps of `Mayaqua/Str.c`, over [`mayaqua::str`]. Null is ignored, or is what the item says.

use crate::memory::{index, ks_inc};
use crate::shims::answer::{self, NewBuf, NewText, Sign};
use crate::shims::place::{Buffer, Given, InPlace, Output, Room};
use crate::shims::role::{Beginning, Bytes, Character, Data, Flag, Number, Number64, Text, Unmeasured};
use crate::shims::shims;
use mayaqua::str;
use softether_sys as sys;
use std::cmp::Ordering;
use std::ffi::{c_char, c_uchar};

/// Compares two strings by `compare`; null comes behind every string (C: the beginnings of `StrCmp` and `StrCmpi`).
fn nulls_last<'a>(
    a: Option<Beginning<'a>>,
    b: Option<Beginning<'a>>,
    compare: impl Fn(Beginning<'a>, Beginning<'a>) -> Ordering,
) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// A place as the C counts, which has a number for nowhere.
fn place(found: Option<usize>) -> u32 {
    found.map_or(u32::MAX, index)
}

shims! {
    /// Number of bytes before the NUL; null has none (C: `StrLen`, Mayaqua/Str.c).
    pure str_len = StrLen(str: Text) -> u32 {
        str.map_or(0, |str| {
            ks_inc(sys::KS_STRLEN_COUNT);
            index(str.len())
        })
    }

    /// Number of bytes with the NUL; null has none (C: `StrSize`, Mayaqua/Str.c).
    pure str_size = StrSize(str: Text) -> u32 {
        str.map_or(0, |str| index(str.len() + 1))
    }

    /// Copies a string, cut to the block's size (C: `StrCpy`, Mayaqua/Str.c). A size of 0 is no limit; null as a
    /// source is empty, unless the size is 0.
    cloned str_cpy = StrCpy(dst[size]: Room, src: Text) -> u32 {
        if dst.is_at(src) {
            return src.map_or(0, |src| index(src.len()));
        }
        match src {
            Some(src) if !dst.is_null() => {
                if dst.size() != 1 {
                    ks_inc(sys::KS_STRCPY_COUNT);
                }
                let copied = &src[..str::str_cpy_len(dst.size(), src.len())];
                dst.put_text(copied);
                index(copied.len())
            }
            None if dst.size() > 0 => {
                dst.put_text(&b""[..]);
                0
            }
            _ => 0,
        }
    }

    /// Appends as much of a string as fits (C: `StrCat`, Mayaqua/Str.c). A size of 0 is no limit.
    cloned str_cat = StrCat(dst[size]: Buffer, src: Text) -> u32 {
        let (Some(text), Some(src)) = (dst.text(), src) else { return 0 };
        ks_inc(sys::KS_STRCAT_COUNT);
        let appended = &src[..str::str_cat_len(text.len(), dst.size(), src.len())];
        let is_full = dst.size() != 0 && text.len() + src.len() >= dst.size();
        if appended.is_empty() && is_full {
            return 0;
        }
        dst.append(appended);
        index(text.len() + appended.len())
    }

    /// A copy of a string (C: `CopyStr`, Mayaqua/Str.c).
    cloned copy_str = CopyStr(str: Text) -> NewText {
        str.map(Into::into)
    }

    /// The upper case of an ASCII letter (C: `ToUpper`, Mayaqua/Str.c).
    pure to_upper = ToUpper(c: Character) -> answer::Character {
        str::to_upper(c)
    }

    /// The lower case of an ASCII letter (C: `ToLower`, Mayaqua/Str.c).
    pure to_lower = ToLower(c: Character) -> answer::Character {
        str::to_lower(c)
    }

    /// Makes all ASCII letters upper case (C: `StrUpper`, Mayaqua/Str.c).
    cloned str_upper = StrUpper(str: InPlace) -> () {
        str.map(0, |byte, _| str::to_upper(byte));
    }

    /// Makes all ASCII letters lower case (C: `StrLower`, Mayaqua/Str.c).
    cloned str_lower = StrLower(str: InPlace) -> () {
        str.map(0, |byte, _| str::to_lower(byte));
    }

    /// Compares two strings (C: `StrCmp`, Mayaqua/Str.c).
    pure str_cmp = StrCmp(str1: Unmeasured, str2: Unmeasured) -> Sign {
        nulls_last(str1, str2, Beginning::str_cmp)
    }

    /// Compares two strings without regard to case (C: `StrCmpi`, Mayaqua/Str.c).
    pure str_cmpi = StrCmpi(str1: Unmeasured, str2: Unmeasured) -> Sign {
        nulls_last(str1, str2, |one, other| str::str_cmpi_unmeasured(one.bytes(), other.bytes()))
    }

    /// Whether a string begins with another, but for case (C: `StartWith`, Mayaqua/Str.c).
    pure start_with = StartWith(str: Text, key: Text) -> answer::Flag {
        str.zip(key).is_some_and(|(str, key)| str::start_with(str, key))
    }

    /// Whether a string ends with another, but for case (C: `EndWith`, Mayaqua/Str.c).
    pure end_with = EndWith(str: Text, key: Text) -> answer::Flag {
        str.zip(key).is_some_and(|(str, key)| str::end_with(str, key))
    }

    /// Where a keyword is in a string, from a place on; `INFINITE`: nowhere (C: `SearchStrEx`, Mayaqua/Str.c).
    pure search_str_ex = SearchStrEx(string: Text, keyword: Text, start: Number, case_sensitive: Flag) -> u32 {
        place(string.zip(keyword).and_then(|(string, keyword)| {
            str::search_str_ex(string, keyword, start as usize, case_sensitive)
        }))
    }

    /// As `SearchStrEx`, with case (C: `SearchStr`, Mayaqua/Str.c).
    pure search_str = SearchStr(string: Text, keyword: Text, start: Number) -> u32 {
        place(string.zip(keyword).and_then(|(string, keyword)| str::search_str(string, keyword, start as usize)))
    }

    /// Whether a keyword that is not blank is in a string (C: `InStrEx`, Mayaqua/Str.c).
    pure in_str_ex = InStrEx(str: Text, keyword: Text, case_sensitive: Flag) -> answer::Flag {
        str.zip(keyword).is_some_and(|(str, keyword)| str::in_str_ex(str, keyword, case_sensitive))
    }

    /// As `InStrEx`, without regard to case (C: `InStr`, Mayaqua/Str.c).
    pure in_str = InStr(str: Text, keyword: Text) -> answer::Flag {
        str.zip(keyword).is_some_and(|(str, keyword)| str::in_str_ex(str, keyword, false))
    }

    /// Whether there is nothing but spaces and tabs; nor in null (C: `IsEmptyStr`, Mayaqua/Str.c).
    pure is_empty_str = IsEmptyStr(str: Text) -> answer::Flag {
        str.is_none_or(str::is_empty_str)
    }

    /// Takes spaces and tabs from both ends (C: `Trim`, Mayaqua/Str.c).
    cloned trim = Trim(str: InPlace) -> () {
        str.cut_to(str::trim);
    }

    /// Takes spaces and tabs from the start (C: `TrimLeft`, Mayaqua/Str.c).
    cloned trim_left = TrimLeft(str: InPlace) -> () {
        str.cut_to(str::trim_left);
    }

    /// Takes spaces and tabs from the end (C: `TrimRight`, Mayaqua/Str.c).
    cloned trim_right = TrimRight(str: InPlace) -> () {
        str.cut_to(str::trim_right);
    }

    /// Takes one line end from the end (C: `TrimCrlf`, Mayaqua/Str.c).
    cloned trim_crlf = TrimCrlf(str: InPlace) -> () {
        str.cut_to(str::trim_crlf);
    }

    /// Takes a quotation mark from each end (C: `TrimQuotes`, Mayaqua/Str.c).
    cloned trim_quotes = TrimQuotes(str: InPlace) -> () {
        str.cut_to(str::trim_quotes);
    }

    /// The number that a string begins with (C: `ToInt`, Mayaqua/Str.c).
    pure to_int = ToInt(str: Text) -> u32 {
        str.map_or(0, str::to_int)
    }

    /// The same, signed (C: `ToInti`, Mayaqua/Str.c).
    pure to_inti = ToInti(str: Text) -> i32 {
        str.map_or(0, str::to_int).cast_signed()
    }

    /// The same in 64 bits, commas left out (C: `ToInt64`, Mayaqua/Str.c).
    pure to_int64 = ToInt64(str: Text) -> u64 {
        str.map_or(0, str::to_int64)
    }

    /// Whether a string means yes (C: `ToBool`, Mayaqua/Str.c).
    pure to_bool = ToBool(str: Text) -> answer::Flag {
        str.is_some_and(str::to_bool)
    }

    /// Whether a string's first word is a number (C: `IsNum`, Mayaqua/Str.c).
    pure is_num = IsNum(str: Text) -> answer::Flag {
        str.is_some_and(str::is_num)
    }

    /// Writes a number in decimal digits (C: `ToStr`, Mayaqua/Str.c).
    cloned to_str = ToStr(str: Output<c_char, false>, i: Number) -> () {
        str.put_text(Given::format(format_args!("{i}")));
    }

    /// The same of 64 bits (C: `ToStr64`, Mayaqua/Str.c).
    cloned to_str64 = ToStr64(str: Output<c_char>, value: Number64) -> () {
        if !str.is_null() {
            str.put_text(Given::format(format_args!("{value}")));
        }
    }

    /// Writes a number in hexadecimal digits (C: `ToHex`, Mayaqua/Str.c).
    cloned to_hex = ToHex(str: Output<c_char>, value: Number) -> () {
        if !str.is_null() {
            str.put_text(Given::format(format_args!("{value:x}")));
        }
    }

    /// The value of a hexadecimal digit, 0 for anything else (C: `HexTo4Bit`, Mayaqua/Str.c).
    pure hex_to_4bit = HexTo4Bit(c: Character) -> u32 {
        str::hex_to_4bit(c).into()
    }

    /// The number that a string of hexadecimal digits begins with (C: `HexToInt`, Mayaqua/Str.c).
    pure hex_to_int = HexToInt(str: Text) -> u32 {
        str.map_or(0, str::hex_to_int)
    }

    /// Writes bytes as hexadecimal digits, cut to the block's size; null leaves an empty string (C: `BinToStr`, Mayaqua/Str.c).
    cloned bin_to_str = BinToStr(str[str_size]: Room, data[data_size]: Data) -> () {
        match data {
            _ if str.is_null() => {}
            None => str.put_text(&b""[..]),
            Some(data) => str.put_made(str::bin_to_str(data)),
        }
    }

    /// The same with spaces between the bytes; null leaves what is there (C: `BinToStrEx`, Mayaqua/Str.c).
    cloned bin_to_str_ex = BinToStrEx(str[str_size]: Room, data[data_size]: Data) -> () {
        if let Some(data) = data.filter(|_| !str.is_null()) {
            str.put_made(str::bin_to_str_ex(data, ' '));
        }
    }

    /// The bytes that pairs of hexadecimal digits stand for (C: `StrToBin`, Mayaqua/Str.c).
    cloned str_to_bin = StrToBin(str: Text) -> NewBuf {
        str.map(|str| str::str_to_bin_bytes(str).collect())
    }

    /// Writes a MAC address with dashes (C: `MacToStr`, Mayaqua/Str.c).
    cloned mac_to_str = MacToStr(str[size]: Room, mac_address: Bytes<c_uchar, 6>) -> () {
        if let Some(address) = mac_address.filter(|_| !str.is_null()) {
            str.put_made(str::mac_to_str(*address));
        }
    }

    /// Reads a MAC address of six pairs of digits (C: `StrToMac`, Mayaqua/Str.c).
    cloned str_to_mac = StrToMac(mac_address: Output<c_uchar>, str: Text) -> answer::Flag {
        let address = str.filter(|_| !mac_address.is_null()).and_then(str::str_to_mac);
        address.map(|address| mac_address.put(address)).is_some()
    }

    /// Whether a character may stand in names (C: `IsSafeChar`, Mayaqua/Str.c).
    pure is_safe_char = IsSafeChar(c: Character) -> answer::Flag {
        str::is_safe_char(c)
    }

    /// Whether a string is a safe name (C: `IsSafeStr`, Mayaqua/Str.c).
    pure is_safe_str = IsSafeStr(str: Text) -> answer::Flag {
        str.is_some_and(str::is_safe_str)
    }

    /// Replaces what is not safe in a name (C: `EnSafeStr`, Mayaqua/Str.c).
    cloned en_safe_str = EnSafeStr(str: InPlace, replace: Character) -> () {
        str.map(replace, |byte, replace| if str::is_safe_char(byte) { byte } else { replace });
    }

    /// Whether a character is printable ASCII (C: `IsPrintableAsciiChar`, Mayaqua/Str.c).
    pure is_printable_ascii_char = IsPrintableAsciiChar(c: Character) -> answer::Flag {
        str::is_printable_ascii_char(c)
    }

    /// Replaces what is not printable ASCII (C: `EnPrintableAsciiStr`, Mayaqua/Str.c).
    cloned en_printable_ascii_str = EnPrintableAsciiStr(str: InPlace, replace: Character) -> () {
        str.map(replace, |byte, replace| if str::is_printable_ascii_char(byte) { byte } else { replace });
    }
}
