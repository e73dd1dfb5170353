//! The swaps of `Mayaqua/Pack.c` that read a PACK of the C's, and that make one of bytes, over [`crate::memory::pack`] and
//! [`mayaqua::pack`]. Null as a PACK, an element or a name has no values.

use crate::memory::index;
use crate::memory::pack::{Element, Pack, data as bytes, int, int64, text, units};
use crate::shims::answer::{self, Pointer, Sign};
use crate::shims::pack::{Content, ElementOf, Name, NewPack, NewValue, PackOf, ReadBuf, WideRoom};
use crate::shims::place::{Output, Room, RoomOf};
use crate::shims::role::{Data, Number, Number64, Text};
use crate::shims::shims;
use mayaqua::str::{str_cmpi, str_cmpi_unmeasured};
use softether_sys as sys;
use std::ffi::{c_char, c_void};

/// The element of a name and type.
fn find<'a>(p: Option<Pack<'a>>, name: Option<&[u8]>, value_type: u32) -> Option<Element<'a>> {
    p?.element(name?)?.of_type(value_type)
}

/// One of its values.
fn value(p: Option<Pack<'_>>, name: Option<&[u8]>, value_type: u32, index: u32) -> Option<*const sys::VALUE> {
    find(p, name, value_type)?.value(index)
}

/// Writes a value of type STR to a block, empty if there is none (C: `PackGetStrEx`).
macro_rules! get_str {
    ($p:ident, $name:ident, $str:ident, $index:expr) => {{
        if $p.is_none() || $name.is_none() || $str.is_null() || $str.size() == 0 {
            return false;
        }
        let element = find($p, $name, sys::VALUE_STR);
        let value = element.and_then(|element| element.value($index)).map_or(&b""[..], text);
        $str.put_cut(value);
        element.is_some()
    }};
}

/// The same of type UNISTR (C: `PackGetUniStrEx`).
macro_rules! get_uni_str {
    ($p:ident, $name:ident, $unistr:ident, $index:expr) => {{
        if $p.is_none() || $name.is_none() || $unistr.is_null() || $unistr.size() == 0 {
            return false;
        }
        let element = find($p, $name, sys::VALUE_UNISTR);
        let value = element.and_then(|element| element.value($index)).map_or(&[][..], units);
        $unistr.put_units(value);
        element.is_some()
    }};
}

/// Writes a value of type DATA to a block (C: `PackGetDataEx`), of that size only if there is one (C: `PackGetDataEx2`).
macro_rules! get_data {
    ($p:ident, $name:ident, $data:ident, $index:expr, $size:expr) => {{
        let Some(element) = find($p, $name, sys::VALUE_DATA) else { return false };
        let value = element.value($index).map_or(&b""[..], bytes);
        let is_right = $size.is_none_or(|size: usize| size == value.len());
        if is_right {
            $data.put(value);
        }
        is_right
    }};
}

