//! The cutover drill: many sessions under load, a plan from shadow to 100 % on all of them, every planted fault, thousands
//! of mode switches, and what the switch itself costs. Everything is done by `cutover swaps`, as an operator would.
//!
//! 1. [`rollout`]: all sessions connect; the same plan is begun on each; numbered frames pass on all until it is done.
//! 2. [`faults`]: a session with a planted fault among them; found, rolled back, audited, and its frames counted.
//! 3. [`switches`]: modes change as fast as the socket takes them, while frames pass.
//! 4. [`overhead`]: CPU per GB with everything on C, and with the leaves of framing in shadow, alone and together.

mod controls;
mod faults;
mod overhead;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::frames::{Direction, FramePlan};
use crate::lab::{Client, ClientSpec, Lab, LabError, LabOptions};
pub use controls::Controls;
pub use faults::{FAULTS, Fault, FaultReport};
pub use overhead::OverheadReport;

/// The plan of the drill: every group, each stage as short as its evidence allows.
fn plan(stage_ms: u32) -> String {
    format!(
        r#"
name = "drill"
draw = "host"
[[step]]
swaps = ["framing", "memory"]
stages = ["c", "shadow@1%", "shadow", "rust@1%", "rust@10%", "rust@50%", "rust"]
min_time = "{stage_ms}ms"
on_breach = "group"
[step.gates]
error_rate = 0.01
reconnects = 0
growth_mb = 256
[[step]]
swaps = ["session", "adapter", "tls"]
stages = ["rust@50%", "rust"]
min_time = "{stage_ms}ms"
on_breach = "all"
"#
    )
}

/// The number of the session whose modes are switched; those of the rollout are below, those with faults above.
const SWITCHED: u8 = 190;

/// How long the plan may take on one session before the drill gives up.
const ROLLOUT_MAX: Duration = Duration::from_secs(180);

/// How large a drill is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Sessions, each a client of its own.
    pub sessions: u8,
    /// How long each stage of the rollout lasts at least.
    pub stage_ms: u32,
    /// Which faults, of [`FAULTS`].
    pub faults: Vec<Fault>,
    /// Mode switches under load.
    pub switches: u32,
    /// Seconds per measurement of the overhead; 0 leaves it out.
    pub overhead_seconds: u32,
    /// Where `cutover-rust` and `cutover-planted` are.
    pub programs: PathBuf,
    /// Where the server is; absent: beside the programs.
    pub server_dir: Option<PathBuf>,
}

/// What a drill found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The rollout.
    pub rollout: RolloutReport,
    /// Each fault.
    pub faults: Vec<FaultReport>,
    /// The switches.
    pub switches: SwitchReport,
    /// The overhead, if it was measured.
    pub overhead: Option<OverheadReport>,
}

/// How a rollout on all sessions went.
#[derive(Debug, Clone, Serialize)]
pub struct RolloutReport {
    /// Sessions.
    pub sessions: usize,
    /// From the first session's plan to the last one's end.
    pub seconds: f64,
    /// Numbered frames that arrived while it went on.
    pub frames: u64,
    /// Numbered frames that did not, outside the announced reconnects.
    pub lost: u64,
    /// Sessions whose plan came to its end.
    pub done: usize,
}

/// Modes switched under load.
#[derive(Debug, Clone, Serialize)]
pub struct SwitchReport {
    /// Switches.
    pub count: u32,
    /// How long they took.
    pub seconds: f64,
    /// Numbered frames that arrived meanwhile.
    pub frames: u64,
    /// Numbered frames that did not.
    pub lost: u64,
    /// The longest of them, from command to answer.
    pub longest_ms: f64,
}

impl Report {
    /// Whether all held that is promised.
    #[must_use]
    pub fn holds(&self) -> bool {
        let rollout = &self.rollout;
        rollout.done == rollout.sessions
            && rollout.lost == 0
            && self.switches.lost == 0
            && self.faults.iter().all(FaultReport::holds)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.rollout)?;
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        writeln!(f, "{}", self.switches)?;
        self.overhead.as_ref().map_or(Ok(()), |overhead| writeln!(f, "{overhead}"))?;
        write!(
            f,
            "{}",
            if self.holds() { "all that is promised held" } else { "SOMETHING THAT IS PROMISED DID NOT HOLD" }
        )
    }
}

impl fmt::Display for RolloutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RolloutReport { sessions, seconds, frames, lost, done } = self;
        write!(
            f,
            "rollout: {done} of {sessions} sessions from c to rust in {seconds:.1} s; {frames} frames, {lost} lost"
        )
    }
}

impl fmt::Display for SwitchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SwitchReport { count, seconds, frames, lost, longest_ms } = self;
        write!(f, "switches: {count} in {seconds:.1} s, the longest {longest_ms:.1} ms; {frames} frames, {lost} lost")
    }
}

/// One session of the drill.
pub(crate) struct Session {
    pub client: Client,
    pub controls: Controls,
}

