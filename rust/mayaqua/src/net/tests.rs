//! Real sockets over loopback against peers that answer, stall and go away. Nothing here depends on how long something
//! takes: what must end is ended by the test, and what must not is given a minute.

use super::resolve::{checked_name, resolve_by};
use super::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

const PATIENCE: Duration = Duration::from_secs(60);

fn limit() -> Limit {
    Limit::of(PATIENCE)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection.
fn pair() -> (Tcp, TcpStream) {
    let (listener, address) = listener();
    let tcp = Tcp::connect(address, &limit()).unwrap();
    (tcp, listener.accept().unwrap().0)
}

#[test]
fn bytes_go_both_ways_and_the_end_is_seen() {
    let (mut tcp, mut peer) = pair();
    let (there, here) = tcp.addresses().unwrap();
    assert_eq!((there, here), (peer.local_addr().unwrap(), peer.peer_addr().unwrap()));
    // More than the system keeps, so that writing has to wait for the reader.
    let data: Vec<u8> = (0..8_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
    let expected = data.clone();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert!(got == expected);
        peer.write_all(b"done").unwrap();
    });
    tcp.write_all(&data).unwrap();
    tcp.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"done");
    reader.join().unwrap();
}

#[test]
fn a_peer_that_stalls_is_waited_for_so_long_and_no_longer() {
    let (mut tcp, mut peer) = pair();
    tcp.set_timeout(Some(Duration::from_millis(20)));
    assert_eq!(tcp.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::TimedOut);
    // Nobody reads, so at some point writing has to wait.
    let written = (0..10_000).find_map(|_| tcp.write(&[0; 65536]).err());
    assert_eq!(written.map(|error| error.kind()), Some(ErrorKind::TimedOut));
    // An end in the past stops what could go on; without it the connection is as good as before.
    peer.write_all(b"x").unwrap();
    tcp.set_timeout(Some(PATIENCE));
    let mut byte = [0; 1];
    assert_eq!((tcp.read(&mut byte).unwrap(), byte), (1, *b"x"));
    tcp.set_end(Some(Instant::now()));
    assert_eq!(tcp.read(&mut byte).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_wait_without_end_is_ended_from_another_thread() {
    let (listener, address) = listener();
    let cancel = Cancel::new();
    let unlimited = Limit { timeout: None, cancel: cancel.clone() };
    let mut tcp = Tcp::connect(address, &unlimited).unwrap();
    let mut udp = Udp::bind("127.0.0.1:0".parse().unwrap(), &cancel).unwrap();
    let readers = [
        thread::spawn(move || tcp.read(&mut [0; 1]).map(drop)),
        thread::spawn(move || udp.receive_from(&mut [0; 1]).map(drop)),
    ];
    // Whether they wait already or not: it must end both.
    cancel.cancel();
    for reader in readers {
        assert_eq!(reader.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }
    assert!(Tcp::connect(address, &unlimited).is_err(), "what is cancelled stays so");
    assert_eq!(resolve("localhost", &unlimited), Err(ResolveError::Cancelled));
    drop(listener);
}

#[test]
fn a_cancel_forgets_those_that_went() {
    let (listener, address) = listener();
    let cancel = Cancel::new();
    for _ in 0..100 {
        drop(Tcp::connect(address, &Limit { timeout: Some(PATIENCE), cancel: cancel.clone() }).unwrap());
        drop(listener.accept().unwrap());
    }
    assert!(cancel.waiting_len() <= 8, "{}", cancel.waiting_len());
}

#[test]
fn a_port_that_nobody_listens_at_is_refused() {
    let (listener, address) = listener();
    drop(listener);
    assert_eq!(Tcp::connect(address, &limit()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let error = connect("127.0.0.1", address.port(), None, &limit()).unwrap_err();
    assert!(matches!(&error, ConnectError::Connect { address: said, .. } if *said == address), "{error}");
}

#[test]
fn datagrams() {
    let mut udp = Udp::bind("127.0.0.1:0".parse().unwrap(), &Cancel::new()).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    udp.set_timeout(Some(Duration::from_millis(20)));
    assert_eq!(udp.receive_from(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(udp.send_to(b"out", peer.local_addr().unwrap()).unwrap(), 3);
    let mut buffer = [0; 9];
    assert_eq!(peer.recv_from(&mut buffer).unwrap(), (3, udp.local_addr().unwrap()));
    udp.set_timeout(Some(PATIENCE));
    peer.send_to(b"a long answer", udp.local_addr().unwrap()).unwrap();
    assert_eq!(udp.receive_from(&mut buffer).unwrap(), (9, peer.local_addr().unwrap()), "cut to the buffer");
    assert!(udp.send_to(&[0; 70_000], peer.local_addr().unwrap()).is_err());
}

#[test]
fn names_and_what_is_none() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    assert_eq!(resolve("127.0.0.1", &limit()), Ok(vec![loopback]));
    assert_eq!(resolve("[::1]", &limit()), Ok(vec!["::1".parse().unwrap()]));
    assert!(resolve("localhost", &limit()).unwrap().iter().all(IpAddr::is_loopback));
    for wrong in ["", "a b", "a/b", "a\0b", "user@host", "a:1", "fe80::1%eth0", &"a".repeat(255)] {
        assert_eq!(resolve(wrong, &limit()), Err(ResolveError::Name), "{wrong:?}");
    }
    let many = || Ok((0..200u32).chain(0..200).map(|i| IpAddr::V4(i.into())).collect());
    let taken = resolve_by(&COUNT, &limit(), many).unwrap();
    assert_eq!((taken.len(), taken[1]), (ADDRESSES_MAX, IpAddr::V4(1.into())));
    assert_eq!(resolve_by(&COUNT, &limit(), || Ok(Vec::new())), Err(ResolveError::NotFound));
    let failed = resolve_by(&COUNT, &limit(), || Err(std::io::Error::other("no resolver")));
    assert_eq!(failed, Err(ResolveError::Failed("no resolver".to_owned())));
}

#[test]
fn a_resolver_that_never_answers_costs_one_place_and_no_more() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let stuck = || {
        let released = Arc::clone(&released);
        move || {
            // Until the sender is gone.
            let _ = released.lock().unwrap().recv();
            Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
        }
    };
    let none = || Limit { timeout: Some(Duration::ZERO), cancel: Cancel::new() };
    let results: Vec<_> = (0..LOOKUPS_MAX + 4).map(|_| resolve_by(&COUNT, &none(), stuck())).collect();
    let timed_out = results.iter().filter(|result| **result == Err(ResolveError::TimedOut)).count();
    let too_many = results.iter().filter(|result| **result == Err(ResolveError::TooMany)).count();
    assert_eq!((timed_out, too_many), (LOOKUPS_MAX, 4));
    drop(release);
    // As soon as the resolver answers, the places are free again.
    let start = Instant::now();
    while resolve_by(&COUNT, &limit(), || Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])).is_err() {
        assert!(start.elapsed() < PATIENCE, "the places stay taken");
        thread::yield_now();
    }
}

#[test]
fn a_name_from_a_reverse_zone_is_one_or_none() {
    assert_eq!(checked_name("vpn.example.com".to_owned()), Ok("vpn.example.com".to_owned()));
    for none in ["", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(checked_name(none.to_owned()), Err(ResolveError::NotFound), "{none:?}");
    }
    for wrong in ["a b", "a\nb", "[::1]", "user@host", "../..", "a\u{7f}", &"a".repeat(255)] {
        assert_eq!(checked_name(wrong.to_owned()), Err(ResolveError::Name), "{wrong:?}");
    }
}

#[test]
fn a_socket_for_datagrams_has_room_and_priority() {
    let plain = UdpSocket::bind("127.0.0.1:0").unwrap();
    let usual = socket2::SockRef::from(&plain).recv_buffer_size().unwrap();
    for (is_high, tos) in [(true, 16), (false, 0)] {
        let udp = Udp::bind("127.0.0.1:0".parse().unwrap(), &Cancel::new()).unwrap();
        udp.set_high_priority(is_high).unwrap();
        let socket = udp.into_socket().unwrap();
        let ours = socket2::SockRef::from(&socket);
        assert_eq!(ours.tos_v4().unwrap(), tos);
        // What the system allows; where that is no more than usual they are the same.
        assert!(ours.recv_buffer_size().unwrap() >= usual);
    }
}

/// A proxy on loopback that answers one connection as `says`, once it has heard `hears` bytes, and is then the target.
fn proxy(hears: usize, says: &'static [u8]) -> (ProxyServer, thread::JoinHandle<std::io::Result<()>>) {
    let (listener, address) = listener();
    let served = thread::spawn(move || {
        let (mut peer, _) = listener.accept()?;
        peer.set_read_timeout(Some(PATIENCE))?;
        peer.read_exact(&mut vec![0; hears])?;
        peer.write_all(says)?;
        let mut word = [0; 4];
        peer.read_exact(&mut word)?;
        peer.write_all(&word)
    });
    let proxy = Proxy::Socks4 { username: String::new() };
    (ProxyServer { host: "127.0.0.1".to_owned(), port: address.port(), proxy }, served)
}

#[test]
fn through_a_proxy_to_the_target() {
    let (server, served) = proxy(9, &[0, 90, 0, 0, 0, 0, 0, 0]);
    let mut tcp = connect("192.0.2.1", 443, Some(&server), &limit()).unwrap();
    tcp.write_all(b"word").unwrap();
    let mut answer = [0; 4];
    tcp.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"word");
    served.join().unwrap().unwrap();
}

#[test]
fn a_proxy_that_stalls_or_cuts_short_or_refuses() {
    // It hears the request, sends half an answer and waits for what does not come: the limit of the whole ends that.
    let (server, served) = proxy(9, &[0, 90, 0]);
    let error = connect("192.0.2.1", 443, Some(&server), &Limit::of(Duration::from_millis(300))).unwrap_err();
    match &error {
        ConnectError::Proxy(ProxyError::Io(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        // On a machine that stalls the time may be over before.
        ConnectError::Connect { error, .. } => assert_eq!(error.kind(), ErrorKind::TimedOut),
        error => panic!("{error}"),
    }
    drop(served);

    let (listener, address) = listener();
    let served = thread::spawn(move || drop(listener.accept().unwrap()));
    let proxy_server = |proxy| ProxyServer { host: "127.0.0.1".to_owned(), port: address.port(), proxy };
    let server = proxy_server(Proxy::Socks5 { credentials: None });
    let error = connect("vpn.example", 443, Some(&server), &limit()).unwrap_err();
    assert!(matches!(error, ConnectError::Proxy(ProxyError::Io(_))), "{error}");
    served.join().unwrap();

    let (server, served) = proxy(9, &[0, 91, 0, 0, 0, 0, 0, 0]);
    let error = connect("192.0.2.1", 443, Some(&server), &limit()).unwrap_err();
    assert!(matches!(error, ConnectError::Proxy(ProxyError::Target(91))), "{error}");
    assert!(served.join().unwrap().is_err());
}
