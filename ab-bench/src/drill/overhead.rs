//! What comparing costs: the client's CPU per GB, up and down, with every function on C, with each of the framing's leaves in
//! shadow, with all of them, and with all of them in 1 % of calls; in turns, so that a slow drift of the machine meets all
//! alike.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Options, Session, start};
use crate::lab::{Lab, LabError, LabOptions, Side};

/// How often each setting is measured, each way.
const ROUNDS: usize = 3;

/// Leaves of the framing that can be shadowed.
const LEAVES: [&str; 6] = ["write_fifo", "read_fifo", "get_fifo_pointer", "get_next", "insert_queue", "new_block"];

/// What was measured, each way.
#[derive(Debug, Clone, Serialize)]
pub struct OverheadReport {
    /// From the client to the server.
    pub up: WayReport,
    /// From the server to the client.
    pub down: WayReport,
}

/// The medians of one way.
#[derive(Debug, Clone, Serialize)]
pub struct WayReport {
    /// CPU seconds per GB with everything on C.
    pub c: f64,
    /// How much more each setting needs, in percent.
    pub more_percent: Vec<(String, f64)>,
    /// The largest deviation of C from its own median, in percent: what smaller differences mean nothing against.
    pub noise_percent: f64,
}

impl fmt::Display for OverheadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "overhead up: {}\noverhead down: {}", self.up, self.down)
    }
}

impl fmt::Display for WayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} CPU-s/GB on c (±{:.0} %, {ROUNDS} rounds)", self.c, self.noise_percent)?;
        self.more_percent.iter().try_for_each(|(setting, more)| write!(f, "; {setting} {more:+.0} %"))
    }
}

/// A name, and the leaves that are in shadow then, with their share.
type Setting = (String, &'static [&'static str], &'static str);

/// Everything on C comes first.
fn settings() -> Vec<Setting> {
    let alone = LEAVES.iter().map(|leaf| (format!("{leaf}=shadow"), std::slice::from_ref(leaf), ""));
    let mut settings: Vec<Setting> = std::iter::once(("c".to_owned(), &[][..], "")).chain(alone).collect();
    settings.push(("all in shadow".into(), &LEAVES, ""));
    settings.push(("all in shadow@1%".into(), &LEAVES, "@1%"));
    settings
}

pub(super) fn measure(options: &Options, seconds: u32) -> Result<OverheadReport, LabError> {
    let server_dir = options.server_dir.clone().unwrap_or_else(|| options.programs.join("../libexec/cutover"));
    let lab = Lab::start(&LabOptions { server_dir: Some(server_dir), ..LabOptions::default() })?;
    let _server = lab.serve_iperf()?;
    let session = start(&lab, options, 0, "cutover-rust", &[("CUTOVER_SWAPS", "*=c")])?;
    let settings = settings();
    let mut samples = [vec![Vec::new(); settings.len()], vec![Vec::new(); settings.len()]];
    for _ in 0..ROUNDS {
        for (place, (_, leaves, share)) in settings.iter().enumerate() {
            let modes = LEAVES.map(|leaf| match leaves.contains(&leaf) {
                true => format!("{leaf}=shadow{share}"),
                false => format!("{leaf}=c"),
            });
            session.controls.swaps(&lab, &["set", &modes.join(",")])?;
            for (samples, way) in samples.iter_mut().zip([&[][..], &["--reverse"]]) {
                samples[place].push(cpu_per_gb(&lab, &session, seconds, way)?);
            }
        }
    }
    let [up, down] = samples.map(|samples| report(&settings, &samples));
    Ok(OverheadReport { up, down })
}

/// `samples` in the order of the settings.
fn report(settings: &[Setting], samples: &[Vec<f64>]) -> WayReport {
    let of_c = samples.first().map(Vec::as_slice).unwrap_or_default();
    let c = median(of_c);
    let percent = |value: f64| (value / c - 1.0) * 100.0;
    let more_percent = settings
        .iter()
        .zip(samples)
        .skip(1)
        .map(|((name, ..), samples)| (name.clone(), percent(median(samples))))
        .collect();
    let noise_percent = of_c.iter().map(|sample| percent(*sample).abs()).fold(0.0, f64::max);
    WayReport { c, more_percent, noise_percent }
}

/// `way` are options of iperf3.
fn cpu_per_gb(lab: &Lab, session: &Session, seconds: u32, way: &[&str]) -> Result<f64, LabError> {
    let before = (session.client.cpu()?.total, carried(lab, session)?);
    let time = seconds.to_string();
    let argv = [&["iperf3", "--client", "10.78.0.1", "--time", &time], way].concat();
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
