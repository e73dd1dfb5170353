//! The swaps of `Mayaqua/HTTP.c` on both sides.

both_sides_of! {
    compare_http_value get_http_value get_content_length new_http_value add_http_value_str http_header_to_str
    en_safe_http_value get_http_date_str
}

use softether_sys as sys;
use std::ffi::CString;

/// A header of so many values of one name.
#[cfg(all(add_http_value_str, get_content_length))]
fn header_with(lines: &[&str], add: add_http_value_str::Function) -> (*mut sys::HTTP_HEADER, Vec<u32>) {
    crate::support::start();
    let text = |text: &std::ffi::CStr| text.as_ptr().cast_mut();
    // SAFETY: strings with their NULs and room behind them.
    unsafe {
        let header = sys::NewHttpHeader(text(c"HTTP/1.1"), text(c"200"), text(c"OK"));
        let added = lines.iter().map(|line| add(header, CString::new(*line).expect("no NUL").into_raw()));
        (header, added.collect())
    }
}

/// RELIABILITY I7, `http-header-lines`: C goes on reading lines for ever, and drops those behind the 128th; Rust refuses the
/// 129th, and `RecvHttpHeader` ends.
#[test]
#[cfg(all(add_http_value_str, get_content_length))]
fn the_129th_line_ends_a_header() {
    assert!(crate::support::is_known_difference("http-header-lines"));
    let lines = ["a: b"; 1000];
    let (c, taken) = header_with(&lines, add_http_value_str::C);
    assert!(taken.iter().all(|taken| *taken != 0), "the C does not show it");
    let (rust, taken) = header_with(&lines, add_http_value_str::RUST);
    assert_eq!(taken.iter().position(|taken| *taken == 0), Some(128));
    // SAFETY: the test's own.
    unsafe {
        assert_eq!(((*(*c).ValueList).num_item, (*(*rust).ValueList).num_item), (128, 128));
        sys::FreeHttpHeader(c);
        sys::FreeHttpHeader(rust);
    }
}

/// RELIABILITY I7, `http-content-length`: what C takes for a length, up to 512 MB that it allocates before login
/// (`HttpClientRecv`), and what Rust does.
#[test]
#[cfg(all(add_http_value_str, get_content_length))]
fn a_content_length_is_digits_and_bounded() {
    assert!(crate::support::is_known_difference("http-content-length"));
    for (lines, in_c, in_rust) in [
        (&["Content-Length: 536870912"][..], 536_870_912, 0),
        (&["content-length: 16777216"], 16 << 20, 16 << 20),
        (&["Content-Length: 16777217"], (16 << 20) + 1, 0),
        (&["Content-Length: -1"], u32::MAX, 0),
        (&["Content-Length: 0x10"], 16, 0),
        (&["Content-Length: 4294967297"], 1, 0),
        (&["Content-Length: 2147483648"], 1 << 31, 0),
        (&["Content-Length: 7", "Content-Length: 7"], 7, 0),
        (&["Content-Length: 12abc"], 12, 0),
        (&["Content-Length: 0"], 0, 0),
        (&["Host: x"], 0, 0),
    ] {
        let (header, _) = header_with(lines, add_http_value_str::C);
        // SAFETY: the test's own header.
        unsafe {
            assert_eq!((get_content_length::C(header), get_content_length::RUST(header)), (in_c, in_rust), "{lines:?}");
            sys::FreeHttpHeader(header);
        }
    }
}

/// RELIABILITY I7: a line without a line end's half, or with one inside, gives one value on either side.
#[test]
#[cfg(all(add_http_value_str, get_content_length))]
fn line_ends_inside_a_line() {
    for line in ["a: b\rc: d", "a: b\nc: d", "a: b\\r\\nc: d", "a\r: b", "\r\n", ":", "a:", ": b", " \t"] {
        let sides = [add_http_value_str::C, add_http_value_str::RUST].map(|add| {
            let (header, taken) = header_with(&[line], add);
            // SAFETY: the test's own.
            unsafe {
                let count = (*(*header).ValueList).num_item;
                sys::FreeHttpHeader(header);
                (taken, count)
            }
        });
        assert_eq!(sides[0], sides[1], "{line:?}");
        assert!(sides[0].1 <= 1, "{line:?}");
    }
}

/// `http-header-charset`: C leaves out what its character set does not have.
#[test]
#[cfg(all(add_http_value_str, get_content_length, http_header_to_str))]
fn bytes_outside_ascii_are_sent_as_they_are() {
    assert!(crate::support::is_known_difference("http-header-charset"));
    crate::support::start();
    let text = |text: &std::ffi::CStr| text.as_ptr().cast_mut();
    // SAFETY: strings with their NULs; the header and what is made of it are the test's own.
    unsafe {
        let header = sys::NewHttpHeader(text(c"a"), text(c"\xec\xec"), text(c"b"));
        let [c, rust] = [http_header_to_str::C, http_header_to_str::RUST].map(|function| {
            let made = function(header);
            let bytes = std::ffi::CStr::from_ptr(made).to_bytes().to_vec();
            sys::Free(made.cast());
            bytes
        });
        sys::FreeHttpHeader(header);
        // Which bytes C keeps is a matter of the environment's character set.
        assert!(c == rust || c.len() < rust.len(), "{}", c.escape_ascii());
        assert_eq!(rust, b"a \xec\xec b\r\n\r\n");
    }
}
