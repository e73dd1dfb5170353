//! Exhibits of `ConnectionReceive`.

use super::{Side, described};
use crate::support::connection::Connection;
use softether_sys::{Compress, FreeUdpAccel, IP, NewUdpAccel, SetIP};

/// A compressed block.
pub enum Stream {
    /// Bytes that are no zlib stream.
    Nonsense,
    /// A stream of so many bytes.
    Of(usize),
    /// One without its last byte.
    Cut,
    /// One with something behind it.
    Trailing,
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A batch with one frame of 60 bytes: what a peer sends that means well.
fn good() -> Vec<u8> {
    [words(&[1, 60]), vec![0x5a; 60]].concat()
}

/// Sends and calls once; the sizes of the frames that came.
fn received(side: Side, connection: &mut Connection, wire: &[u8]) -> Vec<usize> {
    let mut sizes = Vec::new();
    connection.write(0, wire);
    // SAFETY: the connection is ours.
    unsafe { side.receive(connection.c) };
    connection.drain(|frame, _| sizes.push(frame.len()));
    sizes
}

/// What one call makes of a stream.
fn outcome(side: Side, connection: &mut Connection, wire: &[u8]) -> String {
    let sizes = received(side, connection, wire);
    // SAFETY: a socket is freed in the call behind the one that disconnects it.
    let (is_connected, held) = unsafe {
        let ts = &*connection.sockets[0];
        ((*ts.Sock).Connected != 0, (*ts.RecvFifo).size)
    };
    let described = described("frame", &sizes);
    match (is_connected, sizes.is_empty(), held) {
        (true, _, _) => described,
        (false, true, 0) => "disconnected".to_owned(),
        (false, true, held) => format!("disconnected, {held} bytes held until the next call"),
        (false, false, _) => format!("disconnected, and {described} from behind the error"),
    }
}

/// A block that announces `size` bytes and has them, or 3200; then a good frame, in the same batch if there was an error.
pub fn block(side: Side, size: u32) -> String {
    let body = vec![0x5a; size.min(3200) as usize];
    let wire = if size > 3200 {
        // To who goes on parsing, the good frame is the second of the batch.
        [words(&[2, size]), body, good()[4..].to_vec()].concat()
    } else {
        [words(&[1, size]), body, good()].concat()
    };
    outcome(side, &mut Connection::new(1), &wire)
}

/// I2.
pub fn counts_of_zero(side: Side) -> String {
    outcome(side, &mut Connection::new(1), &[vec![0; 4000], good()].concat())
}

/// I2: a batch that does not end is a stream like any other.
pub fn endless_batch(side: Side) -> String {
    let mut connection = Connection::new(1);
    let block = [words(&[20]), vec![0x5a; 20]].concat();
    let wire = [words(&[u32::MAX - 1]), block.repeat(100_000)].concat();
    let (mut frames, mut held) = (0, 0);
    for piece in wire.chunks(9_999) {
        let sizes = received(side, &mut connection, piece);
        assert!(sizes.iter().all(|&size| size == 20));
        frames += sizes.len();
        // SAFETY: the socket is ours and connected.
        held = held.max(unsafe { (*(*connection.sockets[0]).RecvFifo).size });
    }
    format!("{frames} frames of 20 bytes, at most {held} bytes held between calls")
}

/// I2.
pub fn magic_inside_a_batch(side: Side) -> String {
    let wire = [words(&[3, u32::MAX]), vec![0x5a; 3200], good()[4..].to_vec()].concat();
    outcome(side, &mut Connection::new(1), &wire)
}

/// A keep-alive that announces `size` bytes and has them, or 60,000; then a good frame.
pub fn keep_alive(side: Side, size: u32) -> String {
    let real = if size > 513 { 60_000 } else { size as usize };
    // To who takes 512 bytes and parses on, the last of 513 bytes is the beginning of a count.
    let behind = if size == 513 { good()[1..].to_vec() } else { good() };
    outcome(side, &mut Connection::new(1), &[words(&[u32::MAX, size]), vec![0; real], behind].concat())
}

/// I3: which of the cut signatures gives a port.
pub fn nat_t_signature(side: Side) -> String {
    let mut connection = Connection::new(1);
    let mut ports = Vec::new();
    // SAFETY: the session gets UDP acceleration on a loopback address of its own, and it is freed at the end.
    unsafe {
        let mut ip: IP = std::mem::zeroed();
        SetIP(&mut ip, 127, 0, 0, 1);
        let udp = NewUdpAccel((*connection.s).Cedar, &mut ip, 1, 1, 1);
        assert!(!udp.is_null(), "no UDP socket on 127.0.0.1");
        ((*connection.s).UseUdpAcceleration, (*connection.s).UdpAccel) = (1, udp);
        let signature = b"NATT_MY_PORT\x13\x88";
        for cut in 0..=signature.len() {
            (*udp).YourPortByNatTServer = 0;
            let wire = [words(&[u32::MAX, cut as u32]), signature[..cut].to_vec()].concat();
            received(side, &mut connection, &wire);
            if (*udp).YourPortByNatTServer != 0 {
                ports.push(format!("for {cut} bytes {}", (*udp).YourPortByNatTServer));
            }
        }
        ((*connection.s).UseUdpAcceleration, (*connection.s).UdpAccel) = (0, std::ptr::null_mut());
        FreeUdpAccel(udp);
    }
    format!("no port, but {}", ports.join(", "))
}

/// I5: a block with such a body, then a good one.
pub fn compressed(side: Side, stream: Stream) -> String {
    let mut connection = Connection::new(1);
    // SAFETY: the session is ours.
    unsafe { (*connection.s).UseCompress = 1 };
    let body = match stream {
        Stream::Nonsense => vec![0x5a; 100],
        Stream::Of(size) => zlib(&vec![0; size]),
        Stream::Cut => {
            let whole = zlib(&[1; 60]);
            whole[..whole.len() - 1].to_vec()
        }
        Stream::Trailing => [zlib(&[1; 60]), vec![0xaa; 500]].concat(),
    };
    let last = zlib(&[2; 60]);
    let wire = [words(&[2, body.len() as u32]), body, words(&[last.len() as u32]), last].concat();
    outcome(side, &mut connection, &wire)
}

fn zlib(frame: &[u8]) -> Vec<u8> {
    let mut stream = vec![0; 2 * frame.len() + 256];
    // SAFETY: both have the bytes they say.
    let size = unsafe {
        let source = frame.as_ptr().cast_mut().cast();
        Compress(stream.as_mut_ptr().cast(), stream.len() as u32, source, frame.len() as u32)
    };
    stream.truncate(size as usize);
    stream
}

/// Six frames, among them batches of 0, keep-alives, an empty and an oversize block.
fn every_kind() -> (Vec<u8>, Vec<usize>) {
    let parts = [
        words(&[3, 5]),
        vec![1; 5],
        words(&[1514]),
        vec![2; 1514],
        words(&[1]),
        vec![3],
        words(&[0]),
        words(&[u32::MAX, 18]),
        b"NATT_MY_PORT\x13\x88rest".to_vec(),
        words(&[4, 0, 2]),
        b"ab".to_vec(),
        words(&[1601]),
        vec![4; 1601],
        words(&[1600]),
        vec![5; 1600],
        words(&[u32::MAX, 0]),
        good(),
    ];
    (parts.concat(), vec![5, 1514, 1, 2, 1600, 60])
}

fn pieces(side: Side, streams: impl Iterator<Item = Vec<Vec<u8>>>) -> String {
    let (_, expected) = every_kind();
    for pieces in streams {
        let mut connection = Connection::new(1);
        let sizes: Vec<usize> = pieces
            .iter()
            .filter(|piece| !piece.is_empty())
            .flat_map(|piece| received(side, &mut connection, piece))
            .collect();
        if sizes != expected {
            return format!("other frames: {sizes:?}");
        }
    }
    format!("the same {} frames each time", expected.len())
}

/// F1.
pub fn cut_at_every_byte(side: Side) -> String {
    let (wire, _) = every_kind();
    pieces(side, (0..=wire.len()).map(|cut| vec![wire[..cut].to_vec(), wire[cut..].to_vec()]))
}

/// F1.
pub fn short_reads(side: Side) -> String {
    let (wire, _) = every_kind();
    pieces(side, (1..=7).map(|size| wire.chunks(size).map(<[u8]>::to_vec).collect()))
}

/// Frames that come together with the end of the connection.
pub fn end_of_connection(side: Side) -> String {
    let mut connection = Connection::new(1);
    connection.write(0, &[words(&[2, 60]), vec![1; 60], words(&[61]), vec![2; 61]].concat());
    connection.peers.clear();
    let mut sizes = Vec::new();
    // SAFETY: the connection is ours.
    unsafe { side.receive(connection.c) };
    connection.drain(|frame, _| sizes.push(frame.len()));
    let end = if connection.socket_count() == 0 { "socket removed" } else { "socket kept" };
    let frames = if sizes.is_empty() { "no frame".to_owned() } else { described("frame", &sizes) };
    format!("{frames}, {end}")
}
