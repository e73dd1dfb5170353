//! What Cedar's ERR_* numbers (Cedar/Cedar.h) mean to the person in front of the client: exit code,
//! what happened where, what to do. A table and its lookup; `tests/cedar_errors.rs` holds the table
//! to the C source.

use crate::exit::ExitCode::{
    self, Authentication, Busy, Certificate, Configuration, Device, Internal, Lost, Refused, Unreachable,
};

/// One of Cedar's error numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct CedarError {
    /// The value of the C's macro.
    pub number: u32,
    /// The C's macro.
    pub symbol: &'static str,
    /// How the client ends, or for transient codes: that it tries again.
    pub code: ExitCode,
    /// What happened; `{server}`, `{hub}`, `{user}` and `{interface}` stand for the connection's.
    problem: &'static str,
    remedy: &'static str,
}

/// The connection an error is about, for its sentence.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// `host:port`.
    pub server: &'a str,
    /// The hub.
    pub hub: &'a str,
    /// The user.
    pub user: &'a str,
    /// The interface's name.
    pub interface: &'a str,
}

/// Exit code and sentence for an error number. A number that no client should meet is
/// [`ExitCode::Internal`].
pub fn explain(number: u32, subject: Subject<'_>) -> (ExitCode, String) {
    let Some(error) = CEDAR_ERRORS.iter().find(|error| error.number == number) else {
        let Subject { server, .. } = subject;
        return (
            Internal,
            format!(
                "{server}: SoftEther's error {number}, which a client should never see; look it up in Cedar/Cedar.h and report it"
            ),
        );
    };
    // The names come last: what is in them is not searched for placeholders again.
    let problem = fill(error.problem, subject);
    (error.code, format!("{problem} ({}, {number}); {}", error.symbol, error.remedy))
}

fn fill(template: &str, subject: Subject<'_>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(match name {
            "server" => subject.server,
            "hub" => subject.hub,
            "user" => subject.user,
            _ => subject.interface,
        });
        rest = after;
    }
    text + rest
}

const fn row(
    number: u32,
    symbol: &'static str,
    code: ExitCode,
    problem: &'static str,
    remedy: &'static str,
) -> CedarError {
    CedarError { number, symbol, code, problem, remedy }
}

const ASK: &str = "ask the server's administrator";
const LOGIN: &str = "check auth.user, auth.type and the password";
const NOT_VPN: &str = "check server and port; a firewall or proxy in between may answer in its place";
const RETRY: &str = "try again later";
const NO_TOKENS: &str = "Cutover supports no tokens: use auth.certificate_file and auth.key_file";
const NETWORK: &str = "check the network between here and the server, and the server's log";

