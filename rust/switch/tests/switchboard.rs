//! Many swaps together: sources and their strength, specifications, demotion and promotion, self-tests,
//! and the JSON that shows it all.

#![allow(missing_docs)]

use switch::{Contract, Entry, Info, Mode, ModeSpec, Refusal, SelfTest, Setting, Source, Swap, Switchboard};

const fn swap(index: usize, name: &'static str, group: &'static str, contract: Contract) -> Swap {
    Swap::new(Info { index, name, symbol: "Symbol", file: "Cedar/File.c", group, contract })
}

const fn entry(swap: &'static Swap, contract: Contract, self_test: fn() -> Result<(), String>) -> Entry {
    Entry { swap, symbol: "Symbol", contract, self_test, rerun: None, c_address: || 1, rust_address: || 2 }
}

fn passes() -> Result<(), String> {
    Ok(())
}

/// A board of its own for each test: `board!(first index)` has framing {write_fifo, new_block} and
/// session {session_main, an effect}.
macro_rules! board {
    ($first:expr) => {
        board!($first, passes, passes)
    };
    ($first:expr, $test_0:expr, $test_1:expr) => {{
        use Contract::{Cloned, Effect, Pure};
        static SWAPS: [Swap; 3] = [
            swap($first, "write_fifo", "framing", Pure),
            swap($first + 1, "new_block", "framing", Cloned),
            swap($first + 2, "session_main", "session", Effect),
        ];
        static ENTRIES: [Entry; 3] =
            [entry(&SWAPS[0], Pure, $test_0), entry(&SWAPS[1], Cloned, $test_1), entry(&SWAPS[2], Effect, passes)];
        static LIST: [&Entry; 3] = [&ENTRIES[0], &ENTRIES[1], &ENTRIES[2]];
        Switchboard::new(&LIST)
    }};
}

fn apply(board: &Switchboard, spec: &str, source: Source) -> Vec<Refusal> {
    board.apply(&ModeSpec::parse(spec).unwrap(), source).unwrap()
}

fn modes(board: &Switchboard) -> [String; 3] {
    ["write_fifo", "new_block", "session_main"].map(|name| board.find(name).unwrap().setting().to_string())
}

#[test]
fn everything_begins_on_c_and_an_empty_spec_changes_nothing() {
    let board = board!(0);
    assert_eq!(apply(&board, "", Source::Api), []);
    assert_eq!(modes(&board), ["c", "c", "c"]);
    assert_eq!(board.groups(), ["framing", "session"]);
    assert!(board.find("framing").is_none());
}

#[test]
fn a_spec_reaches_names_groups_and_globs() {
    let board = board!(10);
    assert_eq!(apply(&board, "new_block=shadow@1%,framing=rust@10%,*=rust", Source::Config), []);
    assert_eq!(modes(&board), ["rust@10%", "shadow@1%", "rust"]);
    assert_eq!(apply(&board, "*_main=c", Source::Config), []);
    assert_eq!(modes(&board), ["rust@10%", "shadow@1%", "c"]);
    assert_eq!(apply(&board, "session_main=rust@50%", Source::Config), []);
    assert_eq!(modes(&board), ["rust@10%", "shadow@1%", "rust@50%"]);
}

#[test]
fn a_weaker_source_never_overrides_a_stronger_one() {
    let board = board!(20);
    let swap = board.find("write_fifo").unwrap();
    let sources = [Source::Default, Source::Config, Source::Environment, Source::Api];
    for (i, source) in sources.into_iter().enumerate() {
        swap.set(Setting::RUST, source).unwrap();
        for weaker in &sources[..i] {
            let refused = swap.set(Setting::C, *weaker).unwrap_err();
            let expected = Refusal::Outranked { name: "write_fifo", held: Setting::RUST, by: source };
            assert_eq!(refused, expected);
        }
        swap.set(Setting::C, source).unwrap();
        assert_eq!(swap.status().source, source);
    }
    assert_eq!(apply(&board, "*=rust", Source::Environment).len(), 1);
    assert_eq!(modes(&board), ["c", "rust", "rust"]);
}

#[test]
fn a_bad_spec_sets_nothing_and_says_where() {
    let board = board!(30);
    for (spec, column, problem) in [
        ("*=rust, new_blok=c", 9, "did you mean \"new_block\""),
        ("*=rust,framming=c", 8, "did you mean \"framing\""),
        ("zzz=rust", 1, "groups: framing, session"),
        ("read_*=rust", 1, "names no swap"),
        ("new_block=rust,session_main=shadow@1%", 16, "use c or rust"),
    ] {
        let error = board.apply(&ModeSpec::parse(spec).unwrap(), Source::Api).unwrap_err();
        assert_eq!(error.column, column, "{spec}");
        assert!(error.to_string().contains(problem), "{spec}: {error}");
        assert_eq!(modes(&board), ["c", "c", "c"], "{spec}");
    }
}

#[test]
fn shadow_for_a_group_or_all_passes_effects_over() {
    let board = board!(40);
    apply(&board, "*=rust", Source::Config);
    assert_eq!(apply(&board, "*=shadow", Source::Config), [Refusal::ShadowOfEffect("session_main")]);
    assert_eq!(modes(&board), ["shadow", "shadow", "rust"]);
    assert_eq!(apply(&board, "session=shadow", Source::Config).len(), 1);
}

