//! A rollout from shadow to Rust, and everything that takes it back, under virtual time: what is set, what is kept, what
//! is audited, and what a restart makes of it.

#![allow(missing_docs)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rollout::{Bond, Folder, Followup, LastRun, Operator, ProcessSeen, Site, Who, history, last_run};
use serde_json::Value;
use switch::{Contract, Entry, Info, ModeSpec, Setting, Source, Swap, Switchboard, dispatch};

const PERSON: Who = Who::Person { uid: 7, pid: Some(1) };

/// Five swaps of the test's own: counters and modes are the process's.
macro_rules! board {
    ($first:literal) => {{
        const fn swap(offset: usize, name: &'static str, group: &'static str, contract: Contract) -> Swap {
            Swap::new(Info { index: $first + offset, name, symbol: "", file: "", group, contract })
        }
        static SWAPS: [Swap; 5] = [
            swap(0, "new_block", "framing", Contract::Pure),
            swap(1, "free_block", "framing", Contract::Effect),
            swap(2, "write_fifo", "framing", Contract::Pure),
            swap(3, "endian32", "memory", Contract::Pure),
            swap(4, "session_main", "session", Contract::Effect),
        ];
        const fn entry(swap: &'static Swap, contract: Contract) -> Entry {
            Entry { swap, symbol: "", contract, self_test: || Ok(()), rerun: None, c_address: || 0, rust_address: || 0 }
        }
        static ENTRIES: [Entry; 5] = [
            entry(&SWAPS[0], Contract::Pure),
            entry(&SWAPS[1], Contract::Effect),
            entry(&SWAPS[2], Contract::Pure),
            entry(&SWAPS[3], Contract::Pure),
            entry(&SWAPS[4], Contract::Effect),
        ];
        static LIST: [&Entry; 5] = [&ENTRIES[0], &ENTRIES[1], &ENTRIES[2], &ENTRIES[3], &ENTRIES[4]];
        Switchboard::new(&LIST)
    }};
}

static BONDS: [Bond; 1] = [Bond { swaps: &["new_block", "free_block"], reason: "one makes what the other frees" }];

/// An instance in a folder of its own, and the clock it lives by.
struct World {
    folder: tempfile::TempDir,
    board: Switchboard,
    operator: Operator,
    now: Instant,
    process: ProcessSeen,
    build: &'static str,
    boot: &'static str,
}

impl World {
    fn new(board: Switchboard) -> World {
        let folder = tempfile::tempdir().unwrap();
        let operator = start(board, folder.path(), "b1", "boot1", None);
        let process = ProcessSeen::default();
        World { folder, board, operator, now: Instant::now(), process, build: "b1", boot: "boot1" }
    }

    fn swap(&self, name: &str) -> &'static Swap {
        self.board.find(name).unwrap()
    }

    /// Ends the run, cleanly or by force, and starts the next; the swaps begin as those of a new process.
    fn restart(&mut self, cleanly: bool, environment: Option<&str>) {
        if cleanly {
            self.operator.close();
        }
        for entry in self.board.entries() {
            entry.swap.promote();
            entry.swap.set(Setting::C, Source::Api).unwrap();
        }
        self.operator = start(self.board, self.folder.path(), self.build, self.boot, environment);
    }

    /// Lets time pass in looks of a tenth of a second, with calls of every swap between them.
    fn pass(&mut self, seconds: u64) -> Vec<Followup> {
        let mut followups = Vec::new();
        for _ in 0..seconds * 10 {
            self.calls(3);
            self.now += Duration::from_millis(100);
            followups.extend(self.operator.look(self.now, self.process));
        }
        followups
    }

    fn calls(&self, count: usize) {
        for entry in self.board.entries() {
            for _ in 0..count {
                call(entry.swap, 5);
            }
        }
    }

    fn modes(&self) -> Vec<String> {
        self.board.entries().map(|entry| entry.swap.setting().to_string()).collect()
    }

    fn plan(&self) -> Value {
        self.operator.table(self.now)["plan"].clone()
    }

    fn history(&self, swap: &str) -> Vec<String> {
        let path = self.folder.path().join("office.audit.jsonl");
        let words =
            |entry: &Value| format!("{} {}", entry["who"]["by"].as_str().unwrap(), entry["what"].as_str().unwrap());
        history(&path, swap, 100).iter().filter(|entry| entry["swap"] == swap).map(words).collect()
    }
}

