//! `SessionMain` on both sides: a client's session over socket pairs with a packet adapter of the test's own, from its
//! beginning to each of its ends. The trace holds what the adapter and the peers saw and what the C's objects say
//! afterwards; what time decides is left out.

use crate::support::connection::{Connection, Pool};
use crate::support::{Trace, random, summary};
use rand::Rng;
use softether_sys::*;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use std::{ptr, slice};

both_sides! { session_main: fn SessionMain c_SessionMain(s: *mut SESSION) }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    // SAFETY: null is ignored.
    unsafe { function(ptr::null_mut()) };
    ends(function, &mut trace);
    adapter_failures(function, &mut trace);
    frames(function, &mut trace);
    full_queues(function, &mut trace);
    additional_connection(function, &mut trace);
    trace
}

/// Turns after which a session that does not end is a failure; without traffic each waits a millisecond.
const TURNS_MAX: usize = 100_000;

/// How a session is ended in the middle of a turn.
type End = fn(&mut SESSION);

/// What the packet adapter of a test does, turn by turn; its `Param`.
#[derive(Default)]
struct Script {
    /// Frames for the session, by turn.
    up: VecDeque<Vec<Vec<u8>>>,
    /// What the peer sends before a turn ends.
    down: VecDeque<Vec<u8>>,
    /// Frames from the session.
    received: Vec<Vec<u8>>,
    /// Calls in their order, frames left out.
    calls: Vec<String>,
    /// The peers of the sockets, of which the first sends.
    peers: Vec<UnixStream>,
    /// What each peer has read, turn by turn: a socket that is full would leave frames behind, and which is full first is
    /// a matter of time.
    sent: Vec<Vec<u8>>,
    init_fails: bool,
    /// The turn in which getting or putting fails.
    get_fails_in: Option<usize>,
    put_fails_in: Option<usize>,
    /// The turn that ends the session, and how.
    end: Option<(usize, End)>,
    turn: usize,
}

