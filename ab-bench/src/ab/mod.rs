//! The A/B: contestants take turns in one lab, and their runs are compared in pairs.
//!
//! In each round every contestant is visited once, and the baseline twice: the second visit, called `again`, makes
//! the A/A comparison, whose interval shows how much of any difference is noise. A visit starts the client, runs
//! one TCP stream of iperf3 up and one down, and ends the client, so that nobody idles beside the one that runs.
//! All contestants use the same server process, interface names, addresses and routes.

mod host;
mod iperf;
mod plan;
mod plot;
mod report;
mod table;

use std::path::PathBuf;
use std::time::Instant;

pub use host::Host;
use host::MachineCpu;
pub use plan::{Effort, orders};
pub use plot::draw;
pub use report::{AGAIN, ContestantFacts, Failure, Metric, Report, Row, Run, SCHEMA_VERSION, SessionFacts, Verdict};
pub use table::{sentences, table};

use crate::frames::Direction;
use crate::lab::{Client, ClientKind, ClientSpec, HUB, Lab, LabError, LabOptions, SERVER_ADDRESS, ServerKind, Side};

/// Someone to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contestant {
    /// `c`, `rust`, `official`, …
    pub name: String,
    /// The program.
    pub kind: ClientKind,
    /// Its `CUTOVER_SWAPS`; absent: the build's default.
    pub swaps: Option<String>,
}

/// What to compare and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first one is the baseline (the next one if it fails in the warm-up); at least one.
    pub contestants: Vec<Contestant>,
    /// Whose server.
    pub server: ServerKind,
    /// Rounds and seconds.
    pub effort: Effort,
    /// Seed of the order and of the bootstrap.
    pub seed: u64,
}

/// What happens, for a progress bar.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Visits done.
    pub done: usize,
    /// Visits in all.
    pub of: usize,
    /// The round; 0 is the warm-up.
    pub round: u32,
    /// Who is visited next.
    pub contestant: &'a str,
}

impl Options {
    /// How many visits a round has: every contestant, and the baseline again.
    fn slots(&self) -> usize {
        self.contestants.len() + 1
    }
}

/// Runs everything. `progress` is told what is next and answers whether to go on; if not, the report holds what was
/// measured until then. What fails is listed in the report, and a contestant that fails in the warm-up or twice is left
/// out from then on; only a lab that does not come up is an error.
pub fn run(options: &Options, mut progress: impl FnMut(Progress<'_>) -> bool) -> Result<Report, LabError> {
    let started = Instant::now();
    let lab = Lab::start(&LabOptions { server: options.server, server_dir: None })?;
    let mut arena = Arena {
        lab: &lab,
        options,
        report: new_report(options),
        out: vec![false; options.contestants.len()],
        baseline: 0,
    };

    let warm_up = (0, (0..options.contestants.len()).collect::<Vec<_>>());
    let measured = (1..).zip(orders(options.slots(), options.effort.rounds, options.seed));
    let of = options.contestants.len() + options.slots() * options.effort.rounds as usize;
    let mut done = 0;
    let mut complete = true;
    'rounds: for (round, order) in std::iter::once(warm_up).chain(measured) {
        if round == 1 {
            // Who fails later takes the comparison with it; nobody steps in halfway.
            arena.baseline = arena.out.iter().position(|out| !out).unwrap_or(0);
        }
        for slot in order {
            let contestant = arena.name(slot);
            if !progress(Progress { done, of, round, contestant }) {
                complete = false;
                break 'rounds;
            }
            arena.visit(slot, round);
            done += 1;
        }
    }
    let mut report = arena.report;
    report.baseline = options.contestants[arena.baseline].name.clone();
    report.complete = complete;
    report.duration_s = started.elapsed().as_secs_f64();
    report.compare();
    Ok(report)
}

