//! Plans: what a good one says, and for every kind of bad one the line, the column and the words.

#![allow(missing_docs)]

use std::time::Duration;

use rollout::{Bond, Breach, Draw, Plan};
use switch::{Contract, Entry, Info, Swap, Switchboard};

const fn swap(index: usize, name: &'static str, group: &'static str, contract: Contract) -> Swap {
    Swap::new(Info { index, name, symbol: "", file: "", group, contract })
}

static SWAPS: [Swap; 4] = [
    swap(0, "new_block", "framing", Contract::Cloned),
    swap(1, "free_block", "framing", Contract::Effect),
    swap(2, "write_fifo", "framing", Contract::Cloned),
    swap(3, "session_main", "session", Contract::Effect),
];

const fn entry(index: usize, contract: Contract) -> Entry {
    Entry {
        swap: &SWAPS[index],
        symbol: "",
        contract,
        self_test: || Ok(()),
        rerun: None,
        c_address: || 0,
        rust_address: || 0,
    }
}

static ENTRIES: [Entry; 4] =
    [entry(0, Contract::Cloned), entry(1, Contract::Effect), entry(2, Contract::Cloned), entry(3, Contract::Effect)];
static LIST: [&Entry; 4] = [&ENTRIES[0], &ENTRIES[1], &ENTRIES[2], &ENTRIES[3]];

static BONDS: [Bond; 2] = [
    Bond { swaps: &["new_block", "free_block"], reason: "one makes what the other frees" },
    Bond { swaps: &["write_fifo", "not_in_this_build"], reason: "one FIFO" },
];

fn parse(text: &str) -> Result<Plan, rollout::PlanError> {
    Plan::parse(text, &Switchboard::new(&LIST), &BONDS)
}

/// A step about `write_fifo` with these lines besides, which begin at line 4.
fn step(lines: &str) -> String {
    format!("name = \"p\"\n[[step]]\nswaps = [\"write_fifo\"]\n{lines}\n")
}

#[test]
fn a_plan_says_what_moves_when_and_what_must_hold() {
    let plan = parse(
        r#"
        name = "framing"
        draw = "host"
        [[step]]
        swaps = ["*_block", "free_block"]
        min_time = "1h 30m"
        min_calls = 10_000
        on_breach = "group"
        stages = ["c", "shadow@1%", "shadow", "rust@10%", "rust"]
        [step.gates]
        mismatches = 0
        panics = 0
        error_rate = 0.001
        p99_ratio = 1.5
        cpu_per_gb_ratio = 1.1
        reconnects = 0
        growth_mb = 64
        [[step]]
        swaps = ["session"]
        min_time = "0s"
        "#,
    )
    .unwrap();
    assert_eq!((plan.name.as_str(), plan.draw), ("framing", Draw::Host));
    let names = |step: usize| plan.steps[step].swaps.iter().map(|swap| swap.info().name).collect::<Vec<_>>();
    let stages = |step: usize| plan.steps[step].stages.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((names(0), names(1)), (vec!["new_block", "free_block"], vec!["session_main"]));
    assert_eq!(stages(0), ["c", "shadow@1%", "shadow", "rust@10%", "rust"]);
    assert_eq!(stages(1), ["rust@1%", "rust@10%", "rust@50%", "rust"], "an effect has no shadow");
    let first = &plan.steps[0];
    assert_eq!((first.min_time, first.min_calls, first.on_breach), (Duration::from_secs(5400), 10_000, Breach::Group));
    assert_eq!((first.gates.p99_ratio, first.gates.reconnects, first.gates.growth_mb), (Some(1.5), Some(0), Some(64)));
    assert_eq!((plan.steps[1].on_breach, plan.steps[1].gates.p99_ratio), (Breach::Swap, None));
    let default: Vec<String> =
        parse(&step("min_time = \"1m\"")).unwrap().steps[0].stages.iter().map(ToString::to_string).collect();
    assert_eq!(default, ["shadow@1%", "shadow", "rust@1%", "rust@10%", "rust@50%", "rust"]);
}

