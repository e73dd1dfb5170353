//! A proxy's side of the conversation as a script: what it must hear and what it says, in pieces of any size, cut off at any
//! byte, and lies.

use super::*;

/// A stream to a proxy that says `says` whatever it hears.
struct Script {
    says: io::Cursor<Vec<u8>>,
    /// Most bytes of a read or write.
    piece: usize,
    heard: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece.min(buffer.len());
        self.says.read(&mut buffer[..piece])
    }
}

impl Write for Script {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let piece = self.piece.min(data.len());
        self.heard.extend_from_slice(&data[..piece]);
        Ok(piece)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn target(host: &str) -> Target {
    Target { host: host.to_owned(), port: 443 }
}

fn someone() -> Option<Credentials> {
    Some(Credentials { username: "me".to_owned(), password: "secret".to_owned() })
}

fn http() -> Proxy {
    Proxy::Http { credentials: None, headers: Vec::new() }
}

/// What came of it, and the script at its end.
fn run(proxy: &Proxy, host: &str, says: &[u8], piece: usize) -> (Result<(), ProxyError>, Script) {
    let mut script = Script { says: io::Cursor::new(says.to_vec()), piece, heard: Vec::new() };
    (proxy.connect(&mut script, &target(host)), script)
}

/// A conversation that succeeds: in pieces of every size it must be heard as `heard` and leave the target's first bytes; cut
/// off anywhere it must be an end of the stream.
fn succeeds(proxy: &Proxy, host: &str, says: &[u8], heard: &[u8]) {
    let and_more = [says, b"target"].concat();
    for piece in [1, 2, 3, 7, 4096] {
        let (result, script) = run(proxy, host, &and_more, piece);
        result.unwrap_or_else(|error| panic!("{proxy:?} {host} in pieces of {piece}: {error}"));
        assert_eq!(script.heard, heard, "{:?}", String::from_utf8_lossy(&script.heard));
        assert_eq!(script.says.position(), says.len() as u64, "what is the target's was read");
    }
    for length in 0..says.len() {
        let (result, _) = run(proxy, host, &says[..length], 4096);
        match result {
            Err(ProxyError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof),
            other => panic!("{proxy:?} cut off behind {length} bytes: {other:?}"),
        }
    }
}

fn fails(proxy: &Proxy, host: &str, says: &[u8]) -> ProxyError {
    run(proxy, host, says, 4096).0.expect_err("a refusal")
}

const AGENT: &str = "User-Agent: Mozilla/5.0 (Windows NT 6.3; WOW64; rv:29.0) Gecko/20100101 Firefox/29.0\r\n";

/// The lines of a header in the order of their names, as the C keeps them.
#[test]
fn http_as_the_c_says_it() {
    let heard = |place: &str, host: &str| {
        let lines = "Pragma: no-cache\r\nProxy-Connection: Keep-Alive";
        format!("CONNECT {place} HTTP/1.0\r\nContent-Length: 0\r\nHost: {host}\r\n{lines}\r\n{AGENT}\r\n")
    };
    let says = b"HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n";
    succeeds(&http(), "vpn.example", says, heard("vpn.example:443", "vpn.example").as_bytes());
    let heard = heard("[2001:db8::1]:443", "[2001:db8:0::1]");
    succeeds(&http(), "[2001:db8:0::1]", b"HTTP/1.0 299 fine\n\n", heard.as_bytes());
    let headers = vec![("user-agent".to_owned(), "me".to_owned()), ("X-More".to_owned(), "1".to_owned())];
    let proxy = Proxy::Http { credentials: someone(), headers };
    let lines = [
        "CONNECT a:443 HTTP/1.0",
        "Content-Length: 0",
        "Host: a",
        "Pragma: no-cache",
        "Proxy-Authorization: Basic bWU6c2VjcmV0",
        "Proxy-Connection: Keep-Alive",
        "user-agent: me",
        "X-More: 1",
        "\r\n",
    ];
    succeeds(&proxy, "a", b"HTTP/1.1 200 OK\r\n\r\n", lines.join("\r\n").as_bytes());
}

#[test]
fn http_that_refuses_or_lies() {
    let answer = |code: &str| fails(&http(), "a", format!("HTTP/1.1 {code} No\r\n\r\n").as_bytes());
    for code in ["401", "403", "407"] {
        assert!(matches!(answer(code), ProxyError::Authentication));
    }
    assert!(matches!(answer("502"), ProxyError::Refused(502)));
    assert!(matches!(answer("99999999"), ProxyError::Refused(u16::MAX)));
    assert!(matches!(answer("-200"), ProxyError::Refused(_)));
    let lies = [
        &b"SSH-2.0-OpenSSH x y\r\n\r\n"[..],
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"\x05\0\n\n",
        b"\r\n\r\n",
    ];
    for lie in lies {
        assert!(matches!(fails(&http(), "a", lie), ProxyError::Protocol), "{lie:?}");
    }
    // A line without end, lines without end, and a NUL.
    let first = b"HTTP/1.1 200 OK\r\n";
    let endless = [&first[..], &vec![b'a'; ANSWER_MAX]].concat();
    let lines = [&first[..], &b"a: b\r\n".repeat(ANSWER_MAX)].concat();
    for lie in [endless, lines, [&first[..], b"a: \0b\r\n\r\n"].concat()] {
        assert!(matches!(fails(&http(), "a", &lie), ProxyError::Protocol));
    }
}

#[test]
fn socks4_as_the_c_says_it() {
    let proxy = Proxy::Socks4 { username: "me".to_owned() };
    let heard = [&[4, 1, 1, 187, 192, 0, 2, 1][..], b"me\0"].concat();
    succeeds(&proxy, "192.0.2.1", &[0, 90, 9, 9, 9, 9, 9, 9], &heard);
    let answer = |version, code| fails(&proxy, "192.0.2.1", &[version, code, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(answer(0, 93), ProxyError::Authentication));
    assert!(matches!(answer(0, 91), ProxyError::Target(91)));
    assert!(matches!(answer(4, 90), ProxyError::Protocol));
    for host in ["::1", "vpn.example"] {
        assert!(matches!(fails(&proxy, host, b""), ProxyError::Parameter(_)));
    }
    for username in ["a\0b".to_owned(), "a".repeat(256)] {
        assert!(matches!(fails(&Proxy::Socks4 { username }, "192.0.2.1", b""), ProxyError::Parameter(_)));
    }
}

#[test]
fn socks5_as_the_c_says_it() {
    let nobody = Proxy::Socks5 { credentials: None };
    let name = [&[5, 1, 0, 5, 1, 0, 3, 11][..], b"vpn.example", &[1, 187]].concat();
    succeeds(&nobody, "vpn.example", &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &name);
    let v4 = [5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 1, 187];
    succeeds(&nobody, "192.0.2.1", &[&[5, 0, 5, 0, 0, 4][..], &[7; 18]].concat(), &v4);
    let v6 = [&[5, 1, 0, 5, 1, 0, 4][..], &[0; 15], &[1, 1, 187]].concat();
    succeeds(&nobody, "::1", &[&[5, 0, 5, 0, 0, 3, 5][..], &[7; 7]].concat(), &v6);

    let somebody = Proxy::Socks5 { credentials: someone() };
    let heard = [&[5, 2, 0, 2, 1, 2][..], b"me", &[6], b"secret", &v4[3..]].concat();
    succeeds(&somebody, "192.0.2.1", &[5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &heard);
    let without = [&[5, 2, 0, 2][..], &v4[3..]].concat();
    succeeds(&somebody, "192.0.2.1", &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &without);
}

#[test]
fn socks5_that_refuses_or_lies() {
    let (nobody, somebody) = (Proxy::Socks5 { credentials: None }, Proxy::Socks5 { credentials: someone() });
    assert!(matches!(fails(&nobody, "a", &[5, 0xff]), ProxyError::Authentication));
    assert!(matches!(fails(&somebody, "a", &[5, 2, 1, 1]), ProxyError::Authentication));
    // Another version, methods that were not offered.
    for lie in [[4, 0], [0, 0], [5, 1], [5, 2], [5, 0x80]] {
        assert!(matches!(fails(&nobody, "a", &lie), ProxyError::Protocol), "{lie:?}");
    }
    let answer = |code| fails(&nobody, "a", &[5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
    for code in 3..=6 {
        assert!(matches!(answer(code), ProxyError::Target(said) if said == u16::from(code)));
    }
    assert!(matches!(answer(1), ProxyError::Refused(1)));
    assert!(matches!(answer(2), ProxyError::Authentication));
    assert!(matches!(answer(0x5a), ProxyError::Refused(0x5a)));
    assert!(matches!(fails(&nobody, "a", &[5, 0, 4, 0, 0, 1]), ProxyError::Protocol));
    assert!(matches!(fails(&nobody, "a", &[5, 0, 5, 0, 0, 2]), ProxyError::Protocol));
}

#[test]
fn what_cannot_be_said_is_not_said() {
    let proxies = [http(), Proxy::Socks4 { username: String::new() }, Proxy::Socks5 { credentials: None }];
    for proxy in proxies {
        for host in ["", "a b", "a\r\nX: y", "a\0", "a\x7f", &"a".repeat(256)] {
            let (result, script) = run(&proxy, host, b"", 4096);
            assert!(matches!(result, Err(ProxyError::Parameter(_))), "{host:?}");
            assert_eq!(script.heard, b"");
        }
        let mut script = Script { says: io::Cursor::new(Vec::new()), piece: 1, heard: Vec::new() };
        let nowhere = Target { host: "a".to_owned(), port: 0 };
        assert!(matches!(proxy.connect(&mut script, &nowhere), Err(ProxyError::Parameter(_))));
    }
    for header in [("X", "a\r\nY: b"), ("X", &*"a".repeat(5000))] {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        let (result, script) = run(&Proxy::Http { credentials: None, headers }, "a", b"", 4096);
        assert!(matches!(result, Err(ProxyError::Parameter(_))));
        assert_eq!(script.heard, b"");
    }
    for (username, password) in [("", "a"), ("a", ""), (&*"a".repeat(256), "a"), ("a", &*"a".repeat(256))] {
        let credentials = Some(Credentials { username: username.to_owned(), password: password.to_owned() });
        assert!(matches!(fails(&Proxy::Socks5 { credentials }, "a", b""), ProxyError::Parameter(_)));
    }
    assert_eq!(format!("{:?}", someone().unwrap()), "Credentials(\"me\")");
}
