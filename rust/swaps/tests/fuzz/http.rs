//! HTTP: half of the inputs are headers that come in pieces, the others are calls of the swaps of `Mayaqua/HTTP.c`.
//!
//! A header that Rust takes in pieces of the fuzzer's cutting, C must take line by line as the same. What Rust refuses, C may
//! take: the differences whose ids begin with `http-`.

use super::support::{is_known_difference, start};
use mayaqua::http::HeaderReader;
use softether_sys as sys;
use std::ffi::{CStr, CString};

/// One input on both sides.
pub fn run(input: &[u8]) {
    match input.split_first() {
        Some((cut @ 0..=127, header)) => read(header, usize::from(*cut) + 1),
        Some((_, rest)) => super::shims::run(swaps::http::ITEMS, rest),
        None => {}
    }
}

fn read(input: &[u8], cut: usize) {
    start();
    let Some((header, body)) = in_pieces(input, cut) else {
        assert_eq!(in_pieces(input, usize::MAX), None, "refused in pieces of {cut} only");
        return;
    };
    if header.is_ascii() || !is_known_difference("http-header-charset") {
        let c = line_by_line(&input[..input.len() - body.len()]);
        assert_eq!(c, Some(lines(&header)), "C left, Rust right");
    }
    assert_eq!(in_pieces(input, usize::MAX), Some((header, body)), "not as in pieces of {cut}");
}

/// The header as it would be sent, and what follows it; `None` if it is refused or not whole.
fn in_pieces(input: &[u8], cut: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut reader = HeaderReader::new();
    let mut body = Vec::new();
    let mut header = None;
    for mut piece in input.chunks(cut) {
        if header.is_none() {
            header = reader.push(&mut piece).ok()?;
        }
        if header.is_some() {
            body.extend_from_slice(piece);
        }
    }
    Some((header?.to_bytes(), body))
}

/// The first line, and the others sorted: values of one name have no order in C.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines[1..].sort();
    lines
}

/// What C makes of the lines, as `RecvHttpHeader` hands them to it.
fn line_by_line(input: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = input.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = CString::new(rest.next()?).ok()?;
    // SAFETY: strings with their NULs; the header and what is made of it are this function's.
    unsafe {
        let tokens = sys::ParseToken(first.as_ptr().cast_mut(), c" ".as_ptr().cast_mut());
        let token = |place: usize| *(*tokens).Token.add(place);
        let header = sys::NewHttpHeader(token(0), token(1), token(2));
        sys::FreeToken(tokens);
        let is_whole = CStr::from_ptr((*header).Version).to_bytes().eq_ignore_ascii_case(b"HTTP/0.9");
        for line in rest.take_while(|_| !is_whole) {
            let mut line = [mayaqua::str::trim(line), b"\0"].concat();
            if line.len() == 1 {
                break;
            }
            let mut block = vec![0; line.len() + 8];
            block[..line.len()].copy_from_slice(&line);
            line = block;
            if swaps::add_http_value_str::c_AddHttpValueStr(header, line.as_mut_ptr().cast()) == 0 {
                sys::FreeHttpHeader(header);
                return None;
            }
        }
        let text = swaps::http_header_to_str::c_HttpHeaderToStr(header);
        let made = lines(CStr::from_ptr(text).to_bytes());
        sys::Free(text.cast());
        sys::FreeHttpHeader(header);
        Some(made)
    }
}