#[test]
fn a_demotion_outlives_every_setting_and_ends_with_a_promotion() {
    let board = board!(50);
    let swap = board.find("new_block").unwrap();
    swap.set(Setting::RUST, Source::Config).unwrap();
    swap.demote("first reason");
    swap.demote("second reason");
    assert_eq!(swap.counters().demotions, 1);
    for source in [Source::Config, Source::Environment, Source::Api] {
        for setting in [Setting::RUST, Setting::SHADOW, Setting::share(Mode::Rust, 0).unwrap()] {
            let refused = swap.set(setting, source).unwrap_err();
            let reason = "first reason".to_owned();
            assert_eq!(refused, Refusal::Demoted { name: "new_block", reason });
        }
        swap.set(Setting::C, source).unwrap();
    }
    assert_eq!(swap.status().demoted.as_deref(), Some("first reason"), "c is no promotion");
    assert_eq!(swap.promote().as_deref(), Some("first reason"));
    assert_eq!((swap.status().demoted, swap.setting()), (None, Setting::C), "promoted swaps wait to be set");
    assert_eq!(swap.promote(), None);
    swap.set(Setting::RUST, Source::Api).unwrap();
    assert_eq!(swap.setting(), Setting::RUST);
    swap.demote("again");
    assert_eq!((swap.counters().demotions, swap.setting()), (2, Setting::C));
}

#[test]
fn a_failed_self_test_keeps_a_swap_on_c_whoever_asks() {
    let board = board!(60, || Err("they differ".to_owned()), || panic!("planted"));
    board.find("write_fifo").unwrap().set(Setting::RUST, Source::Default).unwrap();
    let failures = board.self_test_all();
    let failed: Vec<_> = failures.iter().map(|f| (f.name, f.reason.as_str())).collect();
    assert_eq!(failed, [("write_fifo", "they differ"), ("new_block", "it panicked")]);
    assert_eq!(modes(&board), ["c", "c", "c"]);
    assert_eq!(apply(&board, "*=rust", Source::Api).len(), 2);
    assert_eq!(modes(&board), ["c", "c", "rust"]);
    let swap = board.find("session_main").unwrap();
    assert_eq!(swap.status().self_test, SelfTest::Passed);
    board.find("write_fifo").unwrap().set(Setting::C, Source::Api).unwrap();
}

#[test]
fn patterns_name_swaps_groups_and_globs() {
    let board = board!(90);
    let names = |pattern: &str| {
        board.matching(pattern).map(|swaps| swaps.iter().map(|swap| swap.info().name).collect::<Vec<_>>())
    };
    assert_eq!(names("*"), Ok(vec!["write_fifo", "new_block", "session_main"]));
    assert_eq!(names("new_block"), Ok(vec!["new_block"]));
    assert_eq!(names("session"), Ok(vec!["session_main"]));
    assert_eq!(names("*_fifo"), Ok(vec!["write_fifo"]));
    for wrong in ["new_blok", "", "a=c,b", "NewBlock", "new_block=rust"] {
        let error = names(wrong).unwrap_err();
        assert!(error.contains(wrong), "{error}");
    }
    assert!(names("new_blok").unwrap_err().contains("did you mean \"new_block\""));
}

#[test]
fn the_json_has_its_documented_shape() {
    let board = board!(70, || Err("they differ".to_owned()), passes);
    board.self_test_all();
    apply(&board, "new_block=shadow@5%", Source::Environment);
    board.find("new_block").unwrap().demote("panic at \"x\":1:2");
    let json: serde_json::Value = serde_json::from_str(&board.to_json()).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["swaps"].as_array().unwrap().len(), 3);
    assert_eq!(json["swaps"][0]["self_test"], "failed: they differ");
    let expected = serde_json::json!({
        "name": "new_block", "symbol": "Symbol", "file": "Cedar/File.c", "group": "framing",
        "contract": "cloned", "mode": "c", "percent": 100, "source": "environment",
        "demoted": "panic at \"x\":1:2", "self_test": "passed",
        "calls": {"c": 0, "rust": 0, "shadow": 0},
        "mismatches": 0, "panics": 0, "demotions": 1, "fallbacks": 0,
        "ns": {
            "c": {"samples": 0, "mean": null, "p99": null},
            "rust": {"samples": 0, "mean": null, "p99": null},
        },
        "records": [],
    });
    assert_eq!(json["swaps"][1], expected);
}

#[test]
#[should_panic(expected = "registry and file differ")]
fn a_contract_that_is_not_the_registrys_is_noticed() {
    static SWAP: Swap = swap(80, "write_fifo", "framing", Contract::Cloned);
    static ENTRY: Entry = entry(&SWAP, Contract::Pure, passes);
    static LIST: [&Entry; 1] = [&ENTRY];
    Switchboard::new(&LIST);
}

#[test]
#[should_panic(expected = "two swaps have index 81")]
fn two_swaps_on_one_index_are_noticed() {
    static SWAPS: [Swap; 2] = [swap(81, "one", "framing", Contract::Pure), swap(81, "two", "framing", Contract::Pure)];
    static ENTRIES: [Entry; 2] = [entry(&SWAPS[0], Contract::Pure, passes), entry(&SWAPS[1], Contract::Pure, passes)];
    static LIST: [&Entry; 2] = [&ENTRIES[0], &ENTRIES[1]];
    Switchboard::new(&LIST);
}
