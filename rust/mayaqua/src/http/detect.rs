//! Whether a web server is SoftEther's: what stands before a VPN may answer in its place, on every port (C:
//! `DetectIsServerSoftEtherVPN`, Mayaqua/Network.c, of which the sending and reading is the caller's).

use super::{Error, HTTP_KEEP_ALIVE, Header};

/// Most bytes of the page that is asked for; [`super::content_length`] holds it to that.
pub const DETECT_BODY_MAX: u32 = 1024 * 1024 - 1;

/// Bytes of a page that are looked at.
const LOOKED_AT: usize = 1023;
/// How SoftEther's page begins, and what future ones shall have somewhere.
const BEGINS: &[u8] = b"<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\r\n<HTML><HEAD>\r\n<TITLE>403 Forbidden</TITLE>\r\n</HEAD><BODY>\r\n<H1>Forbidden</H1>\r\nYou don't have permission to access ";
const CONTAINS: &[u8] = b"9C37197CA7C2428388C2E6E59B829B30";
/// A browser of 2014 (C: `DEFAULT_USER_AGENT`, HTTP.h).
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 6.3; WOW64; rv:29.0) Gecko/20100101 Firefox/29.0";

/// The request for that page; `host` is the server's address as text.
///
/// # Errors
///
/// [`Error::LineTooLong`] for a `host` that fills a line.
pub fn detect_request(host: &str) -> Result<Vec<u8>, Error> {
    let mut header = Header::new(b"GET", b"/", b"HTTP/1.1")?;
    header.add("X-VPN", "1")?;
    header.add("Host", host)?;
    header.add("Keep-Alive", HTTP_KEEP_ALIVE)?;
    header.add("Connection", "Keep-Alive")?;
    header.add("Accept-Language", "ja")?;
    header.add("User-Agent", USER_AGENT)?;
    header.add("Pragma", "no-cache")?;
    header.add("Cache-Control", "no-cache")?;
    Ok(header.to_bytes())
}

/// Whether a page is SoftEther's.
#[must_use]
pub fn is_soft_ether_page(page: &[u8]) -> bool {
    let page = page.get(..LOOKED_AT).unwrap_or(page);
    let page = page.split(|byte| *byte == 0).next().unwrap_or_default();
    let begins = page.get(..BEGINS.len()).is_some_and(|head| head.eq_ignore_ascii_case(BEGINS));
    begins || page.windows(CONTAINS.len()).any(|part| part.eq_ignore_ascii_case(CONTAINS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_the_request_for_them() {
        let request = String::from_utf8(detect_request("192.0.2.1").unwrap()).unwrap();
        assert!(request.starts_with("GET / HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"), "{request}");
        assert!(request.contains("\r\nHost: 192.0.2.1\r\n") && request.contains("\r\nX-VPN: 1\r\n"), "{request}");
        let page = [BEGINS, b"/ on this server.</BODY></HTML>"].concat();
        assert!(is_soft_ether_page(&page) && is_soft_ether_page(&page.to_ascii_lowercase()));
        assert!(!is_soft_ether_page(&page[1..]) && !is_soft_ether_page(&BEGINS[..BEGINS.len() - 1]));
        let at = |position: usize| [&vec![b' '; position][..], CONTAINS].concat();
        assert!(is_soft_ether_page(&at(0)) && is_soft_ether_page(&at(LOOKED_AT - CONTAINS.len())));
        assert!(!is_soft_ether_page(&at(LOOKED_AT - CONTAINS.len() + 1)), "behind what is looked at");
        assert!(!is_soft_ether_page(&[b"\0", CONTAINS].concat()) && !is_soft_ether_page(b""));
    }
}
