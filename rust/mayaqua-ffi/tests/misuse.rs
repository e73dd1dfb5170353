//! The C API misused in every way that a program can be wrong (RELIABILITY I12): null, double free, stale and invented
//! handles, wrong sizes, other threads, re-entry. Each is an error, and the next sound call works.

use mayaqua_ffi::Status::{
    self, BadHandle, BadMessage, Busy, Exists, Invalid, NoSpace, NotFound, NotInitialized, Ok, Overflow,
};
use mayaqua_ffi::buf::{self, Buf};
use mayaqua_ffi::fifo::{self, Fifo};
use mayaqua_ffi::library::{MAYAQUA_ABI_VERSION, mayaqua_free_library, mayaqua_init, mayaqua_self_test};
use mayaqua_ffi::list::{self, List};
use mayaqua_ffi::memory;
use mayaqua_ffi::pack::{self, Pack};
use mayaqua_ffi::pack_values as values;
use mayaqua_ffi::queue::{self, Queue};
use mayaqua_ffi::sha;
use mayaqua_ffi::str as string;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

/// Calls an exported function. Every call of this file hands over pointers of its own, or null.
macro_rules! call {
    ($($call:tt)*) => {
        // SAFETY: pointers to live variables of the test, with their sizes, or null.
        unsafe { $($call)* }
    };
}

fn start() {
    assert_eq!(mayaqua_init(MAYAQUA_ABI_VERSION), Ok);
}

fn new_buf() -> Buf {
    let mut buf = Buf { id: 0 };
    assert_eq!(call!(buf::mayaqua_buf_new(&raw mut buf)), Ok);
    buf
}

fn new_pack() -> Pack {
    let mut pack = Pack { id: 0 };
    assert_eq!(call!(pack::mayaqua_pack_new(&raw mut pack)), Ok);
    pack
}

#[test]
fn handles_that_were_freed_never_were_or_are_of_another_kind() {
    start();
    let buf = new_buf();
    assert_eq!(buf::mayaqua_buf_free(buf), Ok);
    let again = new_buf();
    let pack = new_pack();
    let mut size = 0;
    for id in [buf.id, pack.id, 0, 1, u64::MAX, again.id ^ 1 << 40] {
        let wrong = Buf { id };
        assert_eq!(call!(buf::mayaqua_buf_write(wrong, b"x".as_ptr(), 1)), BadHandle);
        assert_eq!(call!(buf::mayaqua_buf_size(wrong, &raw mut size)), BadHandle);
        assert_eq!((buf::mayaqua_buf_clear(wrong), buf::mayaqua_buf_seek(wrong, 0, 0)), (BadHandle, BadHandle));
        assert_eq!(buf::mayaqua_buf_free(wrong), if id == 0 { Ok } else { BadHandle });
    }
    assert_eq!(call!(buf::mayaqua_buf_write(again, b"x".as_ptr(), 1)), Ok);
    assert_eq!((buf::mayaqua_buf_free(again), pack::mayaqua_pack_free(pack)), (Ok, Ok));
}

