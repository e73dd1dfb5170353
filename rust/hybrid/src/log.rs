//! The log: one line per event on standard error, or an entry with fields in systemd's journal, from the program and the
//! library alike.

use crate::error::boundary;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::Once;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The environment variable that says what is logged, such as `debug`.
const LOG_VARIABLE: &str = "CUTOVER_LOG";

/// The environment variable that says where it goes: `stderr`, which is the default, or `journald`.
const TARGET_VARIABLE: &str = "CUTOVER_LOG_TO";

/// What the program tells a person, and what goes wrong anywhere else.
const LOG_DEFAULT: &str = "warn,cutover=info";

/// How much a line matters.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// The program ends because of it.
    Error = 0,
    /// It goes on, but a person should know.
    Warning = 1,
    /// What happens.
    Info = 2,
    /// Of interest to developers.
    Debug = 3,
}

/// Logs one line. `text` is `length` bytes of UTF-8; what is none is replaced.
///
/// # Safety
/// `text` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_log(level: LogLevel, text: *const c_char, length: usize) {
    boundary((), || {
        if text.is_null() {
            return;
        }
        // SAFETY: the caller's.
        let text = String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(text.cast(), length) });
        start();
        match level {
            LogLevel::Error => tracing::error!(target: "cutover", "{text}"),
            LogLevel::Warning => tracing::warn!(target: "cutover", "{text}"),
            LogLevel::Info => tracing::info!(target: "cutover", "{text}"),
            LogLevel::Debug => tracing::debug!(target: "cutover", "{text}"),
        }
    });
}

/// Starts the log. A program with a subscriber of its own keeps it.
pub(crate) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
        let (journal, complaint) = match journal(std::env::var(TARGET_VARIABLE).as_deref().unwrap_or("stderr")) {
            Ok(journal) => (journal, None),
            Err(complaint) => (None, Some(complaint)),
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).event_format(Line);
        let lines = journal.is_none().then_some(lines);
        let _ = tracing_subscriber::registry().with(filter).with(journal).with(lines).try_init();
        if let Some(complaint) = complaint {
            tracing::warn!("{TARGET_VARIABLE}: {complaint}; the log goes to standard error");
        }
    });
}

/// Has the C's `Debug()` come to the log, if that is asked for. To be called after `InitMayaqua`, which says that it is not.
pub(crate) fn bridge_c() {
    if tracing::enabled!(target: C_TARGET, Level::DEBUG) {
        // SAFETY: the function that is given is one of this library, and takes a string of any thread.
        unsafe { cutover_debug_to(Some(c_debug)) };
    }
}

/// Ends that. To be called before `FreeMayaqua`.
pub(crate) fn leave_c() {
    // SAFETY: none is one.
    unsafe { cutover_debug_to(None) };
}

unsafe extern "C" {
    /// bridge/debug.c.
    fn cutover_debug_to(line: Option<unsafe extern "C" fn(text: *const c_char)>);
}

/// The log's target for what the C says by its `Debug()`; the C formats nothing unless it is asked for.
const C_TARGET: &str = "softether";

/// One line of the C's `Debug()`.
///
/// # Safety
/// `text` is a string.
unsafe extern "C" fn c_debug(text: *const c_char) {
    boundary((), || {
        // SAFETY: the caller's.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        let text = text.trim_end();
        if !text.is_empty() {
            tracing::debug!(target: C_TARGET, "{text}");
        }
    });
}

/// The journal, if that is where the log goes. An event's fields are its fields there: `CUTOVER_SWAP=new_block`.
fn journal(target: &str) -> Result<Option<tracing_journald::Layer>, String> {
    match target {
        "stderr" => Ok(None),
        "journald" => tracing_journald::layer()
            .map(|layer| Some(layer.with_syslog_identifier("cutover".into()).with_field_prefix(Some("CUTOVER".into()))))
            .map_err(|error| format!("journald does not answer: {error}")),
        other => Err(format!("{other:?} is neither stderr nor journald")),
    }
}

/// `cutover: warning: what happened key=value session=2`. Who keeps logs adds the time.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "",
            Level::DEBUG => "debug: ",
            Level::TRACE => "trace: ",
        };
        write!(line, "cutover: {level}")?;
        context.format_fields(line.by_ref(), event)?;
        // What the event lies in, such as its session.
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                write!(line, " {fields}")?;
            }
        }
        writeln!(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_log_goes_is_said_or_complained_about() {
        assert!(journal("stderr").is_ok_and(|journal| journal.is_none()));
        assert!(journal("syslog").is_err_and(|complaint| complaint.contains("\"syslog\" is neither")));
        // With systemd the one, without it the other; never standard error without a word.
        assert!(
            journal("journald").map_or_else(|complaint| complaint.contains("journald"), |journal| journal.is_some())
        );
    }
}
