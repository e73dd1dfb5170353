//! R-UDP of the crate and of the C over loopback: a client of each meets a server of the other, as UDP and disguised as DNS.

use crate::network::ip;
use crate::support::start;
use mayaqua::net::Limit;
use mayaqua::rudp::{
    BulkKeys, End, Session, Side, Status, Stream, Transport, best_mss_for_bulk, nat_t, open_dns, seal_dns,
};
use softether_sys as sys;
use std::ffi::{CStr, CString, c_void};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const SERVICE: &str = "SoftEther_VPN";
const PATIENCE: Duration = Duration::from_secs(60);

fn service() -> CString {
    CString::new(SERVICE).unwrap()
}

fn transport(is_dns: bool) -> Transport<'static> {
    if is_dns { Transport::Dns(SERVICE) } else { Transport::Udp }
}

fn limit() -> Limit {
    Limit::of(PATIENCE)
}

/// A SOCK of the C's.
struct Sock(*mut sys::SOCK);

// SAFETY: the C's sockets are for any thread.
unsafe impl Send for Sock {}

impl Sock {
    fn send(&self, data: &[u8]) -> bool {
        let mut data = data.to_vec();
        // SAFETY: a block of its size.
        unsafe { sys::SendAll(self.0, data.as_mut_ptr().cast(), data.len() as u32, 0) != 0 }
    }

    fn receive(&self, size: usize) -> Option<Vec<u8>> {
        let mut data = vec![0; size];
        // SAFETY: a block of its size.
        let is_there = unsafe { sys::RecvAll(self.0, data.as_mut_ptr().cast(), size as u32, 0) != 0 };
        is_there.then_some(data)
    }

    /// The first bytes of one of its bulk keys.
    fn key<const N: usize>(&self, of_send: bool) -> [u8; N] {
        // SAFETY: the socket of an R-UDP session has both, of 128 bytes.
        unsafe {
            let key = if of_send { (*self.0).BulkSendKey } else { (*self.0).BulkRecvKey };
            (*key).Data.cast::<[u8; N]>().read_unaligned()
        }
    }
}

impl Drop for Sock {
    fn drop(&mut self) {
        // SAFETY: this one's reference.
        unsafe {
            sys::Disconnect(self.0);
            sys::ReleaseSock(self.0);
        }
    }
}

/// The C's listener on a port of its own.
fn listen(is_dns: bool) -> (Sock, SocketAddr) {
    let name = service();
    // SAFETY: a string with its NUL; no callbacks; it registers nowhere.
    let sock = unsafe {
        sys::ListenRUDP(name.as_ptr().cast_mut(), None, None, std::ptr::null_mut(), 0, 1, i32::from(is_dns) as _)
    };
    assert!(!sock.is_null());
    // SAFETY: a socket.
    let port = unsafe { (*sock).LocalPort };
    (Sock(sock), (Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()).into())
}

fn accept(listener: &Sock) -> Sock {
    // SAFETY: a listening socket.
    let sock = unsafe { sys::AcceptRUDP(listener.0) };
    assert!(!sock.is_null());
    Sock(sock)
}

fn data(size: usize, salt: u8) -> Vec<u8> {
    (0..size).map(|i| (i / 5) as u8 ^ salt).collect()
}

#[test]
fn a_stream_of_rust_and_a_listener_of_the_c() {
    start();
    for is_dns in [false, true] {
        let (listener, address) = listen(is_dns);
        let (up, down) = (data(300_000, 0), data(200_000, 0x77));
        let (up_c, down_c) = (up.clone(), down.clone());
        let served = thread::spawn(move || {
            let sock = accept(&listener);
            assert!(sock.receive(up_c.len()).unwrap() == up_c);
            assert!(sock.send(&down_c));
            // Until the client says that it has all.
            assert_eq!(sock.receive(4).as_deref(), Some(&b"done"[..]));
            assert_eq!(sock.receive(1), None, "the end");
            drop(listener);
        });
        let mut stream = Stream::connect(address, transport(is_dns), &limit()).unwrap();
        stream.set_timeout(Some(PATIENCE));
        stream.write_all(&up).unwrap();
        let mut read = vec![0; down.len()];
        stream.read_exact(&mut read).unwrap();
        assert!(read == down);
        stream.write_all(b"done").unwrap();
        stream.flush().unwrap();
        drop(stream);
        served.join().unwrap();
    }
}