#[test]
fn null_where_something_must_be() {
    start();
    let buf = new_buf();
    assert_eq!(call!(buf::mayaqua_buf_new(null_mut())), Invalid);
    assert_eq!(call!(buf::mayaqua_buf_write(buf, null(), 1)), Invalid);
    assert_eq!(call!(buf::mayaqua_buf_write(buf, null(), 0)), Ok);
    assert_eq!(call!(buf::mayaqua_buf_write(buf, b"x".as_ptr(), usize::MAX)), Invalid);
    assert_eq!(call!(buf::mayaqua_buf_write_str(buf, null())), Invalid);
    assert_eq!(call!(buf::mayaqua_buf_write(buf, b"abc".as_ptr(), 3)), Ok);
    assert_eq!((buf::mayaqua_buf_seek(buf, 0, 0), buf::mayaqua_buf_seek(buf, 0, 2)), (Ok, Invalid));
    let mut read = 7;
    assert_eq!(call!(buf::mayaqua_buf_read(buf, null_mut(), 2, &raw mut read)), Invalid);
    // A read that failed took nothing.
    let mut bytes = [9; 5];
    assert_eq!(call!(buf::mayaqua_buf_read(buf, bytes.as_mut_ptr(), 5, &raw mut read)), Ok);
    assert_eq!((&bytes, read), (b"abc\0\0", 3));
    assert_eq!(call!(buf::mayaqua_buf_read(buf, bytes.as_mut_ptr(), 5, null_mut())), Invalid);
    assert_eq!(buf::mayaqua_buf_free(buf), Ok);

    let pack = new_pack();
    assert_eq!(call!(values::mayaqua_pack_add_int(pack, null(), 1, 0, 1)), Invalid);
    assert_eq!(call!(values::mayaqua_pack_get_int(pack, c"x".as_ptr(), 0, null_mut())), NotFound);
    assert_eq!(call!(values::mayaqua_pack_add_int(pack, c"x".as_ptr(), 1, 0, 1)), Ok);
    assert_eq!(call!(values::mayaqua_pack_get_int(pack, c"x".as_ptr(), 0, null_mut())), Invalid);
    assert_eq!(call!(values::mayaqua_pack_add_int(pack, c"\xff".as_ptr(), 1, 0, 1)), Invalid);
    assert_eq!(pack::mayaqua_pack_free(pack), Ok);
    assert_eq!(call!(sha::mayaqua_sha0(null(), 1, [0; 20].as_mut_ptr(), 20)), Invalid);
    assert_eq!(call!(sha::mayaqua_sha0(null(), 0, null_mut(), 20)), Invalid);
    assert_eq!(call!(sha::mayaqua_sha0(null(), 0, [0; 20].as_mut_ptr(), 19)), Invalid);
}

#[test]
fn an_address_that_is_not_aligned() {
    start();
    let mut place = [0u64; 3];
    let odd = place.as_mut_ptr().cast::<u8>().wrapping_add(1).cast::<Buf>();
    assert_eq!(call!(buf::mayaqua_buf_new(odd)), Invalid);
    assert_eq!(place, [0; 3]);
}

#[test]
fn blocks_of_memory() {
    let free = |block, size| call!(memory::mayaqua_free(block, size));
    let block = memory::mayaqua_zero_malloc(64);
    assert_eq!((block.addr() % 16, free(block, 63), free(block, 64), free(block, 64)), (0, Invalid, Ok, Invalid));
    let mut foreign = [0u8; 16];
    assert_eq!(free(foreign.as_mut_ptr().cast(), 16), Invalid);
    assert_eq!(free(null_mut(), 5), Ok);
    assert!(memory::mayaqua_malloc(usize::MAX).is_null());
    assert!(memory::mayaqua_malloc(isize::MAX as usize - 15).is_null());

    let block = memory::mayaqua_malloc(0);
    let larger = call!(memory::mayaqua_realloc(block, 0, 100));
    assert!(!larger.is_null() && call!(memory::mayaqua_realloc(block, 0, 100)).is_null());
    assert!(call!(memory::mayaqua_realloc(larger, 99, 50)).is_null());
    assert_eq!(call!(memory::mayaqua_copy(larger, c"text".as_ptr().cast(), 5)), Ok);
    let smaller = call!(memory::mayaqua_realloc(larger, 100, 5));
    let mut same = false;
    assert_eq!(call!(memory::mayaqua_same(smaller, c"text".as_ptr().cast(), 5, &raw mut same)), Ok);
    assert!(same);
    assert_eq!((call!(memory::mayaqua_zero(smaller, 5)), free(smaller, 5)), (Ok, Ok));
    assert_eq!(
        (call!(memory::mayaqua_zero(null_mut(), 1)), call!(memory::mayaqua_copy(null_mut(), null(), 1))),
        (Invalid, Invalid)
    );
}

