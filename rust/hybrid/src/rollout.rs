//! The rollout in a running client: the operator, the figures that its gates need, and what it asks of the client.
//!
//! 1. [`start`] takes up the instance where its last run left it, after the modes of build, configuration and environment.
//! 2. A thread of the control socket calls [`look`] some times a second, the other [`act`] when somebody asks for something.
//! 3. The client is woken when there is a [`cutover_rollout_wish`], and reconnects or replaces itself.
//! 4. The session's thread says by [`cutover_beat`] that it goes round, and on the fused path by `swaps::fused_rounds`; a
//!    loop that stands still is taken for a hang.

use crate::control_socket;
use crate::error::boundary;
use crate::{modes, text, wake};
use control::{Place, Request, place};
use rollout::{Bond, Folder, Followup, LastRun, Operator, ProcessSeen, Site, Who};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use std::ffi::c_char;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use switch::ModeSpec;

/// The stop file of one instance is `NAME.stop` in the runtime folder; this one is every instance's.
const STOP_ALL: &str = "all.stop";

/// Where the state is, in place of the usual folder.
const STATE_VARIABLE: &str = "CUTOVER_STATE_DIR";

/// What a fleet's draws are made with, in place of the machine's id.
const HOST_VARIABLE: &str = "CUTOVER_HOST_ID";

/// A session's loop goes round several times a second, idle or not. One that stands still for so long hangs.
const STANDSTILL_MAX: Duration = Duration::from_secs(3);

/// From one look to the next while frames move, a plan runs, or there is no session.
const BUSY: Duration = Duration::from_millis(100);

/// From one look to the next on an idle tunnel. A call that hangs is off within a second all the same.
const QUIET: Duration = Duration::from_millis(250);

/// Looks further apart than this mean that the whole process stood still (stopped, frozen, or without a processor), which
/// is not the loop's doing.
const LOOKS_APART_MAX: Duration = Duration::from_secs(1);

static OPERATOR: Mutex<Option<Operator>> = Mutex::new(None);
static WISHES: Mutex<Vec<Followup>> = Mutex::new(Vec::new());
static BEATS: AtomicU64 = AtomicU64::new(0);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the rollout wants of the client.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Nothing = 0,
    /// End the session and make it again: a side that is chosen per session has changed.
    Reconnect = 1,
    /// Replace the process, with `cutover_interface_keep` before: a thread hangs in a call that will not return.
    Restart = 2,
}

/// What the rollout wants of the client, said once. The reason is logged.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_rollout_wish() -> Wish {
    boundary(Wish::Nothing, || {
        let mut wishes = lock(&WISHES);
        let restart = wishes.iter().position(|wish| matches!(wish, Followup::Restart(_)));
        match restart.map(|at| wishes.swap_remove(at)).or_else(|| wishes.pop()) {
            None => Wish::Nothing,
            Some(Followup::Reconnect(why)) => {
                tracing::info!(target: "cutover", "connecting anew: {why}");
                Wish::Reconnect
            }
            Some(Followup::Restart(why)) => {
                tracing::error!(target: "cutover", "replacing the process: {why}");
                Wish::Restart
            }
        }
    })
}

/// Says that a session begins: with it is done what asked for one.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_rollout_session_begins() {
    boundary((), || lock(&WISHES).retain(|wish| !matches!(wish, Followup::Reconnect(_))));
}

/// Says that the session's loop goes round. Costs one addition.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_beat() {
    BEATS.fetch_add(1, Relaxed);
}

/// The kill switch: every swap runs C from now on, and a plan stops. `why` is for the audit log.
///
/// # Safety
/// `why` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_stop_all(why: *const c_char) {
    boundary((), || {
        // SAFETY: the caller's.
        let why = unsafe { text::from_c(why, "why") }.unwrap_or("no reason given");
        match lock(&OPERATOR).as_mut() {
            Some(operator) => operator.stop_all(Who::Signal, why),
            None => drop(modes::set("*=c", switch::Source::Api)),
        }
    });
}

/// Takes up the instance `name`. What keeps the state from being kept is a warning: the client runs without memory then.
pub(crate) fn start(name: &str, runtime: &Place) {
    let folder = match folder(name, runtime) {
        Ok(folder) => folder,
        Err(why) => {
            tracing::warn!("modes and demotions will not survive a restart: {why}; set {STATE_VARIABLE}");
            return;
        }
    };
    match rollout::last_run(&folder) {
        LastRun::Damaged(why) => {
            tracing::warn!(state = %folder.path.display(), why, "the state is damaged: everything runs on c")
        }
        LastRun::Cut => tracing::warn!("the last run was cut off"),
        LastRun::None | LastRun::Ended => {}
    }
    let environment = std::env::var(crate::lifecycle::MODES_VARIABLE).ok().and_then(|text| ModeSpec::parse(&text).ok());
    let crash = folder.crash();
    let operator = Operator::start(modes::board(), site(), folder, environment.as_ref());
    match OpenOptions::new().append(true).create(true).mode(0o600).open(&crash) {
        Ok(file) => switch::record_crashes(file),
        Err(error) => tracing::warn!(path = %crash.display(), %error, "a crash will not be attributed"),
    }
    *lock(&OPERATOR) = Some(operator);
}