shims! {
    /// Compares two elements by name (C: `ComparePackName`, Mayaqua/Pack.c).
    pure compare_pack_name = ComparePackName(p1: ElementOf, p2: ElementOf) -> Sign {
        p1.zip(p2).map_or(std::cmp::Ordering::Equal, |(a, b)| {
            let [a, b] = [a, b].map(|element| element.name_with_rest().iter().copied());
            str_cmpi_unmeasured(a, b)
        })
    }

    /// The element of a name and type; `INFINITE`: of any type (C: `GetElement`, Mayaqua/Pack.c).
    pure get_element = GetElement(p: PackOf, name: Name, r#type: Number) -> Pointer<sys::ELEMENT> {
        let element = p.zip(name).and_then(|(p, name)| p.element(name));
        element.filter(|e| r#type == u32::MAX || e.of_type(r#type).is_some()).map(Element::pointer)
    }

    /// Whether there is an element of that name (C: `IsElement`, Mayaqua/Pack.c).
    pure is_element = IsElement(p: PackOf, name: Name) -> answer::Flag {
        p.zip(name).is_some_and(|(p, name)| p.element(name).is_some())
    }

    /// Number of values of an element (C: `PackGetIndexCount`, Mayaqua/Pack.c).
    pure pack_get_index_count = PackGetIndexCount(p: PackOf, name: Name) -> u32 {
        p.zip(name).and_then(|(p, name)| p.element(name)).map_or(0, Element::count)
    }

    /// A number (C: `PackGetInt`, Mayaqua/Pack.c).
    pure pack_get_int = PackGetInt(p: PackOf, name: Name) -> u32 {
        value(p, name, sys::VALUE_INT, 0).map_or(0, int)
    }

    /// A number of several (C: `PackGetIntEx`, Mayaqua/Pack.c).
    pure pack_get_int_ex = PackGetIntEx(p: PackOf, name: Name, index: Number) -> u32 {
        value(p, name, sys::VALUE_INT, index).map_or(0, int)
    }

    /// Yes or no (C: `PackGetBool`, Mayaqua/Pack.c).
    pure pack_get_bool = PackGetBool(p: PackOf, name: Name) -> answer::Flag {
        value(p, name, sys::VALUE_INT, 0).map_or(0, int) != 0
    }

    /// Yes or no, one of several (C: `PackGetBoolEx`, Mayaqua/Pack.c).
    pure pack_get_bool_ex = PackGetBoolEx(p: PackOf, name: Name, index: Number) -> answer::Flag {
        value(p, name, sys::VALUE_INT, index).map_or(0, int) != 0
    }

    /// A number of 64 bits (C: `PackGetInt64`, Mayaqua/Pack.c).
    pure pack_get_int64 = PackGetInt64(p: PackOf, name: Name) -> u64 {
        value(p, name, sys::VALUE_INT64, 0).map_or(0, int64)
    }

    /// A number of 64 bits, one of several (C: `PackGetInt64Ex`, Mayaqua/Pack.c).
    pure pack_get_int64_ex = PackGetInt64Ex(p: PackOf, name: Name, index: Number) -> u64 {
        value(p, name, sys::VALUE_INT64, index).map_or(0, int64)
    }

    /// Number of bytes of data (C: `PackGetDataSize`, Mayaqua/Pack.c).
    pure pack_get_data_size = PackGetDataSize(p: PackOf, name: Name) -> u32 {
        value(p, name, sys::VALUE_DATA, 0).map_or(0, |value| index(bytes(value).len()))
    }

    /// Number of bytes of data, one of several (C: `PackGetDataSizeEx`, Mayaqua/Pack.c).
    pure pack_get_data_size_ex = PackGetDataSizeEx(p: PackOf, name: Name, place: Number) -> u32 {
        value(p, name, sys::VALUE_DATA, place).map_or(0, |value| index(bytes(value).len()))
    }

    /// Data of whatever size (C: `PackGetData`, Mayaqua/Pack.c). The block is large enough.
    cloned pack_get_data = PackGetData(p: PackOf, name: Name, data: Output<c_void, false>) -> answer::Flag {
        get_data!(p, name, data, 0, None)
    }

    /// Data of just that size (C: `PackGetData2`, Mayaqua/Pack.c).
    cloned pack_get_data2 = PackGetData2(p: PackOf, name: Name, data[size]: RoomOf<c_void>) -> answer::Flag {
        get_data!(p, name, data, 0, Some(data.size()))
    }

    /// Data of just that size, one of several (C: `PackGetDataEx2`, Mayaqua/Pack.c).
    cloned pack_get_data_ex2 = PackGetDataEx2(
        p: PackOf, name: Name, data[size]: RoomOf<c_void>, index: Number
    ) -> answer::Flag {
        get_data!(p, name, data, index, Some(data.size()))
    }

    /// A string, cut to the block's size (C: `PackGetStr`, Mayaqua/Pack.c).
    cloned pack_get_str = PackGetStr(p: PackOf, name: Name, str[size]: Room) -> answer::Flag {
        get_str!(p, name, str, 0)
    }

    /// A string of several (C: `PackGetStrEx`, Mayaqua/Pack.c).
    cloned pack_get_str_ex = PackGetStrEx(p: PackOf, name: Name, str[size]: Room, index: Number) -> answer::Flag {
        get_str!(p, name, str, index)
    }

    /// A wide string, cut to the block's size (C: `PackGetUniStr`, Mayaqua/Pack.c).
    cloned pack_get_uni_str = PackGetUniStr(p: PackOf, name: Name, unistr[size]: WideRoom) -> answer::Flag {
        get_uni_str!(p, name, unistr, 0)
    }

    /// A wide string of several (C: `PackGetUniStrEx`, Mayaqua/Pack.c).
    cloned pack_get_uni_str_ex = PackGetUniStrEx(
        p: PackOf, name: Name, unistr[size]: WideRoom, index: Number
    ) -> answer::Flag {
        get_uni_str!(p, name, unistr, index)
    }

    /// Whether a string is the same but for case (C: `PackCmpStr`, Mayaqua/Pack.c). Its first 511 bytes count.
    pure pack_cmp_str = PackCmpStr(p: PackOf, name: Name, str: Text) -> answer::Flag {
        let Some(element) = find(p, name, sys::VALUE_STR) else { return false };
        let value = element.value(0).map_or(&b""[..], text);
        str.is_some_and(|str| str_cmpi(mayaqua::str::str_cpy(mayaqua::str::MAX_SIZE, value), str).is_eq())
    }

    /// A value that is a number (C: `NewIntValue`, Mayaqua/Pack.c).
    cloned new_int_value = NewIntValue(i: Number) -> NewValue<{ sys::VALUE_INT }> {
        Some(Content::Int(i))
    }

    /// A value that is a number of 64 bits (C: `NewInt64Value`, Mayaqua/Pack.c).
    cloned new_int64_value = NewInt64Value(i: Number64) -> NewValue<{ sys::VALUE_INT64 }> {
        Some(Content::Int64(i))
    }

    /// A value that is data (C: `NewDataValue`, Mayaqua/Pack.c).
    cloned new_data_value = NewDataValue(data[size]: Data) -> NewValue<{ sys::VALUE_DATA }> {
        data.map(|data| Content::Bytes(data, index(data.len())))
    }

    /// A value that is a string, trimmed (C: `NewStrValue`, Mayaqua/Pack.c).
    cloned new_str_value = NewStrValue(str: Text) -> NewValue<{ sys::VALUE_STR }> {
        str.map(|str| Content::Text(mayaqua::str::trim(str), index(str.len() + 1)))
    }

    /// Reads a PACK (C: `BufToPack`, Mayaqua/Pack.c). What is announced and not there takes no memory.
    cloned buf_to_pack = BufToPack(b: ReadBuf) -> NewPack {
        b.decode()
    }
}