fn folder_of(path: &Path, build: &str, boot: &str) -> Folder {
    Folder {
        path: path.to_owned(),
        instance: "office".into(),
        stop_files: vec![path.join("office.stop")],
        build_id: build.into(),
        boot_id: boot.into(),
        host_id: "host".into(),
    }
}

fn start(board: Switchboard, path: &Path, build: &str, boot: &str, environment: Option<&str>) -> Operator {
    let spec = environment.map(|text| ModeSpec::parse(text).unwrap());
    if let Some(spec) = &spec {
        board.apply(spec, Source::Environment).unwrap();
    }
    let site = Site { bonds: &BONDS, is_per_session: |name| name == "session_main" };
    Operator::start(board, site, folder_of(path, build, boot), spec.as_ref())
}

/// One call, which the Rust side answers with `rust`.
fn call(swap: &'static Swap, rust: u32) -> u32 {
    match swap.info().contract {
        Contract::Effect => dispatch::effect(swap, || 0, || 5, || rust, || 0),
        _ => dispatch::pure(swap, || 5, || rust, switch::compare_results, || 0),
    }
}

const PLAN: &str = r#"
name = "all"
[[step]]
swaps = ["framing"]
stages = ["c", "shadow", "rust"]
min_time = "2s"
min_calls = 50
[[step]]
swaps = ["endian32"]
stages = ["rust"]
min_time = "1s"
on_breach = "all"
"#;

#[test]
fn a_plan_goes_from_stage_to_stage_and_comes_to_its_end() {
    let mut world = World::new(board!(0));
    let answer = world.operator.plan(PLAN, true, PERSON).unwrap();
    assert_eq!((&answer["started"], world.plan()), (&false.into(), Value::Null), "a check begins nothing");
    world.operator.plan(PLAN, false, PERSON).unwrap();
    let mut seen = Vec::new();
    for _ in 0..100 {
        world.calls(3);
        world.now += Duration::from_millis(100);
        world.operator.look(world.now, world.process);
        let modes = world.modes().join(" ");
        if seen.last() != Some(&modes) {
            seen.push(modes);
        }
    }
    // An effect waits on C while the others are compared.
    assert_eq!(seen, ["c c c c c", "shadow c shadow c c", "rust rust rust c c", "rust rust rust rust c"]);
    assert_eq!(world.plan()["state"], "done");
    assert_eq!(world.history("write_fifo"), ["plan stage", "plan stage", "plan stage"]);
    let explained = world.operator.explain("free_block", world.now).unwrap();
    assert_eq!(explained["bonds"][0]["reason"], "one makes what the other frees");
    assert!(explained["why"].as_str().unwrap().contains("plan \"all\", step 1 of 2: rust"), "{explained}");
    assert!(world.operator.explain("framing", world.now).unwrap_err().contains("name one"));
}

#[test]
fn a_stage_waits_for_time_and_for_the_calls_of_each_swap() {
    let mut world = World::new(board!(10));
    world.operator.plan(PLAN, false, PERSON).unwrap();
    world.operator.look(world.now, world.process);
    world.now += Duration::from_secs(100);
    world.operator.look(world.now, world.process);
    assert_eq!(world.plan()["why"], "waits for new_block: 0 of 50 calls");
    (0..50).for_each(|_| _ = call(world.swap("new_block"), 5));
    (0..49).for_each(|_| _ = call(world.swap("free_block"), 5));
    world.operator.look(world.now, world.process);
    assert_eq!(world.plan()["why"], "waits for free_block: 49 of 50 calls");
    assert_eq!(world.plan()["stage"], "c");
    // A person may decide otherwise.
    world.operator.promote(None, PERSON).unwrap();
    world.operator.look(world.now, world.process);
    assert_eq!(world.plan()["stage"], "shadow");
    assert!(world.operator.promote(Some("endian32"), PERSON).unwrap_err().contains("nothing to promote"));
}

