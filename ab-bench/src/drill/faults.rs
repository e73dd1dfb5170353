//! The planted faults: each on a session of its own beside the others, under a plan that moves the function it is in.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Options, Session, beside_frames, carry, start};
use crate::lab::{Lab, LabError, LabProcess, Side};

/// The number of the first planted client; the others are below.
const NUMBER: u8 = 200;

/// How long a fault may stay unfound before the drill goes on without it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is promised for functions that compute, and for what takes a new session.
const UNDONE_MAX: Duration = Duration::from_secs(1);
const RECONNECTED_MAX: Duration = Duration::from_secs(5);

/// How long after that the audit log may say nothing of it.
const AUDITED_MAX: Duration = Duration::from_secs(1);

/// How long a client writes its state before it is killed.
const WRITING: Duration = Duration::from_millis(200);

/// A planted fault.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What `CUTOVER_PLANT` says, if it is planted.
    pub name: &'static str,
    /// The step of the plan under which it strikes.
    step: &'static str,
    /// The swap it is in.
    swap: &'static str,
    /// It takes the session with it, so that frames are lost in the gap; with C's own failure they would be, too.
    ends_session: bool,
    /// It takes the process with it.
    ends_process: bool,
}

const FIFO: &str = "swaps = [\"write_fifo\", \"read_fifo\", \"get_fifo_pointer\"]";

/// Every kind of fault.
pub const FAULTS: &[Fault] = &[
    fault("mismatch", "stages = [\"shadow\"]"),
    fault("panic", "stages = [\"rust\"]"),
    fault("slow", "stages = [\"rust\"]\n[step.gates]\np99_ratio = 4.0"),
    fault("hog", "stages = [\"rust\"]\n[step.gates]\ngrowth_mb = 64"),
    Fault { ends_session: true, ..session_fault("session-locked") },
    Fault { ends_session: true, ..fault("endless", "stages = [\"rust\"]") },
    Fault { ends_session: true, ends_process: true, ..fault("crash", "stages = [\"rust\"]") },
];

const fn fault(name: &'static str, step: &'static str) -> Fault {
    Fault { name, step, swap: "write_fifo", ends_session: false, ends_process: false }
}

const fn session_fault(name: &'static str) -> Fault {
    Fault { name, step: "stages = [\"rust\"]", swap: "session_main", ends_session: true, ends_process: false }
}

/// How one fault was dealt with.
#[derive(Debug, Clone, Serialize)]
pub struct FaultReport {
    /// The fault.
    pub name: &'static str,
    /// Why the swap was demoted; empty if it was not.
    pub reason: String,
    /// From the command that lets it strike to the swap on C, in seconds.
    pub undone: f64,
    /// From there to a tunnel that answers, if the session went with it.
    pub reconnected: Option<f64>,
    /// Numbered frames of this session that were lost, where the session stays.
    pub lost: u64,
    /// Numbered frames of another session that were lost.
    pub lost_elsewhere: u64,
    /// The audit log says what was demoted.
    pub audited: bool,
}

impl FaultReport {
    /// Whether all held that is promised.
    #[must_use]
    pub fn holds(&self) -> bool {
        let in_time = self.reconnected.is_none_or(|seconds| seconds <= RECONNECTED_MAX.as_secs_f64());
        // The others need evidence beyond doubt, a session that ends, or a new process first.
        let at_once = !["mismatch", "panic"].contains(&self.name) || self.undone <= UNDONE_MAX.as_secs_f64();
        !self.reason.is_empty() && self.audited && self.lost == 0 && self.lost_elsewhere == 0 && in_time && at_once
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = if self.reason.is_empty() { "NOT FOUND" } else { &self.reason };
        write!(f, "{}: on c after {:.2} s ({reason})", self.name, self.undone)?;
        if let Some(seconds) = self.reconnected {
            write!(f, ", the tunnel answers {seconds:.2} s later")?;
        }
        let audited = if self.audited { "audited" } else { "NOT AUDITED" };
        write!(f, ", {} frames lost, {} on another session, {audited}", self.lost, self.lost_elsewhere)
    }
}

/// Lets one fault strike.
pub(super) fn drill(lab: &Lab, options: &Options, fault: &Fault, others: &[Session]) -> Result<FaultReport, LabError> {
    let environment = [("CUTOVER_SWAPS", "*=c"), ("CUTOVER_PLANT", fault.name)];
    let number =
        NUMBER + u8::try_from(FAULTS.iter().position(|other| other.name == fault.name).unwrap_or(0)).unwrap_or(0);
    let session = start(lab, options, number, "cutover-planted", &environment)?;
    // C's own times, for the gates to compare with.
    carry(lab, &session.client, 1)?;
    let other = others.first();
    let strike = || strike(lab, options, fault, session, number);
    match other {
        Some(other) => {
            let (report, _, lost_elsewhere) = beside_frames(lab, &other.client, strike)?;
            Ok(FaultReport { lost_elsewhere, ..report })
        }
        None => strike(),
    }
}