fn new_report(options: &Options) -> Report {
    let spec = ClientSpec::official();
    let session = SessionFacts {
        connections: spec.connections,
        encrypt: spec.encrypt,
        compress: spec.compress,
        udp_acceleration: spec.udp_acceleration,
        mtu: 1500,
        streams: 1,
    };
    let server = match options.server {
        ServerKind::Vendored => "vendored",
        ServerKind::Debian => "debian",
    };
    let mut report = report::empty(options.effort, options.seed, server.into(), Host::read(), session);
    report.contestants = options
        .contestants
        .iter()
        .map(|contestant| ContestantFacts {
            name: contestant.name.clone(),
            version: version(&contestant.kind),
            cipher: String::new(),
            outer_congestion_control: String::new(),
            inner_congestion_control: String::new(),
        })
        .collect();
    report
}

fn version(kind: &ClientKind) -> String {
    match kind {
        ClientKind::Cutover(program) => host::output_of(&program.to_string_lossy(), &["version"]),
        ClientKind::Official => host::output_of("dpkg-query", &["--show", "softether-vpnclient"]).replace('\t', " "),
    }
}

/// The lab and what was measured in it so far.
struct Arena<'a> {
    lab: &'a Lab,
    options: &'a Options,
    report: Report,
    // Who has failed, by contestant.
    out: Vec<bool>,
    baseline: usize,
}

impl<'a> Arena<'a> {
    /// The contestant of a slot: the slot after the last one is the baseline again.
    fn contestant(&self, slot: usize) -> usize {
        if slot < self.options.contestants.len() { slot } else { self.baseline }
    }

    fn name(&self, slot: usize) -> &'a str {
        match self.options.contestants.get(slot) {
            Some(contestant) => &contestant.name,
            None => AGAIN,
        }
    }

    fn visit(&mut self, slot: usize, round: u32) {
        let index = self.contestant(slot);
        if self.out[index] {
            return;
        }
        if let Err(error) = self.try_visit(slot, round) {
            let contestant = self.options.contestants[index].name.clone();
            // One failure may be bad luck, unless it is the very first visit.
            let again = self.report.failures.iter().any(|failure| failure.contestant == contestant);
            self.out[index] = again || round == 0;
            self.report.failures.push(Failure { contestant, round, reason: error.to_string() });
        }
    }

    fn try_visit(&mut self, slot: usize, round: u32) -> Result<(), LabError> {
        let contestant = &self.options.contestants[self.contestant(slot)];
        let mut spec = ClientSpec::new(contestant.kind.clone());
        spec.env.extend(contestant.swaps.iter().map(|swaps| ("CUTOVER_SWAPS".into(), swaps.into())));
        let client = self.lab.start_client(&spec)?;
        // Each direction is the first one as often as the other.
        let directions = match round % 4 {
            0 | 1 => [Direction::Up, Direction::Down],
            _ => [Direction::Down, Direction::Up],
        };
        for direction in directions {
            let run = self.measure(&client, slot, round, direction)?;
            self.report.runs.push(run);
        }
        if round == 0 {
            self.note_session(slot)?;
        }
        client.stop().map(drop)
    }

    fn measure(&mut self, client: &Client, slot: usize, round: u32, direction: Direction) -> Result<Run, LabError> {
        let seconds = if round == 0 { 1 } else { self.options.effort.seconds };
        let machine = || MachineCpu::read().map_err(|source| LabError::Io { what: "read /proc/stat".into(), source });
        let before = (client.cpu()?, self.lab.server().cpu()?, machine()?);
        let transfer = iperf::run(self.lab, direction, seconds)?;
        let after = (client.cpu()?, self.lab.server().cpu()?, machine()?);
        let index = self.contestant(slot);
        self.report.contestants[index].inner_congestion_control = transfer.congestion_control;
        Ok(Run {
            contestant: self.name(slot).to_owned(),
            round,
            direction,
            connect_s: client.connect_time().as_secs_f64(),
            bytes: transfer.bytes,
            seconds: transfer.seconds,
            client_cpu_s: (after.0.total - before.0.total).as_secs_f64(),
            client_user_s: (after.0.user.saturating_sub(before.0.user)).as_secs_f64(),
            client_system_s: (after.0.system.saturating_sub(before.0.system)).as_secs_f64(),
            server_cpu_s: (after.1.total - before.1.total).as_secs_f64(),
            machine_cpu_s: after.2.busy_s - before.2.busy_s,
            steal_s: after.2.steal_s - before.2.steal_s,
            retransmits: transfer.retransmits,
        })
    }

    /// Notes what really runs, while it still does.
    fn note_session(&mut self, slot: usize) -> Result<(), LabError> {
        let server = SERVER_ADDRESS.to_string();
        let argv = ["ss", "-Htin", "dst", &server];
        let sockets = self.lab.run_ok(Side::Client, &argv, std::time::Duration::from_secs(10))?;
        let congestion_control = congestion_control(&String::from_utf8_lossy(&sockets.stdout));
        let cipher = self.cipher()?;
        let facts = &mut self.report.contestants[slot];
        facts.outer_congestion_control = congestion_control;
        facts.cipher = cipher;
        Ok(())
    }

    /// The cipher of the newest session of the lab's user, as the server tells.
    fn cipher(&self) -> Result<String, LabError> {
        let sessions = self.lab.server().vpncmd(&format!("Hub {HUB}\nSessionList\n"))?;
        let mut names = sessions.lines().filter_map(|line| line.strip_prefix("Session Name")?.split_once('|'));
        let Some((_, name)) = names.rfind(|(_, name)| name.contains("-TEST-")) else {
            return Ok(String::new());
        };
        let session = self.lab.server().vpncmd(&format!("Hub {HUB}\nSessionGet {}\n", name.trim()))?;
        let line = session.lines().find(|line| line.starts_with("Encryption")).unwrap_or_default();
        let algorithm = line.split_once("Algorithm: ").map_or("", |(_, rest)| rest);
        Ok(algorithm.trim_end_matches([')', ' ', '\r']).to_owned())
    }
}

