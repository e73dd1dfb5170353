//! The command line, and the commands that need no SoftEther: `check`, `status`, `swaps`, `version`.

use crate::error::{Status, boundary};
use crate::{lifecycle, modes};
use config::exit::ExitCode;
use config::{Config, Environment, cli};
use control::{Place, Request, client, render};
use serde_json::Value;
use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::io::{IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;

/// A command line that parsed.
pub struct Command(pub(crate) cli::Command);

/// What a command line asks for.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Connect: `cutover_connection_open` and what follows.
    Up = 0,
    /// `cutover_check`.
    Check = 1,
    /// `cutover_swaps_ask`.
    Swaps = 2,
    /// `cutover_status_ask`.
    Status = 3,
    /// `cutover_version_print`.
    Version = 4,
}

/// Parses a command line, the program's name first. Null if there is nothing to run: help, or what is wrong, has been
/// printed then, and `exit_code` is what to end with. To be given back by `cutover_command_free`.
///
/// # Safety
/// `argv` points to `argc` strings; `exit_code` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_command_parse(
    argc: c_int,
    argv: *const *const c_char,
    exit_code: *mut u8,
) -> *mut Command {
    boundary(std::ptr::null_mut(), || {
        // SAFETY: the caller's.
        let argument = |i| OsStr::from_bytes(unsafe { CStr::from_ptr(*argv.add(i)) }.to_bytes()).to_owned();
        let arguments: Vec<OsString> = (0..usize::try_from(argc).unwrap_or(0)).map(argument).collect();
        match config::parse(arguments) {
            Ok(command) => Box::into_raw(Box::new(Command(command))),
            Err(stop) => {
                if stop.code == ExitCode::Ok {
                    print(&stop.text);
                } else {
                    eprint!("{}", stop.text);
                }
                // SAFETY: the caller's.
                unsafe { exit_code.write(stop.code.number()) };
                std::ptr::null_mut()
            }
        }
    })
}

/// What the command line asks for.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_command_kind(command: &Command) -> CommandKind {
    match command.0 {
        cli::Command::Up(_) => CommandKind::Up,
        cli::Command::Check(_) => CommandKind::Check,
        cli::Command::Swaps(_) => CommandKind::Swaps,
        cli::Command::Status(_) => CommandKind::Status,
        cli::Command::Version(_) => CommandKind::Version,
    }
}

/// Gives a command back. Null is ignored.
///
/// # Safety
/// `command` is null or from `cutover_command_parse`, and used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_command_free(command: *mut Command) {
    if !command.is_null() {
        // SAFETY: the caller's.
        drop(unsafe { Box::from_raw(command) });
    }
}

/// `cutover check`: checks the configuration and the files it names. Returns the exit code.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_check(command: &Command) -> u8 {
    run(|| {
        let cli::Command::Check(connection) = &command.0 else { return ExitCode::Internal };
        let checked = Config::load(&connection.target, &connection.overrides, &Environment::of_process())
            .and_then(|config| config.check_secrets().map(|()| config));
        match checked {
            Ok(config) => {
                config.warnings.iter().for_each(|warning| eprintln!("cutover: warning: {warning}"));
                ExitCode::Ok
            }
            Err(error) => fail(error.exit_code(), &error),
        }
    })
}

/// `cutover status`: asks the running client. Returns the exit code.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_status_ask(command: &Command) -> u8 {
    run(|| {
        let cli::Command::Status(status) = &command.0 else { return ExitCode::Internal };
        match client::ask(&Place::of_process(), status.instance.as_deref(), &Request::Status {}) {
            Ok(answer) => show(&answer, status.json, render::status),
            Err(error) => refused(&error),
        }
    })
}

