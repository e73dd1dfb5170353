//! RC4, for peers that know nothing better (C: `CRYPT` over OpenSSL's RC4, Mayaqua/Encrypt.c).

/// A key has 1 to 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an RC4 key of {0} bytes; 1 to 256 are legal")]
pub struct KeyLengthError(pub usize);

/// A stream of RC4 (C: `CRYPT`).
#[derive(Clone)]
pub struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl std::fmt::Debug for Rc4 {
    /// The state is as good as the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rc4")
    }
}

impl Rc4 {
    /// The start of the stream of `key` (C: `NewCrypt`, Mayaqua/Encrypt.c).
    ///
    /// # Errors
    ///
    /// [`KeyLengthError`].
    pub fn new(key: &[u8]) -> Result<Self, KeyLengthError> {
        if key.is_empty() || key.len() > 256 {
            return Err(KeyLengthError(key.len()));
        }
        let mut state = [0u8; 256];
        for (place, value) in state.iter_mut().zip(0..=u8::MAX) {
            *place = value;
        }
        let mut j = 0u8;
        for (i, key) in key.iter().cycle().take(256).enumerate() {
            j = j.wrapping_add(state[i]).wrapping_add(*key);
            state.swap(i, usize::from(j));
        }
        Ok(Self { state, i: 0, j: 0 })
    }

    /// Encrypts or decrypts in place (C: `Encrypt`, Mayaqua/Encrypt.c).
    pub fn apply(&mut self, data: &mut [u8]) {
        for byte in data {
            self.i = self.i.wrapping_add(1);
            let a = self.state[usize::from(self.i)];
            self.j = self.j.wrapping_add(a);
            let b = self.state[usize::from(self.j)];
            self.state.swap(usize::from(self.i), usize::from(self.j));
            *byte ^= self.state[usize::from(a.wrapping_add(b))];
        }
    }
}
