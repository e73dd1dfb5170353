//! Passwords as SoftEther keeps and proves them. What is kept is as good as the password: keep it as secret.

use super::{MD5_SIZE, SHA1_SIZE, Sha0, hash_md4};
use crate::str::{MAX_SIZE, str_cpy, until_nul};

/// What a server keeps of a password: SHA-0 of the password and the user's name in upper case
/// (C: `HashPassword`, Cedar/Account.c).
#[must_use]
pub fn hash_password(username: &[u8], password: &[u8]) -> [u8; SHA1_SIZE] {
    let mut hash = Sha0::new();
    hash.update(until_nul(password));
    hash.update(&until_nul(username).to_ascii_uppercase());
    hash.finish()
}

/// What a client proves a password by: SHA-0 of [`hash_password`] and the server's 20 random bytes
/// (C: `SecurePassword`, Cedar/Sam.c).
#[must_use]
pub fn secure_password(hashed: &[u8; SHA1_SIZE], random: &[u8; SHA1_SIZE]) -> [u8; SHA1_SIZE] {
    let mut hash = Sha0::new();
    hash.update(hashed);
    hash.update(random);
    hash.finish()
}

/// MD4 of the password in UTF-16, little-endian, as MS-CHAP knows it (C: `GenerateNtPasswordHash`, which
/// widens bytes one by one).
#[must_use]
pub fn generate_nt_password_hash(password: &[u8]) -> [u8; MD5_SIZE] {
    let wide: Vec<u8> = str_cpy(MAX_SIZE, password).iter().flat_map(|byte| [*byte, 0]).collect();
    hash_md4(&wide)
}
