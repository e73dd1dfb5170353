//! How two buffers are compared in shadow mode, and a copy made for it.

use super::*;

/// A buffer that is freed when dropped.
pub struct Owned(*mut BUF);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { free(self.0) };
    }
}

impl Structure for Buffer {
    type C = BUF;
    type Copy = Owned;

    unsafe fn of<'a>(c: *mut BUF) -> Option<&'a mut Self> {
        // SAFETY: the caller's; the view is a BUF.
        unsafe { c.cast::<Self>().as_mut() }
    }

    fn copy(&self) -> Owned {
        let copy = malloc(size_of::<BUF>() as u32).cast::<BUF>();
        let block = match self.0.Buf.is_null() {
            true => ptr::null_mut(),
            false => malloc(self.0.SizeReserved),
        };
        if !block.is_null() {
            let bytes = self.bytes();
            // SAFETY: a block of the same size.
            unsafe { block.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        // SAFETY: new memory of the size of a BUF.
        unsafe { copy.write(BUF { Buf: block, ..self.0 }) };
        Owned(copy)
    }

    fn pointer(copy: &mut Owned) -> *mut BUF {
        copy.0
    }

    fn compare(&self, rust: &Self) -> Verdict {
        let members = |b: &BUF| (b.Size, b.SizeReserved, b.Current, b.Buf.is_null());
        if members(&self.0) != members(&rust.0) {
            return Err(Difference::new(Kind::State, Shape::Word("buffer"), Shape::Word("another buffer"))
                .lengths(self.0.Size as usize, rust.0.Size as usize));
        }
        compare_bytes(self.bytes(), rust.bytes())
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) {
        self.0.Current ^= 1;
    }
}

impl Outcome for *mut BUF {
    unsafe fn compare(control: *mut BUF, candidate: *mut BUF) -> Verdict {
        let candidate = Owned(candidate);
        // SAFETY: the caller's; whoever called the function has not got the control's yet.
        match unsafe { (Buffer::of(control), Buffer::of(candidate.0)) } {
            (Some(control), Some(candidate)) => control.compare(candidate),
            _ => compare_results(&control.is_null(), &candidate.0.is_null()),
        }
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) -> bool {
        // SAFETY: it was made just now, for us.
        unsafe { Buffer::of(*self) }.map(Structure::spoil).is_some()
    }
}

/// Runs Rust on a copy, with a place of its own to read into.
pub(super) unsafe fn shadow_read_buf(b: *mut BUF, buf: *mut c_void, size: UINT, control: Control<'_, UINT>) -> Verdict {
    // SAFETY: the caller's.
    unsafe {
        let Some(mut copy) = Buffer::of(b).map(|b| b.copy()) else {
            return compare_results(&control.run(), &read_buf::RUST(b, buf, size));
        };
        let from_c = control.run();
        let mut place = vec![0xa5_u8; if buf.is_null() { 0 } else { size as usize }];
        let to = if buf.is_null() { buf } else { place.as_mut_ptr().cast() };
        compare_results(&from_c, &read_buf::RUST(Buffer::pointer(&mut copy), to, size))?;
        compare_bytes(memory::view(buf, memory::index(place.len())), &place)?;
        compare_state(b, &mut copy)
    }
}

/// Runs Rust on a copy, with a place of its own to read into. What is behind a string, or where there is none, is not looked at.
pub(super) unsafe fn shadow_read_buf_str(
    b: *mut BUF,
    str: *mut c_char,
    size: UINT,
    control: Control<'_, bool_>,
) -> Verdict {
    // SAFETY: the caller's.
    unsafe {
        let Some(mut copy) = Buffer::of(b).map(|b| b.copy()) else {
            return compare_results(&control.run(), &read_buf_str::RUST(b, str, size));
        };
        let from_c = control.run();
        let mut place = vec![0_u8; if str.is_null() { 0 } else { size as usize }];
        let to = if str.is_null() { str } else { place.as_mut_ptr().cast() };
        compare_results(&from_c, &read_buf_str::RUST(Buffer::pointer(&mut copy), to, size))?;
        if from_c != 0 {
            let candidate = CStr::from_bytes_until_nul(&place).unwrap_or_default();
            compare_bytes(CStr::from_ptr(str).to_bytes(), candidate.to_bytes())?;
        }
        compare_state(b, &mut copy)
    }
}

/// # Safety
/// Both are whole and nobody else's.
unsafe fn compare_state(c: *mut BUF, copy: &mut Owned) -> Verdict {
    // SAFETY: the caller's.
    match unsafe { (Buffer::of(c), Buffer::of(copy.0)) } {
        (Some(control), Some(candidate)) => control.compare(candidate),
        _ => Ok(()),
    }
}