#[test]
fn the_c_ends_it() {
    start();
    let (listener, address) = listen(false);
    let served = thread::spawn(move || {
        let sock = accept(&listener);
        assert_eq!(sock.receive(2).as_deref(), Some(&b"hi"[..]));
        drop(sock);
        listener
    });
    let mut stream = Stream::connect(address, Transport::Udp, &limit()).unwrap();
    stream.set_timeout(Some(PATIENCE));
    stream.write_all(b"hi").unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
    assert_eq!(stream.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    drop(served.join().unwrap());
}

#[test]
fn nobody_is_there() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let short = Limit::of(Duration::from_millis(500));
    assert_eq!(Stream::connect(address, Transport::Udp, &short).unwrap_err().kind(), ErrorKind::TimedOut);
    let limit = limit();
    let cancel = limit.cancel.clone();
    let waiting = thread::spawn(move || Stream::connect(address, Transport::Udp, &limit).unwrap_err().kind());
    cancel.cancel();
    assert_eq!(waiting.join().unwrap(), ErrorKind::ConnectionAborted);
}

#[test]
fn bulk_datagrams_both_ways() {
    start();
    for hmac in [false, true] {
        let (listener, address) = listen(false);
        let (connected, connection) = mpsc::channel();
        let accepting = thread::spawn(move || {
            connected.send(accept(&listener)).unwrap();
            listener
        });
        let mut stream = Stream::connect(address, Transport::Udp, &limit()).unwrap();
        stream.set_timeout(Some(PATIENCE));
        stream.write_all(b"x").unwrap();
        let sock = connection.recv_timeout(PATIENCE).unwrap();
        assert!(sock.receive(1).is_some());
        stream.set_bulk_keys(&BulkKeys::V1 { send: sock.key(false), receive: sock.key(true), hmac }).unwrap();
        let frames: Vec<Vec<u8>> = (0..50u8).map(|i| data(1 + 29 * usize::from(i), i)).collect();
        // SAFETY: the tubes of a connected R-UDP socket; what comes out of one is freed here.
        let (to_rust, from_rust) = unsafe { ((*sock.0).BulkSendTube, (*sock.0).BulkRecvTube) };
        for frame in &frames {
            assert!(stream.send_bulk(frame).unwrap());
            let mut got = None;
            let start = Instant::now();
            while got.is_none() {
                assert!(start.elapsed() < PATIENCE, "a frame of {} bytes did not arrive", frame.len());
                // SAFETY: as above.
                got = unsafe {
                    let piece = sys::TubeRecvAsync(from_rust);
                    (!piece.is_null()).then(|| {
                        let bytes = std::slice::from_raw_parts((*piece).Data.cast::<u8>(), (*piece).DataSize as usize);
                        let bytes = bytes.to_vec();
                        sys::FreeTubeData(piece);
                        bytes
                    })
                };
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(got.as_ref(), Some(frame));
            let mut header = sys::TCP_PAIR_HEADER { EnableHMac: hmac.into() };
            let mut bytes = frame.clone();
            // SAFETY: blocks of their sizes, which the C copies.
            unsafe {
                let header = (&raw mut header).cast::<c_void>();
                // The C's header has a size of its own, which a tube is made with.
                sys::TubeSend(to_rust, bytes.as_mut_ptr().cast(), bytes.len() as u32, header);
                sys::TubeFlush(to_rust);
            }
            assert_eq!(stream.receive_bulk().unwrap().as_ref(), Some(frame));
        }
        drop(stream);
        drop(sock);
        drop(accepting.join().unwrap());
    }
}

/// A server of Rust for one client: what comes in its stream goes back with every bit turned, until the client ends it.
fn serve(socket: &UdpSocket, is_dns: bool, is_over: &AtomicBool) -> Option<Status> {
    let began = Instant::now();
    let mut session: Option<Session> = None;
    let (mut buffer, mut id) = (vec![0; 65_536], [0; 2]);
    let mut random = |bytes: &mut [u8]| rand::fill(bytes);
    while !is_over.load(Ordering::SeqCst) {
        // Not from 0, as no clock of the C's is.
        let now = 1000 + u64::try_from(began.elapsed().as_millis()).unwrap();
        let due = session.as_ref().and_then(Session::next_due).unwrap_or(u64::MAX);
        let wait = Duration::from_millis(due.saturating_sub(now).clamp(1, 50));
        socket.set_read_timeout(Some(wait)).unwrap();
        if let Ok((size, source)) = socket.recv_from(&mut buffer) {
            let plain = if is_dns { open_dns(&buffer[..size], Side::Server) } else { Some((id, &buffer[..size])) };
            let Some((number, datagram)) = plain else { continue };
            id = number;
            let now = 1000 + u64::try_from(began.elapsed().as_millis()).unwrap();
            match &mut session {
                Some(session) => drop(std::hint::black_box(session.receive(now, source, datagram))),
                None => session = Session::accept(now, source, transport(is_dns), datagram, &mut random),
            }
        }
        let Some(session) = &mut session else { continue };
        let now = 1000 + u64::try_from(began.elapsed().as_millis()).unwrap();
        let mut datagrams = Vec::new();
        session.poll(now, &mut random, &mut |datagram| datagrams.push(datagram.to_vec()));
        let size = session.read(&mut buffer);
        let turned: Vec<u8> = buffer[..size].iter().map(|byte| !byte).collect();
        assert_eq!(session.write(&turned), size);
        for datagram in datagrams {
            let sent = if is_dns { seal_dns(&datagram, Side::Server, id, rand::random()) } else { datagram };
            socket.send_to(&sent, session.peer()).unwrap();
        }
        if matches!(session.status(), Status::Closed(_)) {
            return Some(session.status());
        }
    }
    None
}

#[test]
fn a_client_of_the_c_and_a_session_of_rust() {
    start();
    for is_dns in [false, true] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = u32::from(socket.local_addr().unwrap().port());
        let is_over = Arc::new(AtomicBool::new(false));
        let serving = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || serve(&socket, is_dns, &is_over)
        });
        let (name, mut error, mut cancel) = (service(), 0, 0);
        let mut address = ip(Ipv4Addr::LOCALHOST.into());
        // SAFETY: a string with its NUL, an address, and places for what comes back.
        let sock = unsafe {
            sys::NewRUDPClientDirect(
                name.as_ptr().cast_mut(),
                &raw mut address,
                port,
                &raw mut error,
                60_000,
                &raw mut cancel,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                0,
                i32::from(is_dns) as _,
            )
        };
        assert!(!sock.is_null(), "error {error}");
        let sock = Sock(sock);
        let sent = data(150_000, 3);
        assert!(sock.send(&sent));
        let turned: Vec<u8> = sent.iter().map(|byte| !byte).collect();
        assert!(sock.receive(sent.len()) == Some(turned));
        drop(sock);
        assert_eq!(serving.join().unwrap(), Some(Status::Closed(End::Peer)));
        is_over.store(true, Ordering::SeqCst);
    }
}

