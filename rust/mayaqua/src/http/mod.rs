//! HTTP as SoftEther speaks it (`Mayaqua/HTTP.c`): a header, a body of a known length, a PACK in it.
//!
//! 1. [`HeaderReader`] takes bytes as they come until the header is whole; lines and their number have limits.
//! 2. [`content_length`] says how long the body is, or why it may not be taken.
//! 3. [`BodyReader`] takes that many bytes; memory comes with them, not with the announcement.
//!
//! No I/O and no clock: who calls has both. Not here: the error pages and file types of SoftEther's web server.

mod detect;
mod header;
mod reader;

pub use detect::{DETECT_BODY_MAX, detect_request, is_soft_ether_page};
pub use header::{Header, Value};
pub use reader::{BodyReader, HeaderReader};

use crate::str::{str_cmpi, trim};

/// The type of a body that is a PACK (C: the same name, HTTP.h).
pub const HTTP_CONTENT_TYPE2: &str = "application/octet-stream";
/// What SoftEther says of its connections (C: the same name, HTTP.h).
pub const HTTP_KEEP_ALIVE: &str = "timeout=15; max=19";
/// Where PACKs are sent to (C: the same name, HTTP.h).
pub const HTTP_VPN_TARGET: &str = "/vpnsvc/vpn.cgi";
/// Where a connection begins (C: the same name, HTTP.h).
pub const HTTP_VPN_TARGET2: &str = "/vpnsvc/connect.cgi";
/// Most bytes of a header's line, with its line end (C: the same name, HTTP.h).
pub const HTTP_HEADER_LINE_MAX_SIZE: usize = 4096;
/// Most lines of a header behind the first (C: the same name, HTTP.h, which keeps so many and reads any number).
pub const HTTP_HEADER_MAX_LINES: usize = 128;
/// One more than the most bytes of padding in a PACK (C: the same name, HTTP.h).
pub const HTTP_PACK_RAND_SIZE_MAX: u32 = 1000;
/// Most bytes of a body that a server takes from a client (C: the same name, HTTP.h).
pub const HTTP_PACK_MAX_SIZE: u32 = 65536;
/// Most bytes of a body that a client takes from a server. (The C takes 512 MB: known difference `http-content-length`.)
pub const HTTP_CLIENT_PACK_MAX_SIZE: u32 = 16 * 1024 * 1024;

/// What is wrong with what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line of more than [`HTTP_HEADER_LINE_MAX_SIZE`] bytes.
    #[error("a header line of more than {HTTP_HEADER_LINE_MAX_SIZE} bytes")]
    LineTooLong,
    /// More than [`HTTP_HEADER_MAX_LINES`] lines.
    #[error("a header of more than {HTTP_HEADER_MAX_LINES} lines")]
    TooManyLines,
    /// The first line has fewer than three words.
    #[error("the first line of a header has fewer than three words")]
    FirstLine,
    /// A line without a colon, or with nothing behind it.
    #[error("a header line without a name and a value")]
    NoValue,
    /// A NUL, which ends the line for the C and does not for others.
    #[error("a header line with a NUL")]
    Nul,
    /// The end came before the header or the body was whole.
    #[error("the connection ended inside a message")]
    Truncated,
    /// The answer is not `HTTP/1.1 200`.
    #[error("the server does not answer with HTTP/1.1 200")]
    Status,
    /// The body is no PACK by its Content-Type.
    #[error("the body is not of the type {HTTP_CONTENT_TYPE2}")]
    ContentType,
    /// No Content-Length, more than one, or one that is no number.
    #[error("the length of the body is not given in digits")]
    NoContentLength,
    /// A Content-Length of 0, or of more than the limit.
    #[error("a body of {0} bytes is not acceptable")]
    ContentLength(u64),
}

/// The length of the body of an answer that holds a PACK (C: the first half of `HttpClientRecv`, Mayaqua/HTTP.c).
///
/// # Errors
///
/// [`Error::Status`], [`Error::ContentType`], and those of [`content_length`].
pub fn client_recv(header: &Header, limit: u32) -> Result<u32, Error> {
    if str_cmpi(header.method(), b"HTTP/1.1").is_ne() || str_cmpi(header.target(), b"200").is_ne() {
        return Err(Error::Status);
    }
    pack_length(header, limit)
}

/// The length of the body of a request that holds a PACK (C: the first half of `HttpServerRecvEx`, Mayaqua/HTTP.c).
///
/// # Errors
///
/// [`Error::Status`] for another request, and as [`client_recv`].
pub fn server_recv(header: &Header, limit: u32) -> Result<u32, Error> {
    let posts = str_cmpi(header.method(), b"POST").is_eq() && str_cmpi(header.version(), b"HTTP/1.1").is_eq();
    if !posts || str_cmpi(header.target(), HTTP_VPN_TARGET.as_bytes()).is_ne() {
        return Err(Error::Status);
    }
    pack_length(header, limit)
}