/// The congestion controls in `ss -ti`: on the second line of each socket the first word that is not a flag.
fn congestion_control(sockets: &str) -> String {
    let flags = ["ts", "sack", "ecn", "ecnseen", "fastopen"];
    let mut names: Vec<&str> = sockets
        .lines()
        .filter(|line| line.starts_with(char::is_whitespace))
        .filter_map(|line| line.split_whitespace().find(|word| !flags.contains(word)))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

/// The contestants by name. `c` and `rust` need an executable, `official` is Debian's client. A name in `swaps` is the
/// Rust build (or an executable of that name) with these modes of its swaps.
pub fn contestants(
    names: &[String],
    programs: &[(String, PathBuf)],
    swaps: &[(String, String)],
) -> Result<Vec<Contestant>, String> {
    let mut contestants: Vec<Contestant> = Vec::new();
    if let Some((name, _)) = swaps.iter().find(|(name, _)| !names.contains(name)) {
        return Err(format!("`--swaps {name}=…` is for a contestant that is not compared"));
    }
    for name in names {
        if contestants.iter().any(|contestant| contestant.name == *name) {
            return Err(format!("contestant `{name}` is named twice"));
        }
        contestants.push(contestant(name, programs, swaps)?);
    }
    if contestants.is_empty() { Err("no contestant: name c, rust or official".into()) } else { Ok(contestants) }
}

fn contestant(name: &str, programs: &[(String, PathBuf)], swaps: &[(String, String)]) -> Result<Contestant, String> {
    let modes = swaps.iter().find(|(of, _)| of == name).map(|(_, modes)| modes.clone());
    let (build, swaps) = match (name, modes) {
        (AGAIN, _) => return Err(format!("`{AGAIN}` is the baseline's second visit: take another name")),
        ("official" | "c", Some(_)) => return Err(format!("`{name}` has no swaps to set")),
        ("official", None) => {
            return Ok(Contestant { name: name.to_owned(), kind: ClientKind::Official, swaps: None });
        }
        ("c", None) => ("c", None),
        ("rust", modes) => ("rust", modes.or_else(|| Some("*=rust".to_owned()))),
        (_, Some(modes)) => ("rust", Some(modes)),
        (_, None) => {
            return Err(format!(
                "unknown contestant `{name}`: there are c, rust and official, and those that `--swaps NAME=MODES` makes"
            ));
        }
    };
    let of = |wanted: &str| programs.iter().find(|(program, _)| program == wanted).map(|(_, path)| path.clone());
    let program = of(name).or_else(|| of(build)).ok_or_else(|| {
        format!("contestant `{name}` needs its executable: `--bin {build}=PATH` (`./zigw build ab` gives it)")
    })?;
    Ok(Contestant { name: name.to_owned(), kind: ClientKind::Cutover(program), swaps })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn contestants_are_checked() {
        let programs = [("c".to_owned(), PathBuf::from("/c")), ("rust".to_owned(), PathBuf::from("/rust"))];
        let all = contestants(&names(&["c", "rust", "official"]), &programs, &[]).unwrap();
        assert_eq!(all[0], Contestant { name: "c".into(), kind: ClientKind::Cutover("/c".into()), swaps: None });
        assert_eq!(all[1].swaps.as_deref(), Some("*=rust"));
        assert_eq!(all[2].kind, ClientKind::Official);
        assert!(contestants(&names(&["c"]), &[], &[]).unwrap_err().contains("--bin c=PATH"));
        assert!(contestants(&names(&["go"]), &programs, &[]).unwrap_err().contains("unknown contestant `go`"));
        assert!(contestants(&names(&["c", "c"]), &programs, &[]).unwrap_err().contains("twice"));
        assert!(contestants(&[], &programs, &[]).is_err());
    }

    #[test]
    fn a_contestant_may_have_its_own_modes() {
        let mut programs = vec![("c".to_owned(), PathBuf::from("/c")), ("rust".to_owned(), PathBuf::from("/rust"))];
        let modes = |name: &str| vec![(name.to_owned(), "*=c,adapter=rust".to_owned())];
        let expected = |path: &str| Contestant {
            name: "adapter".into(),
            kind: ClientKind::Cutover(path.into()),
            swaps: Some("*=c,adapter=rust".into()),
        };
        let two = names(&["c", "adapter"]);
        assert_eq!(contestants(&two, &programs, &modes("adapter")).unwrap()[1], expected("/rust"));
        programs.push(("adapter".to_owned(), PathBuf::from("/own")));
        assert_eq!(contestants(&two, &programs, &modes("adapter")).unwrap()[1], expected("/own"));
        let rust = contestants(&names(&["rust"]), &programs, &modes("rust")).unwrap();
        assert_eq!(rust[0].swaps.as_deref(), Some("*=c,adapter=rust"));
        assert!(contestants(&names(&["c"]), &programs, &modes("adapter")).unwrap_err().contains("not compared"));
        assert!(contestants(&names(&["c"]), &programs, &modes("c")).unwrap_err().contains("no swaps"));
        assert!(contestants(&names(&["again"]), &programs, &modes("again")).unwrap_err().contains("another name"));
        assert!(contestants(&two, &[], &modes("adapter")).is_err());
    }

    #[test]
    fn the_congestion_control_is_found_behind_flags() {
        let text = "ESTAB 0 0 10.77.0.2:1 10.77.0.1:443 \n\t ts sack cubic wscale:7,7 rto:201\n\
                    ESTAB 0 0 10.77.0.2:2 10.77.0.1:443 \n\t bbr wscale:7,7\n";
        assert_eq!(congestion_control(text), "bbr,cubic");
        assert_eq!(congestion_control(""), "");
    }
}
