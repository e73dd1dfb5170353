//! The swaps of `Mayaqua/HTTP.c`, over [`crate::memory::http`] and [`mayaqua::http`]: what a server's answer goes through.
//! Null as a header, a name or a text has nothing.

use crate::memory::http::HttpValue;
use crate::shims::answer::{NewText, Pointer, Sign, Stricter};
use crate::shims::http::{ContentLength, HeaderOf, Milliseconds, NewValue, OpenHeader, ValueOf};
use crate::shims::place::{InPlace, Room};
use crate::shims::role::{Character, Text};
use crate::shims::shims;
use mayaqua::http::{
    HTTP_CLIENT_PACK_MAX_SIZE, HTTP_HEADER_MAX_LINES, SYSTEM_TIME_EPOCH, http_date, one_content_length,
};
use mayaqua::str::{en_safe_http_header_value_str, is_empty_str, str_cmpi, trim};
use softether_sys as sys;
use std::cmp::Ordering;

/// Whether a text has what `EnSafeHttpHeaderValueStr` looks for. All of it is looked at, so that the compiler can take many
/// bytes at once.
fn may_change(text: &[u8]) -> bool {
    text.iter().fold(false, |any, byte| any | matches!(byte, b'\r' | b'\n' | b'\\'))
}

shims! {
    /// Compares two values by name (C: `CompareHttpValue`, Mayaqua/HTTP.c).
    pure compare_http_value = CompareHttpValue(p1: ValueOf, p2: ValueOf) -> Sign {
        p1.zip(p2).map_or(Ordering::Equal, |(a, b)| str_cmpi(a.name(), b.name()))
    }

    /// The value of a name (C: `GetHttpValue`, Mayaqua/HTTP.c).
    pure get_http_value = GetHttpValue(header: HeaderOf, name: Text) -> Pointer<sys::HTTP_VALUE> {
        header.zip(name).and_then(|(header, name)| header.value(name)).map(HttpValue::pointer)
    }

    /// The length of a body, 0 for none (C: `GetContentLength`, Mayaqua/HTTP.c). One in digits, and no more than a
    /// client takes: known difference `http-content-length`.
    pure get_content_length = GetContentLength(header: HeaderOf) -> ContentLength {
        // What is not found at all, as in a header that is not sorted, is not there.
        let found = header.filter(|header| header.value(b"Content-Length").is_some());
        let values = found.into_iter().flat_map(|header| header.values());
        let lengths = values.filter(|value| value.name().eq_ignore_ascii_case(b"Content-Length")).map(HttpValue::data);
        one_content_length(lengths, HTTP_CLIENT_PACK_MAX_SIZE).unwrap_or(0)
    }

    /// A value of a name and a text, both trimmed (C: `NewHttpValue`, Mayaqua/HTTP.c).
    cloned new_http_value = NewHttpValue(name: Text, data: Text) -> NewValue {
        name.zip(data).map(|(name, data)| (trim(name), trim(data)))
    }

    /// Adds a line of a header (C: `AddHttpValueStr`, Mayaqua/HTTP.c). Line ends in it are taken out first. The 129th is
    /// refused, which ends the header's reading: known difference `http-header-lines`.
    cloned add_http_value_str = AddHttpValueStr(header: OpenHeader, string: InPlace) -> Stricter {
        let Some(text) = string.text().filter(|text| !header.is_null() && !is_empty_str(text)) else { return false };
        let safe = if text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\\')) {
            string.put_text(en_safe_http_header_value_str(text, b' '));
            en_safe_http_header_value_str(text, b' ').into()
        } else {
            std::borrow::Cow::Borrowed(text)
        };
        let Some(colon) = safe.iter().position(|byte| *byte == b':').filter(|colon| colon + 1 < safe.len()) else {
            return false;
        };
        let is_room = header.count() < HTTP_HEADER_MAX_LINES;
        if is_room {
            header.add(trim(&safe[..colon]), trim(&safe[colon + 1..]));
        }
        is_room
    }

    /// A header as it is sent (C: `HttpHeaderToStr`, Mayaqua/HTTP.c).
    cloned http_header_to_str = HttpHeaderToStr(header: HeaderOf) -> NewText {
        header.map(|header| {
            let [method, target, version] = header.first_line();
            let mut text = [method, b" ", target, b" ", version, b"\r\n"].concat();
            for value in header.values() {
                [value.name(), b": ", value.data(), b"\r\n"].iter().for_each(|part| text.extend_from_slice(part));
            }
            text.extend_from_slice(b"\r\n");
            text.into()
        })
    }

    /// Takes line ends out of a text, or overwrites them (C: `EnSafeHttpHeaderValueStr`, Mayaqua/Str.c).
    cloned en_safe_http_value = EnSafeHttpHeaderValueStr(str: InPlace, replace: Character) -> () {
        if let Some(text) = str.text().filter(|text| may_change(text)) {
            str.put_text(en_safe_http_header_value_str(text, replace));
        }
    }

    /// Writes a time as HTTP has it (C: `GetHttpDateStr`, Mayaqua/HTTP.c).
    cloned get_http_date_str = GetHttpDateStr(str[size]: Room, t: Milliseconds) -> () {
        if !str.is_null() {
            str.put_made(http_date(t.saturating_add(SYSTEM_TIME_EPOCH)));
        }
    }
}
