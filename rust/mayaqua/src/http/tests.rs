//! Tests of headers and bodies (RELIABILITY I7).

use super::*;
use proptest::prelude::*;

fn read(bytes: &[u8]) -> Result<Option<Header>, Error> {
    HeaderReader::new().push(&mut &bytes[..])
}

/// An answer whose Content-Length line is `length`, with all that belongs to it.
fn answer(length: &str) -> Header {
    let text = format!("HTTP/1.1 200 OK\r\nContent-Type: {HTTP_CONTENT_TYPE2}\r\n{length}\r\n");
    read(text.as_bytes()).unwrap().unwrap()
}

#[test]
fn what_the_client_sends_is_what_a_server_takes() {
    let message = client_send(b"body", "10.0.0.1", &http_date(0)).unwrap();
    let text = "POST /vpnsvc/vpn.cgi HTTP/1.1\r\nConnection: Keep-Alive\r\nContent-Length: 4\r\n\
                Content-Type: application/octet-stream\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nHost: 10.0.0.1\r\n\
                Keep-Alive: timeout=15; max=19\r\n\r\nbody";
    assert_eq!(message, text.as_bytes());
    let mut rest = &message[..];
    let header = HeaderReader::new().push(&mut rest).unwrap().unwrap();
    let length = server_recv(&header, HTTP_PACK_MAX_SIZE).unwrap();
    assert_eq!(BodyReader::new(length).push(&mut rest).unwrap(), b"body");
    assert_eq!(client_recv(&header, HTTP_PACK_MAX_SIZE), Err(Error::Status));
}

#[test]
fn what_the_server_sends_is_what_a_client_takes() {
    let message = server_send(b"body", "now").unwrap();
    let mut rest = &message[..];
    let header = HeaderReader::new().push(&mut rest).unwrap().unwrap();
    assert_eq!((client_recv(&header, 4), rest), (Ok(4), &b"body"[..]));
    assert_eq!(client_recv(&header, 3), Err(Error::ContentLength(4)));
    assert_eq!(server_recv(&header, 4), Err(Error::Status));
}

#[test]
fn content_length_in_all_its_shapes() {
    let length = |line: &str| client_recv(&answer(line), HTTP_CLIENT_PACK_MAX_SIZE);
    assert_eq!(length("Content-Length: 16777216\r\n"), Ok(1 << 24));
    for (line, error) in [
        ("", Error::NoContentLength),
        ("Content-Length: -1\r\n", Error::NoContentLength),
        ("Content-Length: 0x10\r\n", Error::NoContentLength),
        ("Content-Length: 1 2\r\n", Error::NoContentLength),
        ("Content-Length: 5\r\ncontent-length: 6\r\n", Error::NoContentLength),
        ("Content-Length: 0\r\n", Error::ContentLength(0)),
        ("Content-Length: 16777217\r\n", Error::ContentLength((1 << 24) + 1)),
        ("Content-Length: 2147483648\r\n", Error::ContentLength(1 << 31)),
        ("Content-Length: 4294967297\r\n", Error::ContentLength((1 << 32) + 1)),
        ("Content-Length: 99999999999999999999\r\n", Error::ContentLength(u64::MAX)),
    ] {
        assert_eq!(length(line), Err(error), "{line}");
    }
}

#[test]
fn bodies_longer_and_shorter_than_announced() {
    let mut rest = &b"bodyNEXT"[..];
    assert_eq!((BodyReader::new(4).push(&mut rest).unwrap(), rest), (b"body".to_vec(), &b"NEXT"[..]));
    let mut reader = BodyReader::new(u32::MAX);
    assert_eq!(reader.push(&mut &b"body"[..]), None);
    assert!(reader.left() == u32::MAX as usize - 4);
}

