//! What a fault proxy is to do, as text: `delay=20ms,down:stall@65536=3s#2,loss=1%,seed=7`. No sockets and no clock here.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::frames::Direction;

/// The syntax, for help texts.
pub const SYNTAX: &str = "\
A fault is [up:|down:]NAME…[#CONNECTION]; several are joined by commas.
  delay=20ms     everything is that late
  rate=10M       bits per second (k, M, G), each way
  pieces=1..7    TCP: written 1 to 7 bytes at a time
  corrupt@AT     TCP: one bit of that byte is flipped
  stall@AT=3s    TCP: after so many bytes nothing is read for 3 s (the window closes)
  half@AT        TCP: after so many bytes nothing comes any more, and nothing is closed
  close@AT       TCP: after so many bytes both ends are closed
  reset@AT       TCP: after so many bytes both ends get a reset
  loss=1%  dup=1%  reorder=1%  corrupt=1%    UDP: of the datagrams
  seed=7         another seed, other decisions
AT is a count of bytes in one direction of one connection: 1000; +37 (37 on the first connection, 74 on the second, …);
~5000 (anything below 5000, drawn for each connection). #2 is the second connection only; up: is from the client.";

/// Everything a proxy does, and the seed of what it draws.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultSpec {
    /// Seed of every random decision.
    pub seed: u64,
    /// In the order in which they were named.
    pub faults: Vec<Fault>,
}

/// One fault and where it applies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// In this direction only.
    pub direction: Option<Direction>,
    /// On this connection only; the first since the proxy's start is 1. Datagrams have none.
    pub connection: Option<u32>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultKind {
    /// Everything comes later.
    Delay(Duration),
    /// At most so many bits per second.
    Rate(u64),
    /// A stream is written in pieces of so many bytes, at least and at most.
    Pieces(u32, u32),
    /// One bit of this byte of a stream is flipped.
    CorruptAt(At),
    /// Nothing is read from a stream for a while.
    Stall(At, Duration),
    /// A stream goes silent without an end.
    Half(At),
    /// A connection is closed.
    Close(At),
    /// A connection is reset.
    Reset(At),
    /// Share of datagrams that never come.
    Loss(f64),
    /// Share of datagrams that come twice.
    Duplicate(f64),
    /// Share of datagrams that come after up to three later ones.
    Reorder(f64),
    /// Share of datagrams with a flipped bit.
    Corrupt(f64),
}

/// A place in a stream, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The same on each connection.
    Byte(u64),
    /// So many on the first connection, twice as many on the second, and so on.
    Step(u64),
    /// Drawn for each connection, below this.
    Below(u64),
}

/// Why a text is no [`FaultSpec`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{item}` is no fault: {why}\n{SYNTAX}")]
pub struct SpecError {
    item: String,
    why: &'static str,
}

impl At {
    /// The place on a connection (1 is the first), for numbers drawn with `key`.
    pub(super) fn on(self, connection: u32, key: u64) -> u64 {
        match self {
            Self::Byte(byte) => byte,
            Self::Step(step) => step.saturating_mul(u64::from(connection)),
            Self::Below(below) => super::draw(key, 0) % below.max(1),
        }
    }
}

impl FaultSpec {
    /// The faults of one direction; of a connection, or of datagrams for `None`.
    pub(super) fn on(&self, direction: Direction, connection: Option<u32>) -> impl Iterator<Item = FaultKind> {
        self.faults.iter().filter_map(move |fault| {
            let is_mine = fault.direction.is_none_or(|only| only == direction)
                && fault.connection.is_none_or(|only| connection == Some(only));
            is_mine.then_some(fault.kind)
        })
    }
}

impl FromStr for FaultSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let error = |why| SpecError { item: item.to_owned(), why };
            if let Some(seed) = item.strip_prefix("seed=") {
                spec.seed = seed.parse().map_err(|_| error("a seed is a number"))?;
            } else {
                spec.faults.push(fault(item).map_err(error)?);
            }
        }
        Ok(spec)
    }
}

