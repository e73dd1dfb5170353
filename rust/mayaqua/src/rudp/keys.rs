//! What both ends derive from the 20 bytes that the client begins with.

use crate::buffer::Buf;
use crate::crypto::{SHA1_SIZE, sha1};

/// A key, an initial key, or one of the words that are told from data by their bytes.
pub type Key = [u8; SHA1_SIZE];

/// Which end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that begins.
    Client,
    /// The one that is found.
    Server,
}

/// The keys of one end (C: members of `RUDP_SESSION`).
#[derive(Clone)]
pub(super) struct Keys {
    /// For what this end sends (C: `Key_Send`).
    pub send: Key,
    /// For what this end receives (C: `Key_Recv`).
    pub receive: Key,
    /// The data of a segment that asks for a sign of life (C: `Magic_KeepAliveRequest`).
    pub keep_alive_request: Key,
    /// The data of one that gives it (C: `Magic_KeepAliveResponse`).
    pub keep_alive_response: Key,
}

impl Keys {
    /// From the initial key (C: `RUDPNewSession`, Mayaqua/Network.c).
    pub fn derive(initial: &Key, side: Side) -> Self {
        let of_server = hash(&[initial], "zurukko");
        let of_client = hash(&[initial, &of_server], "yasushineko");
        let (send, receive) = match side {
            Side::Client => (of_client, of_server),
            Side::Server => (of_server, of_client),
        };
        let keep_alive_request = hash(&[initial], "Magic_KeepAliveRequest");
        let keep_alive_response = hash(&[initial], "Magic_KeepAliveResponse");
        Self { send, receive, keep_alive_request, keep_alive_response }
    }
}

/// The hash of some bytes and a word as a BUF has it.
fn hash(parts: &[&Key], word: &str) -> Key {
    let mut data = Buf::new();
    let parts = parts.iter().try_for_each(|part| data.write(*part));
    let written = parts.and_then(|()| data.write_str(word.as_bytes()));
    debug_assert!(written.is_ok(), "less than 100 bytes");
    sha1(data.data())
}