/// `cutover swaps`: asks the running client, or changes its modes.
///
/// # Errors
/// `NotFound` if no client runs and none was named: what this build would do is to be shown then, by `cutover_init` and
/// `cutover_swaps_print`. Otherwise the command is done, and `exit_code` is what to end with.
///
/// # Safety
/// `exit_code` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_swaps_ask(command: &Command, exit_code: *mut u8) -> Status {
    boundary(Status::Panicked, || {
        let cli::Command::Swaps(swaps) = &command.0 else { return Status::Invalid };
        let code = match swaps_command(swaps) {
            Some(code) => code,
            None => return Status::NotFound,
        };
        // SAFETY: the caller's.
        unsafe { exit_code.write(code.number()) };
        Status::Ok
    })
}

/// Runs `cutover swaps …`; `None` if it was to show the only client's table and there is none.
fn swaps_command(swaps: &cli::Swaps) -> Option<ExitCode> {
    let pattern_of = |pattern: &Option<String>, all: bool| if all { Some("*".to_owned()) } else { pattern.clone() };
    let request = match &swaps.action {
        None => Request::Swaps {},
        Some(cli::SwapsAction::Set { modes, reconnect }) => {
            Request::SetSwaps { modes: modes.join(","), generation: None, reconnect: *reconnect }
        }
        Some(cli::SwapsAction::Plan { file, check }) => return Some(begin_plan(swaps, file, *check)),
        Some(cli::SwapsAction::Promote { pattern }) => Request::Promote { pattern: pattern.clone() },
        Some(cli::SwapsAction::Rollback { pattern, all }) => Request::Rollback { pattern: pattern_of(pattern, *all) },
        Some(cli::SwapsAction::Watch { interval, count }) => return Some(watch(swaps, *interval, *count)),
        Some(cli::SwapsAction::Explain { name }) => Request::Explain { name: name.clone() },
    };
    match ask(swaps, &request) {
        Ok(answer) if matches!(request, Request::Explain { .. }) => Some(show(&answer, swaps.json, render::explain)),
        Ok(answer) => Some(show_swaps(swaps, answer, render::swaps)),
        Err(error) if error.is_not_running() && swaps.action.is_none() && swaps.instance.is_none() => None,
        Err(error) => Some(refused(&error)),
    }
}

fn ask(swaps: &cli::Swaps, request: &Request) -> Result<Value, client::ClientError> {
    client::ask(&Place::of_process(), swaps.instance.as_deref(), request)
}

/// Shows the table, or those of its lines that `--only` names.
fn show_swaps(
    swaps: &cli::Swaps,
    mut answer: Value,
    render: impl FnOnce(&Value, Option<u16>) -> Result<String, serde_json::Error>,
) -> ExitCode {
    if let (Some(pattern), Some(lines)) = (&swaps.only, answer["swaps"].as_array_mut()) {
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
        lines.retain(|line| switch::specificity(pattern, &word(line, "name"), &word(line, "group")).is_some());
        if lines.is_empty() {
            return fail(
                ExitCode::Usage,
                &format_args!("no function or group matches `{pattern}`: see `cutover swaps`"),
            );
        }
    }
    show(&answer, swaps.json, render)
}

/// `cutover swaps plan`. A mistake in the plan is said as `FILE:LINE:COLUMN: …`.
fn begin_plan(swaps: &cli::Swaps, file: &std::path::Path, check: bool) -> ExitCode {
    let shown = file.display();
    let text = match std::fs::File::open(file).and_then(|file| {
        let mut text = String::new();
        file.take(PLAN_BYTES_MAX + 1).read_to_string(&mut text).map(|_| text)
    }) {
        Ok(text) => text,
        Err(error) => return fail(ExitCode::Usage, &format_args!("cannot read {shown}: {error}")),
    };
    if text.len() as u64 > PLAN_BYTES_MAX {
        return fail(ExitCode::Usage, &format_args!("{shown} is longer than the {PLAN_BYTES_MAX} bytes of a plan"));
    }
    match ask(swaps, &Request::Plan { text, check }) {
        Ok(answer) => show(&answer, swaps.json, |answer, _| Ok(describe_plan(answer))),
        Err(client::ClientError::Refused { message, .. })
            if message.starts_with(|first: char| first.is_ascii_digit()) =>
        {
            fail(ExitCode::Usage, &format_args!("{shown}:{message}"))
        }
        Err(error) => refused(&error),
    }
}

