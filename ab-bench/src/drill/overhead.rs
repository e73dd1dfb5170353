//! What the switch itself costs: the client's CPU per GB with every function on C, against shadow at 1 % and at 100 % of
//! the framing's leaves, alternating so that a slow drift of the machine meets all alike.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Options, Session, start};
use crate::lab::{Lab, LabError, LabOptions, Side};

/// How often each setting is measured.
const ROUNDS: usize = 5;

/// Leaves of the framing that can be shadowed.
const LEAVES: &str = "write_fifo,read_fifo,get_fifo_pointer,get_next,insert_queue,new_block";

/// The median CPU seconds per GB of each setting.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OverheadReport {
    /// Everything on C.
    pub c: f64,
    /// The leaves in shadow for 1 % of calls.
    pub shadow_1: f64,
    /// The leaves in shadow for all calls.
    pub shadow_100: f64,
    /// The largest deviation of C from its own median, in percent: what smaller differences mean nothing against.
    pub noise_percent: f64,
}

impl fmt::Display for OverheadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = |value: f64| (value / self.c - 1.0) * 100.0;
        write!(
            f,
            "overhead: {:.2} CPU-s/GB on c; {:+.1} % with shadow@1%, {:+.1} % with shadow (noise ±{:.1} %, {ROUNDS} rounds)",
            self.c,
            more(self.shadow_1),
            more(self.shadow_100),
            self.noise_percent
        )
    }
}

pub(super) fn measure(options: &Options, seconds: u32) -> Result<OverheadReport, LabError> {
    let server_dir = options.server_dir.clone().unwrap_or_else(|| options.programs.join("../libexec/cutover"));
    let lab = Lab::start(&LabOptions { server_dir: Some(server_dir), ..LabOptions::default() })?;
    let _server = lab.serve_iperf()?;
    let session = start(&lab, options, 0, "cutover-rust", &[("CUTOVER_SWAPS", "*=c")])?;
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (place, mode) in ["c", "shadow@1%", "shadow"].into_iter().enumerate() {
            let modes: Vec<String> = LEAVES.split(',').map(|name| format!("{name}={mode}")).collect();
            session.controls.swaps(&lab, &["set", &modes.join(",")])?;
            samples[place].push(cpu_per_gb(&lab, &session, seconds)?);
        }
    }
    let [c, shadow_1, shadow_100] = samples.each_ref().map(|samples| median(samples));
    let noise = samples[0].iter().map(|sample| (sample / c - 1.0).abs()).fold(0.0, f64::max);
    Ok(OverheadReport { c, shadow_1, shadow_100, noise_percent: noise * 100.0 })
}

fn cpu_per_gb(lab: &Lab, session: &Session, seconds: u32) -> Result<f64, LabError> {
    let before = (session.client.cpu()?.total, carried(lab, session)?);
    let time = seconds.to_string();
    let argv = ["iperf3", "--client", "10.78.0.1", "--time", &time];
    lab.run_ok(Side::Client, &argv, Duration::from_secs(u64::from(seconds) + 10))?;
    let after = (session.client.cpu()?.total, carried(lab, session)?);
    let gigabytes = after.1.saturating_sub(before.1) as f64 / 1e9;
    Ok(after.0.saturating_sub(before.0).as_secs_f64() / gigabytes.max(1e-9))
}

/// The bytes that the session's interface has carried, both ways. (/sys shows the interfaces of the namespace in which it
/// was mounted.)
fn carried(lab: &Lab, session: &Session) -> Result<u64, LabError> {
    let output = lab.run_ok(Side::Client, &["cat", "/proc/net/dev"], Duration::from_secs(5))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let of_interface =
        |line: &str| Some(line.trim_start().strip_prefix(session.client.interface())?.strip_prefix(':')?.to_owned());
    let line = text.lines().find_map(of_interface).unwrap_or_default();
    // Received and sent: each has eight columns, of which bytes are the first.
    Ok(line.split_whitespace().step_by(8).filter_map(|bytes| bytes.parse::<u64>().ok()).sum())
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
