//! Records to plaintext.

use super::keys::{Form, Protection};
use super::post_handshake::{Messages, Request};
use super::{ContentType, Error, FRAGMENT_MAX, HEADER, PLAINTEXT_MAX, TAG};
use aws_lc_rs::aead::Aad;

/// Records in a row that carry no data; more are an attack (OpenSSL has the same limit on empty ones).
const DATALESS_MAX: u32 = 32;

const ALERT_WARNING: u8 = 1;
const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;

/// How a stream of records ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer sends no more, and says so.
    CloseNotify,
    /// The connection is of no further use.
    Failed(Error),
}

/// What became of the bytes received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Bytes that were taken; those behind are the start of a record, or did not fit any more.
    pub taken: usize,
    /// Bytes of plaintext that were written.
    pub plaintext: usize,
    /// The peer asks for a KeyUpdate: see [`Sealer::owe_key_update`](super::Sealer::owe_key_update).
    pub key_update_requested: bool,
    /// Nothing follows. The plaintext in front of it is good.
    pub end: Option<End>,
}

/// What one end receives.
#[derive(Debug)]
pub struct Opener {
    protection: Protection,
    messages: Messages,
    dataless: u32,
    end: Option<End>,
}

/// One record opened.
enum Record {
    Data(usize),
    Handled { key_update_requested: bool },
    Closed,
}

impl Opener {
    pub(super) fn new(protection: Protection) -> Self {
        Self { protection, messages: Messages::default(), dataless: 0, end: None }
    }

    /// Opens the whole records at the start of `received` into `out`, one behind the other, as long as a record fits:
    /// room for [`FRAGMENT_MAX`] bytes is enough for any.
    ///
    /// The end, once it came, comes again with every later call.
    #[inline]
    pub fn open_all(&mut self, received: &[u8], out: &mut [u8]) -> Opened {
        let mut opened = Opened::default();
        while self.end.is_none() {
            let input = received.get(opened.taken..).unwrap_or_default();
            let record = match whole_record(input) {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    self.end = Some(End::Failed(error));
                    break;
                }
            };
            let room = out.get_mut(opened.plaintext..).unwrap_or_default();
            // At least one byte of plaintext, so that progress can be made with any room that is documented.
            if room.len() < record.len() - HEADER {
                break;
            }
            match self.open(record, room) {
                Ok(Record::Data(len)) => opened.plaintext += len,
                Ok(Record::Handled { key_update_requested }) => opened.key_update_requested |= key_update_requested,
                Ok(Record::Closed) => self.end = Some(End::CloseNotify),
                Err(error) => self.end = Some(End::Failed(error)),
            }
            opened.taken += record.len();
        }
        opened.end = self.end;
        opened
    }

    /// Records that the present key has opened.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.protection.sequence
    }

    /// Opens one record, whole with its header, to the start of `out`.
    #[inline]
    fn open(&mut self, record: &[u8], out: &mut [u8]) -> Result<Record, Error> {
        let protection = &mut self.protection;
        let (header, fragment) = record.split_first_chunk::<HEADER>().ok_or(Error::Decode)?;
        let outer_type = ContentType::from_wire(header[0]).ok_or(Error::UnexpectedMessage)?;
        let is_tls13 = protection.form == Form::Tls13;
        if is_tls13 && outer_type != ContentType::ApplicationData {
            return Err(Error::UnexpectedMessage);
        }
        let (explicit, sealed) = fragment.split_at_checked(protection.explicit_len()).ok_or(Error::BadRecordMac)?;
        let explicit = explicit.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let plaintext_len = sealed.len().checked_sub(TAG).ok_or(Error::BadRecordMac)?;
        if plaintext_len > PLAINTEXT_MAX + protection.inner_type_len() {
            // TLS 1.3 counts padding into the limit, so nothing longer can be right.
            return Err(Error::RecordOverflow);
        }
        let (ciphertext, tag) = sealed.split_at_checked(plaintext_len).ok_or(Error::Decode)?;
        let plaintext = out.get_mut(..plaintext_len).ok_or(Error::Decode)?;
        let additional = protection.additional_data(outer_type, *header, plaintext_len);
        let nonce = protection.nonce(explicit);
        protection
            .key
            .open_separate_gather(nonce, Aad::from(additional), ciphertext, tag, plaintext)
            .map_err(|_| Error::BadRecordMac)?;
        protection.advance()?;
        let (content_type, plaintext) = if is_tls13 { inner_type(plaintext)? } else { (outer_type, &*plaintext) };
        if content_type == ContentType::ApplicationData && !plaintext.is_empty() && !self.messages.is_inside() {
            self.dataless = 0;
            return Ok(Record::Data(plaintext.len()));
        }
        self.handle(content_type, plaintext)
    }

    /// Acts on a record that is not data.
    #[cold]
    fn handle(&mut self, content_type: ContentType, plaintext: &[u8]) -> Result<Record, Error> {
        self.dataless += 1;
        let is_interrupted = self.messages.is_inside() && content_type != ContentType::Handshake;
        if is_interrupted || self.dataless > DATALESS_MAX {
            return Err(Error::UnexpectedMessage);
        }
        let form = self.protection.form;
        let nothing = Record::Handled { key_update_requested: false };
        match content_type {
            ContentType::ApplicationData => Ok(nothing),
            ContentType::Alert => alert(form, plaintext),
            ContentType::Handshake => match self.messages.read(form, plaintext)? {
                Request::None => Ok(nothing),
                Request::KeyUpdate { in_return } => {
                    self.protection.update()?;
                    tracing::info!("the next key opens what comes");
                    Ok(Record::Handled { key_update_requested: in_return })
                }
            },
            ContentType::ChangeCipherSpec => Err(Error::UnexpectedMessage),
        }
    }
}

/// The record at the start of `input`, if all of it is there.
#[inline]
fn whole_record(input: &[u8]) -> Result<Option<&[u8]>, Error> {
    let Some(&[_, _, _, high, low]) = input.first_chunk::<HEADER>() else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > FRAGMENT_MAX { Err(Error::RecordOverflow) } else { Ok(input.get(..HEADER + len)) }
}

/// Takes padding and inner type off a TLS 1.3 plaintext.
#[inline]
fn inner_type(plaintext: &[u8]) -> Result<(ContentType, &[u8]), Error> {
    let end = plaintext.iter().rposition(|&byte| byte != 0).ok_or(Error::UnexpectedMessage)?;
    let (data, rest) = plaintext.split_at(end);
    let content_type = rest.first().copied().and_then(ContentType::from_wire).ok_or(Error::UnexpectedMessage)?;
    Ok((content_type, data))
}

fn alert(form: Form, plaintext: &[u8]) -> Result<Record, Error> {
    let &[level, description] = plaintext else { return Err(Error::Decode) };
    let is_warning = match form {
        // In TLS 1.3 the level has no meaning (RFC 8446, 6).
        Form::Tls13 => description == USER_CANCELED,
        Form::Tls12Explicit | Form::Tls12Implicit => level == ALERT_WARNING,
    };
    match description {
        CLOSE_NOTIFY => Ok(Record::Closed),
        _ if is_warning => Ok(Record::Handled { key_update_requested: false }),
        _ => Err(Error::Alert(description)),
    }
}