/// The longest plan that is sent.
const PLAN_BYTES_MAX: u64 = 48 * 1024;

fn describe_plan(answer: &Value) -> String {
    let words = |list: &Value| {
        let words: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        words.join(", ")
    };
    let verb = if answer["started"] == true { "begun" } else { "can be begun" };
    let steps = answer["steps"].as_array().into_iter().flatten().enumerate();
    let steps: String = steps
        .map(|(i, step)| format!("  {}. {}: {}\n", i + 1, words(&step["swaps"]), words(&step["stages"])))
        .collect();
    format!("plan \"{}\" {verb}\n{steps}", answer["name"].as_str().unwrap_or_default())
}

/// `cutover swaps watch`: the table again and again, over itself on a terminal.
fn watch(swaps: &cli::Swaps, interval: u64, count: Option<u64>) -> ExitCode {
    let mut before = Value::Null;
    let mut last = std::time::Instant::now();
    let mut looks = 0;
    loop {
        let answer = match ask(swaps, &Request::Swaps {}) {
            Ok(answer) => answer,
            Err(error) => return refused(&error),
        };
        let seconds = last.elapsed().as_secs_f64();
        last = std::time::Instant::now();
        if looks == 0 {
            before = answer.clone();
        }
        if std::io::stdout().is_terminal() {
            // Home, and clear to the end.
            print("\x1b[H\x1b[J");
        }
        let code = show_swaps(swaps, answer.clone(), |answer, width| render::watch(answer, &before, seconds, width));
        looks += 1;
        if code != ExitCode::Ok || count == Some(looks) || !print(if swaps.json { "" } else { "\n" }) {
            return code;
        }
        before = answer;
        std::thread::sleep(std::time::Duration::from_secs(interval));
    }
}

/// `cutover swaps` without a running client: this process's own table. Returns the exit code.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_swaps_print(command: &Command) -> u8 {
    run(|| {
        let cli::Command::Swaps(swaps) = &command.0 else { return ExitCode::Internal };
        show_swaps(swaps, modes::table(), render::swaps)
    })
}

/// `cutover version`. Returns the exit code.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_version_print(command: &Command) -> u8 {
    run(|| {
        let cli::Command::Version(version) = &command.0 else { return ExitCode::Internal };
        show(&lifecycle::capabilities(), version.json, |capabilities, _| Ok(lifecycle::describe(capabilities)))
    })
}

fn run(body: impl FnOnce() -> ExitCode) -> u8 {
    boundary(ExitCode::Internal, body).number()
}

fn fail(code: ExitCode, reason: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("cutover: error: {reason}");
    code
}

fn refused(error: &client::ClientError) -> ExitCode {
    let code = match error {
        client::ClientError::NotRunning { .. } => ExitCode::NotRunning,
        client::ClientError::Ambiguous { .. }
        | client::ClientError::Refused { .. }
        | client::ClientError::Unsendable(_) => ExitCode::Usage,
        client::ClientError::Unreadable(_) => ExitCode::Internal,
        client::ClientError::Io { .. } => ExitCode::Device,
    };
    fail(code, error)
}

fn show(
    answer: &Value,
    json: bool,
    render: impl FnOnce(&Value, Option<u16>) -> Result<String, serde_json::Error>,
) -> ExitCode {
    let text =
        if json { serde_json::to_string_pretty(answer).map(|text| text + "\n") } else { render(answer, width()) };
    match text {
        Ok(text) => {
            print(&text);
            ExitCode::Ok
        }
        Err(error) => fail(ExitCode::Internal, &format_args!("cannot read the answer: {error}")),
    }
}

/// Columns of the terminal, if there is one.
fn width() -> Option<u16> {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok())?;
    size.map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// Writes to standard output. A reader that left early (`| head`) is no error; false tells of it.
fn print(text: &str) -> bool {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}