/// A stack of the C's that sends nothing: what it would send is in its list.
struct Stack {
    stack: Box<sys::RUDP_STACK>,
    session: *mut sys::RUDP_SESSION,
}

impl Stack {
    fn new(peer: Ipv4Addr, key: [u8; 20]) -> Self {
        let (mut peer, mut key) = (ip(peer.into()), key);
        // SAFETY: zeros are a stack that has nothing; a list and two sockets' addresses are what the functions below look at.
        unsafe {
            let mut stack: Box<sys::RUDP_STACK> = Box::new(std::mem::zeroed());
            stack.UdpSock = sys::NewSock();
            stack.SendPacketList = sys::NewList(None);
            let session = sys::RUDPNewSession(1, &raw mut peer, 1, &raw mut peer, 2, key.as_mut_ptr());
            Self { stack, session }
        }
    }

    /// Makes both bulk keys the same.
    fn set_bulk_keys(&mut self, key: &mut [u8]) {
        // SAFETY: the session's own; the old keys are released.
        unsafe {
            let make = |key: &mut [u8]| sys::NewSharedBuffer(key.as_mut_ptr().cast(), key.len() as u32);
            sys::ReleaseSharedBuffer((*self.session).BulkSendKey);
            sys::ReleaseSharedBuffer((*self.session).BulkRecvKey);
            ((*self.session).BulkSendKey, (*self.session).BulkRecvKey) = (make(key), make(key));
        }
    }

