//! The calibration in a real lab. Needs root, and Debian's or the vendored server (`CUTOVER_BIN_DIR`).

use ab_bench::calibrate::{Calibration, Cipher, Step};
use ab_bench::frames::Direction;
use ab_bench::lab::{Lab, LabOptions, ServerKind};

/// Every step can be measured here, the limits add up, and batches are cheaper than single frames.
#[test]
fn every_step_is_measured() {
    let lab = Lab::start(&LabOptions { server: ServerKind::Debian, server_dir: None }).unwrap();
    let calibration = Calibration::measure(&lab).unwrap();
    for timing in &calibration.timings {
        println!("{:<36} {:8.4} {}", timing.step.title(), timing.median, timing.step.unit());
    }
    for limit in &calibration.limits {
        println!("limit {:?} {:?}: {:.3} s/GB", limit.direction, limit.cipher, limit.cpu_s_per_gb);
    }
    assert_eq!(calibration.missing, Vec::<String>::new());
    assert_eq!((calibration.timings.len(), calibration.limits.len()), (13, 6));
    let cost = |step| calibration.cost(step).unwrap();
    assert!(cost(Step::TapReadSuper) < cost(Step::TapReadSingle));
    assert!(cost(Step::TapWriteSuper) < cost(Step::TapWriteSingle));
    for direction in [Direction::Up, Direction::Down] {
        let limit = calibration.limit(direction, true).unwrap();
        assert!(limit.cipher != Cipher::None && limit.cpu_s_per_gb > 0.0);
        assert!(calibration.limit(direction, false).unwrap().cpu_s_per_gb < limit.cpu_s_per_gb);
    }
}
