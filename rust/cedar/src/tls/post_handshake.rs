//! Handshake messages that come after the handshake, over any number of records: they are read as far as their type
//! and, for a KeyUpdate, their one byte. Everything else that is allowed here is passed over, so nothing is kept.

use super::Error;
use super::keys::Form;

const HELLO_REQUEST: u8 = 0;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// Longest message that is passed over, in bytes: a ticket's fields at their longest.
const MESSAGE_MAX: usize = 4 + 4 + 1 + 255 + 2 + 65_535 + 2 + 65_534;

/// Bytes of a message's type and length.
const MESSAGE_HEADER: usize = 4;

/// What a record full of handshake messages asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Nothing.
    None,
    /// The peer's next key; and ours too, if so.
    KeyUpdate { in_return: bool },
}

/// Where the stream of messages stands.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The beginning of a message: its header, and the byte of a KeyUpdate.
    head: [u8; MESSAGE_HEADER + 1],
    head_len: usize,
    /// Bytes of a message that are passed over.
    skip: usize,
}

impl Messages {
    /// Whether a message has begun and not ended.
    pub(super) fn is_inside(&self) -> bool {
        self.head_len != 0 || self.skip != 0
    }

    /// Reads the messages of one record. A KeyUpdate must be its record's last.
    pub(super) fn read(&mut self, form: Form, mut bytes: &[u8]) -> Result<Request, Error> {
        if bytes.is_empty() {
            return Err(Error::UnexpectedMessage);
        }
        while !bytes.is_empty() {
            if self.skip != 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let Some((&byte, rest)) = bytes.split_first() else { break };
            bytes = rest;
            if let Some(place) = self.head.get_mut(self.head_len) {
                *place = byte;
            }
            self.head_len += 1;
            if let Some(request) = self.message(form)? {
                let is_last = bytes.is_empty();
                return if is_last { Ok(request) } else { Err(Error::UnexpectedMessage) };
            }
        }
        Ok(Request::None)
    }

    /// Looks at a message of which one byte more is there.
    fn message(&mut self, form: Form) -> Result<Option<Request>, Error> {
        if self.head_len < MESSAGE_HEADER {
            return Ok(None);
        }
        let [kind, high, middle, low, body] = self.head;
        let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let is_tls13 = form == Form::Tls13;
        match kind {
            KEY_UPDATE if is_tls13 && len != 1 => Err(Error::Decode),
            KEY_UPDATE if is_tls13 && self.head_len == MESSAGE_HEADER => Ok(None),
            KEY_UPDATE if is_tls13 => {
                self.head_len = 0;
                match body {
                    0 | 1 => Ok(Some(Request::KeyUpdate { in_return: body == 1 })),
                    _ => Err(Error::Decode),
                }
            }
            NEW_SESSION_TICKET if is_tls13 && len <= MESSAGE_MAX => {
                self.head_len = 0;
                self.skip = len;
                Ok(None)
            }
            // A TLS 1.2 server would like to negotiate anew; a client may ignore that (RFC 5246, 7.4.1.1).
            HELLO_REQUEST if !is_tls13 && len == 0 => {
                self.head_len = 0;
                Ok(None)
            }
            _ => Err(Error::UnexpectedMessage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, records: &[&[u8]]) -> Vec<Result<Request, Error>> {
        let mut messages = Messages::default();
        records.iter().map(|record| messages.read(form, record)).collect()
    }

    #[test]
    fn key_updates_whole_and_in_pieces() {
        let asks = Ok(Request::KeyUpdate { in_return: true });
        let none = Ok(Request::None);
        assert_eq!(read(Form::Tls13, &[&[24, 0, 0, 1, 1]]), [asks]);
        assert_eq!(read(Form::Tls13, &[&[24, 0, 0, 1, 0]]), [Ok(Request::KeyUpdate { in_return: false })]);
        assert_eq!(read(Form::Tls13, &[&[24], &[0, 0], &[1], &[1]]), [none, none, none, asks]);
        // Behind a ticket in the same record.
        assert_eq!(read(Form::Tls13, &[&[4, 0, 0, 2, 9, 9, 24, 0, 0, 1, 1]]), [asks]);
    }

    #[test]
    fn tickets_are_passed_over_wherever_they_are_cut() {
        let mut ticket = vec![4, 0, 1, 0];
        ticket.resize(4 + 256, 24);
        for cut in 1..ticket.len() {
            let (head, tail) = ticket.split_at(cut);
            let mut messages = Messages::default();
            assert_eq!(messages.read(Form::Tls13, head), Ok(Request::None));
            assert!(messages.is_inside(), "cut at {cut}");
            assert_eq!(messages.read(Form::Tls13, tail), Ok(Request::None));
            assert!(!messages.is_inside());
        }
    }

    #[test]
    fn what_has_no_place_is_an_error() {
        for (record, error) in [
            (&[24, 0, 0, 2, 0, 0][..], Error::Decode),
            (&[24, 0, 0, 1, 2], Error::Decode),
            (&[24, 0, 0, 1, 0, 4], Error::UnexpectedMessage),
            (&[13, 0, 0, 0], Error::UnexpectedMessage),
            (&[0, 0, 0, 0], Error::UnexpectedMessage),
            (&[4, 0xff, 0xff, 0xff], Error::UnexpectedMessage),
            (&[], Error::UnexpectedMessage),
        ] {
            assert_eq!(read(Form::Tls13, &[record]), [Err(error)], "{record:?}");
        }
        assert_eq!(read(Form::Tls12Explicit, &[&[0, 0, 0, 0]]), [Ok(Request::None)]);
        for record in [&[24, 0, 0, 1, 0][..], &[4, 0, 0, 0], &[0, 0, 0, 1]] {
            assert_eq!(read(Form::Tls12Implicit, &[record]), [Err(Error::UnexpectedMessage)]);
        }
    }
}