/// Every error that Cedar's client path, or the server in its answer, can end a session with.
pub static CEDAR_ERRORS: &[CedarError] = &[
    row(0, "ERR_NO_ERROR", Lost, "{server} ended the session without a reason", NETWORK),
    row(
        1,
        "ERR_CONNECT_FAILED",
        Unreachable,
        "cannot connect to {server}",
        "check the server's name and port, that it runs, and the firewall",
    ),
    row(2, "ERR_SERVER_IS_NOT_VPN", Unreachable, "{server} does not answer like a SoftEther server", NOT_VPN),
    row(3, "ERR_DISCONNECTED", Lost, "the connection to {server} broke", NETWORK),
    row(4, "ERR_PROTOCOL_ERROR", Lost, "{server} sent what the protocol does not allow", NOT_VPN),
    row(5, "ERR_CLIENT_IS_NOT_VPN", Refused, "{server} does not take this client for a VPN client", NOT_VPN),
    row(6, "ERR_USER_CANCEL", ExitCode::Ok, "the session with {server} was ended here", "nothing to do"),
    row(
        7,
        "ERR_AUTHTYPE_NOT_SUPPORTED",
        Authentication,
        "{server} does not support this auth.type for user {user}",
        "use another auth.type",
    ),
    row(8, "ERR_HUB_NOT_FOUND", Refused, "{server} has no hub {hub}", "check hub"),
    row(9, "ERR_AUTH_FAILED", Authentication, "{server} refused user {user} in hub {hub}", LOGIN),
    row(10, "ERR_HUB_STOPPING", Busy, "hub {hub} on {server} is stopped", RETRY),
    row(
        11,
        "ERR_SESSION_REMOVED",
        Lost,
        "{server} ended the session: an administrator, or a newer session, removed it",
        ASK,
    ),
    row(12, "ERR_ACCESS_DENIED", Refused, "{server} denies user {user} access to hub {hub}", ASK),
    row(13, "ERR_SESSION_TIMEOUT", Lost, "the session with {server} timed out", NETWORK),
    row(
        14,
        "ERR_INVALID_PROTOCOL",
        Lost,
        "{server} does not know the session that a further TCP connection belongs to",
        RETRY,
    ),
    row(15, "ERR_TOO_MANY_CONNECTION", Busy, "{server} has too many connections", RETRY),
    row(16, "ERR_HUB_IS_BUSY", Busy, "hub {hub} on {server} has too many sessions", RETRY),
    row(17, "ERR_PROXY_CONNECT_FAILED", Unreachable, "cannot connect to the proxy before {server}", NETWORK),
    row(18, "ERR_PROXY_ERROR", Unreachable, "the proxy before {server} reported an error", NETWORK),
    row(19, "ERR_PROXY_AUTH_FAILED", Authentication, "the proxy before {server} refused the login", ASK),
    row(
        20,
        "ERR_TOO_MANY_USER_SESSION",
        Busy,
        "user {user} already has as many sessions on {server} as allowed",
        "end one of them, or try again later",
    ),
    row(21, "ERR_LICENSE_ERROR", Busy, "{server} has no licence left for a session", ASK),
    row(
        22,
        "ERR_DEVICE_DRIVER_ERROR",
        Device,
        "interface {interface} failed",
        "check that nothing else removed, renamed or took it down",
    ),
    row(23, "ERR_INTERNAL_ERROR", Lost, "{server} reported an internal error", ASK),
    row(24, "ERR_SECURE_DEVICE_OPEN_FAILED", Configuration, "the security token cannot be opened", NO_TOKENS),
    row(25, "ERR_SECURE_PIN_LOGIN_FAILED", Configuration, "the security token refused the PIN", NO_TOKENS),
    row(26, "ERR_SECURE_NO_CERT", Configuration, "the security token holds no such certificate", NO_TOKENS),
    row(27, "ERR_SECURE_NO_PRIVATE_KEY", Configuration, "the security token holds no such private key", NO_TOKENS),
    row(29, "ERR_OBJECT_NOT_FOUND", Refused, "{server} does not find what the login asked for", ASK),
    row(33, "ERR_NOT_SUPPORTED", Refused, "{server} does not support what was asked for", ASK),
    row(
        38,
        "ERR_INVALID_PARAMETER",
        Refused,
        "{server} refuses a parameter of the login",
        "check hub and auth.user for unusual characters",
    ),
    row(
        46,
        "ERR_NOT_FARM_CONTROLLER",
        Refused,
        "{server} is a member of a farm, not its controller",
        "connect to the farm's controller",
    ),
    row(47, "ERR_TRYING_TO_CONNECT", Unreachable, "the connection to {server} is still being made", RETRY),
    row(48, "ERR_CONNECT_TO_FARM_CONTROLLER", Busy, "{server} cannot reach its farm's controller", RETRY),
    row(49, "ERR_COULD_NOT_HOST_HUB_ON_FARM", Busy, "no member of {server}'s farm can host hub {hub}", RETRY),
    row(
        51,
        "ERR_NULL_PASSWORD_LOCAL_ONLY",
        Authentication,
        "{server} accepts user {user} without a password from its own machine only",
        "give the user a password",
    ),
    row(52, "ERR_NOT_ENOUGH_RIGHT", Refused, "user {user} has not the right to do this on {server}", ASK),
    row(56, "ERR_CIPHER_NOT_SUPPORTED", Refused, "{server} and this client have no cipher in common", ASK),
    row(61, "ERR_LINK_IS_OFFLINE", Busy, "hub {hub} on {server} is offline", RETRY),
    row(63, "ERR_TOO_MANY_USER", Busy, "{server} has too many users", ASK),
    row(
        68,
        "ERR_USER_AUTHTYPE_NOT_PASSWORD",
        Authentication,
        "user {user} does not log in by password on {server}",
        "use another auth.type",
    ),
    row(69, "ERR_OLD_PASSWORD_WRONG", Authentication, "{server} refused the old password of user {user}", LOGIN),
    row(81, "ERR_SE_VPN_BLOCK", Refused, "a filter in the network blocks VPN connections to {server}", ASK),
    row(
        85,
        "ERR_CERT_NOT_TRUSTED",
        Certificate,
        "the certificate of {server} is not trusted",
        "set tls.ca_file or tls.pin to what the administrator gave you; do not just switch verify off",
    ),
    row(86, "ERR_PRODUCT_CODE_INVALID", Refused, "{server} is of another product line", NOT_VPN),
    row(87, "ERR_VERSION_INVALID", Refused, "the version of {server} does not fit this client's", ASK),
    row(89, "ERR_VPN_CODE_INVALID", Refused, "{server} is of another product line", NOT_VPN),
    row(94, "ERR_INVALID_NAME", Refused, "{server} refuses a name", "check hub and auth.user for unusual characters"),
    row(
        101,
        "ERR_BAD_CLOCK",
        Refused,
        "the clocks of {server} and this machine differ too much",
        "set the clock of this machine",
    ),
    row(103, "ERR_CLIENT_LICENSE_NOT_ENOUGH", Busy, "{server} has no client licence left", ASK),
    row(104, "ERR_BRIDGE_LICENSE_NOT_ENOUGH", Busy, "{server} has no bridge licence left", ASK),
    row(105, "ERR_SERVER_CANT_ACCEPT", Busy, "{server} cannot accept sessions at the moment", RETRY),
    row(
        106,
        "ERR_SERVER_CERT_EXPIRES",
        Certificate,
        "the certificate of {server} has expired",
        "have the administrator renew it",
    ),
    row(107, "ERR_MONITOR_MODE_DENIED", Refused, "{server} denies user {user} the monitor mode", ASK),
    row(108, "ERR_BRIDGE_MODE_DENIED", Refused, "{server} denies user {user} bridging and routing", ASK),
    row(109, "ERR_IP_ADDRESS_DENIED", Refused, "{server} accepts no connections from this address", ASK),
    row(111, "ERR_MEMORY_NOT_ENOUGH", Busy, "{server} is out of memory", RETRY),
    row(113, "ERR_FATAL", Internal, "a fatal error in the session with {server}", "please report it"),
    row(114, "ERR_SERVER_LICENSE_FAILED", Refused, "{server} violates its licence", ASK),
    row(115, "ERR_SERVER_INTERNET_FAILED", Busy, "{server} is not connected to the Internet", RETRY),
    row(116, "ERR_CLIENT_LICENSE_FAILED", Refused, "{server} says this client violates its licence", ASK),
    row(119, "ERR_NO_VPN_SERVER_LICENSE", Refused, "{server} has no valid licence", ASK),
    row(121, "ERR_NOT_ADMINPACK_SERVER", Refused, "{server} has no Administrator Pack licence", ASK),
    row(123, "ERR_BETA_EXPIRES", Refused, "{server} runs a beta version that has expired", ASK),
    row(124, "ERR_BRANDED_C_TO_S", Refused, "{server} accepts branded clients only", ASK),
    row(125, "ERR_BRANDED_C_FROM_S", Refused, "{server} is branded for other clients", ASK),
    row(
        126,
        "ERR_AUTO_DISCONNECTED",
        Lost,
        "{server} ends sessions after a fixed time, and this one's is over",
        "reconnect",
    ),
    row(127, "ERR_CLIENT_ID_REQUIRED", Refused, "{server} accepts clients with a certain id only", ASK),
    row(
        131,
        "ERR_NAT_T_TWO_OR_MORE",
        Refused,
        "several SoftEther servers answer behind the address of {server}",
        "name the server's TCP port, and open it in the server's firewall",
    ),
    row(
        138,
        "ERR_MSCHAP2_PASSWORD_NEED_RESET",
        Authentication,
        "user {user} must change the password first",
        "change it where the server looks users up",
    ),
    row(
        143,
        "ERR_NOT_SUPPORTED_AUTH_ON_OPENSOURCE",
        Authentication,
        "{server} has no support for user {user}'s authentication type",
        "use another auth.type",
    ),
    row(
        147,
        "ERR_NOT_SUPPORTED_FUNCTION_ON_OPENSOURCE",
        Refused,
        "{server} lacks the function that was asked for",
        ASK,
    ),
    row(148, "ERR_SUSPENDING", Lost, "{server} or this machine is being suspended", RETRY),
];

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject { server: "vpn:443", hub: "{user}", user: "alice", interface: "cut0" };

    #[test]
    fn numbers_ascend_so_none_is_there_twice() {
        assert!(CEDAR_ERRORS.is_sorted_by(|a, b| a.number < b.number));
    }

    #[test]
    fn the_failures_that_the_brief_of_a_vpn_client_is_about_have_their_codes() {
        for (number, code) in [
            (1, Unreachable),
            (8, Refused),
            (9, Authentication),
            (85, Certificate),
            (106, Certificate),
            (22, Device),
            (3, Lost),
            (13, Lost),
            (16, Busy),
            (6, ExitCode::Ok),
            (9999, Internal),
        ] {
            assert_eq!(explain(number, SUBJECT).0, code, "{number}");
        }
    }

    #[test]
    fn sentences_say_what_where_and_what_to_do() {
        let (_, text) = explain(9, SUBJECT);
        assert_eq!(
            text,
            "vpn:443 refused user alice in hub {user} (ERR_AUTH_FAILED, 9); check auth.user, auth.type and the password"
        );
        let (_, text) = explain(16, SUBJECT);
        assert!(text.starts_with("hub {user} on vpn:443 has too many sessions ("), "{text}");
        for error in CEDAR_ERRORS {
            let (_, text) = explain(error.number, Subject { hub: "DEFAULT", ..SUBJECT });
            assert!(!text.contains(['{', '}']), "{text}");
            assert!(text.contains("; "), "{text}");
        }
    }
}