#[test]
fn every_mistake_has_its_line_its_column_and_its_words() {
    let good = "min_time = \"1m\"\n";
    for (text, line, column, words) in [
        (String::new(), 1, 1, "missing field `name`"),
        ("name = \"p\"".into(), 1, 1, "no [[step]]"),
        ("name = \"p".into(), 1, 10, "string"),
        ("name = \" \"\n[[step]]\nswaps = [\"write_fifo\"]\nmin_time = \"1m\"".into(), 1, 8, "needs a name"),
        ("name = \"p\"\nnmae = 1".into(), 2, 1, "unknown field `nmae`"),
        ("name = \"p\"\ndraw = \"dice\"".into(), 2, 8, "unknown variant `dice`"),
        ("name = 7".into(), 1, 8, "expected a string"),
        (
            "name = \"p\"\n[[step]]\nswaps = [\"write_fifo\", \"new_blok\"]\nmin_time = \"1m\"".into(),
            3,
            24,
            "did you mean \"new_block\"",
        ),
        ("name = \"p\"\n[[step]]\nswaps = []\nmin_time = \"1m\"".into(), 3, 9, "at least one swap"),
        ("name = \"p\"\n[[step]]\nswaps = \"new_block\"\nmin_time = \"1m\"".into(), 3, 9, "expected a sequence"),
        (step(""), 2, 1, "missing field `min_time`"),
        (step("min_time = \"soon\""), 4, 12, "such as \"10m\""),
        (step("min_time = \"-1m\""), 4, 12, "such as \"10m\""),
        (step("min_time = 60"), 4, 12, "expected a string"),
        (step(&format!("{good}min_calls = -1")), 5, 13, "-1"),
        (step(&format!("{good}stages = []")), 5, 10, "at least one stage"),
        (step(&format!("{good}stages = [\"rust@101%\"]")), 5, 11, "from 0 to 100"),
        (step(&format!("{good}stages = [\"shadow\", \"rust@1000%\"]")), 5, 21, "from 0 to 100"),
        (step(&format!("{good}stages = [\"c@10%\"]")), 5, 11, "takes no percentage"),
        (step(&format!("{good}stages = [\"rusty\"]")), 5, 11, "did you mean \"rust\""),
        (step(&format!("{good}stages = [\"c,a=rust\"]")), 5, 11, "not one stage"),
        (
            step(&format!("{good}stages = [\"rust@10%\", \"rust@1%\"]")),
            5,
            23,
            "does not go beyond the stage before, rust@10%",
        ),
        (step(&format!("{good}stages = [\"rust\", \"shadow\"]")), 5, 19, "does not go beyond"),
        (step(&format!("{good}stages = [\"rust\", \"rust@100%\"]")), 5, 19, "does not go beyond"),
        (step(&format!("{good}on_breach = \"swpa\"")), 5, 13, "unknown variant `swpa`"),
        (step(&format!("{good}[step.gates]\nmismatches = 1")), 6, 14, "can only be 0"),
        (step(&format!("{good}[step.gates]\npanics = 3")), 6, 10, "can only be 0"),
        (step(&format!("{good}[step.gates]\np99_ratio = 0.5")), 6, 13, "from 1 to below 1000"),
        (step(&format!("{good}[step.gates]\np99_ratio = nan")), 6, 13, "from 1 to below 1000"),
        (step(&format!("{good}[step.gates]\nerror_rate = 1.5")), 6, 14, "from 0 to below 1"),
        (step(&format!("{good}[step.gates]\ncpu_per_gb_ratio = 1.1")), 6, 20, "begin this step's stages with \"c\""),
        (step(&format!("{good}[step.gates]\nspeed = 1")), 6, 1, "unknown field `speed`"),
        (
            format!("{}[[step]]\nswaps = [\"write_*\"]\n{good}", step(good)),
            7,
            9,
            "write_fifo is in an earlier step already",
        ),
        (
            "name = \"p\"\n[[step]]\nswaps = [\"new_block\"]\nmin_time = \"1m\"".into(),
            3,
            9,
            "has new_block but not free_block: one makes what the other frees",
        ),
        (
            "name = \"p\"\n[[step]]\nswaps = [\"session_main\"]\nmin_time = \"1m\"\nstages = [\"shadow\"]".into(),
            5,
            11,
            "cannot be shadowed",
        ),
        (format!("name = \"p\"{}", "\n#".repeat(40_000)), 1, 1, "at most"),
    ] {
        let error = parse(&text).expect_err(&text);
        assert!(error.problem.contains(words), "{text}\n{error}");
        assert_eq!((error.line, error.column), (line, column), "{text}\n{error}");
    }
}

/// Whatever arrives is a plan or an error with a place inside the text.
#[test]
fn damaged_plans_are_errors_and_no_panics() {
    let good = step("min_time = \"1m\"\nstages = [\"shadow\", \"rust@10%\"]\n[step.gates]\np99_ratio = 1.5");
    assert!(parse(&good).is_ok());
    for end in 0..good.len() {
        if let Err(error) = parse(&good[..end]) {
            assert!(error.line <= good.lines().count() + 1, "{error}");
        }
    }
    for (place, byte) in (0..good.len()).flat_map(|place| [0u8, b'"', b'[', b'\n', 0x7f].map(|byte| (place, byte))) {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = byte;
        let _ = parse(&String::from_utf8(bytes).unwrap());
    }
}