fn fault(item: &str) -> Result<Fault, &'static str> {
    let (direction, rest) = match item.split_once(':') {
        Some(("up", rest)) => (Some(Direction::Up), rest),
        Some(("down", rest)) => (Some(Direction::Down), rest),
        Some(_) => return Err("before the colon stands `up` or `down`"),
        None => (None, item),
    };
    let (rest, connection) = match rest.split_once('#') {
        Some((rest, number)) => (rest, Some(number.parse().map_err(|_| "after # stands a number")?)),
        None => (rest, None),
    };
    let kind = match rest.split_once('@') {
        Some((name, at)) => at_a_place(name, at)?,
        None => by_value(rest)?,
    };
    Ok(Fault { kind, direction, connection })
}

fn at_a_place(name: &str, at: &str) -> Result<FaultKind, &'static str> {
    let (at, span) = match at.split_once('=') {
        Some((at, span)) => (place(at)?, Some(duration(span)?)),
        None => (place(at)?, None),
    };
    match (name, span) {
        ("corrupt", None) => Ok(FaultKind::CorruptAt(at)),
        ("half", None) => Ok(FaultKind::Half(at)),
        ("close", None) => Ok(FaultKind::Close(at)),
        ("reset", None) => Ok(FaultKind::Reset(at)),
        ("stall", Some(span)) => Ok(FaultKind::Stall(at, span)),
        ("stall", None) => Err("say how long: stall@AT=3s"),
        _ => Err("no such fault at a place"),
    }
}

fn by_value(text: &str) -> Result<FaultKind, &'static str> {
    let (name, value) = text.split_once('=').ok_or("it has neither a value nor a place")?;
    match name {
        "delay" => Ok(FaultKind::Delay(duration(value)?)),
        "rate" => Ok(FaultKind::Rate(rate(value)?)),
        "pieces" => {
            let (least, most) = value.split_once("..").ok_or("pieces are LEAST..MOST")?;
            match (least.parse(), most.parse()) {
                (Ok(least), Ok(most)) if 1 <= least && least <= most => Ok(FaultKind::Pieces(least, most)),
                _ => Err("pieces are LEAST..MOST, from 1 on"),
            }
        }
        "loss" => Ok(FaultKind::Loss(share(value)?)),
        "dup" => Ok(FaultKind::Duplicate(share(value)?)),
        "reorder" => Ok(FaultKind::Reorder(share(value)?)),
        "corrupt" => Ok(FaultKind::Corrupt(share(value)?)),
        _ => Err("no such fault"),
    }
}

fn place(text: &str) -> Result<At, &'static str> {
    let number = |digits: &str| digits.parse().map_err(|_| "a place is N, +N or ~N");
    match text.as_bytes().first() {
        Some(b'+') => number(&text[1..]).map(At::Step),
        Some(b'~') => number(&text[1..]).map(At::Below),
        _ => number(text).map(At::Byte),
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    const WHY: &str = "a time is like 20ms or 3s";
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 0.001),
        None => (text.strip_suffix('s').ok_or(WHY)?, 1.0),
    };
    let number: f64 = digits.parse().map_err(|_| WHY)?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| WHY)
}

fn rate(text: &str) -> Result<u64, &'static str> {
    const WHY: &str = "a rate is like 500k or 10M";
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1e3),
        Some(b'M') => (&text[..text.len() - 1], 1e6),
        Some(b'G') => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    let number: f64 = digits.parse().map_err(|_| WHY)?;
    // Saturates; a rate beyond 2^53 limits nothing.
    if number * unit >= 1.0 { Ok((number * unit) as u64) } else { Err(WHY) }
}

