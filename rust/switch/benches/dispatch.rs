//! What a call pays for being swappable: the function itself, then through its dispatcher in each mode.
//! The function does next to nothing, so that the rows' difference is the dispatcher.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use switch::{Contract, Info, Mode, Setting, Source, Swap};

static SWAPPED: Swap = Swap::new(Info {
    index: 0,
    name: "swapped",
    symbol: "Swapped",
    file: "dispatch.rs",
    group: "bench",
    contract: Contract::Pure,
});

/// The C twin; not inlined, as a function in another object file is not.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn c_Swapped(value: u32) -> u32 {
    value.swap_bytes()
}

mod sys {
    unsafe extern "C" {
        pub fn Swapped(value: u32) -> u32;
    }
}

mod swapped {
    switch::swap! {
        /// Reverses the bytes of a number.
        pub unsafe extern "C" fn Swapped(value: u32) -> u32;
        swap: crate::SWAPPED,
        signature: crate::sys::Swapped,
        c: c_Swapped,
        contract: pure,
        rust: rust,
        self_test: self_test,
    }

    unsafe fn rust(value: u32) -> u32 {
        value.swap_bytes()
    }

    fn self_test() -> Result<(), String> {
        // SAFETY: both sides take any number.
        let (c, rust) = unsafe { (c_Swapped(0x0102_0304), rust(0x0102_0304)) };
        if c == rust { Ok(()) } else { Err(format!("c {c:#x}, rust {rust:#x}")) }
    }
}

fn dispatch(criterion: &mut Criterion) {
    (swapped::ENTRY.self_test)().expect("both sides reverse bytes");
    let mut group = criterion.benchmark_group("dispatch");
    // Through pointers that the optimiser cannot see through: the C's calls cross object files.
    let direct: unsafe extern "C" fn(u32) -> u32 = black_box(c_Swapped);
    let dispatched: unsafe extern "C" fn(u32) -> u32 = black_box(sys::Swapped);
    group.bench_function("c direct", |bencher| {
        // SAFETY: the function takes any number.
        bencher.iter(|| unsafe { direct(black_box(7)) });
    });
    let rows = [
        ("dispatched on c", Setting::C),
        ("dispatched on rust", Setting::RUST),
        ("dispatched on rust@50%", Setting::share(Mode::Rust, 50).expect("50 is at most 100")),
        ("dispatched on shadow@1%", Setting::share(Mode::Shadow, 1).expect("1 is at most 100")),
        ("dispatched on shadow", Setting::SHADOW),
    ];
    for (row, setting) in rows {
        SWAPPED.set(setting, Source::Api).expect("nothing speaks against the swap");
        group.bench_function(row, |bencher| {
            // SAFETY: the function takes any number.
            bencher.iter(|| unsafe { dispatched(black_box(7)) });
        });
    }
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
