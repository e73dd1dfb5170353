//! The sequence of the swaps on LIST: what their self-tests and differential tests run.

use super::*;

/// Calls the functions in random order on lists of its own.
pub fn sequence(api: &Api, random: &mut Random, trace: &mut Trace) {
    // What the lists are of, among them many that are equal; a list's item is told by its place here, null by none.
    let numbers: Vec<UINT> = (0..64).map(|_| random.below(24)).collect();
    let places = |items: &[*mut c_void]| -> Vec<Option<usize>> {
        let place = |item: &*mut c_void| item.addr().wrapping_sub(numbers.as_ptr().addr());
        items.iter().map(|item| (!item.is_null()).then(|| place(item))).collect()
    };
    let seen = |o: *mut LIST| {
        // SAFETY: a list of the sequence.
        unsafe { List::of(o) }.map(|o| (o.0.num_reserved, o.0.sorted, o.0.lock.is_null(), places(o.items())))
    };
    let values = |o: *mut LIST| -> Vec<UINT> {
        // SAFETY: an integer list of the sequence.
        unsafe {
            match List::of(o) {
                Some(o) => o.items().iter().map(|number| number.cast::<UINT>().read()).collect(),
                None => Vec::new(),
            }
        }
    };
    let compare: COMPARE = Some(softether_sys::CompareInt);
    // SAFETY: the lists are ours and released once; their items are numbers that outlive them; null is allowed.
    unsafe {
        let mut o = (api.new_list)(compare);
        let mut ints = (api.new_int_list)(1);
        trace.note("new_list", seen(o));
        trace.note("new_int_list", values(ints));
        while trace.is_open() {
            let at = if random.below(32) == 0 { ptr::null_mut() } else { o };
            let mut pick = || match random.below(32) {
                0 => ptr::null_mut(),
                _ => ptr::from_ref(&numbers[random.below(64) as usize]).cast_mut().cast::<c_void>(),
            };
            let (item, other) = (pick(), pick());
            let number = random.below(24);
            let cmp = if random.below(4) == 0 { None } else { compare };
            macro_rules! step {
                ($name:ident($($arg:expr),*)) => {{
                    let gave = (api.$name)($($arg),*);
                    trace.note(stringify!($name), (gave, seen(o)));
                }};
                ($name:ident($($arg:expr),*) on ints) => {{
                    let gave = (api.$name)($($arg),*);
                    trace.note(stringify!($name), (gave, values(ints)));
                }};
                // What was made takes the list's place now and then.
                ($name:ident($($arg:expr),*) makes) => {{
                    let mut made = (api.$name)($($arg),*);
                    trace.note(stringify!($name), seen(made));
                    if random.below(8) == 0 {
                        std::mem::swap(&mut o, &mut made);
                    }
                    (api.release_list)(made);
                    trace.note("release_list", seen(o));
                }};
                ($name:ident($($arg:expr),*) array) => {{
                    let array = (api.$name)($($arg),*);
                    let items = if array.is_null() { 0 } else { (*o).num_item as usize };
                    trace.note(stringify!($name), (array.is_null(), places(memory_of(array, items)), seen(o)));
                    memory::free(array);
                }};
            }
            match random.step(64) {
                0..14 => step!(add(at, item)),
                14..16 => step!(add_distinct(at, item)),
                16..24 => step!(insert(at, item)),
                24..30 => step!(delete(at, item)),
                30..33 => {
                    let found = (api.search)(at, item);
                    trace.note("search", (places(&[found]), seen(o)));
                }
                33 => step!(sort(at)),
                34 => step!(is_in_list(at, item)),
                35..37 => step!(replace_list_pointer(at, item, other)),
                37 => step!(to_array(at) array),
                38 => step!(to_array_ex(at, 1) array),
                39 => {
                    let mut array = vec![ptr::null_mut::<c_void>(); (*o).num_item as usize];
                    (api.copy_to_array)(at, array.as_mut_ptr().cast());
                    (api.copy_to_array)(at, ptr::null_mut());
                    trace.note("copy_to_array", (places(&array), seen(o)));
                }
                40 => {
                    (api.lock_list)(at);
                    (api.unlock_list)(at);
                    trace.note("lock_list", seen(o));
                    trace.note("unlock_list", ());
                }
                41 => {
                    let (mut one, mut two) = (item, other);
                    let places = [(&raw mut one).cast(), (&raw mut two).cast(), ptr::null_mut()];
                    let gave = (api.compare_int)(places[0], places[(number % 3) as usize]);
                    trace.note("compare_int", gave);
                }
                42..47 => step!(add_int(ints, number) on ints),
                47 => step!(add_int_distinct(ints, number) on ints),
                48..51 => step!(insert_int(ints, number) on ints),
                51 => step!(insert_int_distinct(ints, number) on ints),
                52..54 => step!(del_int(ints, number) on ints),
                54 => step!(is_int_in_list(ints, number) on ints),
                55 => {
                    (api.release_int_list)(std::mem::replace(&mut ints, (api.new_int_list)(number & 1)));
                    trace.note("release_int_list", values(ints));
                }
                56 => {
                    // Seldom the list itself, so that it grows.
                    let single = (api.new_list_single)(item);
                    (api.delete_all)(if random.below(16) == 0 { at } else { single });
                    trace.note("delete_all", (seen(single), seen(o)));
                    (api.release_list)(single);
                }
                57 => step!(new_list(cmp) makes),
                58 => step!(new_list_fast(cmp) makes),
                59 => step!(new_list_ex(cmp, number & 1) makes),
                60 => step!(new_list_ex2(cmp, number & 1, number & 2) makes),
                61 => {
                    let single = (api.new_list_single)(item);
                    trace.note("new_list_single", seen(single));
                    (api.cleanup_list)(single);
                    trace.note("cleanup_list", ());
                }
                62 => {
                    // Counted: the first of two releases leaves it.
                    let counted = (api.new_list)(None);
                    softether_sys::AddRef((*counted).ref_);
                    (api.release_list)(counted);
                    trace.note("release_list", seen(counted));
                    (api.release_list)(counted);
                }
                _ => {}
            }
        }
        (api.release_list)(o);
        (api.release_int_list)(ints);
        (api.release_list)(ptr::null_mut());
    }
}

/// # Safety
/// `array` is null or has so many items.
unsafe fn memory_of<'a>(array: *mut c_void, items: usize) -> &'a [*mut c_void] {
    // SAFETY: the caller's.
    if array.is_null() { &[] } else { unsafe { slice::from_raw_parts(array.cast(), items) } }
}