/// Ends what [`start`] began, as one that was asked to.
pub(crate) fn stop() {
    if let Some(mut operator) = lock(&OPERATOR).take() {
        operator.close();
    }
}

fn folder(name: &str, runtime: &Place) -> Result<Folder, String> {
    let path = state_folder().ok_or("there is no folder for it")?;
    place::make_private_folder(&path).map_err(|error| error.to_string())?;
    let stop_files =
        runtime.folder().into_iter().flat_map(|folder| [folder.join(format!("{name}.stop")), folder.join(STOP_ALL)]);
    let first_line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let host = std::env::var(HOST_VARIABLE).ok().or_else(|| first_line("/etc/machine-id"));
    Ok(Folder {
        path,
        instance: name.to_owned(),
        stop_files: stop_files.collect(),
        build_id: switch::build_id().to_owned(),
        boot_id: first_line("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
        host_id: host.or_else(|| first_line("/proc/sys/kernel/hostname")).unwrap_or_default(),
    })
}

/// `$CUTOVER_STATE_DIR`, the unit's `StateDirectory=`, `/var/lib/cutover` for root, the user's own for others.
fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    // systemd lists several directories with colons; the first is ours.
    let of_unit = || Some(PathBuf::from(variable("STATE_DIRECTORY")?.to_str()?.split(':').next()?));
    let own = || match rustix::process::geteuid().is_root() {
        true => Some(PathBuf::from("/var/lib/cutover")),
        false => variable("XDG_STATE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".local/state")))
            .map(|folder| folder.join("cutover")),
    };
    variable(STATE_VARIABLE).or_else(of_unit).or_else(own)
}

fn site() -> Site {
    static BONDS: OnceLock<Vec<Bond>> = OnceLock::new();
    let same = |bond: &swaps::Bond| Bond { swaps: bond.swaps, reason: bond.reason };
    Site { bonds: BONDS.get_or_init(|| swaps::BONDS.iter().map(same).collect()), is_per_session }
}

/// The fused path, once a session has taken it, asks these no more.
const TAKEN_BY_FUSED: [&str; 2] = ["connection_send", "connection_receive"];

fn is_per_session(name: &str) -> bool {
    swaps::PER_SESSION.contains(&name) || (is_fused() && TAKEN_BY_FUSED.contains(&name))
}

/// Whether the session that runs has taken the fused path.
fn is_fused() -> bool {
    swaps::session_path().is_some_and(|(path, _)| path == "fused")
}

/// A look, and when the next one is due.
pub(crate) fn look(heart: &mut Heart) -> Duration {
    let now = Instant::now();
    let connected = control_socket::is_connected();
    let beats = BEATS.load(Relaxed).wrapping_add(swaps::fused_rounds());
    let stands_still = heart.stands_still(connected, beats, now);
    let mut slot = lock(&OPERATOR);
    let Some(operator) = slot.as_mut() else {
        drop(slot);
        heart.tell_systemd(connected);
        return QUIET;
    };
    let process = seen();
    let mut wishes = operator.look(now, process);
    if stands_still {
        operator.stalled("the session's loop has not gone round for 3 s");
        wishes.extend(operator.look(now, process));
    }
    let moves = operator.is_moving() || !connected || heart.frames != process.frames;
    drop(slot);
    heart.frames = process.frames;
    if !wishes.is_empty() {
        lock(&WISHES).extend(wishes);
        wake::cutover_wake();
    }
    heart.tell_systemd(connected);
    if moves { BUSY } else { QUIET }
}

/// What is asked at the control socket.
pub(crate) fn act(request: &Request, who: Who) -> Result<Value, String> {
    let mut slot = lock(&OPERATOR);
    let Some(operator) = slot.as_mut() else { return without_operator(request) };
    match request {
        Request::Status {} => Ok(control_socket::status()),
        Request::Swaps {} => Ok(operator.table(Instant::now())),
        Request::SetSwaps { modes, generation, reconnect } => {
            let current = operator.generation();
            match generation.filter(|generation| *generation != current) {
                Some(_) => Err("the modes have changed since you looked; look again".to_owned()),
                None => operator.set(modes, *reconnect, who),
            }
        }
        Request::Plan { text, check } => operator.plan(text, *check, who),
        Request::Promote { pattern } => operator.promote(pattern.as_deref(), who),
        Request::Rollback { pattern } => operator.rollback(pattern.as_deref(), who),
        Request::Explain { name } => operator.explain(name, Instant::now()),
    }
}

/// Without a state folder modes can be seen and set, and no more.
fn without_operator(request: &Request) -> Result<Value, String> {
    match request {
        Request::Status {} => Ok(control_socket::status()),
        Request::Swaps {} => Ok(modes::table()),
        Request::SetSwaps { modes, .. } => {
            modes::set(modes, switch::Source::Api).map_err(|_| crate::error::last())?;
            Ok(modes::table())
        }
        _ => Err(format!("this client has no state folder; start it with {STATE_VARIABLE} set")),
    }
}

/// The session's loop as the control thread sees it, and what systemd is told of it.
#[derive(Debug, Default)]
pub(crate) struct Heart {
    beats: u64,
    /// Frames carried until the last look.
    frames: u64,
    moved: Option<Instant>,
    looked: Option<Instant>,
    is_stuck: bool,
    is_ready: bool,
    fed: Option<Instant>,
}

impl Heart {
    /// Whether a loop that has gone round in this session does so no more. Said once.
    fn stands_still(&mut self, connected: bool, beats: u64, now: Instant) -> bool {
        let slept =
            self.looked.replace(now).is_some_and(|looked| now.saturating_duration_since(looked) > LOOKS_APART_MAX);
        if !connected {
            self.moved = None;
        } else if beats != self.beats || (slept && self.moved.is_some()) {
            self.moved = Some(now);
        }
        if !connected || beats != self.beats {
            self.is_stuck = false;
        }
        self.beats = beats;
        let stands = self.moved.is_some_and(|moved| now.saturating_duration_since(moved) >= STANDSTILL_MAX);
        if stands {
            (self.moved, self.is_stuck) = (None, true);
        }
        stands
    }

    /// `Type=notify`: ready when the tunnel is up, and alive until a loop that stands still goes round again or ends.
    /// Without systemd nothing is done.
    fn tell_systemd(&mut self, connected: bool) {
        use sd_notify::NotifyState;
        if connected && !self.is_ready {
            self.is_ready = true;
            let _ = sd_notify::notify(false, &[NotifyState::Ready, NotifyState::Status("the tunnel is up")]);
        }
        let due = self.fed.is_none_or(|fed| fed.elapsed() >= Duration::from_secs(1));
        if due && !self.is_stuck {
            self.fed = Some(Instant::now());
            let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
        }
    }
}

/// The process at this moment.
fn seen() -> ProcessSeen {
    let control_socket::Figures { sent, received, reconnects, .. } = control_socket::figures();
    ProcessSeen {
        frames: sent.frames.saturating_add(received.frames),
        bytes: sent.bytes.saturating_add(received.bytes),
        drops: dropped(),
        reconnects,
        cpu: cpu(),
        resident_bytes: resident_bytes().unwrap_or(0),
    }
}

/// CPU time of the process.
pub(crate) fn cpu() -> Duration {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(cpu.tv_sec).unwrap_or(0), u32::try_from(cpu.tv_nsec).unwrap_or(0))
}

