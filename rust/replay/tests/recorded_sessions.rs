//! Recorded sessions of the lab, replayed; and that a replay finds what is not as it was.
//!
//! How the records were made is in docs/BENCH.md, "Replay".

use replay::{Found, ReplayError, Report};
use std::fs;
use std::path::Path;
use swaps::record::{BadRecord, Event, FIRST_LINE};

const RECORDS: [&str; 3] = ["plain.rec", "compressed.rec", "connections.rec"];

fn replay(file: &[u8]) -> Result<Report, ReplayError> {
    replay::replay(file).map(|found| match found {
        Found::Session(report) => report,
        Found::Call(report) => panic!("a call: {report}"),
    })
}

fn record(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn recorded_sessions_come_out_as_they_were() {
    for name in RECORDS {
        let report = replay(&record(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.difference, None, "{name}: {report}");
        assert!(report.up.0 > 20 && report.down.0 > 20, "{name}: {report}");
    }
}

/// One other byte in what came out is found, on the way up and on the way down.
#[test]
fn what_is_not_as_it_was_is_found() {
    for (is_kind, function) in [
        ((|event| matches!(event, Event::Written { .. })) as fn(&Event<'_>) -> bool, "ConnectionSend"),
        (|event| matches!(event, Event::Delivered { .. }), "ConnectionReceive"),
    ] {
        let file = record("plain.rec");
        let events = Event::all(&file[FIRST_LINE.len()..]).expect("a record");
        let mut other = FIRST_LINE.to_vec();
        let mut is_changed = false;
        for event in &events {
            event.write(&mut other);
            if is_kind(event) && !is_changed {
                *other.last_mut().expect("an event") ^= 1;
                is_changed = true;
            }
        }
        let difference = replay(&other).expect("a record").difference.expect("a difference");
        assert_eq!((difference.between, difference.function), ("c and the record", function));
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let file = record("plain.rec");
    assert_eq!(replay(b""), Err(ReplayError::NoRecord));
    assert_eq!(replay(&file[1..]), Err(ReplayError::NoRecord));
    assert_eq!(replay(FIRST_LINE), Err(ReplayError::Empty));
    let cut = replay(&file[..file.len() - 1]);
    assert!(matches!(cut, Err(ReplayError::Bad(BadRecord::Cut { .. }))), "{cut:?}");
}
