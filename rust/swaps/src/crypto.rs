//! The swaps of hashes (`Mayaqua/Encrypt.c`) and of what SoftEther makes of passwords (`Cedar/Account.c`, `Cedar/Sam.c`), over
//! [`mayaqua::crypto`]. Null as a destination is ignored; null as a source is, unless it has no bytes.
//!
//! Not here: what holds OpenSSL's own structures (`MD`, `CIPHER`, `CRYPT`), whose layout is OpenSSL's business.

use crate::shims::place::Output;
use crate::shims::role::{Bytes, Data, Source, Text};
use crate::shims::shims;
use mayaqua::crypto;
use std::ffi::c_void;

/// A hash of `src` to `dst`.
macro_rules! hash {
    ($dst:ident, $src:ident, $hash:path) => {
        if let Some(src) = $src.filter(|_| !$dst.is_null()) {
            $dst.put($hash(src));
        }
    };
}

/// A MAC of `src` to `dst`, and its length; without a key there is none.
macro_rules! mac {
    ($dst:ident, $key:ident, $src:ident, $mac:path) => {
        match ($key, $src) {
            (Some(key), Some(src)) if !$dst.is_null() && !key.is_empty() => {
                let mac = $mac(key, src);
                $dst.put(mac);
                crate::memory::index(mac.len())
            }
            _ => 0,
        }
    };
}

/// MD5 by aws-lc's assembler: the compression function of the crate `md-5` takes a fifth longer than OpenSSL's.
fn md5(data: &[u8]) -> [u8; crypto::MD5_SIZE] {
    let mut hash = [0; crypto::MD5_SIZE];
    // SAFETY: MD5 reads as many bytes of `data` as it has and writes as many to `hash` as it has; it cannot fail.
    unsafe { aws_lc_sys::MD5(data.as_ptr(), data.len(), hash.as_mut_ptr()) };
    hash
}

shims! {
    /// SHA-0 (C: `Sha0`, Mayaqua/Encrypt.c).
    cloned sha0 = Sha0(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, crypto::sha0);
    }

    /// SHA-1 (C: `Sha1`, Mayaqua/Encrypt.c).
    cloned sha1 = Sha1(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, crypto::sha1);
    }

    /// SHA-256 (C: `Sha2_256`, Mayaqua/Encrypt.c).
    cloned sha2_256 = Sha2_256(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, crypto::sha2_256);
    }

    /// SHA-384 (C: `Sha2_384`, Mayaqua/Encrypt.c).
    cloned sha2_384 = Sha2_384(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, crypto::sha2_384);
    }

    /// SHA-512 (C: `Sha2_512`, Mayaqua/Encrypt.c).
    cloned sha2_512 = Sha2_512(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, crypto::sha2_512);
    }

    /// MD5 (C: `Md5`, Mayaqua/Encrypt.c).
    cloned md5 = Md5(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, md5);
    }

    /// MD4 (C: `HashMd4`, Mayaqua/Encrypt.c).
    cloned hash_md4 = HashMd4(dst: Output<c_void>, src[size]: Source) -> () {
        hash!(dst, src, crypto::hash_md4);
    }

    /// HMAC of MD5 (C: `HMacMd5`, Mayaqua/Encrypt.c). Gives the number of bytes written.
    cloned hmac_md5 = HMacMd5(dst: Output<c_void>, key[key_size]: Data, src[src_size]: Source) -> u32 {
        mac!(dst, key, src, crypto::hmac_md5)
    }

    /// HMAC of SHA-1 (C: `HMacSha1`, Mayaqua/Encrypt.c). Gives the number of bytes written.
    cloned hmac_sha1 = HMacSha1(dst: Output<c_void>, key[key_size]: Data, src[src_size]: Source) -> u32 {
        mac!(dst, key, src, crypto::hmac_sha1)
    }

    /// What a server keeps of a password (C: `HashPassword`, Cedar/Account.c).
    cloned hash_password = HashPassword(dst: Output<c_void>, username: Text, password: Text) -> () {
        if let (Some(username), Some(password)) = (username, password)
            && !dst.is_null()
        {
            dst.put(crypto::hash_password(username, password));
        }
    }

    /// What a client proves a password by (C: `SecurePassword`, Cedar/Sam.c).
    cloned secure_password = SecurePassword(
        secure_password: Output<c_void>, password: Bytes<c_void, 20>, random: Bytes<c_void, 20>
    ) -> () {
        if let (Some(password), Some(random)) = (password, random)
            && !secure_password.is_null()
        {
            secure_password.put(crypto::secure_password(password, random));
        }
    }
}
