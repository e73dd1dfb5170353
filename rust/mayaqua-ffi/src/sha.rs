//! Hashes and what SoftEther makes of passwords ([`mayaqua::crypto`]).

use crate::arg;
use crate::error::{Failure, Status, boundary};
use mayaqua::crypto;
use std::ffi::c_char;

/// Writes a hash into a buffer that must have its very size.
///
/// # Safety
///
/// `size` bytes at `hash` may be written.
unsafe fn put_hash(value: &[u8], hash: *mut u8, size: usize) -> Result<(), Failure> {
    if size != value.len() {
        return Err(Failure::invalid(format_args!("the hash has {} bytes, the buffer {size}", value.len())));
    }
    let mut written = 0;
    // SAFETY: the caller's.
    unsafe { arg::put_bytes(value, hash, size, &raw mut written) }
}

/// SHA-0 of `size` bytes. `hash_size` is 20.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `size` bytes at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_sha0(data: *const u8, size: usize, hash: *mut u8, hash_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::sha0(arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// SHA-1 of `size` bytes. `hash_size` is 20.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `size` bytes at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_sha1(data: *const u8, size: usize, hash: *mut u8, hash_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::sha1(arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// SHA-256 of `size` bytes. `hash_size` is 32.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `size` bytes at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_sha2_256(data: *const u8, size: usize, hash: *mut u8, hash_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::sha2_256(arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// SHA-384 of `size` bytes. `hash_size` is 48.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `size` bytes at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_sha2_384(data: *const u8, size: usize, hash: *mut u8, hash_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::sha2_384(arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// SHA-512 of `size` bytes. `hash_size` is 64.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `size` bytes at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_sha2_512(data: *const u8, size: usize, hash: *mut u8, hash_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::sha2_512(arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// MD5 of `size` bytes. `hash_size` is 16.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `size` bytes at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_md5(data: *const u8, size: usize, hash: *mut u8, hash_size: usize) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::md5(arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// HMAC of SHA-1 of `size` bytes, with a key of any length. `hash_size` is 20.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `key_size` bytes at `key` and `size` at `data` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_hmac_sha1(
    key: *const u8,
    key_size: usize,
    data: *const u8,
    size: usize,
    hash: *mut u8,
    hash_size: usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::hmac_sha1(arg::bytes(key, key_size)?, arg::bytes(data, size)?), hash, hash_size) }
    })
}

/// What a SoftEther server keeps of a password; it is as good as the password. `hash_size` is 20.
///
/// MAYAQUA_STATUS_INVALID: another `hash_size`.
///
/// # Safety
///
/// `username` and `password` end with a NUL, and `hash_size` bytes at `hash` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_hash_password(
    username: *const c_char,
    password: *const c_char,
    hash: *mut u8,
    hash_size: usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::hash_password(arg::string(username)?, arg::string(password)?), hash, hash_size) }
    })
}

/// What a SoftEther client proves a password by: of its hash and the 20 random bytes of the server. All three sizes are 20.
///
/// MAYAQUA_STATUS_INVALID: another size.
///
/// # Safety
///
/// 20 bytes at `hashed` and at `random` may be read and `hash_size` at `hash` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mayaqua_secure_password(
    hashed: *const u8,
    hashed_size: usize,
    random: *const u8,
    random_size: usize,
    hash: *mut u8,
    hash_size: usize,
) -> Status {
    boundary(|| {
        // SAFETY: the caller's.
        let (hashed, random) = unsafe { (arg::bytes(hashed, hashed_size)?, arg::bytes(random, random_size)?) };
        let (Ok(hashed), Ok(random)) = (hashed.try_into(), random.try_into()) else {
            return Err(Failure::invalid("a hash and a random number have 20 bytes each"));
        };
        // SAFETY: the caller's.
        unsafe { put_hash(&crypto::secure_password(hashed, random), hash, hash_size) }
    })
}
