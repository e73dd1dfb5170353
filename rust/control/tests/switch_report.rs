//! Holds the table of `cutover swaps` to what the `switch` crate really reports.

#![allow(non_snake_case, missing_docs)]

use switch::{Contract, Info, ModeSpec, Source, Swap, Switchboard};

pub static ENDIAN32: Swap = Swap::new(Info {
    index: 0,
    name: "endian32",
    symbol: "Endian32",
    file: "Mayaqua/Memory.c",
    group: "endian",
    contract: Contract::Pure,
});

#[unsafe(no_mangle)]
extern "C" fn c_Endian32(src: u32) -> u32 {
    u32::from_be(src)
}

mod sys {
    unsafe extern "C" {
        pub fn Endian32(src: u32) -> u32;
    }
}

mod endian32 {
    switch::swap! {
        /// Wrong on purpose for one value.
        pub unsafe extern "C" fn Endian32(src: u32) -> u32;
        swap: crate::ENDIAN32,
        signature: crate::sys::Endian32,
        c: c_Endian32,
        contract: pure,
        rust: rust,
        self_test: self_test,
    }

    unsafe fn rust(src: u32) -> u32 {
        if src == 7 { 0 } else { src.to_be() }
    }

    fn self_test() -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn the_table_shows_what_the_switchboard_reports() {
    static ENTRIES: [&switch::Entry; 1] = [&endian32::ENTRY];
    let board = Switchboard::new(&ENTRIES);
    assert!(board.self_test_all().is_empty());
    board.apply(&ModeSpec::parse("endian=shadow").unwrap(), Source::Config).unwrap();
    let table = || control::render::swaps(&serde_json::from_str(&board.to_json()).unwrap(), None).unwrap();

    // SAFETY: Endian32 takes any number.
    unsafe { sys::Endian32(1) };
    let text = table();
    for part in ["endian32", "Endian32", "Mayaqua/Memory.c", "pure", "shadow"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains('!'), "{text}");

    // SAFETY: as above.
    unsafe { sys::Endian32(7) };
    let text = table();
    assert!(text.contains("(demoted)") && text.contains("! endian32 was put back on C: "), "{text}");
}
