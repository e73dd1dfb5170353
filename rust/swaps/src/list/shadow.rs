//! How two lists and two arrays are compared in shadow mode, and a copy made for it.

use super::*;

/// A list without a lock that is freed when dropped; the items are not.
pub struct Owned(*mut LIST);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { release(self.0) };
    }
}

impl Structure for List {
    type C = LIST;
    type Copy = Owned;

    unsafe fn of<'a>(c: *mut LIST) -> Option<&'a mut Self> {
        // SAFETY: the caller's; the view is a LIST.
        unsafe { c.cast::<Self>().as_mut() }
    }

    fn copy(&self) -> Owned {
        let copy = malloc(size_of::<LIST>() as u32).cast::<LIST>();
        let array = malloc(ITEM_SIZE * self.0.num_reserved.min(PLACES_MAX)).cast::<*mut c_void>();
        // SAFETY: new memory: an array of as many places, and a LIST.
        unsafe {
            array.copy_from_nonoverlapping(self.items().as_ptr(), self.items().len());
            copy.write(LIST { p: array, lock: ptr::null_mut(), ref_: ptr::null_mut(), ..self.0 });
        }
        Owned(copy)
    }

    fn pointer(copy: &mut Owned) -> *mut LIST {
        copy.0
    }

    fn compare(&self, rust: &Self) -> Verdict {
        let members = |o: &LIST| (o.num_item, o.num_reserved, o.sorted, o.Param1, o.cmp.map(|cmp| cmp as usize));
        if members(&self.0) == members(&rust.0) && self.items() == rust.items() {
            return Ok(());
        }
        Err(Difference::new(Kind::State, Shape::Word("list"), Shape::Word("another list"))
            .lengths(self.items().len(), rust.items().len()))
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) {
        self.0.Param1 ^= 1;
    }
}

impl Outcome for *mut LIST {
    unsafe fn compare(control: *mut LIST, candidate: *mut LIST) -> Verdict {
        let candidate = Owned(candidate);
        // SAFETY: the caller's; whoever called the function has not got the control's yet.
        match unsafe { (List::of(control), List::of(candidate.0)) } {
            (Some(control), Some(candidate)) => {
                let has = |o: &LIST| (!o.lock.is_null(), !o.ref_.is_null());
                if has(&control.0) != has(&candidate.0) {
                    return Err(Difference::new(Kind::State, Shape::Word("lock"), Shape::Word("another lock")));
                }
                control.compare(candidate)
            }
            _ => compare_results(&control.is_null(), &candidate.0.is_null()),
        }
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) -> bool {
        // SAFETY: it was made just now, for us.
        unsafe { List::of(*self) }.map(Structure::spoil).is_some()
    }
}

/// Compares two arrays of `o`'s items, and frees Rust's.
///
/// # Safety
/// Both came from the two sides of one function, `o` is what they were made of.
unsafe fn compare_arrays(o: *mut LIST, control: *mut c_void, candidate: *mut c_void) -> Verdict {
    compare_results(&control.is_null(), &candidate.is_null())?;
    // SAFETY: the caller's.
    unsafe {
        let bytes = ITEM_SIZE.saturating_mul(memory::list::len(o));
        let verdict = compare_bytes(memory::view(control, bytes), memory::view(candidate, bytes));
        memory::free(candidate);
        verdict
    }
}

pub(super) unsafe fn shadow_to_array(o: *mut LIST, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_arrays(o, control.run(), array(o)) }
}

pub(super) unsafe fn shadow_to_array_ex(o: *mut LIST, _fast: bool_, control: Control<'_, *mut c_void>) -> Verdict {
    // SAFETY: the caller's.
    unsafe { compare_arrays(o, control.run(), array(o)) }
}

pub(super) unsafe fn shadow_copy_to_array(o: *mut LIST, p: *mut c_void, control: Control<'_, ()>) -> Verdict {
    control.run();
    // SAFETY: the caller's; C has filled the array, and the other has as many places.
    unsafe {
        if o.is_null() || p.is_null() {
            return Ok(());
        }
        let count = (*o).num_item as usize;
        let mut candidate = vec![ptr::null_mut::<c_void>(); count];
        copy_to_array::RUST(o, candidate.as_mut_ptr().cast());
        match slice::from_raw_parts(p.cast::<*mut c_void>(), count) == candidate {
            true => Ok(()),
            false => Err(Difference::new(Kind::Bytes, Shape::Word("array"), Shape::Word("another array"))),
        }
    }
}