#[test]
fn buffers_of_the_callers_that_are_too_small() {
    start();
    let pack = new_pack();
    assert_eq!(call!(values::mayaqua_pack_add_str(pack, c"s".as_ptr(), c"four".as_ptr(), 0, 1)), Ok);
    let get = |text: *mut c_char, capacity| {
        let mut size = 99;
        (call!(values::mayaqua_pack_get_str(pack, c"s".as_ptr(), 0, text, capacity, &raw mut size)), size)
    };
    let mut text = [c_char::MAX; 6];
    assert_eq!((get(null_mut(), 0), get(text.as_mut_ptr(), 4)), ((NoSpace, 4), (NoSpace, 4)));
    assert_eq!(text, [c_char::MAX; 6]);
    assert_eq!((get(null_mut(), 5), get(text.as_mut_ptr(), 5)), ((Invalid, 4), (Ok, 4)));
    assert_eq!((text[4], text[5]), (0, c_char::MAX));
    let mut size = 0;
    assert_eq!(call!(pack::mayaqua_pack_name(pack, 0, null_mut(), 0, &raw mut size)), NoSpace);
    assert_eq!(call!(pack::mayaqua_pack_name(pack, 1, null_mut(), 0, &raw mut size)), NotFound);
    assert_eq!(call!(string::mayaqua_str_cpy(text.as_mut_ptr(), 0, c"x".as_ptr(), &raw mut size)), Invalid);
    assert_eq!(call!(string::mayaqua_str_cpy(text.as_mut_ptr(), 3, c"xyz".as_ptr(), &raw mut size)), Ok);
    assert_eq!(size, 2);
    assert_eq!(call!(string::mayaqua_str_cat(text.as_mut_ptr(), 4, c"1234".as_ptr(), &raw mut size)), Ok);
    assert_eq!(size, 3);
    assert_eq!(call!(string::mayaqua_str_cat(text.as_mut_ptr(), 2, c"1".as_ptr(), &raw mut size)), Invalid);
    assert_eq!(pack::mayaqua_pack_free(pack), Ok);
}

#[test]
fn messages_that_are_none_and_values_that_are_too_many() {
    start();
    let mut pack = Pack { id: 0 };
    let from = |bytes: &[u8], pack: &mut Pack| call!(pack::mayaqua_pack_from_bytes(bytes.as_ptr(), bytes.len(), pack));
    assert_eq!(from(&[0, 0, 0], &mut pack), BadMessage);
    assert_eq!(from(&[0xff; 64], &mut pack), Overflow);
    assert_eq!(pack, Pack { id: 0 });
    assert_eq!(from(&[0; 4], &mut pack), Ok);
    let add =
        |name: &std::ffi::CStr, index, total| call!(values::mayaqua_pack_add_int(pack, name.as_ptr(), 1, index, total));
    assert_eq!(
        (add(c"x", 1, 1), add(c"x", 0, 0), add(c"x", 0, 1 << 20), add(c"x", 0, 1)),
        (Invalid, Invalid, Overflow, Ok)
    );
    assert_eq!(call!(values::mayaqua_pack_add_int64(pack, c"X".as_ptr(), 1, 0, 1)), Exists);
    let long = std::ffi::CString::new("n".repeat(64)).unwrap();
    assert_eq!(add(&long, 0, 1), Invalid);
    let mut value = 0;
    assert_eq!(call!(values::mayaqua_pack_get_int64(pack, c"x".as_ptr(), 0, &raw mut value)), NotFound);
    assert_eq!(call!(pack::mayaqua_pack_delete(pack, c"X".as_ptr())), Ok);
    assert_eq!(call!(pack::mayaqua_pack_delete(pack, c"X".as_ptr())), NotFound);
    assert_eq!(pack::mayaqua_pack_free(pack), Ok);
}

/// The list that calls [`reentrant`], and what came of calling it.
static REENTERED: Mutex<(List, Vec<Status>)> = Mutex::new((List { id: 0 }, Vec::new()));

/// A comparison that calls the very list that calls it.
unsafe extern "C" fn reentrant(_: *const c_void, _: *const c_void, _: *mut c_void) -> c_int {
    let (list, seen) = &mut *REENTERED.lock().unwrap();
    seen.extend([list::mayaqua_list_delete_all(*list), list::mayaqua_list_free(*list)]);
    0
}

#[test]
fn a_comparison_that_calls_its_own_list() {
    start();
    let mut list = List { id: 0 };
    assert_eq!(call!(list::mayaqua_list_new(Some(reentrant), null_mut(), &raw mut list)), Ok);
    REENTERED.lock().unwrap().0 = list;
    let mut items = [1u8, 2];
    let item = |place: usize, items: &mut [u8; 2]| (&raw mut items[place]).cast::<c_void>();
    assert_eq!(list::mayaqua_list_insert(list, item(0, &mut items)), Ok);
    assert_eq!(list::mayaqua_list_insert(list, item(1, &mut items)), Ok);
    // To change the list is an answer; to free it is allowed, and the call that is inside ends on what it had.
    assert_eq!(REENTERED.lock().unwrap().1, [Busy, Ok]);
    assert_eq!(list::mayaqua_list_free(list), BadHandle);
}

