//! TCP over the lab's veth: what sending to a sink and receiving from a source cost the thread that does it. What the
//! kernel does for a packet on the way (the veth, the peer's receive path, its ACKs) runs mostly inside these calls.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Sampled, Step, sample};
use crate::lab::{Lab, LabError, SERVER_ADDRESS, Side};

const SEND: usize = 256 << 10;
const RECEIVE: usize = 128 << 10;
/// Bytes per reading of the clock.
const BATCH: usize = 4 << 20;
/// A step that stands still for so long has failed.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn measure(lab: &Lab) -> Result<Vec<Sampled>, LabError> {
    let sent = connection(lab)?.and_then(|(client, server)| send(client, server));
    let received = connection(lab)?.and_then(|(client, server)| receive(client, server));
    Ok(vec![(Step::TcpSend, sent), (Step::TcpReceive, received)])
}

/// The client's and the server's end of a new connection.
fn connection(lab: &Lab) -> Result<io::Result<(TcpStream, TcpStream)>, LabError> {
    let listener = match lab.within(Side::Server, || TcpListener::bind((SERVER_ADDRESS, 0)))? {
        Ok(listener) => listener,
        Err(error) => return Ok(Err(error)),
    };
    let connected = lab.within(Side::Client, || TcpStream::connect(listener.local_addr()?))?;
    Ok(connected.and_then(|client| {
        let (server, _) = listener.accept()?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(PATIENCE))?;
            end.set_write_timeout(Some(PATIENCE))?;
        }
        Ok((client, server))
    }))
}

fn send(mut client: TcpStream, mut server: TcpStream) -> io::Result<Vec<f64>> {
    let sink = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while server.read(&mut buffer).is_ok_and(|length| length > 0) {}
    });
    let bytes = vec![0x5a; SEND];
    let samples = sample(
        || Ok(()),
        || {
            for _ in 0..BATCH / SEND {
                client.write_all(&bytes)?;
            }
            Ok(BATCH as u64)
        },
    );
    drop(client);
    let _ = sink.join();
    samples
}

fn receive(mut client: TcpStream, mut server: TcpStream) -> io::Result<Vec<f64>> {
    let source = thread::spawn(move || {
        let bytes = vec![0x5a; SEND];
        while server.write_all(&bytes).is_ok() {}
    });
    let mut buffer = vec![0; RECEIVE];
    let samples = sample(
        || Ok(()),
        || {
            let mut received = 0;
            while received < BATCH {
                match client.read(&mut buffer)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => received += length,
                }
            }
            Ok(received as u64)
        },
    );
    drop(client);
    let _ = source.join();
    samples
}