#[test]
fn a_mismatch_takes_back_the_swap_and_what_it_is_bound_to_and_the_rest_goes_on() {
    let mut world = World::new(board!(20));
    world.operator.plan(PLAN, false, PERSON).unwrap();
    world.pass(5);
    assert_eq!(world.modes(), ["rust", "rust", "rust", "c", "c"]);
    world.swap("new_block").set(Setting::SHADOW, Source::Api).unwrap();
    assert_eq!(call(world.swap("new_block"), 6), 5, "C answers");
    world.pass(1);
    assert_eq!(world.modes(), ["c", "c", "rust", "c", "c"], "the bound one went back too");
    assert_eq!(world.history("new_block").last().unwrap(), "switch demoted");
    assert_eq!(world.history("free_block").last().unwrap(), "plan rollback");
    assert_eq!(world.plan()["state"], "running");
    // It stays there whatever is asked for, until it is promoted; then it begins its step anew.
    assert!(world.operator.set("new_block=rust", false, PERSON).unwrap_err().contains("was demoted"));
    assert!(world.operator.plan(PLAN, false, PERSON).unwrap_err().contains("promote it first"));
    world.operator.promote(Some("new_block"), PERSON).unwrap();
    assert_eq!(world.swap("new_block").setting(), Setting::C);
    world.pass(1);
    assert_eq!((&world.plan()["step"], &world.plan()["stage"]), (&1.into(), &"c".into()));
}

#[test]
fn a_breach_takes_back_the_group_or_all_when_the_plan_says_so() {
    for (scope, expected) in [("group", ["c", "c", "c", "rust", "rust"]), ("all", ["c", "c", "c", "c", "c"])] {
        let mut world = World::new(board!(30));
        for name in ["new_block", "free_block", "write_fifo"] {
            world.swap(name).promote();
        }
        world.operator.set("*=rust", false, PERSON).unwrap();
        let text = format!(
            "name = \"p\"\n[[step]]\nswaps = [\"framing\"]\nstages = [\"rust\"]\nmin_time = \"1h\"\non_breach = \"{scope}\""
        );
        world.operator.plan(&text, false, PERSON).unwrap();
        world.pass(1);
        world.swap("write_fifo").demote("planted");
        world.now += Duration::from_millis(100);
        let followups = world.operator.look(world.now, world.process);
        assert_eq!(world.modes(), expected, "{scope}: at the very next look");
        assert_eq!(!followups.is_empty(), scope == "all", "session_main needs a new session");
        assert_eq!(world.plan()["state"], "stopped");
    }
}

#[test]
fn a_slow_candidate_is_told_from_a_quick_one() {
    let mut world = World::new(board!(40));
    let text = "name = \"p\"\n[[step]]\nswaps = [\"write_fifo\", \"endian32\"]\nstages = [\"shadow\", \"rust\"]\nmin_time = \"2s\"\n[step.gates]\np99_ratio = 3.0";
    world.operator.plan(text, false, PERSON).unwrap();
    world.pass(2);
    let slow = || {
        std::thread::sleep(Duration::from_millis(2));
        5
    };
    let quick_enough = world.swap("endian32");
    for _ in 0..20 {
        world.now += Duration::from_millis(100);
        world.operator.look(world.now, world.process);
        call(quick_enough, 5);
        dispatch::pure(world.swap("write_fifo"), || 5, slow, switch::compare_results, || 0);
    }
    let demoted = world.swap("write_fifo").status().demoted.unwrap_or_default();
    assert!(demoted.contains("timed calls took"), "{demoted}");
    assert_eq!(quick_enough.status().demoted, None);
}