#[test]
fn queues_and_lists_keep_to_their_limits() {
    start();
    let mut queue = Queue { id: 0 };
    let mut found = null_mut();
    assert_eq!(call!(queue::mayaqua_queue_new(0, &raw mut queue)), Invalid);
    assert_eq!(call!(queue::mayaqua_queue_new(1, &raw mut queue)), Ok);
    let item = null_mut::<c_void>().wrapping_byte_add(8);
    assert_eq!(
        (queue::mayaqua_queue_insert(queue, null_mut()), queue::mayaqua_queue_insert(queue, item)),
        (Invalid, Ok)
    );
    assert_eq!(queue::mayaqua_queue_insert(queue, item), NoSpace);
    assert_eq!(call!(queue::mayaqua_queue_get_next(queue, &raw mut found)), Ok);
    assert_eq!((found, call!(queue::mayaqua_queue_get_next(queue, &raw mut found))), (item, NotFound));
    assert_eq!((queue::mayaqua_queue_free(queue), queue::mayaqua_queue_free(queue)), (Ok, BadHandle));

    let mut list = List { id: 0 };
    assert_eq!(call!(list::mayaqua_list_new(None, null_mut(), &raw mut list)), Ok);
    assert_eq!((list::mayaqua_list_add(list, null_mut()), list::mayaqua_list_insert(list, item)), (Invalid, Ok));
    assert_eq!(call!(list::mayaqua_list_search(list, item, &raw mut found)), NotFound);
    assert_eq!(call!(list::mayaqua_list_get(list, 1, &raw mut found)), NotFound);
    assert_eq!((list::mayaqua_list_delete(list, item), list::mayaqua_list_delete(list, item)), (Ok, NotFound));
    assert_eq!(list::mayaqua_list_free(list), Ok);
}

#[test]
fn one_object_from_many_threads_and_freed_meanwhile() {
    start();
    let mut fifo = Fifo { id: 0 };
    assert_eq!(call!(fifo::mayaqua_fifo_new(&raw mut fifo)), Ok);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut status = Ok;
                for _ in 0..200_000 {
                    status = call!(fifo::mayaqua_fifo_write(fifo, b"x".as_ptr(), 1));
                    if status != Ok {
                        break;
                    }
                }
                assert!(status == BadHandle || status == Ok);
            });
        }
        scope.spawn(|| assert_eq!(fifo::mayaqua_fifo_free(fifo), Ok));
    });
    assert_eq!(fifo::mayaqua_fifo_clear(fifo), BadHandle);
}

/// The only test that ends the library: in a process of its own, since the others make objects meanwhile.
#[test]
fn the_end_of_the_library_is_the_end_of_its_objects() {
    const INSIDE: &str = "MAYAQUA_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_none() {
        let program = std::env::current_exe().unwrap();
        let name = "the_end_of_the_library_is_the_end_of_its_objects";
        let status = std::process::Command::new(program).args(["--exact", name]).env(INSIDE, "1").status().unwrap();
        assert!(status.success());
        return;
    }
    let mut buf = Buf { id: 0 };
    assert_eq!(call!(buf::mayaqua_buf_new(&raw mut buf)), NotInitialized);
    assert_eq!((mayaqua_free_library(), mayaqua_init(MAYAQUA_ABI_VERSION + 1)), (NotInitialized, Status::AbiMismatch));
    start();
    start();
    let buf = new_buf();
    assert_eq!((mayaqua_free_library(), buf::mayaqua_buf_clear(buf)), (Ok, Ok));
    assert_eq!(
        (mayaqua_free_library(), buf::mayaqua_buf_clear(buf), buf::mayaqua_buf_free(buf)),
        (Ok, BadHandle, BadHandle)
    );
    start();
    assert_ne!(new_buf(), buf);
    assert_eq!((mayaqua_self_test(), mayaqua_free_library()), (Ok, Ok));
}