fn strike(lab: &Lab, options: &Options, fault: &Fault, session: Session, number: u8) -> Result<FaultReport, LabError> {
    let swaps = if fault.swap == "session_main" { "swaps = [\"session_main\"]" } else { FIFO };
    let plan = format!("name = \"{}\"\n[[step]]\n{swaps}\nmin_time = \"1h\"\n{}\n", fault.name, fault.step);
    let begun = Instant::now();
    session.controls.plan(lab, &plan)?;
    let found = |session: &Session| {
        while begun.elapsed() < PATIENCE {
            // Between two processes nobody answers.
            if let Ok(row) = session.controls.row(lab, fault.swap)
                && let Some(reason) = row["demoted"].as_str()
            {
                return reason.to_owned();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        String::new()
    };
    if !fault.ends_session {
        let ((reason, undone), _, lost) =
            beside_frames(lab, &session.client, || Ok((found(&session), begun.elapsed().as_secs_f64())))?;
        return Ok(report(fault, &session, reason, undone, None, lost));
    }
    wait_for_rust(lab, &session, fault.swap, begun);
    // On until the fault is found: what is chosen per session strikes in the session that is made then.
    let provoked = provoke(lab, &session)?;
    let mut session = session;
    if fault.ends_process {
        // What a supervisor does.
        let ended = session.client.process().wait_timeout(PATIENCE)?;
        if ended.is_none() {
            return Ok(report(fault, &session, String::new(), PATIENCE.as_secs_f64(), None, 0));
        }
        session = start(lab, options, number, "cutover-planted", &[("CUTOVER_PLANT", "none")])?;
    }
    let reason = found(&session);
    let undone = begun.elapsed().as_secs_f64();
    drop(provoked);
    let answered = Instant::now();
    while !answers(lab, &session) && answered.elapsed() < PATIENCE {}
    Ok(report(fault, &session, reason, undone, Some(answered.elapsed().as_secs_f64()), 0))
}

fn report(
    fault: &Fault,
    session: &Session,
    reason: String,
    undone: f64,
    reconnected: Option<f64>,
    lost: u64,
) -> FaultReport {
    let swap = format!("\"{}\"", fault.swap);
    let is_audited =
        || session.controls.audit().lines().any(|line| line.contains("\"demoted\"") && line.contains(&swap));
    // The switch demotes at once; who keeps the log sees it at the next look.
    let begun = Instant::now();
    while !is_audited() && begun.elapsed() < AUDITED_MAX {
        std::thread::sleep(Duration::from_millis(10));
    }
    let audited = is_audited();
    FaultReport { name: fault.name, reason, undone, reconnected, lost, lost_elsewhere: 0, audited }
}

/// Until the fault can strike. Traffic of the interface's own may have let it strike already, with the process in it.
fn wait_for_rust(lab: &Lab, session: &Session, swap: &str, begun: Instant) {
    let may_strike = |row: serde_json::Value| row["mode"] == "rust" || row["demoted"].is_string();
    while !session.controls.row(lab, swap).map_or(true, may_strike) && begun.elapsed() < PATIENCE {}
}

/// Kills a client while it writes its state again and again, with a plan in motion; the next run must read what it finds,
/// and take back what was in motion.
pub(super) fn kill_between_writes(lab: &Lab, options: &Options) -> Result<FaultReport, LabError> {
    let fault = Fault { ends_process: true, ..fault("killed between two writes", "stages = [\"rust\"]") };
    let number = NUMBER + u8::try_from(FAULTS.len()).unwrap_or(0);
    let session = start(lab, options, number, "cutover-rust", &[("CUTOVER_SWAPS", "*=c")])?;
    let plan = format!("name = \"killed\"\n[[step]]\n{FIFO}\nmin_time = \"1h\"\n{}\n", fault.step);
    let begun = Instant::now();
    session.controls.plan(lab, &plan)?;
    wait_for_rust(lab, &session, fault.swap, begun);
    let controls = session.controls.clone();
    std::thread::scope(|scope| {
        // Ends with an error when the client is gone.
        scope.spawn(|| controls.switch(lab, &["memory=shadow", "memory=c"], u32::MAX));
        std::thread::sleep(WRITING);
        session.client.kill().map(drop)
    })?;
    let begun = Instant::now();
    let session = start(lab, options, number, "cutover-rust", &[])?;
    let row = session.controls.row(lab, fault.swap)?;
    let reason = row["demoted"].as_str().unwrap_or_default().to_owned();
    Ok(report(&fault, &session, reason, begun.elapsed().as_secs_f64(), None, 0))
}

/// Traffic without anybody who counts it, until the handle is dropped.
fn provoke(lab: &Lab, session: &Session) -> Result<LabProcess, LabError> {
    let mut command = Command::new("ping");
    command.args(["-f", "-w", &PATIENCE.as_secs().to_string(), "-I", session.client.interface(), "10.78.0.1"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    lab.spawn(Side::Client, command)
}

fn answers(lab: &Lab, session: &Session) -> bool {
    let argv = ["ping", "-c1", "-W1", "-I", session.client.interface(), "10.78.0.1"];
    lab.run(Side::Client, &argv, Duration::from_secs(10)).is_ok_and(|output| output.status.success())
}