/// Runs the drill; `said` gets a line per part.
///
/// # Errors
/// The lab or a client fails. What the drill is about is no error: the report says whether it held.
pub fn run(options: &Options, said: &mut dyn FnMut(&str)) -> Result<Report, LabError> {
    let server_dir = options.server_dir.clone().unwrap_or_else(|| options.programs.join("../libexec/cutover"));
    let lab = Lab::start(&LabOptions { server_dir: Some(server_dir), ..LabOptions::default() })?;
    said(&format!("{} sessions …", options.sessions));
    let sessions = (0..options.sessions)
        .map(|number| start(&lab, options, number, "cutover-rust", &[("CUTOVER_SWAPS", "*=c")]))
        .collect::<Result<Vec<Session>, LabError>>()?;
    let rollout = rollout(&lab, &sessions, options.stage_ms)?;
    said(&rollout.to_string());
    let mut faults = Vec::new();
    for fault in &options.faults {
        faults.push(faults::drill(&lab, options, fault, &sessions)?);
        said(&faults[faults.len() - 1].to_string());
    }
    faults.push(faults::kill_between_writes(&lab, options)?);
    said(&faults[faults.len() - 1].to_string());
    let switches = switches(&lab, options)?;
    said(&switches.to_string());
    drop(sessions);
    let overhead = match options.overhead_seconds {
        0 => None,
        seconds => {
            said("overhead …");
            Some(overhead::measure(options, seconds)?)
        }
    };
    Ok(Report { rollout, faults, switches, overhead })
}

/// Starts a client of its own name, address, state and host.
pub(crate) fn start(
    lab: &Lab,
    options: &Options,
    number: u8,
    program: &str,
    environment: &[(&str, &str)],
) -> Result<Session, LabError> {
    let folder = lab.dir().join(format!("{program}-{number}"));
    let mut spec = ClientSpec::cutover(options.programs.join(program), "");
    spec.env.clear();
    spec.env.extend([
        ("CUTOVER_RUNTIME_DIR".into(), folder.join("run").into()),
        ("CUTOVER_STATE_DIR".into(), folder.join("state").into()),
        ("CUTOVER_HOST_ID".into(), format!("host-{number}").into()),
    ]);
    spec.env.extend(environment.iter().map(|(name, value)| (name.into(), value.into())));
    spec.interface = format!("cut{number}");
    spec.address = std::net::Ipv4Addr::new(10, 78, 0, 10 + number);
    spec.timeout = Duration::from_secs(60);
    std::fs::create_dir_all(&folder).map_err(|source| LabError::io(format!("create {}", folder.display()), source))?;
    let client = lab.start_client(&spec)?;
    let controls = Controls::new(&folder, &options.programs);
    Ok(Session { client, controls })
}

/// The plan on every session at once, with frames on one after the other.
fn rollout(lab: &Lab, sessions: &[Session], stage_ms: u32) -> Result<RolloutReport, LabError> {
    let begun = Instant::now();
    for session in sessions {
        session.controls.plan(lab, &plan(stage_ms))?;
    }
    let (mut frames, mut lost, mut seed) = (0, 0, 0);
    let is_done = |session: &Session| session.controls.plan_state(lab).is_ok_and(|state| state.0 == "done");
    let mut done = 0;
    while begun.elapsed() < ROLLOUT_MAX {
        for session in sessions {
            seed += 1;
            let before = session.controls.plan_state(lab)?;
            let (arrived, missed) = carry(lab, &session.client, seed)?;
            // In the second step the session itself is made again, once per stage at most: frames sent into that gap are
            // lost with C, too.
            let whole = before.1 == 1 && session.controls.plan_state(lab)?.1 == 1;
            frames += arrived;
            lost += if whole { missed } else { 0 };
        }
        done = sessions.iter().filter(|session| is_done(session)).count();
        if done == sessions.len() {
            break;
        }
    }
    Ok(RolloutReport { sessions: sessions.len(), seconds: begun.elapsed().as_secs_f64(), frames, lost, done })
}

/// Some numbered frames each way: how many arrived, and how many did not.
pub(crate) fn carry(lab: &Lab, client: &Client, seed: u64) -> Result<(u64, u64), LabError> {
    let mut sums = (0, 0);
    for direction in [Direction::Up, Direction::Down] {
        let report = lab.carry_frames(client, direction, &FramePlan::new(100, seed))?;
        sums = (sums.0 + report.received, sums.1 + report.lost + report.damaged);
    }
    Ok(sums)
}

/// Frames until `done` says so, beside what `act` does.
pub(crate) fn beside_frames<T>(
    lab: &Lab,
    client: &Client,
    act: impl FnOnce() -> Result<T, LabError>,
) -> Result<(T, u64, u64), LabError> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut sums = (0, 0);
            for seed in 1.. {
                let (arrived, missed) = carry(lab, client, seed)?;
                sums = (sums.0 + arrived, sums.1 + missed);
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok::<_, LabError>(sums)
        });
        let result = act();
        done.store(true, Ordering::Relaxed);
        let (arrived, missed) = traffic.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((result?, arrived, missed))
    })
}

/// Modes from C to shadow to Rust and back, over one connection to the socket, on a session that goes seam by seam: the
/// fused path is chosen once per session, and a switch of it is a reconnect.
fn switches(lab: &Lab, options: &Options) -> Result<SwitchReport, LabError> {
    let session = start(lab, options, SWITCHED, "cutover-rust", &[("CUTOVER_SWAPS", "*=c")])?;
    let count = options.switches;
    let act = || session.controls.switch(lab, &controls::ALL_MODES, count);
    let ((seconds, longest_ms), frames, lost) = beside_frames(lab, &session.client, act)?;
    Ok(SwitchReport { count, seconds, frames, lost, longest_ms })
}
