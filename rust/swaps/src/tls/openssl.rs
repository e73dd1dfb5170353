//! A connection's own OpenSSL object as a record layer: it seals into memory and opens from memory, so that the path
//! around it is the same as with `cedar::tls`, and a comparison of the two is one of libraries.
//!
//! Ownership: [`OpenSsl`] holds a reference of its own to the object, and both of its BIOs belong to the object. Other
//! threads may drop theirs (the C does when it closes the connection); nobody else reads or writes.

use cedar::fused::Records;
use cedar::tls::{End, Error, OVERHEAD_MAX, Opened, PLAINTEXT_MAX, SealError};
use openssl_sys as ossl;
use std::ffi::{c_int, c_long};
use std::ptr;

const BIO_C_SET_BUF_MEM_EOF_RETURN: c_int = 130;
const BIO_CTRL_PENDING: c_int = 10;
const SSL_MODE_ENABLE_PARTIAL_WRITE: c_long = 1;
const SSL_CTRL_CLEAR_MODE: c_int = 78;

unsafe extern "C" {
    fn SSL_up_ref(ssl: *mut ossl::SSL) -> c_int;
}

/// A connection's OpenSSL object.
pub struct OpenSsl {
    ssl: *mut ossl::SSL,
    /// What was received. The object's.
    received: *mut ossl::BIO,
    /// What is to be sent. The object's.
    sending: *mut ossl::BIO,
}

/// Messages that OpenSSL may send of its own accord before the next data: alerts, an answer to a KeyUpdate.
const OWN_MESSAGES_MAX: usize = 4 * (OVERHEAD_MAX + 64);

impl OpenSsl {
    /// Takes the object over, with the plaintext that it had read already. `None`: out of memory.
    ///
    /// # Safety
    /// `ssl` is alive and established, and nobody else reads or writes by it from now on.
    pub unsafe fn new(ssl: *mut ossl::SSL) -> Option<(Self, Vec<u8>)> {
        // SAFETY: the caller's. The object takes both BIOs over and drops its own, which leave the socket open.
        unsafe {
            let (received, sending) = (ossl::BIO_new(ossl::BIO_s_mem()), ossl::BIO_new(ossl::BIO_s_mem()));
            if received.is_null() || sending.is_null() || SSL_up_ref(ssl) != 1 {
                ossl::BIO_free_all(received);
                ossl::BIO_free_all(sending);
                return None;
            }
            // Empty means "later" and not "end".
            ossl::BIO_ctrl(received, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, ptr::null_mut());
            ossl::SSL_set_bio(ssl, received, sending);
            ossl::SSL_ctrl(ssl, SSL_CTRL_CLEAR_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE, ptr::null_mut());
            let mut this = Self { ssl, received, sending };
            let mut plaintext = vec![0; PLAINTEXT_MAX];
            let opened = this.open(&[], &mut plaintext);
            plaintext.truncate(opened.plaintext);
            Some((this, plaintext))
        }
    }

    /// Moves what OpenSSL has sealed to the start of `out`. `None`: it does not fit.
    fn take_sealed(&self, out: &mut [u8]) -> Option<usize> {
        let mut end = 0;
        // SAFETY: the BIO is the object's, which lives; as many bytes are written as there is room for.
        unsafe {
            while ossl::BIO_ctrl(self.sending, BIO_CTRL_PENDING, 0, ptr::null_mut()) != 0 {
                let room = out.get_mut(end..).filter(|room| !room.is_empty())?;
                let size = ossl::BIO_read(self.sending, room.as_mut_ptr().cast(), clamp(room.len()));
                end += usize::try_from(size).ok()?;
            }
        }
        Some(end)
    }
}

fn clamp(len: usize) -> c_int {
    c_int::try_from(len).unwrap_or(c_int::MAX)
}

impl Records for OpenSsl {
    fn sealed_len_max(&self, plaintext: usize) -> usize {
        plaintext + plaintext.div_ceil(PLAINTEXT_MAX) * (OVERHEAD_MAX + 64) + OWN_MESSAGES_MAX
    }

    fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<usize, SealError> {
        if !plaintext.is_empty() {
            let size = clamp(plaintext.len());
            // SAFETY: the object lives and is used by this thread only; without partial writes, into memory, all is taken
            // or nothing. OpenSSL wants its queue of errors empty.
            let written = unsafe {
                ossl::ERR_clear_error();
                ossl::SSL_write(self.ssl, plaintext.as_ptr().cast(), size)
            };
            if written != size {
                return Err(SealError::Foreign);
            }
        }
        self.take_sealed(out).ok_or(SealError::BufferTooSmall)
    }

    fn open(&mut self, received: &[u8], out: &mut [u8]) -> Opened {
        let mut opened = Opened { taken: received.len(), ..Opened::default() };
        // SAFETY: the object and its BIOs live and are used by this thread only; as many bytes are read and written as
        // the slices have.
        unsafe {
            ossl::ERR_clear_error();
            if !received.is_empty()
                && ossl::BIO_write(self.received, received.as_ptr().cast(), clamp(received.len()))
                    != clamp(received.len())
            {
                opened.end = Some(End::Failed(Error::Foreign));
                return opened;
            }
            while let Some(room) = out.get_mut(opened.plaintext..).filter(|room| !room.is_empty()) {
                let size = ossl::SSL_read(self.ssl, room.as_mut_ptr().cast(), clamp(room.len()));
                if let Ok(size @ 1..) = usize::try_from(size) {
                    opened.plaintext += size;
                    continue;
                }
                opened.end = match ossl::SSL_get_error(self.ssl, size) {
                    ossl::SSL_ERROR_WANT_READ | ossl::SSL_ERROR_WANT_WRITE => None,
                    ossl::SSL_ERROR_ZERO_RETURN => Some(End::CloseNotify),
                    _ => Some(End::Failed(Error::Foreign)),
                };
                break;
            }
        }
        opened
    }

    fn seal_end(&mut self, error: Option<Error>, out: &mut [u8]) -> usize {
        if error.is_none() {
            // SAFETY: the object lives; it says close_notify into memory. After an error it has said an alert already.
            unsafe {
                ossl::ERR_clear_error();
                ossl::SSL_shutdown(self.ssl);
            }
        }
        self.take_sealed(out).unwrap_or(0)
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // SAFETY: the reference is this value's own.
        unsafe { ossl::SSL_free(self.ssl) };
    }
}
