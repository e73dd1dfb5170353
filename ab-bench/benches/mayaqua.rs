//! What of Mayaqua is no swap, C beside the safe crate `mayaqua`, in one process: `mayaqua/WHAT/{c,rust}`.
//!
//! - `pack_encode_welcome`, `pack_decode_welcome`: the Welcome of a session with UDP acceleration, as the C's server makes it
//!   (`PackWelcome`): `PackToBuf` and `BufToPack` with their `Free`, against `Pack::encode` and `Pack::decode`.
//! - `hash_list_search`, `hash_list_add_delete`: one item among a thousand.
//! - `list_search`, `list_sort`: the same by the orders of `LIST`; sorting what is in order backwards.
//!
//! The C's own calls pass the switches of swapped functions, which stand on C. It is built by the `swaps` crate.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mayaqua::hash_list::HashList;
use mayaqua::list::List;
use mayaqua::pack::Pack;
use softether_sys::*;
use std::ffi::{CString, c_void};
use std::hint::black_box;
// What the C calls is defined there.
use swaps as _;

/// Items of a list.
const ITEMS: usize = 1000;
/// The item that is looked for, added and deleted.
const ITEM: u32 = 777;

fn start() {
    let program = std::env::current_exe().expect("the benchmark's own path");
    let name = CString::new(program.to_str().expect("a path in UTF-8")).expect("a path without NUL");
    let mut arguments = [name.into_raw()];
    // SAFETY: called once, before any other function of Mayaqua; the argument lives as long as the process.
    unsafe {
        MayaquaMinimalMode();
        InitMayaqua(0, 0, 1, arguments.as_mut_ptr());
    }
}

/// A structure of the C as it begins; it lives as long as the process.
fn zeroed<T>() -> &'static mut T {
    let size = u32::try_from(size_of::<T>()).expect("a structure of the C");
    // SAFETY: the block has room for it, and the C's structures may be all zeros.
    unsafe { &mut *ZeroMalloc(size).cast::<T>() }
}

/// The bytes of a Welcome, by the C's server. What it is made of lives as long as the process.
fn welcome() -> Vec<u8> {
    let (policy, connection, session) = (zeroed::<POLICY>(), zeroed::<CONNECTION>(), zeroed::<SESSION>());
    (policy.Access, policy.MaxConnection, policy.TimeOut) = (1, 32, 20);
    connection.Name = c"CID-1-0123456789".as_ptr().cast_mut();
    session.Name = c"SID-USER-1".as_ptr().cast_mut();
    (session.Connection, session.Policy) = (connection, policy);
    (session.MaxConnection, session.UseEncrypt, session.Timeout, session.QoS) = (8, 1, 20_000, 1);
    session.SessionKey = [7; 20];
    // SAFETY: what PackWelcome reads of a session is there.
    unsafe {
        let cedar = NewCedar(std::ptr::null_mut(), std::ptr::null_mut());
        let mut ip = IP { addr: [127, 0, 0, 1], ipv6_addr: [0; 16], ipv6_scope_id: 0 };
        session.UdpAccel = NewUdpAccel(cedar, &raw mut ip, 0, 1, 1);
        let pack = PackWelcome(session);
        let buf = PackToBuf(pack);
        let bytes = std::slice::from_raw_parts((*buf).Buf.cast::<u8>(), (*buf).Size as usize).to_vec();
        FreeBuf(buf);
        FreePack(pack);
        bytes
    }
}

/// A buffer of the C with these bytes, read from its start.
fn buffer(bytes: &[u8]) -> *mut BUF {
    // SAFETY: the bytes are read and copied.
    unsafe { NewBufFromMemory(bytes.as_ptr().cast_mut().cast(), u32::try_from(bytes.len()).expect("a short message")) }
}

fn packs(criterion: &mut Criterion) {
    let bytes = welcome();
    let buf = buffer(&bytes);
    // SAFETY: the buffer holds a PACK, and only this thread has it.
    let c_pack = unsafe { BufToPack(buf) };
    let pack = Pack::decode(&bytes).expect("the C's own message");
    assert_eq!(pack.encode().expect("what was decoded"), bytes, "both sides write the same");
    println!("{} bytes, {} elements", bytes.len(), pack.len());

    let mut group = criterion.benchmark_group("mayaqua/pack_encode_welcome");
    // SAFETY: the PACK lives, and what is made of it is freed once.
    group.bench_function("c", |bencher| bencher.iter(|| unsafe { FreeBuf(black_box(PackToBuf(c_pack))) }));
    group.bench_function("rust", |bencher| bencher.iter(|| black_box(pack.encode())));
    group.finish();

    let mut group = criterion.benchmark_group("mayaqua/pack_decode_welcome");
    let decode = || {
        // SAFETY: as above; the buffer is read from its start each time.
        unsafe {
            SeekBufToBegin(buf);
            FreePack(black_box(BufToPack(buf)));
        }
    };
    group.bench_function("c", |bencher| bencher.iter(decode));
    group.bench_function("rust", |bencher| bencher.iter(|| black_box(Pack::decode(&bytes))));
    group.finish();
}