/// Frames that the framing swaps have dropped.
fn dropped() -> u64 {
    cedar::framing::DropReason::ALL.into_iter().map(swaps::drops::dropped).sum()
}

fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bonds_and_per_session_swaps_are_in_the_registry() {
        let bound = swaps::BONDS.iter().flat_map(|bond| bond.swaps);
        for name in bound.chain(swaps::PER_SESSION).chain(swaps::PER_PROCESS) {
            assert!(swaps::REGISTRY.iter().any(|line| line.name == *name), "{name} is no swap");
        }
    }

    /// Looks twice a second, as far as `seconds`; whether one of them said that the loop stands still.
    fn look_until(
        heart: &mut Heart,
        connected: bool,
        beats: u64,
        start: Instant,
        seconds: std::ops::Range<u64>,
    ) -> usize {
        let looks = (seconds.start * 2..seconds.end * 2).map(|half| start + Duration::from_millis(half * 500));
        looks.filter(|now| heart.stands_still(connected, beats, *now)).count()
    }

    #[test]
    fn a_loop_that_stops_is_noticed_once_and_only_while_connected() {
        let (mut heart, start) = (Heart::default(), Instant::now());
        assert_eq!(look_until(&mut heart, false, 0, start, 0..10), 0);
        assert_eq!(look_until(&mut heart, true, 0, start, 10..100), 0, "a path that never beats is not judged");
        assert_eq!(look_until(&mut heart, true, 1, start, 100..103), 0);
        assert_eq!(look_until(&mut heart, true, 1, start, 103..110), 1, "once");
        assert!(heart.is_stuck, "and the watchdog is not fed");
        assert_eq!(look_until(&mut heart, true, 2, start, 110..112), 0);
        assert!(!heart.is_stuck);
        assert_eq!(look_until(&mut heart, false, 2, start, 112..120), 0);
        assert_eq!(look_until(&mut heart, true, 2, start, 120..130), 0, "a new session begins anew");
    }

    #[test]
    fn a_process_that_was_stopped_is_no_loop_that_stands_still() {
        let (mut heart, start) = (Heart::default(), Instant::now());
        assert_eq!(look_until(&mut heart, true, 1, start, 0..2), 0);
        assert_eq!(look_until(&mut heart, true, 1, start, 60..62), 0, "58 seconds without a look");
        assert_eq!(look_until(&mut heart, true, 1, start, 62..64), 1, "but then it does stand still");
    }
}