#[test]
fn the_gates_of_the_process_blame_what_is_in_motion() {
    let gated = |gate: &str| {
        format!(
            "name = \"p\"\n[[step]]\nswaps = [\"write_fifo\"]\nstages = [\"c\", \"rust\"]\nmin_time = \"1s\"\n[step.gates]\n{gate}"
        )
    };
    let base = ProcessSeen { frames: 1000, bytes: 1_000_000, ..ProcessSeen::default() };
    let much = ProcessSeen { frames: 101_000, bytes: 1_001_000_000, cpu: Duration::from_secs(3), ..base };
    let after = ProcessSeen { frames: 201_000, bytes: 2_001_000_000, cpu: Duration::from_secs(6), ..base };
    for (gate, held, broken, words) in [
        (
            "error_rate = 0.01",
            ProcessSeen { drops: 900, ..after },
            ProcessSeen { drops: 3000, ..after },
            "frames were dropped",
        ),
        (
            "reconnects = 1",
            ProcessSeen { reconnects: 1, ..after },
            ProcessSeen { reconnects: 2, ..after },
            "2 reconnects",
        ),
        (
            "growth_mb = 64",
            ProcessSeen { resident_bytes: 64_000_000, ..after },
            ProcessSeen { resident_bytes: 66_000_000, ..after },
            "grown by 66 MB",
        ),
        (
            "cpu_per_gb_ratio = 1.5",
            ProcessSeen { cpu: Duration::from_secs(7), ..after },
            ProcessSeen { cpu: Duration::from_secs(8), ..after },
            "CPU seconds per GB",
        ),
    ] {
        for (seen, breach) in [(held, false), (broken, true)] {
            let mut world = World::new(board!(50));
            world.swap("write_fifo").promote();
            world.operator.plan(&gated(gate), false, PERSON).unwrap();
            world.process = base;
            world.pass(1);
            world.process = much;
            world.pass(1);
            assert_eq!(world.modes()[2], "rust", "{gate}");
            world.process = seen;
            world.now += Duration::from_millis(100);
            world.operator.look(world.now, world.process);
            let demoted = world.swap("write_fifo").status().demoted;
            assert_eq!(demoted.is_some(), breach, "{gate}: {demoted:?}");
            assert!(demoted.unwrap_or(words.into()).contains(words), "{gate}");
        }
    }
}

#[test]
fn what_people_do_is_set_at_once_kept_and_audited() {
    let mut world = World::new(board!(60));
    let table = world.operator.set("*=shadow,endian32=rust@10%", false, PERSON).unwrap();
    assert_eq!(world.modes(), ["shadow", "c", "shadow", "rust@10%", "c"]);
    assert_eq!(table["refused"].as_array().unwrap().len(), 2, "two effects have no shadow");
    for (wrong, words) in
        [("new_blok=c", "did you mean"), ("endian32=rust@101%", "0 to 100"), ("session_main=shadow", "effect")]
    {
        assert!(world.operator.set(wrong, false, PERSON).unwrap_err().contains(words), "{wrong}");
    }
    assert_eq!(world.history("endian32"), ["person set"]);
    world.restart(true, None);
    assert_eq!(world.modes(), ["shadow", "c", "shadow", "rust@10%", "c"], "they survive a restart");
    world.operator.rollback(Some("memory"), PERSON).unwrap();
    assert_eq!(world.modes(), ["shadow", "c", "shadow", "c", "c"]);
    assert!(world.operator.rollback(None, PERSON).unwrap_err().contains("no plan"));
    world.operator.rollback(Some("*"), PERSON).unwrap();
    assert_eq!(world.modes(), ["c"; 5]);
    world.restart(false, None);
    assert_eq!(world.modes(), ["c"; 5], "and so does a rollback, after a crash as well");
    world.operator.set("session_main=rust", false, PERSON).unwrap();
    assert_eq!(world.operator.look(world.now, world.process), [], "with the next session");
    world.operator.set("session_main=rust@50%", true, PERSON).unwrap();
    let followups = world.operator.look(world.now, world.process);
    assert!(matches!(&followups[..], [Followup::Reconnect(_)]), "{followups:?}");
}

