//! The swaps of hashes and passwords on both sides.

both_sides_of! {
    sha0 sha1 sha2_256 sha2_384 sha2_512 md5 hash_md4 hmac_md5 hmac_sha1 hash_password secure_password
}