    fn bulk(&mut self, data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        // SAFETY: the stack and its session; the packet is taken out of the list and freed.
        unsafe {
            sys::RUDPBulkSend(&raw mut *self.stack, self.session, data.as_mut_ptr().cast(), data.len() as u32);
            let packet = (*(*self.stack.SendPacketList).p).cast::<sys::UDPPACKET>();
            let sent = std::slice::from_raw_parts((*packet).Data.cast::<u8>(), (*packet).Size as usize).to_vec();
            sys::DeleteAll(self.stack.SendPacketList);
            sys::FreeUdpPacket(packet);
            sent
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: made in `new`, and nobody else's.
        unsafe {
            sys::RUDPFreeSession(self.session);
            sys::ReleaseList(self.stack.SendPacketList);
            sys::ReleaseSock(self.stack.UdpSock);
        }
    }
}

/// `rudp-bulk-tag`: what the C of this version sends as version 2 it does not open itself, and Rust does not either.
#[test]
fn bulk_of_version_2_is_not_opened_by_the_c_that_sent_it() {
    start();
    let mut stack = Stack::new(Ipv4Addr::LOCALHOST, [1; 20]);
    stack.set_bulk_keys(&mut [7; 32]);
    let frame = [0xabu8; 100];
    let sent = stack.bulk(&frame);
    // The last 16 bytes before the tag are as they were: padding, or the frame itself.
    let padding = usize::from(sent[sent.len() - 17]);
    assert_eq!(sent.len(), 12 + 8 + frame.len() + padding + 16);
    let plain = [&frame[..], &vec![padding as u8; padding]].concat();
    assert_eq!(sent[sent.len() - 32..sent.len() - 16], plain[plain.len() - 16..]);
    // With zeros behind the datagram, where the C looks for a tag.
    let mut with_slack = [&sent[..], &[0; 16]].concat();
    // SAFETY: a block of at least the size, and of the 16 bytes behind that the C reads.
    let is_opened = unsafe {
        let size = sent.len() as u32;
        sys::RUDPProcessBulkRecvPacket(&raw mut *stack.stack, stack.session, with_slack.as_mut_ptr().cast(), size)
    };
    assert_eq!(is_opened, 0);
    let mut draw = 0u8;
    let mut random = |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| (*byte, draw) = (draw, draw.wrapping_add(1)));
    let peer: SocketAddr = "127.0.0.1:2".parse().unwrap();
    let mut session = Session::accept(5, peer, Transport::Udp, &[1; 39], &mut random).unwrap();
    session.set_bulk_keys(&BulkKeys::V2 { send: [7; 32], receive: [7; 32] }).unwrap();
    assert!(!session.receive(6, peer, &sent));
    // What Rust sends as version 2 is one that Rust opens.
    let own = session.seal_bulk(&frame, &mut random).unwrap();
    assert!(session.receive(6, peer, &own));
    assert_eq!(session.take_bulk().as_deref(), Some(&frame[..]));
    // And the same of version 1, so that it is the version and not the test.
    stack.set_bulk_keys(&mut [7; 128]);
    let sent = stack.bulk(&frame);
    session.set_bulk_keys(&BulkKeys::V1 { send: [7; 20], receive: [7; 20], hmac: false }).unwrap();
    assert!(session.receive(6, peer, &sent));
    assert_eq!(session.take_bulk().as_deref(), Some(&frame[..]));
}

#[test]
fn sizes_and_names() {
    start();
    for (peer, protocol, transport) in [("192.0.2.1", 0, Transport::Udp), ("192.0.2.1", 2, Transport::Dns(SERVICE))] {
        let mut stack = Stack::new(peer.parse().unwrap(), [1; 20]);
        stack.stack.Protocol = protocol;
        // SAFETY: the stack and its session.
        let theirs = unsafe { sys::RUDPCalcBestMssForBulk(&raw mut *stack.stack, stack.session) };
        assert_eq!(best_mss_for_bulk(peer.parse().unwrap(), transport), theirs);
    }
    for number in 0..1000u32 {
        let address = Ipv4Addr::from_bits(number.wrapping_mul(2_654_435_761));
        let (mut theirs, mut name) = (ip(address.into()), [0; 256]);
        // SAFETY: room for the name, which the C ends with a NUL.
        let name = unsafe {
            sys::RUDPGetRegisterHostNameByIP(name.as_mut_ptr(), 256, &raw mut theirs);
            CStr::from_ptr(name.as_ptr())
        };
        assert_eq!(nat_t::register_host_name(Some(address), 0), name.to_str().unwrap(), "{address}");
    }
}