#[test]
fn a_demotion_survives_a_restart_of_its_build_and_lapses_with_the_next() {
    let mut world = World::new(board!(70));
    world.operator.set("write_fifo=rust", false, PERSON).unwrap();
    world.swap("write_fifo").demote("mismatch: planted");
    world.pass(1);
    world.restart(true, None);
    assert_eq!(world.swap("write_fifo").status().demoted.as_deref(), Some("mismatch: planted"));
    assert!(world.operator.set("write_fifo=rust", false, PERSON).is_err());
    world.pass(1);
    assert_eq!(world.history("write_fifo"), ["person set", "switch demoted"], "audited once");
    world.build = "b2";
    world.restart(true, None);
    assert_eq!(world.swap("write_fifo").status().demoted, None);
    assert_eq!(world.swap("write_fifo").setting(), Setting::C, "it waits to be set");
    assert_eq!(world.history("write_fifo").last().unwrap(), "start lapsed");
    world.operator.set("write_fifo=rust", false, PERSON).unwrap();
}

#[test]
fn a_plan_goes_on_after_a_clean_restart_and_a_power_cut_and_not_after_a_kill() {
    for (cleanly, boot, expected) in [(true, "boot1", "rust"), (false, "boot2", "rust"), (false, "boot1", "c")] {
        let mut world = World::new(board!(80));
        world.swap("write_fifo").promote();
        let text =
            "name = \"p\"\n[[step]]\nswaps = [\"write_fifo\"]\nstages = [\"shadow\", \"rust\"]\nmin_time = \"1s\"";
        world.operator.plan(text, false, PERSON).unwrap();
        world.pass(2);
        world.operator.plan(&text.replace("1s", "1h"), false, PERSON).unwrap();
        world.operator.look(world.now, world.process);
        world.operator.promote(None, PERSON).unwrap();
        world.pass(1);
        assert_eq!((world.modes()[2].as_str(), world.plan()["stage"].as_str()), ("rust", Some("rust")));
        world.boot = boot;
        assert_eq!(last_run(&folder_of(world.folder.path(), "b1", boot)), LastRun::Cut);
        world.restart(cleanly, None);
        world.pass(1);
        assert_eq!(world.modes()[2], expected, "cleanly {cleanly}, {boot}");
        let state = if expected == "rust" { "running" } else { "stopped" };
        assert_eq!(world.plan()["state"], state);
    }
}

#[test]
fn a_crash_is_blamed_on_the_swap_it_happened_in() {
    let mut world = World::new(board!(90));
    world.operator.set("write_fifo=rust,endian32=rust", false, PERSON).unwrap();
    fs::write(world.folder.path().join("office.crash"), "write_fifo\nno_such_swap\n").unwrap();
    world.restart(false, None);
    assert_eq!(world.modes(), ["c", "c", "c", "rust", "c"]);
    assert_eq!(world.swap("write_fifo").status().demoted.as_deref(), Some("the process crashed inside it"));
    assert!(!world.folder.path().join("office.crash").exists());
    world.restart(true, None);
    assert!(world.swap("write_fifo").status().demoted.is_some(), "still, without the file");
}

#[test]
fn a_damaged_state_puts_everything_on_c_and_is_kept_aside() {
    let mut world = World::new(board!(100));
    world.operator.set("*=rust", false, PERSON).unwrap();
    let path = world.folder.path().join("office.state");
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 7]).unwrap();
    assert!(matches!(last_run(&folder_of(world.folder.path(), "b1", "boot1")), LastRun::Damaged(_)));
    world.restart(false, Some("*=rust"));
    assert_eq!(world.modes(), ["c"; 5], "whatever the environment says");
    assert!(world.folder.path().join("office.damaged").exists());
    world.restart(true, Some("*=rust"));
    assert_eq!(world.modes(), ["c"; 5], "until a person says otherwise");
    world.operator.set("*=rust", false, PERSON).unwrap();
    assert_eq!(world.modes(), ["rust"; 5]);
}

