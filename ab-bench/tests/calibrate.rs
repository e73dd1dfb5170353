//! The calibration in a real lab. Needs root, and Debian's or the vendored server (`CUTOVER_BIN_DIR`).

use ab_bench::ab::schema::{Metric, Rig, Setting, Way};
use ab_bench::calibrate::{Costs, Step};
use ab_bench::lab::{Lab, LabOptions, ServerKind};

/// Every step can be measured here, the limits add up, and batches are cheaper than single frames.
#[test]
fn every_step_is_measured() {
    let lab = Lab::start(&LabOptions { server: ServerKind::Debian, server_dir: None }).unwrap();
    let costs = Costs::measure(&lab).unwrap();
    let setting = |id: &str, encrypt| Setting {
        id: id.into(),
        connections: 1,
        half_duplex: false,
        encrypt,
        compress: false,
        udp_acceleration: false,
        mtu: 1500,
        streams: 1,
        payload_bytes: None,
    };
    let calibration = costs.calibration(&[Rig::Real], &[setting("encrypted", true), setting("clear", false)]);
    for primitive in &calibration.primitives {
        println!("{:<36} {:8.4} {}", primitive.what, primitive.cost.value, primitive.unit);
    }
    assert_eq!(calibration.missing, Vec::<String>::new());
    assert_eq!((calibration.primitives.len(), calibration.limits.len()), (13, 8));
    let cost = |step| costs.cost(step).unwrap();
    assert!(cost(Step::TapReadSuper) < cost(Step::TapReadSingle));
    assert!(cost(Step::TapWriteSuper) < cost(Step::TapWriteSingle));
    for way in [Way::Up, Way::Down] {
        let limit = |setting: &str| {
            let mut limits = calibration.limits.iter().filter(|limit| limit.metric == Metric::CpuSPerGb);
            limits.find(|limit| limit.setting == setting && limit.way == way).unwrap().value
        };
        assert!(0.0 < limit("clear") && limit("clear") < limit("encrypted"));
    }
}