impl Script {
    /// Reads what has come to the peers.
    fn read(&mut self) {
        for (peer, sent) in self.peers.iter_mut().zip(&mut self.sent) {
            match peer.read_to_end(sent) {
                Ok(_) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// # Safety
/// A session of [`Rig`]; the script is its own.
unsafe fn script<'a>(s: *mut SESSION) -> &'a mut Script {
    // SAFETY: the caller's.
    unsafe { &mut *(*(*s).PacketAdapter).Param.cast() }
}

unsafe extern "C" fn init(s: *mut SESSION) -> bool_ {
    // SAFETY: the rig's session, as in the functions below.
    let script = unsafe { script(s) };
    script.calls.push("init".to_owned());
    (!script.init_fails).into()
}

unsafe extern "C" fn get_cancel(s: *mut SESSION) -> *mut CANCEL {
    // SAFETY: as above.
    unsafe {
        script(s).calls.push("get_cancel".to_owned());
        NewCancel()
    }
}

unsafe extern "C" fn get_next_packet(s: *mut SESSION, data: *mut *mut c_void) -> UINT {
    // SAFETY: as above; the copy is given away.
    unsafe {
        let script = script(s);
        if script.get_fails_in == Some(script.turn) {
            return INFINITE;
        }
        let turn = script.up.front_mut();
        let Some(frame) = turn.and_then(|turn| (!turn.is_empty()).then(|| turn.remove(0))) else {
            script.up.pop_front();
            return 0;
        };
        let copy = Malloc(frame.len() as UINT);
        copy.cast::<u8>().copy_from_nonoverlapping(frame.as_ptr(), frame.len());
        *data = copy;
        frame.len() as UINT
    }
}

unsafe extern "C" fn put_packet(s: *mut SESSION, data: *mut c_void, size: UINT) -> bool_ {
    // SAFETY: as above; the buffer was given away unless the call fails.
    unsafe {
        let script = script(s);
        let is_failing = script.put_fails_in == Some(script.turn);
        if data.is_null() {
            end_of_turn(&mut *s, script);
        } else if !is_failing {
            script.received.push(slice::from_raw_parts(data.cast(), size as usize).to_vec());
            Free(data);
        }
        (!is_failing).into()
    }
}

/// What happens in the middle of a turn: the peer sends something for the next one, or the session is ended.
fn end_of_turn(s: &mut SESSION, script: &mut Script) {
    use std::io::Write;
    if let (Some(bytes), Some(peer)) = (script.down.pop_front(), script.peers.first_mut()) {
        peer.write_all(&bytes).expect("the kernel takes a turn's bytes");
    }
    script.read();
    script.turn += 1;
    if let Some((turn, end)) = script.end
        && script.turn >= turn
    {
        end(s);
    }
    assert!(script.turn < TURNS_MAX, "the session does not end");
}

unsafe extern "C" fn free(s: *mut SESSION) {
    // SAFETY: as above.
    unsafe { script(s).calls.push("free".to_owned()) };
}

/// A session that can be run: what `Connection` leaves out, and the adapter.
struct Rig {
    connection: Connection,
    script: Box<Script>,
}

impl Rig {
    fn new(sockets: usize, script: Script) -> Self {
        let connection = Connection::new(sockets);
        let mut script = Box::new(script);
        script.peers = connection.peers.iter().map(|peer| peer.try_clone().expect("a second descriptor")).collect();
        script.sent = vec![Vec::new(); sockets];
        // SAFETY: the session is ours; what is made here is given back when it is dropped.
        unsafe {
            let s = &mut *connection.s;
            s.ref_ = NewRef();
            s.lock = NewLock();
            s.Traffic = NewTraffic();
            s.OldTraffic = NewTraffic();
            s.TrafficLock = NewLock();
            s.Cancel1 = NewCancel();
            s.SessionKey = [0xA5; 20];
            s.RetryFlag = 1;
            s.CurrentRetryCount = 7;
            s.Policy = ZeroMalloc(size_of::<POLICY>() as UINT).cast();
            (*s.Policy).NoRouting = 1;
            s.PacketAdapter =
                NewPacketAdapter(Some(init), Some(get_cancel), Some(get_next_packet), Some(put_packet), Some(free));
            (*s.PacketAdapter).Param = (&raw mut *script).cast();
            (*s.ClientOption).AdditionalConnectionInterval = 1;
        }
        Self { connection, script }
    }

    /// Runs the session to its end and says what is left.
    fn run(&mut self, function: Function, what: &str, trace: &mut Trace) {
        // SAFETY: the session is ours, and this is its thread.
        unsafe {
            let (s, c) = (self.connection.s, self.connection.c);
            function(s);
            let (s, c) = (&*s, &*c);
            let flags = [s.Halt, s.RetryFlag, s.ForceStopFlag, s.ConnectSucceed, s.SessionTimeOuted, c.Halt];
            let counts = [s.CurrentRetryCount, s.NumConnectionsEstablished, s.VLanDeviceErrorCount, s.NumDisconnected];
            let modes = [s.IsMonitorMode, s.IsBridgeMode];
            let key = std::ffi::CStr::from_ptr(s.SessionKeyStr.as_ptr()).to_string_lossy().into_owned();
            let gone = (s.Cancel2.is_null(), (*(*c.Tcp).TcpSockList).num_item, (*c.Cedar).CurrentTcpQueueSize);
            trace.push(format!("{what}: err {} flags {flags:?} counts {counts:?} modes {modes:?} {key} {gone:?}", c.Err));
            trace.push(format!("{what}: {:?} {:?}", self.script.calls, traffic(&*s.Traffic)));
        }
    }
}

fn traffic(traffic: &TRAFFIC) -> [UINT64; 8] {
    let entry = |e: &TRAFFIC_ENTRY| [e.BroadcastCount, e.BroadcastBytes, e.UnicastCount, e.UnicastBytes];
    let ([a, b, c, d], [e, f, g, h]) = (entry(&traffic.Send), entry(&traffic.Recv));
    [a, b, c, d, e, f, g, h]
}

impl Drop for Rig {
    fn drop(&mut self) {
        // SAFETY: made in `new`, and used no more.
        unsafe {
            let s = &mut *self.connection.s;
            FreePacketAdapter(s.PacketAdapter);
            Free(s.Policy.cast());
            ReleaseCancel(s.Cancel1);
            FreeTraffic(s.Traffic);
            FreeTraffic(s.OldTraffic);
            DeleteLock(s.TrafficLock);
            DeleteLock(s.lock);
            Release(s.ref_);
        }
    }
}

/// Every way in which a session ends that needs no frames.
fn ends(function: Function, trace: &mut Trace) {
    let ends: [(&str, End); 5] = [
        ("halted", |s| s.Halt = 1),
        ("forced", |s| (s.Halt, s.ForceStopFlag) = (1, 1)),
        ("timed out elsewhere", |s| s.SessionTimeOuted = 1),
        ("silent", |_| ()),
        ("r-udp lost a connection", |s| s.NumDisconnected = 1),
    ];
    for (what, end) in ends {
        let mut rig = Rig::new(1, Script { end: Some((3, end)), ..Script::default() });
        if what == "silent" {
            // SAFETY: the rig's.
            unsafe { (*rig.connection.s).Timeout = 40 };
        }
        if what == "r-udp lost a connection" {
            // SAFETY: as above. The kind of a session is known when it begins.
            unsafe { (*rig.connection.s).IsRUDPSession = 1 };
        }
        rig.run(function, what, trace);
    }
    policy(function, trace);
}

/// A policy ends the session of SoftEther's own client, and of nobody else.
fn policy(function: Function, trace: &mut Trace) {
    let late: End = |s| s.Halt = u32::from(now() >= s.CurrentConnectionEstablishTime + 1500);
    // The policy ends it after a second, whatever stands still meanwhile.
    let never: End = |_| ();
    for (is_client, end) in [(true, never), (false, late)] {
        let mut rig = Rig::new(1, Script { end: Some((1, end)), ..Script::default() });
        // SAFETY: the rig's; a CLIENT that nothing looks at but for whether it is there.
        unsafe {
            let s = &mut *rig.connection.s;
            (*s.Policy).AutoDisconnect = 1;
            s.Win32HideNicInfoWindow = 1;
            let client: *mut CLIENT = ZeroMalloc(size_of::<CLIENT>() as UINT).cast();
            (*s.Cedar).Client = if is_client { client } else { ptr::null_mut() };
            rig.run(function, "policy", trace);
            (*(*rig.connection.s).Cedar).Client = ptr::null_mut();
            Free(client.cast());
        }
    }
}

fn now() -> UINT64 {
    // SAFETY: Mayaqua has started.
    unsafe { Tick64() }
}

fn adapter_failures(function: Function, trace: &mut Trace) {
    let mut rig = Rig::new(1, Script { init_fails: true, ..Script::default() });
    for _ in 0..3 {
        rig.run(function, "init", trace);
    }
    let mut rig = Rig::new(1, Script { get_fails_in: Some(2), ..Script::default() });
    rig.run(function, "get", trace);
    let mut rig = Rig::new(1, Script { put_fails_in: Some(2), ..Script::default() });
    rig.run(function, "put", trace);
    let frame = [&1_u32.to_be_bytes()[..], &60_u32.to_be_bytes(), &[7; 60]].concat();
    let script = Script { put_fails_in: Some(1), down: VecDeque::from([frame]), ..Script::default() };
    Rig::new(1, script).run(function, "put a frame", trace);
}

/// Frames of all kinds and sizes both ways, over one and several sockets, with QoS and without.
fn frames(function: Function, trace: &mut Trace) {
    let mut random = random();
    let pool = Pool::new(&mut random);
    for (sockets, use_qos, use_compress) in [(1, false, false), (3, false, false), (3, true, false), (1, false, true)] {
        let mut script = Script::default();
        let turns = 60;
        for _ in 0..turns {
            let size = |random: &mut rand::rngs::StdRng| match random.random_range(0..8) {
                0 => [1, 13, 14, 15, 1599, 1600][random.random_range(0..6)],
                _ => random.random_range(14..=1514),
            };
            let up = (0..random.random_range(0..20)).map(|_| {
                let size = size(&mut random);
                let mut frame = pool.frame(&mut random, size).to_vec();
                if size > 16 && random.random_ratio(1, 4) {
                    frame[12..16].copy_from_slice(&[8, 0, 0x45, 0x10]);
                }
                frame
            });
            let up = up.collect::<Vec<_>>();
            script.up.push_back(up);
            if !use_compress {
                let down: Vec<Vec<u8>> = (0..random.random_range(1..20))
                    .map(|_| {
                        let size = size(&mut random);
                        pool.frame(&mut random, size).to_vec()
                    })
                    .collect();
                let mut bytes = (down.len() as u32).to_be_bytes().to_vec();
                for frame in &down {
                    bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
                    bytes.extend_from_slice(frame);
                }
                script.down.push_back(bytes);
            }
        }
        script.end = Some((turns + 20, |s| s.Halt = 1));
        let mut rig = Rig::new(sockets, script);
        // SAFETY: as above.
        unsafe {
            (*rig.connection.s).QoS = use_qos.into();
            (*rig.connection.s).UseCompress = use_compress.into();
        }
        rig.run(function, &format!("{sockets} sockets, qos {use_qos}, compress {use_compress}"), trace);
        let received = rig.script.received.concat();
        trace.push(format!("received {} frames, {}", rig.script.received.len(), summary(&received)));
        rig.script.read();
        let mut sent: Vec<_> = rig.script.sent.iter().flat_map(|bytes| sent_frames(bytes)).collect();
        if sockets > 1 {
            // Which socket is the least delayed is a matter of time; the differential test of ConnectionSend holds it.
            sent.sort();
        }
        trace.push(format!("sent {} frames, {}", sent.len(), summary(&sent.concat())));
    }
}

/// The frames that a peer has read; keep-alives, which are random, are left out.
fn sent_frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let word = |bytes: &mut &[u8]| {
        let (word, rest) = bytes.split_first_chunk().expect("a whole stream");
        *bytes = rest;
        u32::from_be_bytes(*word)
    };
    while !bytes.is_empty() {
        let count = word(&mut bytes);
        let is_keep_alive = count == u32::MAX;
        for _ in 0..if is_keep_alive { 1 } else { count } {
            let size = word(&mut bytes) as usize;
            if !is_keep_alive {
                frames.push(bytes[..size].to_vec());
            }
            bytes = &bytes[size..];
        }
    }
    frames
}

/// Without a socket nothing is sent, and what waits is limited: by frames in a queue, by bytes in both.
fn full_queues(function: Function, trace: &mut Trace) {
    for (size, use_qos) in [(60, false), (1514, false), (60, true), (1514, true)] {
        let frame = |is_urgent: bool| {
            let mut frame = vec![2_u8; size];
            frame[12..16].copy_from_slice(&[8, 0, 0x45, if is_urgent { 0x10 } else { 0 }]);
            frame
        };
        let turn: Vec<_> = (0..128).map(|number| frame(number % 2 == 0)).collect();
        let end: (usize, End) = (25, |s| s.Halt = 1);
        let script = Script { up: (0..20).map(|_| turn.clone()).collect(), end: Some(end), ..Script::default() };
        let mut rig = Rig::new(0, script);
        // SAFETY: as above.
        unsafe { (*rig.connection.s).QoS = use_qos.into() };
        rig.run(function, &format!("{size} bytes, qos {use_qos}"), trace);
        // SAFETY: as above.
        unsafe {
            let c = &*rig.connection.c;
            trace.push(format!("{} {} {}", (*c.SendBlocks).num_item, (*c.SendBlocks2).num_item, c.CurrentSendQueueSize));
        }
    }
}

/// A connection that is wanted and cannot be had: one attempt a second, in a thread of its own, until two have failed.
fn additional_connection(function: Function, trace: &mut Trace) {
    let halt: End = |s| {
        // SAFETY: the session's connection, which another thread counts in.
        s.Halt = u32::from(unsafe { (&raw const (*s.Connection).AdditionalConnectionFailedCounter).read_volatile() } >= 2);
    };
    let mut rig = Rig::new(1, Script { end: Some((1, halt)), ..Script::default() });
    // SAFETY: the rig's; nothing listens on port 1 of this machine.
    unsafe {
        let (s, c) = (&mut *rig.connection.s, &mut *rig.connection.c);
        let host = c"127.0.0.1".to_bytes_with_nul();
        for (to, &from) in c.ServerName.iter_mut().zip(host) {
            *to = from as _;
        }
        c.ServerPort = 1;
        s.MaxConnection = 3;
        let begun = Instant::now();
        rig.run(function, "additional connection", trace);
        trace.push(format!("a second between two: {}", begun.elapsed() >= Duration::from_secs(1)));
        // Where an attempt takes long, the next is on its way already.
        let c = &*rig.connection.c;
        while Count(c.CurrentNumConnection) > 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A session that carries one batch up and ends.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        let mut script = Script { up: VecDeque::from([vec![vec![2; 1514]; 64]]), ..Script::default() };
        script.end = Some((2, |s| s.Halt = 1));
        let rig = Rig::new(1, script);
        // SAFETY: the session is ours, and this is its thread.
        unsafe { function(rig.connection.s) };
    }
}
