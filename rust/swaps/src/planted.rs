//! Faults for the tests to find, compiled only with the feature `planted-faults` and never in a product.
//!
//! `CUTOVER_PLANT=mismatch` makes the Rust side of `WriteFifo` write one wrong byte, `far-mismatch` spoil one in the middle of
//! the bytes that wait, where only the comparison of all of them finds it; `CUTOVER_PLANT=panic` makes it panic before it has
//! changed anything, as ADDING_A_SWAP.md demands of a cloned swap. `slow`, `endless`, `hog` and `crash` make it take
//! milliseconds, never return, keep memory, and kill the process. `CUTOVER_PLANT_IN=new_list` has another swap do so, one of
//! those that have no file to themselves; in `init_tick64`, which a process calls once, `panic` strikes at once
//! (tests/planted_clock.rs). `CUTOVER_PLANT=session` makes the loop of `SessionMain` panic, `CUTOVER_PLANT=session-locked`
//! while it holds a lock of the C, and `CUTOVER_PLANT=session-stuck` makes it stand still. All others strike from the hundredth
//! call on: late enough to be under traffic. `CUTOVER_PLANT=burn` makes the process need 5 % more CPU from the first call on,
//! for the A/B harness to find.
//!
//! `plaintext`, `timeout-0` and `timeout-max` stand for a server whose Welcome says so. `key-update` is no fault: TLS 1.3 keys
//! of the fused path are replaced after so few records that a test sees it.

use softether_sys::{FIFO, LIST, SESSION};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// So often a call is harmless, and a turn of a session that goes seam by seam.
pub const HARMLESS_CALLS: u32 = 100;

/// So many turns of a session on the fused path are harmless: one is 50 ms of traffic.
#[cfg(fused_path)]
pub const HARMLESS_FUSED_TURNS: u32 = 10;

/// Records of a TLS 1.3 key, if keys are to be replaced often.
#[cfg(fused_path)]
const KEY_RECORDS: u64 = 40;

/// Of so many unread bytes the middle is far from both ends, and from the frame that was written.
const MANY_BYTES: u32 = 8192;

/// What a slow call takes longer.
const SLOWNESS: Duration = Duration::from_millis(2);

/// What a greedy call keeps.
const GREED_BYTES: usize = 1 << 20;

#[derive(PartialEq)]
enum Fault {
    None,
    Mismatch,
    FarMismatch,
    Panic,
    Slow,
    Endless,
    Hog,
    Crash,
    Session,
    SessionLocked,
    SessionStuck,
    Plaintext,
    Timeout(u32),
    KeyUpdate,
    Burn,
}

fn fault() -> &'static Fault {
    static FAULT: OnceLock<Fault> = OnceLock::new();
    FAULT.get_or_init(|| match std::env::var("CUTOVER_PLANT").as_deref() {
        Ok("mismatch") => Fault::Mismatch,
        Ok("far-mismatch") => Fault::FarMismatch,
        Ok("panic") => Fault::Panic,
        Ok("slow") => Fault::Slow,
        Ok("endless") => Fault::Endless,
        Ok("hog") => Fault::Hog,
        Ok("crash") => Fault::Crash,
        Ok("session") => Fault::Session,
        Ok("session-locked") => Fault::SessionLocked,
        Ok("session-stuck") => Fault::SessionStuck,
        Ok("plaintext") => Fault::Plaintext,
        Ok("timeout-0") => Fault::Timeout(0),
        Ok("timeout-max") => Fault::Timeout(u32::MAX),
        Ok("key-update") => Fault::KeyUpdate,
        Ok("burn") => {
            std::thread::spawn(burn);
            Fault::Burn
        }
        _ => Fault::None,
    })
}

/// Uses a twentieth of the CPU time that all other threads of the process use.
fn burn() {
    use rustix::time::{ClockId, clock_gettime};
    let time = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    loop {
        std::thread::sleep(Duration::from_millis(5));
        loop {
            let mine = time(ClockId::ThreadCPUTime);
            let others = time(ClockId::ProcessCPUTime).saturating_sub(mine);
            if mine * 20 >= others {
                break;
            }
        }
    }
}

