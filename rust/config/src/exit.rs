//! The exit codes of `cutover`, in the one place that documents them. Holds no texts of errors.

use std::fmt;

/// How `cutover` ends. 10–19 are permanent: trying again without a change is useless, so the
/// client does not. 20–29 are transient: the client reconnects, and ends with one of them only
/// when reconnecting is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// The command did what it was asked to, or the connection was ended by SIGINT or SIGTERM.
    Ok = 0,
    /// A defect in Cutover.
    Internal = 1,
    /// The command line does not parse.
    Usage = 2,
    /// The server refused the user: wrong name, password, certificate or authentication type.
    Authentication = 10,
    /// The server said no for good: no such hub, access denied, versions that do not fit.
    Refused = 11,
    /// The configuration is wrong, or a file it names is.
    Configuration = 12,
    /// The server's certificate is not the one that `[tls]` asks for.
    Certificate = 13,
    /// This machine said no: no permission, no `/dev/net/tun`, or the interface name is taken.
    Device = 14,
    /// A client with this instance name is already running.
    AlreadyRunning = 15,
    /// No client with this instance name is running (`status`, `swaps`).
    NotRunning = 16,
    /// The server cannot be reached.
    Unreachable = 20,
    /// The connection was lost: reset, timed out, or ended by the server.
    Lost = 21,
    /// The server is there but has no room now: too many sessions, hub offline.
    Busy = 22,
}

/// Every exit code with its one-line meaning, as `cutover --help` prints it.
pub const EXIT_CODES: &[(ExitCode, &str)] = &[
    (ExitCode::Ok, "done, or ended by SIGINT or SIGTERM"),
    (ExitCode::Internal, "a defect in cutover"),
    (ExitCode::Usage, "the command line does not parse"),
    (ExitCode::Authentication, "the server refused user or password"),
    (ExitCode::Refused, "the server refused for good (no such hub, access denied)"),
    (ExitCode::Configuration, "the configuration is wrong"),
    (ExitCode::Certificate, "the server's certificate was refused"),
    (ExitCode::Device, "no permission, no /dev/net/tun, or interface name taken"),
    (ExitCode::AlreadyRunning, "a client with this name is already running"),
    (ExitCode::NotRunning, "no client with this name is running"),
    (ExitCode::Unreachable, "the server cannot be reached"),
    (ExitCode::Lost, "the connection was lost"),
    (ExitCode::Busy, "the server has no room at the moment"),
];

impl ExitCode {
    /// The number the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// True when trying again later, with nothing changed, may succeed.
    pub fn is_transient(self) -> bool {
        (20..30).contains(&self.number())
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_ascending_and_in_their_class() {
        let numbers: Vec<u8> = EXIT_CODES.iter().map(|(code, _)| code.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        for (code, _) in EXIT_CODES {
            let number = code.number();
            assert!(number <= 2 || (10..30).contains(&number), "{number}");
            assert_eq!(code.is_transient(), number >= 20);
        }
    }
}
