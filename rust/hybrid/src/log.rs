//! The log: one line per event on standard error, from the program and the library alike.

use crate::error::boundary;
use std::ffi::c_char;
use std::fmt;
use std::sync::Once;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// The environment variable that says what is logged, such as `debug`.
const LOG_VARIABLE: &str = "CUTOVER_LOG";

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
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        let _ = subscriber.with_ansi(false).event_format(Line).try_init();
    });
}

/// `cutover: warning: what happened key=value`. Who keeps logs adds the time.
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
        writeln!(line)
    }
}