/// The order and the hash of numbers, as callbacks of the C: places hold pointers to pointers.
unsafe extern "C" fn compare(a: *mut c_void, b: *mut c_void) -> i32 {
    // SAFETY: every item is a number that lives as long as the process.
    let [a, b] = [a, b].map(|place| unsafe { **place.cast::<*const u32>() });
    a.cmp(&b) as i32
}

unsafe extern "C" fn hash(item: *mut c_void) -> u32 {
    // SAFETY: as above.
    unsafe { *item.cast::<u32>() }.wrapping_mul(0x9e37_79b1)
}

/// Numbers that live as long as the process, in no order.
fn numbers() -> &'static [u32] {
    let numbers: Vec<u32> = (0..ITEMS).map(|i| u32::try_from(i * 7919 % ITEMS).expect("a small number")).collect();
    numbers.leak()
}

fn pointer(number: &'static u32) -> *mut c_void {
    std::ptr::from_ref(number).cast_mut().cast()
}

fn hash_lists(criterion: &mut Criterion) {
    let rust_hash = |number: &&'static u32| number.wrapping_mul(0x9e37_79b1);
    let numbers = numbers();
    let item: &'static u32 = numbers.iter().find(|number| **number == ITEM).expect("one of them");
    // SAFETY: the callbacks fit the items, which live as long as the process; one thread has the list.
    let list = unsafe { NewHashList(Some(hash), Some(compare), 8, 0) };
    let mut safe = HashList::new(rust_hash, |a: &&'static u32, b: &&'static u32| a.cmp(b), 8);
    for number in numbers {
        // SAFETY: as above.
        unsafe { AddHash(list, pointer(number)) };
        safe.add(number);
    }

    let mut group = criterion.benchmark_group("mayaqua/hash_list_search");
    // SAFETY: as above.
    group.bench_function("c", |bencher| bencher.iter(|| unsafe { SearchHash(list, black_box(pointer(item))) }));
    group.bench_function("rust", |bencher| bencher.iter(|| safe.search(black_box(&item)).copied()));
    group.finish();

    let mut group = criterion.benchmark_group("mayaqua/hash_list_add_delete");
    let turn = || {
        // SAFETY: as above.
        unsafe {
            DeleteHash(list, black_box(pointer(item)));
            AddHash(list, pointer(item));
        }
    };
    group.bench_function("c", |bencher| bencher.iter(turn));
    group.bench_function("rust", |bencher| {
        bencher.iter(|| {
            safe.delete(black_box(&item));
            safe.add(item);
        });
    });
    group.finish();
}

fn lists(criterion: &mut Criterion) {
    let numbers = numbers();
    let item: &'static u32 = numbers.iter().find(|number| **number == ITEM).expect("one of them");
    // SAFETY: the callback fits the items, which live as long as the process; one thread has the lists.
    let filled = || unsafe {
        let list = NewListFast(Some(compare));
        numbers.iter().for_each(|number| Add(list, pointer(number)));
        list
    };
    let safe = || {
        let mut list = List::new(Some(|a: &&'static u32, b: &&'static u32| a.cmp(b)));
        numbers.iter().for_each(|number| list.add(number));
        list
    };
    let (list, mut sorted) = (filled(), safe());
    // SAFETY: as above.
    unsafe { Sort(list) };
    sorted.sort();

    let mut group = criterion.benchmark_group("mayaqua/list_search");
    // SAFETY: as above.
    group.bench_function("c", |bencher| bencher.iter(|| unsafe { Search(list, black_box(pointer(item))) }));
    group.bench_function("rust", |bencher| bencher.iter(|| sorted.search(black_box(&item)).copied()));
    group.finish();

    let sort = |list| {
        // SAFETY: as above; a list is freed once, and that is part of the row on both sides.
        unsafe {
            Sort(list);
            ReleaseList(list);
        }
    };
    let mut group = criterion.benchmark_group("mayaqua/list_sort");
    group.bench_function("c", |bencher| bencher.iter_batched(filled, sort, BatchSize::SmallInput));
    group.bench_function("rust", |bencher| {
        bencher.iter_batched(safe, |mut list| list.sort(), BatchSize::SmallInput);
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    start();
    packs(criterion);
    hash_lists(criterion);
    lists(criterion);
}

criterion_group!(benches, all);
criterion_main!(benches);