fn share(text: &str) -> Result<f64, &'static str> {
    const WHY: &str = "a share is between 0% and 100%";
    let number: f64 = text.strip_suffix('%').ok_or(WHY)?.parse().map_err(|_| WHY)?;
    if (0.0..=100.0).contains(&number) { Ok(number / 100.0) } else { Err(WHY) }
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            write!(f, "{fault},")?;
        }
        write!(f, "seed={}", self.seed)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Some(Direction::Up) => f.write_str("up:")?,
            Some(Direction::Down) => f.write_str("down:")?,
            None => {}
        }
        match self.kind {
            FaultKind::Delay(span) => write!(f, "delay={}ms", span.as_secs_f64() * 1e3)?,
            FaultKind::Rate(bits) => write!(f, "rate={bits}")?,
            FaultKind::Pieces(least, most) => write!(f, "pieces={least}..{most}")?,
            FaultKind::CorruptAt(at) => write!(f, "corrupt@{at}")?,
            FaultKind::Stall(at, span) => write!(f, "stall@{at}={}ms", span.as_secs_f64() * 1e3)?,
            FaultKind::Half(at) => write!(f, "half@{at}")?,
            FaultKind::Close(at) => write!(f, "close@{at}")?,
            FaultKind::Reset(at) => write!(f, "reset@{at}")?,
            FaultKind::Loss(share) => write!(f, "loss={}%", share * 100.0)?,
            FaultKind::Duplicate(share) => write!(f, "dup={}%", share * 100.0)?,
            FaultKind::Reorder(share) => write!(f, "reorder={}%", share * 100.0)?,
            FaultKind::Corrupt(share) => write!(f, "corrupt={}%", share * 100.0)?,
        }
        self.connection.map_or(Ok(()), |connection| write!(f, "#{connection}"))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "{byte}"),
            Self::Step(step) => write!(f, "+{step}"),
            Self::Below(below) => write!(f, "~{below}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_and_written() {
        let text = "delay=20ms,rate=10M,up:pieces=1..7,corrupt@7,stall@+5=3s,down:half@~9#2,close@0,reset@12,loss=1%,\
                    dup=2%,reorder=0.5%,corrupt=100%,seed=9";
        let spec: FaultSpec = text.parse().unwrap();
        assert_eq!((spec.seed, spec.faults.len()), (9, 12));
        assert_eq!(spec.faults[4].kind, FaultKind::Stall(At::Step(5), Duration::from_secs(3)));
        assert_eq!(
            spec.faults[5],
            Fault { kind: FaultKind::Half(At::Below(9)), direction: Some(Direction::Down), connection: Some(2) }
        );
        assert_eq!(spec.to_string().parse(), Ok(spec));
        assert_eq!("".parse(), Ok(FaultSpec::default()));
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for text in [
            "delay",
            "delay=20",
            "delay=-1s",
            "rate=0",
            "rate=x",
            "pieces=0..3",
            "pieces=3..1",
            "pieces=3",
            "loss=101%",
            "loss=1",
            "reset@x",
            "stall@7",
            "reset@7=3s",
            "side:loss=1%",
            "loss=1%#x",
            "seed=x",
            "frob=1",
            "frob@1",
        ] {
            let error = text.parse::<FaultSpec>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no fault: ")), "{error}");
        }
    }

    #[test]
    fn a_fault_applies_where_it_says() {
        let spec: FaultSpec = "up:reset@1,close@2#2,loss=1%".parse().unwrap();
        let kinds = |direction, connection| spec.on(direction, connection).count();
        assert_eq!((kinds(Direction::Up, Some(1)), kinds(Direction::Down, Some(1))), (2, 1));
        assert_eq!((kinds(Direction::Up, Some(2)), kinds(Direction::Down, Some(2))), (3, 2));
        assert_eq!(kinds(Direction::Down, None), 1);
    }

    #[test]
    fn places_on_connections() {
        assert_eq!([At::Byte(7), At::Step(7)].map(|at| at.on(3, 1)), [7, 21]);
        let drawn: Vec<u64> = (0..100).map(|key| At::Below(50).on(1, key)).collect();
        assert!(drawn.iter().all(|at| *at < 50) && drawn.iter().any(|at| *at > 25) && drawn.iter().any(|at| *at < 25));
        assert_eq!(At::Below(0).on(1, 1), 0);
    }
}
