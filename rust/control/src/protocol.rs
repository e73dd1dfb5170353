//! The control protocol, version 1. Bytes in, bytes out; sockets are `server.rs`'s and `client.rs`'s.
//!
//! A client connects and writes requests, one JSON object per line; each is answered by one line.
//!
//! ```text
//! {"v":1,"do":"status"}                                  → {"v":1,"ok":{…}}
//! {"v":1,"do":"swaps"}                                   → {"v":1,"ok":{…}}
//! {"v":1,"do":"swaps.set","modes":"new_block=shadow"}    → {"v":1,"ok":{…}}
//! {"v":1,"do":"swaps.plan","text":"…"}                   → {"v":1,"ok":{…}}
//! {"v":1,"do":"swaps.promote","pattern":"new_block"}     → {"v":1,"ok":{…}}
//! {"v":1,"do":"swaps.rollback","pattern":"*"}            → {"v":1,"ok":{…}}
//! {"v":1,"do":"swaps.explain","name":"new_block"}        → {"v":1,"ok":{…}}
//! anything else                                          → {"v":1,"error":{"code":"bad-request","message":"…"}}
//! ```
//!
//! docs/CONTROL.md says what each takes and answers.
//!
//! After an error in the form of a request (`bad-request`, `too-long`, `timeout`, `version`) the
//! server closes the connection; after `refused` it stays open. New fields may be added to
//! answers at any time; a change that an old reader would misread raises `v`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The protocol's version, in every message as `v`.
pub const VERSION: u64 = 1;

/// The longest request, without its newline.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The longest answer a client reads.
pub const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What can be asked of a running client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", deny_unknown_fields)]
pub enum Request {
    /// State, peer and counters of the session.
    #[serde(rename = "status")]
    Status {},
    /// Every swap with mode and counters.
    #[serde(rename = "swaps")]
    Swaps {},
    /// Change modes; answers like `swaps`, after the change, with what single swaps `refused`.
    #[serde(rename = "swaps.set")]
    SetSwaps {
        /// `pattern=mode,pattern=mode`.
        modes: String,
        /// Only if nothing has changed since an answer with this `generation`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<u64>,
        /// Make the session anew if something has changed that is chosen with it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reconnect: bool,
    },
    /// Begin a plan; answers with its steps.
    #[serde(rename = "swaps.plan")]
    Plan {
        /// The plan, as TOML.
        text: String,
        /// Read it, and do nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        check: bool,
    },
    /// End demotions, or take the plan to its next stage; answers like `swaps`.
    #[serde(rename = "swaps.promote")]
    Promote {
        /// Which swaps; absent: the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
    },
    /// Take swaps back to C; answers like `swaps`.
    #[serde(rename = "swaps.rollback")]
    Rollback {
        /// Which swaps, `*` for all; absent: those of the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
    },
    /// One swap: what it is, why it is in its mode, its history.
    #[serde(rename = "swaps.explain")]
    Explain {
        /// Its name.
        name: String,
    },
}

/// The kinds of error that an answer can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not JSON, not an object, no such `do`, or a wrong field.
    BadRequest,
    /// More than [`REQUEST_BYTES_MAX`] without a newline.
    TooLong,
    /// A `v` that this server does not speak.
    Version,
    /// The request did not end in time.
    Timeout,
    /// Too many clients are connected.
    Busy,
    /// The client's user is neither root nor the server's own.
    Forbidden,
    /// The host understood and said no.
    Refused,
    /// A defect in the host.
    Internal,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// What was asked for.
    Ok(Value),
    /// Why not.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people: what was wrong and what to do.
        message: String,
    },
}

impl Reply {
    /// An error answer.
    pub fn error(code: ErrorCode, message: impl Into<String>) -> Reply {
        Reply::Error { code, message: message.into() }
    }

    /// True when the server closes the connection after this answer.
    pub fn is_final(&self) -> bool {
        matches!(self, Reply::Error { code, .. } if !matches!(code, ErrorCode::Refused | ErrorCode::Internal))
    }

    /// The line that carries this answer, newline included.
    pub fn to_line(&self) -> String {
        let message = match self {
            Reply::Ok(value) => json!({"v": VERSION, "ok": value}),
            Reply::Error { code, message } => json!({"v": VERSION, "error": {"code": code, "message": message}}),
        };
        format!("{message}\n")
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with the line, for a person.
    pub fn from_line(line: &[u8]) -> Result<Reply, String> {
        let mut message = read_message(line).map_err(|problem| problem.to_string())?;
        if let Some(value) = message.remove("ok") {
            return Ok(Reply::Ok(value));
        }
        #[derive(Deserialize)]
        struct Body {
            code: ErrorCode,
            message: String,
        }
        let error = message.remove("error").ok_or("it has neither ok nor error")?;
        let Body { code, message } = Body::deserialize(error).map_err(|error| error.to_string())?;
        Ok(Reply::Error { code, message })
    }
}

impl Request {
    /// The line that carries this request, newline included.
    ///
    /// # Errors
    /// It would be longer than [`REQUEST_BYTES_MAX`].
    pub fn to_line(&self) -> Result<String, String> {
        let mut message = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(fields) = &mut message {
            fields.insert("v".to_owned(), VERSION.into());
        }
        let line = message.to_string();
        if line.len() > REQUEST_BYTES_MAX {
            return Err(format!("the request is longer than {REQUEST_BYTES_MAX} bytes"));
        }
        Ok(line + "\n")
    }