/// Whether the fault is to be in this swap.
fn is_in(swap: &str) -> bool {
    static PLACE: OnceLock<String> = OnceLock::new();
    let place = PLACE.get_or_init(|| std::env::var("CUTOVER_PLANT_IN").unwrap_or_else(|_| "write_fifo".to_owned()));
    !matches!(fault(), Fault::None) && place == swap
}

/// Does what it is to do instead of working well, if it is time. Called before anything is changed.
pub fn strike_before(swap: &str) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    if !is_in(swap) || CALLS.fetch_add(1, Ordering::Relaxed) < HARMLESS_CALLS {
        return;
    }
    match fault() {
        Fault::Panic => panic!("planted"),
        Fault::Slow => std::thread::sleep(SLOWNESS),
        Fault::Endless => loop {
            std::hint::spin_loop();
        },
        // Written to, so that the kernel has to find it.
        Fault::Hog => _ = std::hint::black_box(vec![1_u8; GREED_BYTES].leak()),
        Fault::Crash => std::process::abort(),
        _ => {}
    }
}

/// Panics at the first call, if that is the fault: what a process calls once has no harmless calls. Called before anything is
/// changed.
pub fn strike_at_once(swap: &str) {
    assert!(!is_in(swap) || *fault() != Fault::Panic, "planted");
}

/// Whether it is time for this swap to give or leave something else than it should.
pub fn spoils(swap: &str) -> bool {
    is_time_for(&Fault::Mismatch, swap)
}

fn is_time_for(wanted: &Fault, swap: &str) -> bool {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    is_in(swap) && fault() == wanted && CALLS.fetch_add(1, Ordering::Relaxed) >= HARMLESS_CALLS
}

/// Spoils the last byte, or one in the middle of many, if that is the fault and it is time. Called after a write of at least
/// one byte.
pub fn strike_after(fifo: &mut FIFO) {
    let spoilt = if spoils("write_fifo") {
        fifo.size - 1
    } else if is_time_for(&Fault::FarMismatch, "write_fifo") && fifo.size >= MANY_BYTES {
        fifo.size / 2
    } else {
        return;
    };
    // SAFETY: one of the unread bytes, of which a FIFO that was written to has some.
    unsafe { *fifo.p.cast::<u8>().add((fifo.pos + spoilt) as usize) ^= 1 };
}

/// Panics or stands still in a session's turn, if that is the fault and `harmless` turns have passed.
///
/// # Safety
/// `sockets` is a list whose lock this thread does not hold.
#[cfg(session_main)]
pub unsafe fn strike_session(sockets: *mut LIST, harmless: u32) {
    static TURNS: AtomicU32 = AtomicU32::new(0);
    let strikes = matches!(fault(), Fault::Session | Fault::SessionLocked | Fault::SessionStuck);
    if !strikes || TURNS.fetch_add(1, Ordering::Relaxed) < harmless {
        return;
    }
    while *fault() == Fault::SessionStuck {
        std::thread::park();
    }
    // SAFETY: the caller's.
    let _lock = (*fault() == Fault::SessionLocked).then(|| unsafe { crate::memory::list::Locked::new(sockets) });
    panic!("planted");
}

/// Spoils what the server's Welcome has said, if that is the fault.
pub fn strike_terms(s: &mut SESSION) {
    match fault() {
        Fault::Plaintext => s.UseEncrypt = 0,
        Fault::Timeout(timeout) => s.Timeout = *timeout,
        _ => {}
    }
}

/// Has the keys of a connection replaced often, if that is asked for.
#[cfg(fused_path)]
pub fn strike_keys(mut keys: cedar::tls::Keys) -> cedar::tls::Keys {
    if *fault() == Fault::KeyUpdate {
        keys.sealer.replace_keys_after(KEY_RECORDS);
    }
    keys
}
