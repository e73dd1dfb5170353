//! What a server's Welcome may impose on a client: its terms are clamped, or refused (C: `ClientConnect`,
//! Cedar/Protocol.c, which takes most of them as they come).

use crate::framing::wire::MAX_TCP_CONNECTION;

/// Shortest timeout of a session (C: `TIMEOUT_MIN`, Cedar.h).
pub const TIMEOUT_MIN_MS: u32 = 5_000;

/// Longest timeout of a session (C: `TIMEOUT_MAX`, Cedar.h).
pub const TIMEOUT_MAX_MS: u32 = 60_000;

/// The timeout of a session for which nothing was said (C: `TIMEOUT_DEFAULT`, Cedar.h).
pub const TIMEOUT_DEFAULT_MS: u32 = 30_000;

/// What a server has said, as far as a client must not simply believe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `SESSION.Timeout`; 0 also when the Welcome had none.
    pub timeout_ms: u32,
    /// `SESSION.MaxConnection`.
    pub max_connection: u32,
    /// `SESSION.UseEncrypt`: TLS for the data.
    pub use_encrypt: bool,
    /// UDP acceleration is to be used.
    pub use_udp_acceleration: bool,
    /// Its datagrams are encrypted (C: not `UDP_ACCEL.PlainTextMode`).
    pub is_udp_encrypted: bool,
}

/// Terms under which no frame may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Encryption was asked for and the server wants none.
    #[error("the server wants the data unencrypted, and the configuration asks for encryption")]
    Plaintext,
}

impl Terms {
    /// The terms on which the session is held; `is_encryption_asked` is the configuration's.
    ///
    /// A timeout outside of what SoftEther's own server gives is clamped to that, a missing one is the default.
    /// Unencrypted UDP acceleration is not used if encryption was asked for: the frames stay on TLS.
    ///
    /// # Errors
    /// [`Refusal::Plaintext`].
    pub fn accept(self, is_encryption_asked: bool) -> Result<Self, Refusal> {
        if is_encryption_asked && !self.use_encrypt {
            return Err(Refusal::Plaintext);
        }
        let timeout_ms = match self.timeout_ms {
            0 => TIMEOUT_DEFAULT_MS,
            said => said.clamp(TIMEOUT_MIN_MS, TIMEOUT_MAX_MS),
        };
        let max_connection = self.max_connection.clamp(1, MAX_TCP_CONNECTION);
        let use_udp_acceleration = self.use_udp_acceleration && (self.is_udp_encrypted || !is_encryption_asked);
        Ok(Self { timeout_ms, max_connection, use_udp_acceleration, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Terms = Terms {
        timeout_ms: 20_000,
        max_connection: 8,
        use_encrypt: true,
        use_udp_acceleration: true,
        is_udp_encrypted: true,
    };

    #[test]
    fn good_terms_stay() {
        assert_eq!(GOOD.accept(true), Ok(GOOD));
        assert_eq!(GOOD.accept(false), Ok(GOOD));
    }

    #[test]
    fn numbers_are_clamped() {
        for (said, held) in
            [(0, 30_000), (1, 5_000), (4_999, 5_000), (5_000, 5_000), (60_001, 60_000), (u32::MAX, 60_000)]
        {
            assert_eq!(Terms { timeout_ms: said, ..GOOD }.accept(true).unwrap().timeout_ms, held, "timeout {said}");
        }
        for (said, held) in [(0, 1), (1, 1), (32, 32), (33, 32), (u32::MAX, 32)] {
            let accepted = Terms { max_connection: said, ..GOOD }.accept(true).unwrap();
            assert_eq!(accepted.max_connection, held, "max_connection {said}");
        }
    }

    #[test]
    fn nothing_goes_out_unencrypted_that_was_to_be_encrypted() {
        let plain = Terms { use_encrypt: false, ..GOOD };
        assert_eq!(plain.accept(true), Err(Refusal::Plaintext));
        assert_eq!(plain.accept(false), Ok(plain));
        let plain_udp = Terms { is_udp_encrypted: false, ..GOOD };
        assert_eq!(plain_udp.accept(true), Ok(Terms { use_udp_acceleration: false, ..plain_udp }));
        assert_eq!(plain_udp.accept(false), Ok(plain_udp));
    }
}