    /// Reads a request.
    ///
    /// # Errors
    /// The answer to send instead.
    pub fn from_line(line: &[u8]) -> Result<Request, Reply> {
        let message = read_message(line).map_err(|problem| {
            let code = match problem {
                Unreadable::Malformed(_) => ErrorCode::BadRequest,
                Unreadable::Version => ErrorCode::Version,
            };
            Reply::error(code, format!("cannot read the request: {problem}"))
        })?;
        Request::deserialize(Value::Object(message)).map_err(|error| {
            Reply::error(
                ErrorCode::BadRequest,
                format!("cannot read the request: {error}; known are status, swaps, swaps.set, swaps.plan, swaps.promote, swaps.rollback and swaps.explain"),
            )
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("{0}")]
    Malformed(String),
    #[error(
        "it must say \"v\":1, the version of the protocol; use the cutover program that belongs to the running one"
    )]
    Version,
}

/// Reads a line's JSON object and takes its version off.
fn read_message(line: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let message: Value = serde_json::from_slice(line).map_err(|error| Unreadable::Malformed(error.to_string()))?;
    let Value::Object(mut message) = message else {
        return Err(Unreadable::Malformed("it is not a JSON object".to_owned()));
    };
    match message.remove("v").as_ref().and_then(Value::as_u64) {
        Some(VERSION) => Ok(message),
        _ => Err(Unreadable::Version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_way() {
        let (pattern, name) = (Some("a_*".to_owned()), "a".to_owned());
        for request in [
            Request::Status {},
            Request::Swaps {},
            Request::SetSwaps { modes: "a=c\n\"".into(), generation: None, reconnect: false },
            Request::SetSwaps { modes: "a=c".into(), generation: Some(u64::MAX), reconnect: true },
            Request::Plan { text: "name = \"p\"\n".into(), check: true },
            Request::Promote { pattern: None },
            Request::Promote { pattern: pattern.clone() },
            Request::Rollback { pattern },
            Request::Explain { name },
        ] {
            let line = request.to_line().unwrap();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Request::from_line(line.trim_end().as_bytes()), Ok(request));
        }
        assert_eq!(Request::from_line(br#"{"do":"status","v":1}"#), Ok(Request::Status {}));
        assert!(
            Request::SetSwaps { modes: "x".repeat(REQUEST_BYTES_MAX), generation: None, reconnect: false }
                .to_line()
                .is_err()
        );
    }

    #[test]
    fn replies_survive_the_way() {
        for reply in
            [Reply::Ok(json!({"a": [1, "\n"]})), Reply::Ok(Value::Null), Reply::error(ErrorCode::TooLong, "why")]
        {
            assert_eq!(Reply::from_line(reply.to_line().trim_end().as_bytes()), Ok(reply));
        }
    }

    #[test]
    fn what_is_no_request_is_answered_by_its_error() {
        let deep = "[".repeat(100_000);
        for (line, expected) in [
            ("", ErrorCode::BadRequest),
            ("status", ErrorCode::BadRequest),
            ("[]", ErrorCode::BadRequest),
            (&deep, ErrorCode::BadRequest),
            ("\u{0}", ErrorCode::BadRequest),
            (r#"{"v":1}"#, ErrorCode::BadRequest),
            (r#"{"v":1,"do":"stop"}"#, ErrorCode::BadRequest),
            (r#"{"v":1,"do":"status","more":1}"#, ErrorCode::BadRequest),
            (r#"{"v":1,"do":"swaps.set"}"#, ErrorCode::BadRequest),
            (r#"{"v":1,"do":"swaps.set","modes":7}"#, ErrorCode::BadRequest),
            (r#"{"do":"status"}"#, ErrorCode::Version),
            (r#"{"v":2,"do":"status"}"#, ErrorCode::Version),
            (r#"{"v":"1","do":"status"}"#, ErrorCode::Version),
        ] {
            match Request::from_line(line.as_bytes()) {
                Err(Reply::Error { code, .. }) => assert_eq!(code, expected, "{line:.40}"),
                other => panic!("{line:.40}: {other:?}"),
            }
        }
        assert!(Request::from_line(b"\xff").is_err());
    }
}