#[test]
fn line_ends_of_every_kind() {
    for text in ["A B C\r\nx: y\r\n\r\n", "A B C\nx: y\n\n", "A B C\r\nx: y\n \t \r\n"] {
        assert_eq!(read(text.as_bytes()).unwrap().unwrap().get("X"), Some(&b"y"[..]));
    }
    assert_eq!(read(b"A B C\rx: y\r\r").unwrap().map(|header| header.to_bytes()), None);
    assert!(read(b"GET / HTTP/0.9\n").unwrap().is_some());
}

#[test]
fn lines_that_are_none() {
    for (text, error) in [
        (&b"A B\n"[..], Error::FirstLine),
        (b"\n", Error::FirstLine),
        (b"A B C\nno colon\n", Error::NoValue),
        (b"A B C\nname:\n", Error::NoValue),
        (b"A B C\nx: \0\n", Error::Nul),
    ] {
        assert_eq!(read(text).unwrap_err(), error, "{}", text.escape_ascii());
    }
}

#[test]
fn a_line_of_4096_bytes_and_one_of_4097() {
    let line = |size: usize| [b"A B C\nx:", vec![b'y'; size - 3].as_slice(), b"\n\n"].concat();
    assert!(read(&line(4096)).unwrap_err() == Error::LineTooLong, "with the space that is written it is longer");
    assert!(read(&line(4094)).unwrap().is_some());
    assert_eq!(read(&line(4097)).unwrap_err(), Error::LineTooLong);
    // Without an end in sight nothing more is kept.
    let mut reader = HeaderReader::new();
    assert!(reader.push(&mut &[b'x'; 4096][..]).unwrap().is_none());
    assert_eq!(reader.push(&mut &b"x"[..]).unwrap_err(), Error::LineTooLong);
}

#[test]
fn a_million_lines() {
    let mut reader = HeaderReader::new();
    assert!(reader.push(&mut &b"A B C\n"[..]).unwrap().is_none());
    let refused = (0..1_000_000).position(|_| reader.push(&mut &b"x: y\n"[..]).is_err());
    assert_eq!(refused, Some(HTTP_HEADER_MAX_LINES));
}

#[test]
fn nothing_that_is_added_ends_a_line() {
    let mut header = Header::new(b"A", b"B", b"C").unwrap();
    assert_eq!(header.add("x", "y\r\nz: evil"), Err(Error::NoValue));
    assert_eq!(header.add("x", &"y".repeat(5000)), Err(Error::LineTooLong));
    assert!(Header::new(b"A", b"B\r\nz: evil", b"C").is_err());
    assert_eq!(header.to_bytes(), b"A B C\r\n\r\n");
}

#[test]
fn dates() {
    for (time, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_399_999, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_606_000_000_000, "Sat, 21 Nov 2020 23:06:40 GMT"),
        (4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ] {
        assert_eq!(http_date(time), text);
    }
}

#[test]
fn targets_in_a_page() {
    assert_eq!(replace_unsafe_char_in_http_target(b"/<b>"), b"/(b)");
}

proptest! {
    #[test]
    fn chunks_make_no_difference(lines in prop::collection::vec("[a-z]{1,5}: [ -~]{1,20}", 0..20), size in 1usize..50) {
        let text = format!("A B C\r\n{}\r\n\r\nbody", lines.join("\r\n")).replace("\r\n\r\n\r\n", "\r\n\r\n");
        let whole = read(text.as_bytes()).map(|header| header.map(|header| header.to_bytes()));
        let mut reader = HeaderReader::new();
        let mut in_chunks = Ok(None);
        for mut chunk in text.as_bytes().chunks(size) {
            in_chunks = reader.push(&mut chunk).map(|header| header.map(|header| header.to_bytes()));
            if !matches!(in_chunks, Ok(None)) {
                break;
            }
        }
        prop_assert_eq!(whole, in_chunks);
    }

    #[test]
    fn anything_is_read_or_refused(bytes: Vec<u8>) {
        let _ = read(&bytes);
    }
}
