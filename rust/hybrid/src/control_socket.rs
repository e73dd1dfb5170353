//! The control socket of a running client, and the state that it shows.
//!
//! The client reports its state when it changes, some times a second while frames move, and when it is woken for that; the
//! control thread answers from the last report, so it never touches a SESSION.

use crate::connection::Connection;
use crate::error::{Status, boundary, failed, guarded};
use crate::metrics;
use crate::rollout::{self, Heart};
use crate::wake;
use ::rollout::Who;
use config::Config;
use control::render::{self, Traffic};
use control::server::{Handler, Peer};
use control::{Place, Request, Server, StartError, place};
use serde_json::Value;
use std::ffi::{CStr, c_char};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the client is doing.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A session is being made.
    Connecting = 0,
    /// A session carries frames.
    Connected = 1,
    /// The next attempt is due later.
    Waiting = 2,
    /// It was asked to end.
    Ending = 3,
}

/// The client's state at one moment. Strings may be null where they mean nothing, and are copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What the client is doing.
    pub state: State,
    /// The server's name for the session.
    pub session: *const c_char,
    /// The TLS cipher.
    pub cipher: *const c_char,
    /// The side that moves frames between interface and session: `c` or `rust`.
    pub adapter: *const c_char,
    /// TCP connections in use; 0: no session.
    pub connections: u32,
    /// Whether frames go by UDP at the moment.
    pub udp_acceleration: bool,
    /// Frames towards the server, since the start.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames from the server, since the start.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// How often a session was made again.
    pub reconnects: u64,
    /// Why the last session ended.
    pub last_error: *const c_char,
}

static SERVER: Mutex<Option<Server>> = Mutex::new(None);
static STATUS: Mutex<Option<(render::Status, Instant)>> = Mutex::new(None);
/// How many reports there were.
static REPORTS: Mutex<u64> = Mutex::new(0);
static REPORTED: Condvar = Condvar::new();

/// How long an answer waits for a new report. The client does not report while it begins or ends a session.
const REPORT_WAIT: Duration = Duration::from_millis(200);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the instance's name and opens its control socket, unless `control.enabled` is false. To be called with the signals
/// blocked that the main thread waits for: the socket's thread inherits that.
///
/// # Errors
/// `Busy` if a client of this name runs (exit code 15), `Io` if there can be no socket (exit code 14).
#[unsafe(no_mangle)]
pub extern "C" fn cutover_control_start(connection: &Connection) -> Status {
    guarded(|| {
        *lock(&STATUS) = Some((first_status(&connection.config, connection.server()), Instant::now()));
        let runtime = Place::of_process();
        let answers = Arc::new(Answers { heart: Mutex::default() });
        let Config { name, metrics, control: is_asked, .. } = &connection.config;
        let server = match is_asked {
            true => Server::start_exporting(&runtime, name, answers, *metrics),
            false => Server::start_silent(&runtime, name, answers),
        };
        let server = server.map_err(|error| match error {
            StartError::Claim(place::ClaimError::Taken { .. }) => failed(Status::Busy, error),
            _ => failed(Status::Io, error),
        })?;
        // After the name is taken: the state is this instance's alone from here on.
        if *is_asked {
            rollout::start(name, &runtime);
        }
        *lock(&SERVER) = Some(server);
        Ok(())
    })
}

/// Closes the control socket, writes the state down, and gives the name back; `cutover_exit` does so, too.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_control_stop() {
    boundary((), stop);
}

pub(crate) fn stop() {
    let server = lock(&SERVER).take();
    // The state is written before the name is given back.
    rollout::stop();
    drop(server);
}

/// Says what the client is doing, for `cutover status`.
///
/// # Safety
/// The report's strings are null or strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_report(report: &Report) {
    boundary((), || {
        let mut slot = lock(&STATUS);
        let Some((status, since)) = slot.as_mut() else { return };
        let state = match report.state {
            State::Connecting => "connecting",
            State::Connected => "connected",
            State::Waiting => "waiting",
            State::Ending => "ending",
        };
        if status.state != state {
            status.state = state.to_owned();
            *since = Instant::now();
        }
        // SAFETY: the caller's.
        let text = |text: *const c_char| unsafe {
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        let has_session = report.connections > 0;
        status.session = text(report.session);
        status.cipher = text(report.cipher);
        status.adapter = text(report.adapter);
        let (path, reason) = swaps::session_path().unwrap_or(("c", Some("SessionMain runs on c")));
        let is_connected = report.state == State::Connected;
        status.path = is_connected.then(|| path.to_owned());
        status.path_reason = reason.filter(|_| is_connected).map(str::to_owned);
        status.connections = has_session.then_some(report.connections);
        status.udp_acceleration = has_session.then_some(report.udp_acceleration);
        status.sent = Traffic { frames: report.sent_frames, bytes: report.sent_bytes };
        status.received = Traffic { frames: report.received_frames, bytes: report.received_bytes };
        status.reconnects = report.reconnects;
        status.last_error = text(report.last_error);
        drop(slot);
        *lock(&REPORTS) += 1;
        REPORTED.notify_all();
    });
}

/// Has the client say how things are now, and waits for it a little.
fn refresh() {
    let reports = lock(&REPORTS);
    let before = *reports;
    wake::cutover_wake();
    drop(REPORTED.wait_timeout_while(reports, REPORT_WAIT, |reports| *reports == before));
}

fn first_status(config: &Config, server: String) -> render::Status {
    render::Status {
        schema_version: 1,
        name: config.name.clone(),
        pid: std::process::id(),
        state: "connecting".to_owned(),
        server,
        hub: config.hub.clone(),
        user: config.auth.user.clone(),
        interface: config.interface.name.clone(),
        addresses: config.interface.addresses.iter().map(ToString::to_string).collect(),
        ..render::Status::default()
    }
}

/// The answer to `status`.
pub(crate) fn status() -> Value {
    let slot = lock(&STATUS);
    let Some((status, since)) = slot.as_ref() else { return Value::Null };
    let status = render::Status { state_seconds: since.elapsed().as_secs(), ..status.clone() };
    serde_json::to_value(status).unwrap_or_default()
}

/// The client's last report, as figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub sent: Traffic,
    pub received: Traffic,
    pub reconnects: u64,
    /// The side that moves frames, if a session carries any.
    adapter: Option<String>,
}

impl Figures {
    /// Sessions by the side that moves their frames.
    pub fn path(&self) -> [(&'static str, i64); 2] {
        ["c", "rust"].map(|side| (side, i64::from(self.adapter.as_deref() == Some(side))))
    }
}

pub(crate) fn figures() -> Figures {
    let slot = lock(&STATUS);
    let Some((status, _)) = slot.as_ref() else { return Figures::default() };
    let (sent, received, reconnects) = (status.sent, status.received, status.reconnects);
    Figures { sent, received, reconnects, adapter: status.adapter.clone() }
}

/// Whether a session carries frames.
pub(crate) fn is_connected() -> bool {
    lock(&STATUS).as_ref().is_some_and(|(status, _)| status.state == "connected")
}

/// What the socket answers, and what its looks see.
struct Answers {
    heart: Mutex<Heart>,
}

impl Handler for Answers {
    fn handle(&self, request: &Request, peer: Peer) -> Result<Value, String> {
        if matches!(request, Request::Status {}) {
            refresh();
        }
        rollout::act(request, Who::Person { uid: peer.uid, pid: peer.pid })
    }

    fn look(&self) -> Duration {
        rollout::look(&mut lock(&self.heart))
    }

    fn metrics(&self) -> String {
        refresh();
        metrics::text()
    }
}
