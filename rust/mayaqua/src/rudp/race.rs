//! TCP, R-UDP by a NAT-T server and R-UDP as DNS against each other, since nobody knows which of them a network lets through (C:
//! a part of `ConnectEx4`, Mayaqua/Network.c).
//!
//! 1. TCP begins at once, NAT-T after 30 ms, DNS after 100 ms, each in a thread of its own.
//! 2. TCP wins when it succeeds. NAT-T wins when TCP has failed, or has not succeeded in four times the time that NAT-T took (0.4 s
//!    at least, and 2.5 s after NAT-T at most). DNS wins when both others have failed, if it does so in five seconds.
//! 3. The others are cancelled, and nobody waits for them.

use crate::net::{Cancel, Limit, Wake};
use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How a server was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By TCP (C: `ConnectThreadForTcp`, Mayaqua/Network.c).
    Tcp,
    /// By R-UDP, where a NAT-T server said (C: `ConnectThreadForRUDP`, Mayaqua/Network.c).
    NatT,
    /// By R-UDP as DNS (C: `ConnectThreadForOverDnsOrIcmp`, Mayaqua/Network.c).
    Dns,
}

impl Way {
    const ALL: [Self; 3] = [Self::Tcp, Self::NatT, Self::Dns];

    /// Milliseconds after the start (C: `Delay`).
    const fn delay(self) -> u64 {
        match self {
            Self::Tcp => 0,
            Self::NatT => 30,
            Self::Dns => 100,
        }
    }
}

/// Milliseconds for which DNS is waited for (C: `SOCK_CONNECT_WAIT_FOR_ICMP_AND_DNS_AT_LEAST`, Network.h).
const DNS_MAX: u64 = 5000;
/// Milliseconds from the start, and from NAT-T's success, for which TCP is waited for.
const TCP_LEAST: u64 = 400;
const TCP_AFTER_NAT_T_MAX: u64 = 2500;

/// What tries one way: a connection of any type, up to whatever shows that it is the right server. It has to keep to the limit.
pub type Attempt<T> = Box<dyn FnOnce(&Limit) -> io::Result<T> + Send>;