#[test]
fn the_kill_switch_needs_no_socket() {
    let mut world = World::new(board!(110));
    world.operator.set("*=rust", false, PERSON).unwrap();
    world.operator.plan(PLAN, false, PERSON).unwrap();
    // A file.
    let file = world.folder.path().join("office.stop");
    fs::write(&file, "").unwrap();
    world.pass(1);
    assert_eq!(world.modes(), ["c"; 5]);
    assert_eq!(world.plan()["state"], "stopped");
    assert!(world.operator.set("endian32=rust", false, PERSON).unwrap_err().contains("office.stop"));
    assert!(world.operator.plan(PLAN, false, PERSON).is_err());
    world.operator.set("endian32=c", false, PERSON).unwrap();
    fs::remove_file(&file).unwrap();
    world.pass(1);
    assert_eq!(world.modes(), ["c"; 5], "its removal alone sets nothing");
    world.operator.set("*=rust", false, PERSON).unwrap();
    // A signal.
    world.operator.stop_all(Who::Signal, "SIGUSR1");
    assert_eq!(world.modes(), ["c"; 5]);
    // The environment at the start, against modes that were kept.
    world.operator.set("*=rust", false, PERSON).unwrap();
    world.restart(true, Some("*=c"));
    assert_eq!(world.modes(), ["c"; 5]);
    let path = world.folder.path().join("office.audit.jsonl");
    let stops = history(&path, "", 100).into_iter().filter(|entry| entry["what"] == "stop").count();
    assert_eq!(stops, 2);
}

#[test]
fn a_loop_that_stands_still_takes_back_what_is_in_motion_and_asks_for_a_new_process() {
    let mut world = World::new(board!(120));
    world.operator.set("endian32=rust", false, PERSON).unwrap();
    world
        .operator
        .plan("name = \"p\"\n[[step]]\nswaps = [\"write_fifo\"]\nstages = [\"rust\"]\nmin_time = \"1h\"", false, PERSON)
        .unwrap();
    world.pass(1);
    world.operator.stalled("planted");
    assert_eq!(world.modes(), ["c", "c", "c", "rust", "c"], "only what was in motion");
    assert!(world.swap("write_fifo").status().demoted.is_some());
    let followups = world.operator.look(world.now, world.process);
    assert_eq!(followups, [Followup::Restart("planted".into())]);
    world.operator.stalled("planted");
    assert_eq!(world.modes(), ["c"; 5], "without a plan everything");
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_memory_and_nothing_else() {
    let mut world = World::new(board!(130));
    let path = world.folder.path().to_owned();
    fs::remove_dir_all(&path).unwrap();
    world.operator.set("*=rust", false, PERSON).unwrap();
    world.pass(1);
    assert_eq!(world.modes(), ["rust"; 5]);
    world.operator.rollback(Some("*"), PERSON).unwrap();
    assert_eq!(world.modes(), ["c"; 5]);
    fs::create_dir(&path).unwrap();
}

#[test]
fn hosts_of_a_fleet_are_drawn_apart_and_stay_where_they_are() {
    let board = board!(140);
    let text = "name = \"p\"\ndraw = \"host\"\n[[step]]\nswaps = [\"endian32\"]\nstages = [\"rust@10%\", \"rust@50%\", \"rust\"]\nmin_time = \"1s\"";
    let swap = board.find("endian32").unwrap();
    let mut on_rust = [0, 0, 0];
    for host in 0..300 {
        let folder = tempfile::tempdir().unwrap();
        let site = Site { bonds: &BONDS, is_per_session: |_| false };
        swap.set(Setting::C, Source::Api).unwrap();
        let place = Folder { host_id: format!("host-{host}"), ..folder_of(folder.path(), "b1", "boot1") };
        let mut operator = Operator::start(board, site, place, None);
        operator.plan(text, false, PERSON).unwrap();
        let mut before = false;
        for count in &mut on_rust {
            operator.look(Instant::now(), ProcessSeen::default());
            let now = swap.setting() == Setting::RUST;
            assert!(now || swap.setting() == Setting::C, "whole or not at all");
            assert!(now || !before, "a host that is in stays in");
            before = now;
            *count += usize::from(now);
            let _ = operator.promote(None, PERSON);
        }
    }
    assert!((10..60).contains(&on_rust[0]) && (110..190).contains(&on_rust[1]), "{on_rust:?}");
    assert_eq!(on_rust[2], 300);
}
