//! A name to its addresses and an address to its name, by the system's resolver, which can neither be cancelled nor be given a
//! time: each question has a thread of its own, which is left behind when nobody waits any more, and their number has a limit.

use super::Limit;
use super::cancel::Wake;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Most questions at the same time in a process, those included that nobody waits for any more (C: `SetGetIpThreadMaxNum`,
/// `GetGetIpThreadMaxNum`, `GetCurrentGetIpThreadNum`, Mayaqua/Network.c).
pub const LOOKUPS_MAX: usize = 64;

/// Most addresses that are taken of an answer.
pub const ADDRESSES_MAX: usize = 32;

/// Bytes of the longest name (RFC 1035, with the dot at its end).
const NAME_MAX: usize = 254;

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name is empty, longer than any or has characters that none has.
    #[error("this is no name of a host")]
    Name,
    /// The resolver has no address for it.
    #[error("the name has no address")]
    NotFound,
    /// What the resolver said.
    #[error("the name cannot be resolved: {0}")]
    Failed(String),
    /// The time is over.
    #[error("the name was not resolved in time")]
    TimedOut,
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// [`LOOKUPS_MAX`] questions are not answered yet.
    #[error("{LOOKUPS_MAX} names are being resolved already")]
    TooMany,
}

/// The addresses of a host in the system's order, each once; of an address, itself (C: `GetIP`, `GetIPEx`, `GetIP46Ex`, `GetIP4`,
/// `GetIP6`, `GetIP4Ex`, `GetIP6Ex`, `GetIP4Ex6Ex`, `GetIP4Ex6Ex2`, `GetIP4Ex6ExThread`, `GetIP4Inner`, `GetIP6Inner`,
/// Mayaqua/Network.c).
///
/// # Errors
///
/// Why there is none.
pub fn resolve(host: &str, limit: &Limit) -> Result<Vec<IpAddr>, ResolveError> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(vec![address]);
    }
    if !is_name(host) {
        return Err(ResolveError::Name);
    }
    let host = host.to_owned();
    resolve_by(&LOOKUPS, limit, move || Ok((host.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
}

/// The name of a host by its address, for a log: whoever runs the address's reverse zone chooses it (C: `GetHostName`,
/// `GetHostNameThread`, `GetHostNameInner`, `GetHostNameInner6`, Mayaqua/Network.c, which waits 500 ms and takes any text). The
/// C asks the host itself when there is none: [`super::netbios::name_of`].
///
/// # Errors
///
/// [`ResolveError::NotFound`] if the resolver has none, or has the address for a name; [`ResolveError::Name`] for a name that is
/// none.
pub fn host_name(address: IpAddr, limit: &Limit) -> Result<String, ResolveError> {
    let look_up = move || dns_lookup::lookup_addr(&address).map_err(io::Error::from);
    let name = ask(&LOOKUPS, limit, look_up)?.map_err(|error| ResolveError::Failed(error.to_string()))?;
    checked_name(name)
}

/// What a reverse zone says, if it is a name.
pub(super) fn checked_name(name: String) -> Result<String, ResolveError> {
    match name.parse::<IpAddr>() {
        Err(_) if is_name(&name) => Ok(name),
        Err(_) if !name.is_empty() => Err(ResolveError::Name),
        _ => Err(ResolveError::NotFound),
    }
}

/// Whether a name has the length and the characters of one.
fn is_name(name: &str) -> bool {
    let is_wrong = |byte: u8| byte <= b' ' || byte == 0x7f || b"/\\[]@:%".contains(&byte);
    !name.is_empty() && name.len() <= NAME_MAX && !name.bytes().any(is_wrong)
}

/// How many questions the process has.
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// What comes of a question.
struct Answer<T> {
    result: Mutex<Option<T>>,
    changed: Condvar,
}

impl<T> Answer<T> {
    fn result(&self) -> MutexGuard<'_, Option<T>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Wake for Answer<T> {
    fn wake(&self) {
        // With the lock: who has looked at the flag waits already.
        let _result = self.result();
        self.changed.notify_all();
    }
}

/// A place among the [`LOOKUPS_MAX`] that a count is of.
struct Place(&'static AtomicUsize);

impl Place {
    fn take(count: &'static AtomicUsize) -> Option<Self> {
        let free = |taken| (taken < LOOKUPS_MAX).then_some(taken + 1);
        count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).ok().map(|_| Self(count))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// [`resolve`] with `look_up` for the system and `count` for the process's.
pub(super) fn resolve_by(
    count: &'static AtomicUsize,
    limit: &Limit,
    look_up: impl FnOnce() -> io::Result<Vec<IpAddr>> + Send + 'static,
) -> Result<Vec<IpAddr>, ResolveError> {
    addresses(ask(count, limit, look_up)?)
}

/// What `look_up` gives in a thread of its own, of which `count` counts those that live.
fn ask<T: Send + 'static>(
    count: &'static AtomicUsize,
    limit: &Limit,
    look_up: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ResolveError> {
    let end = limit.end();
    let place = Place::take(count).ok_or(ResolveError::TooMany)?;
    let answer = Arc::new(Answer { result: Mutex::new(None), changed: Condvar::new() });
    let theirs = Arc::clone(&answer);
    let work = move || {
        let result = look_up();
        drop(place);
        *theirs.result() = Some(result);
        theirs.changed.notify_all();
    };
    let spawned = thread::Builder::new().name("resolve".to_owned()).spawn(work);
    spawned.map_err(|error| ResolveError::Failed(error.to_string()))?;
    limit.cancel.tell(&answer);
    let mut result = answer.result();
    loop {
        if limit.cancel.is_cancelled() {
            return Err(ResolveError::Cancelled);
        }
        if let Some(result) = result.take() {
            return Ok(result);
        }
        result = match super::left(end) {
            None => answer.changed.wait(result).unwrap_or_else(PoisonError::into_inner),
            Some(left) if left.is_zero() => return Err(ResolveError::TimedOut),
            Some(left) => answer.changed.wait_timeout(result, left).unwrap_or_else(PoisonError::into_inner).0,
        };
    }
}

fn addresses(result: io::Result<Vec<IpAddr>>) -> Result<Vec<IpAddr>, ResolveError> {
    let found = result.map_err(|error| ResolveError::Failed(error.to_string()))?;
    let mut addresses = Vec::new();
    for address in found {
        if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(ResolveError::NotFound) } else { Ok(addresses) }
}
