//! The asking side of the control socket, for `cutover status` and `cutover swaps`: blocking, one
//! request per connection.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::place::Place;
use crate::protocol::{ErrorCode, REPLY_BYTES_MAX, Reply, Request};

/// How long a running client may take for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No client of this name, or none at all, is running.
    #[error("no client{} is running; start one with `cutover up FILE`", name_of(.instance))]
    NotRunning {
        /// The name that was asked for.
        instance: Option<String>,
    },
    /// Several are running and no name was given.
    #[error("several clients are running ({}); say which one", instances.join(", "))]
    Ambiguous {
        /// Their names.
        instances: Vec<String>,
    },
    /// The client answered no.
    #[error("{message}")]
    Refused {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// The request cannot be sent.
    #[error("{0}")]
    Unsendable(String),
    /// The answer makes no sense.
    #[error("cannot read the answer: {0}; is the running client of another version?")]
    Unreadable(String),
    /// The socket failed.
    #[error("cannot ask the client at {}: {source}; check that you are the user who started it, or root", path.display())]
    Io {
        /// The socket.
        path: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ClientError {
    /// True when there was nobody to ask.
    pub fn is_not_running(&self) -> bool {
        matches!(self, ClientError::NotRunning { .. })
    }
}

fn name_of(instance: &Option<String>) -> String {
    instance.as_ref().map(|name| format!(" named {name}")).unwrap_or_default()
}

/// Asks the running client `instance`, or the only one there is.
///
/// # Errors
/// Nobody to ask, more than one without a name, a refusal, or a failing socket.
pub fn ask(place: &Place, instance: Option<&str>, request: &Request) -> Result<Value, ClientError> {
    let name = match instance {
        Some(name) => name.to_owned(),
        None => only_instance(place)?,
    };
    let path = place.socket(&name);
    let reply = exchange(&path, request).map_err(|error| match error {
        Failure::Client(error) => error,
        Failure::Io(source) if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            ClientError::NotRunning { instance: Some(name) }
        }
        Failure::Io(source) => ClientError::Io { path, source },
    })?;
    match reply {
        Reply::Ok(value) => Ok(value),
        Reply::Error { code, message } => Err(ClientError::Refused { code, message }),
    }
}

fn only_instance(place: &Place) -> Result<String, ClientError> {
    let mut instances = place.instances();
    match (instances.pop(), instances.is_empty()) {
        (None, _) => Err(ClientError::NotRunning { instance: None }),
        (Some(name), true) => Ok(name),
        (Some(name), false) => {
            instances.push(name);
            Err(ClientError::Ambiguous { instances })
        }
    }
}

enum Failure {
    Client(ClientError),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

fn exchange(path: &std::path::Path, request: &Request) -> Result<Reply, Failure> {
    let line = request.to_line().map_err(|error| Failure::Client(ClientError::Unsendable(error)))?;
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    match stream.write_all(line.as_bytes()) {
        // A server that is busy answers before it is asked, and leaves: read what it said.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let mut answer = Vec::new();
    BufReader::new(stream).take(REPLY_BYTES_MAX as u64 + 1).read_until(b'\n', &mut answer)?;
    match answer.pop() {
        Some(b'\n') => Reply::from_line(&answer).map_err(|error| Failure::Client(ClientError::Unreadable(error))),
        _ if answer.len() >= REPLY_BYTES_MAX => {
            Err(Failure::Client(ClientError::Unreadable("it is too long".to_owned())))
        }
        _ => Err(Failure::Client(ClientError::Unreadable("it was cut short".to_owned()))),
    }
}