fn pack_length(header: &Header, limit: u32) -> Result<u32, Error> {
    let is_pack = |kind: &[u8]| str_cmpi(kind, HTTP_CONTENT_TYPE2.as_bytes()).is_eq();
    if !header.get("Content-Type").is_some_and(is_pack) {
        return Err(Error::ContentType);
    }
    content_length(header, limit)
}

/// The length of the body (C: `GetContentLength`, Mayaqua/HTTP.c, which takes anything that `strtoul` does and its lower 32
/// bits: known difference `http-content-length`).
///
/// # Errors
///
/// [`Error::NoContentLength`] if there is not exactly one, in digits; [`Error::ContentLength`] if it is 0 or above `limit`.
pub fn content_length(header: &Header, limit: u32) -> Result<u32, Error> {
    one_content_length(header.get_all("Content-Length"), limit)
}

/// The same of the values that a header has of that name.
///
/// # Errors
///
/// As [`content_length`].
pub fn one_content_length<'a>(mut lengths: impl Iterator<Item = &'a [u8]>, limit: u32) -> Result<u32, Error> {
    let (Some(length), None) = (lengths.next(), lengths.next()) else {
        return Err(Error::NoContentLength);
    };
    let digits = trim(length);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::NoContentLength);
    }
    let add = |length: u64, digit: &u8| length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    let length = digits.iter().fold(0u64, add);
    match u32::try_from(length) {
        Ok(length) if length != 0 && length <= limit => Ok(length),
        _ => Err(Error::ContentLength(length)),
    }
}

/// A request with a PACK, as SoftEther's client sends it (C: `HttpClientSend` and `PostHttp`, Mayaqua/HTTP.c).
///
/// `host` is the server's address as text, `date` that of [`http_date`]. The PACK has its padding already.
///
/// # Errors
///
/// [`Error::LineTooLong`] for a `host` or `date` that fills a line.
pub fn client_send(pack: &[u8], host: &str, date: &str) -> Result<Vec<u8>, Error> {
    let mut header = Header::new(b"POST", HTTP_VPN_TARGET.as_bytes(), b"HTTP/1.1")?;
    header.add("Date", date)?;
    header.add("Host", host)?;
    header.add("Keep-Alive", HTTP_KEEP_ALIVE)?;
    header.add("Connection", "Keep-Alive")?;
    header.add("Content-Type", HTTP_CONTENT_TYPE2)?;
    post(header, pack)
}

/// An answer with a PACK, as SoftEther's server sends it (C: `HttpServerSend` and `PostHttp`, Mayaqua/HTTP.c).
///
/// # Errors
///
/// As [`client_send`].
pub fn server_send(pack: &[u8], date: &str) -> Result<Vec<u8>, Error> {
    let mut header = Header::new(b"HTTP/1.1", b"200", b"OK")?;
    header.add("Date", date)?;
    header.add("Keep-Alive", HTTP_KEEP_ALIVE)?;
    header.add("Connection", "Keep-Alive")?;
    header.add("Content-Type", HTTP_CONTENT_TYPE2)?;
    post(header, pack)
}

fn post(mut header: Header, body: &[u8]) -> Result<Vec<u8>, Error> {
    header.add("Content-Length", &body.len().to_string())?;
    let mut message = header.to_bytes();
    message.extend_from_slice(body);
    Ok(message)
}

/// What SoftEther's own times lack of those since 1970, in milliseconds: they count from 9 o'clock
/// (C: `UINT64ToSystem`, Mayaqua/Kernel.c).
pub const SYSTEM_TIME_EPOCH: u64 = 9 * 3600 * 1000;

/// A time as HTTP writes it (C: `GetHttpDateStr`, Mayaqua/HTTP.c). `time` is in milliseconds since 1970, as everywhere but
/// in the C: see [`SYSTEM_TIME_EPOCH`]. (The C knows no time after 2099.)
#[must_use]
pub fn http_date(time: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time / 1000;
    let (days, second) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = date_of(days);
    let (name, month) = (DAYS[(days % 7) as usize], MONTHS[month]);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month from 0 and day from 1 of a number of days since 1970.
fn date_of(days: u64) -> (u64, usize, u64) {
    // Counted from 1 March of the year 0, so that the leap day is the last of its year; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    (year, ((month + 2) % 12) as usize, day)
}

/// With parentheses for angle brackets, so that a target can stand in a page
/// (C: `ReplaceUnsafeCharInHttpTarget`, Mayaqua/HTTP.c).
#[must_use]
pub fn replace_unsafe_char_in_http_target(target: &[u8]) -> Vec<u8> {
    let safe = |byte: &u8| match byte {
        b'<' => b'(',
        b'>' => b')',
        _ => *byte,
    };
    target.iter().map(safe).collect()
}

#[cfg(test)]
mod tests;
