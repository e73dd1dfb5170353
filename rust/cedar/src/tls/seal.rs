//! Plaintext to records.

use super::keys::{Protection, length};
use super::{
    ContentType, Error, HEADER, KEY_RECORDS_MAX, LEGACY_VERSION, OVERHEAD_MAX, PLAINTEXT_MAX, TAG, TLS12_RECORDS_MAX,
};
use aws_lc_rs::aead::Aad;

/// Handshake type, length and request of a KeyUpdate that asks for none in return, and of one that does (RFC 8446, 4.6.3).
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
const KEY_UPDATE_REQUESTED: [u8; 5] = [24, 0, 0, 1, 1];

const ALERT_WARNING: u8 = 1;
const ALERT_FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The buffer is shorter than [`Sealer::sealed_len_max`] says.
    #[error("the buffer for sealed records is too small")]
    BufferTooSmall,
    /// The key has sealed as many records as it may.
    #[error("the connection's key is used up")]
    KeyExhausted,
    /// Another record layer failed.
    #[error("OpenSSL could not write a record")]
    Foreign,
}

/// What one end sends.
#[derive(Debug)]
pub struct Sealer {
    protection: Protection,
    /// A KeyUpdate goes out before the next data: the peer asked, or the key is old.
    owes_key_update: bool,
    key_records_max: u64,
}

impl Sealer {
    pub(super) fn new(protection: Protection) -> Self {
        Self { protection, owes_key_update: false, key_records_max: KEY_RECORDS_MAX }
    }

    /// Has each TLS 1.3 key replaced after so many records instead of [`KEY_RECORDS_MAX`].
    pub fn replace_keys_after(&mut self, records: u64) {
        self.key_records_max = records;
    }

    /// Most bytes that [`Sealer::seal_all`] writes for `plaintext` bytes.
    #[must_use]
    pub const fn sealed_len_max(plaintext: usize) -> usize {
        // One record more for a KeyUpdate.
        plaintext + (plaintext.div_ceil(PLAINTEXT_MAX) + 1) * OVERHEAD_MAX + KEY_UPDATE.len()
    }

    /// Seals all of `plaintext` as data, in full records, to the start of `out`, and returns their length. A KeyUpdate
    /// that is due goes in front.
    ///
    /// # Errors
    /// [`SealError::BufferTooSmall`] before anything is sealed; [`SealError::KeyExhausted`], after which nothing of `out`
    /// may be sent.
    #[inline]
    pub fn seal_all(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, SealError> {
        if out.len() < Self::sealed_len_max(plaintext.len()) {
            return Err(SealError::BufferTooSmall);
        }
        let mut end = self.key_update_if_due(out)?;
        for part in plaintext.chunks(PLAINTEXT_MAX) {
            let room = out.get_mut(end..).unwrap_or_default();
            end += self.seal(ContentType::ApplicationData, part, room)?;
        }
        Ok(end)
    }

    /// Seals close_notify, the last record of a connection that ends in good order.
    ///
    /// # Errors
    /// As [`Sealer::seal_all`].
    pub fn seal_close_notify(&mut self, out: &mut [u8]) -> Result<usize, SealError> {
        self.seal(ContentType::Alert, &[ALERT_WARNING, CLOSE_NOTIFY], out)
    }

    /// Seals the alert that answers `error`; 0 if there is none.
    ///
    /// # Errors
    /// As [`Sealer::seal_all`].
    pub fn seal_alert(&mut self, error: Error, out: &mut [u8]) -> Result<usize, SealError> {
        match error.alert() {
            Some(alert) => self.seal(ContentType::Alert, &[ALERT_FATAL, alert], out),
            None => Ok(0),
        }
    }

    /// Has the next key take over before the next data, as the peer may ask.
    pub fn owe_key_update(&mut self) {
        self.owes_key_update = true;
    }

    /// Records that the present key has sealed.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.protection.sequence
    }

    fn key_update_if_due(&mut self, out: &mut [u8]) -> Result<usize, SealError> {
        if self.protection.inner_type_len() == 0 {
            let is_used_up = self.protection.sequence >= TLS12_RECORDS_MAX;
            return if is_used_up { Err(SealError::KeyExhausted) } else { Ok(0) };
        }
        let is_old = self.protection.sequence >= self.key_records_max;
        if !self.owes_key_update && !is_old {
            return Ok(0);
        }
        // The peer's key is as old as ours, and not every TLS library replaces it by itself: the peer is asked to.
        let message = if is_old { KEY_UPDATE_REQUESTED } else { KEY_UPDATE };
        let size = self.seal(ContentType::Handshake, &message, out)?;
        self.protection.update().map_err(|_| SealError::KeyExhausted)?;
        self.owes_key_update = false;
        tracing::info!("the next key seals what is sent");
        Ok(size)
    }

    /// Seals one record, of at most [`PLAINTEXT_MAX`] bytes, to the start of `out`.
    #[inline]
    pub(super) fn seal(
        &mut self,
        content_type: ContentType,
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let protection = &mut self.protection;
        let (explicit_len, inner_len) = (protection.explicit_len(), protection.inner_type_len());
        let fragment_len = explicit_len + plaintext.len() + inner_len + TAG;
        let record = out.get_mut(..HEADER + fragment_len).ok_or(SealError::BufferTooSmall)?;
        let (header, fragment) = record.split_first_chunk_mut::<HEADER>().ok_or(SealError::BufferTooSmall)?;
        let outer_type = if inner_len == 0 { content_type } else { ContentType::ApplicationData };
        let [high, low] = length(fragment_len);
        *header = [outer_type as u8, LEGACY_VERSION[0], LEGACY_VERSION[1], high, low];

        let explicit = protection.sequence;
        let (nonce, rest) = fragment.split_at_mut_checked(explicit_len).ok_or(SealError::BufferTooSmall)?;
        if !nonce.is_empty() {
            nonce.copy_from_slice(&explicit.to_be_bytes());
        }
        let (ciphertext, inner_and_tag) =
            rest.split_at_mut_checked(plaintext.len()).ok_or(SealError::BufferTooSmall)?;
        let additional = protection.additional_data(content_type, *header, plaintext.len());
        let inner_type = [content_type as u8];
        let inner_type = inner_type.get(..inner_len).unwrap_or_default();
        let key = &protection.key;
        key.seal_out_of_place_scatter(
            protection.nonce(explicit),
            Aad::from(additional),
            plaintext,
            ciphertext,
            inner_type,
            inner_and_tag,
        )
        .map_err(|_| SealError::KeyExhausted)?;
        protection.advance().map_err(|_| SealError::KeyExhausted)?;
        Ok(HEADER + fragment_len)
    }
}