/// Reaches a server by the first of these ways, as above; the way and its connection. A way that is not to be tried is `None`.
///
/// # Errors
///
/// TCP's error if none succeeds, or `Unsupported` if it was not tried; `TimedOut`; `ConnectionAborted` when cancelled.
pub fn race<T: Send + 'static>(
    tcp: Option<Attempt<T>>,
    nat_t: Option<Attempt<T>>,
    dns: Option<Attempt<T>>,
    limit: &Limit,
) -> io::Result<(Way, T)> {
    let (start, end) = (Instant::now(), limit.end());
    let elapsed = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (sender, events) = mpsc::channel();
    let bell = Arc::new(Bell(Mutex::new(sender.clone())));
    limit.cancel.tell(&bell);
    let others = Others(Cancel::new());
    let mut attempts = [tcp, nat_t, dns];
    let mut state = State(attempts.each_ref().map(|attempt| if attempt.is_some() { Run::Goes } else { Run::Failed }));
    let mut results = [None, None, None];
    let mut error = io::Error::from(ErrorKind::Unsupported);
    loop {
        if limit.cancel.is_cancelled() {
            return Err(io::Error::new(ErrorKind::ConnectionAborted, "cancelled"));
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::Error::new(ErrorKind::TimedOut, "timed out"));
        }
        let now = elapsed();
        let mut next = u64::MAX;
        for (way, attempt) in Way::ALL.into_iter().zip(&mut attempts) {
            if attempt.is_some() && way.delay() > now {
                next = next.min(way.delay());
            } else if let Some(attempt) = attempt.take() {
                let (sender, limit) = (sender.clone(), Limit { timeout: left, cancel: others.0.clone() });
                let work = move || {
                    // Nobody waits for it any more if this fails.
                    let _ = sender.send(Event::Done(way, attempt(&limit)));
                };
                thread::Builder::new().name("connect".to_owned()).spawn(work)?;
            }
        }
        match state.verdict(now) {
            Verdict::Take(way) => {
                let result = results.get_mut(way as usize).and_then(Option::take);
                return result.map(|connection| (way, connection)).ok_or_else(|| ErrorKind::NotConnected.into());
            }
            Verdict::GiveUp => return Err(error),
            Verdict::Wait(until) => next = next.min(until),
        }
        let wait = Duration::from_millis(next.saturating_sub(now)).min(left.unwrap_or(Duration::MAX));
        match events.recv_timeout(wait) {
            Ok(Event::Done(way, Ok(connection))) => {
                state.0[way as usize] = Run::Succeeded(elapsed());
                results[way as usize] = Some(connection);
            }
            Ok(Event::Done(way, Err(failure))) => {
                state.0[way as usize] = Run::Failed;
                if way == Way::Tcp {
                    error = failure;
                }
            }
            Ok(Event::Cancelled) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

/// Cancels what still goes when the race is over.
struct Others(Cancel);

impl Drop for Others {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

enum Event<T> {
    Done(Way, io::Result<T>),
    Cancelled,
}

/// Tells a race that it was cancelled.
struct Bell<T>(Mutex<Sender<Event<T>>>);

impl<T: Send> Wake for Bell<T> {
    fn wake(&self) {
        // A race that is over does not listen.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(Event::Cancelled);
    }
}

/// How far one way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Goes,
    Failed,
    /// At so many milliseconds from the start.
    Succeeded(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Take(Way),
    GiveUp,
    /// Nothing changes by itself before this time.
    Wait(u64),
}

/// How far the three ways are.
struct State([Run; 3]);

impl State {
    const fn verdict(&self, now: u64) -> Verdict {
        match self.0 {
            [Run::Succeeded(_), ..] => Verdict::Take(Way::Tcp),
            [Run::Failed, Run::Succeeded(_), _] => Verdict::Take(Way::NatT),
            [Run::Goes, Run::Succeeded(at), _] => {
                let four_times = at.saturating_mul(4);
                let from_start = if four_times < TCP_LEAST { TCP_LEAST } else { four_times };
                let after = at.saturating_add(TCP_AFTER_NAT_T_MAX);
                let until = if from_start < after { from_start } else { after };
                if now >= until { Verdict::Take(Way::NatT) } else { Verdict::Wait(until) }
            }
            [Run::Failed, Run::Failed, Run::Succeeded(_)] => Verdict::Take(Way::Dns),
            [Run::Failed, Run::Failed, Run::Failed] => Verdict::GiveUp,
            [Run::Failed, Run::Failed, Run::Goes] if now >= DNS_MAX => Verdict::GiveUp,
            [Run::Failed, Run::Failed, Run::Goes] => Verdict::Wait(DNS_MAX),
            [_, Run::Goes, _] | [Run::Goes, Run::Failed, _] => Verdict::Wait(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> Limit {
        Limit::of(Duration::from_secs(60))
    }

    fn gives(word: &'static str) -> Option<Attempt<&'static str>> {
        Some(Box::new(move |_| Ok(word)))
    }

    fn fails() -> Option<Attempt<&'static str>> {
        Some(Box::new(|_| Err(ErrorKind::ConnectionRefused.into())))
    }

    /// Waits until it is cancelled, and says so.
    fn hangs(said: &Sender<()>) -> Option<Attempt<&'static str>> {
        let said = said.clone();
        Some(Box::new(move |limit| {
            let (wake, woken) = mpsc::channel();
            let bell = Arc::new(Bell(Mutex::new(wake)));
            limit.cancel.tell(&bell);
            let event: Event<()> = woken.recv().unwrap();
            assert!(matches!(event, Event::Cancelled));
            said.send(()).unwrap();
            Err(ErrorKind::ConnectionAborted.into())
        }))
    }

    #[test]
    fn who_wins() {
        use Run::{Failed, Goes, Succeeded};
        let verdict = |tcp, nat_t, dns, now| State([tcp, nat_t, dns]).verdict(now);
        assert_eq!(verdict(Succeeded(9), Succeeded(1), Succeeded(1), 10), Verdict::Take(Way::Tcp));
        assert_eq!(verdict(Failed, Succeeded(1), Succeeded(1), 10), Verdict::Take(Way::NatT));
        assert_eq!(verdict(Failed, Failed, Succeeded(1), 10), Verdict::Take(Way::Dns));
        // TCP has its time: 0.4 s, four times NAT-T's, 2.5 s more than that.
        for (at, until) in [(50, 400), (100, 400), (300, 1200), (1000, 3500)] {
            assert_eq!(verdict(Goes, Succeeded(at), Goes, until - 1), Verdict::Wait(until));
            assert_eq!(verdict(Goes, Succeeded(at), Goes, until), Verdict::Take(Way::NatT));
        }
        assert_eq!(verdict(Failed, Failed, Goes, 4999), Verdict::Wait(5000));
        assert_eq!(verdict(Failed, Failed, Goes, 5000), Verdict::GiveUp);
        assert_eq!(verdict(Failed, Failed, Failed, 0), Verdict::GiveUp);
        for waiting in [[Goes; 3], [Goes, Failed, Succeeded(1)], [Failed, Goes, Succeeded(1)]] {
            assert_eq!(State(waiting).verdict(100_000), Verdict::Wait(u64::MAX));
        }
    }

    #[test]
    fn the_winner_comes_back_and_the_others_are_cancelled() {
        let (said, cancelled) = mpsc::channel();
        assert_eq!(race(gives("tcp"), None, None, &limit()).unwrap(), (Way::Tcp, "tcp"));
        assert_eq!(race(fails(), gives("nat-t"), hangs(&said), &limit()).unwrap(), (Way::NatT, "nat-t"));
        // TCP hangs: NAT-T after 0.4 s.
        assert_eq!(race(hangs(&said), gives("nat-t"), None, &limit()).unwrap(), (Way::NatT, "nat-t"));
        cancelled.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(race(fails(), fails(), gives("dns"), &limit()).unwrap(), (Way::Dns, "dns"));
        let error = race(fails(), fails(), fails(), &limit()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let none = race::<()>(None, None, None, &limit()).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_race_ends_with_its_time_or_when_it_is_cancelled() {
        let (said, cancelled) = mpsc::channel();
        let short = Limit::of(Duration::from_millis(50));
        assert_eq!(race(hangs(&said), None, None, &short).unwrap_err().kind(), ErrorKind::TimedOut);
        cancelled.recv_timeout(Duration::from_secs(60)).unwrap();
        let long = limit();
        let cancel = long.cancel.clone();
        let attempt = hangs(&said);
        let racing = thread::spawn(move || race(attempt, None, None, &long).map_err(|error| error.kind()));
        cancel.cancel();
        assert_eq!(racing.join().unwrap(), Err(ErrorKind::ConnectionAborted));
    }
}
