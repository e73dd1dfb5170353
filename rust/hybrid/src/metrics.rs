//! What a collector gets: the swaps' counters and times, the session, frames and their losses, in OpenMetrics' text form.
//! Made from the switch and the client's last report at each request; nothing is counted here.

use crate::{control_socket, modes};
use cedar::framing::DropReason;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use switch::{Counters, Swap, TimeSummary};

/// The metrics at this moment.
pub(crate) fn text() -> String {
    let mut registry = Registry::with_prefix("cutover");
    registry.register_collector(Box::new(Now));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut text, &registry);
    text
}

/// Everything, read when it is encoded.
#[derive(Debug)]
struct Now;

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let swaps: Vec<(&Swap, Counters)> =
            modes::board().entries().map(|entry| (entry.swap, entry.swap.counters())).collect();
        implementation(&mut encoder, &swaps)?;
        calls(&mut encoder, &swaps)?;
        evidence(&mut encoder, &swaps)?;
        times(&mut encoder, &swaps)?;
        session(&mut encoder)
    }
}

/// `cutover_swap_share`: the share of traffic that each mode has, so that the modes of one swap add up to 1.
fn implementation(encoder: &mut DescriptorEncoder<'_>, swaps: &[(&Swap, Counters)]) -> fmt::Result {
    let mut family = encoder.encode_descriptor(
        "swap_share",
        "Which side serves a function: the share of its traffic by mode; shadow and rust leave the rest to c",
        None,
        MetricType::Gauge,
    )?;
    for (swap, _) in swaps {
        let (info, setting) = (swap.info(), swap.setting());
        let share = f64::from(setting.percent()) / 100.0;
        for mode in switch::Mode::ALL {
            let rest = if mode == switch::Mode::C { 1.0 - share } else { 0.0 };
            let value = if setting.mode() == mode { share } else { rest };
            let labels = [("swap", info.name), ("group", info.group), ("mode", mode.name())];
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
    }
    let mut family = encoder.encode_descriptor("build", "The build that runs", None, MetricType::Info)?;
    family.encode_info(&[("id", switch::build_id())])
}

fn calls(encoder: &mut DescriptorEncoder<'_>, swaps: &[(&Swap, Counters)]) -> fmt::Result {
    let help = "Calls by the side that served them; shadow ran on both";
    let mut family = encoder.encode_descriptor("calls", help, None, MetricType::Counter)?;
    for (swap, counters) in swaps {
        for (side, calls) in [("c", counters.calls_c), ("rust", counters.calls_rust), ("shadow", counters.calls_shadow)]
        {
            count(family.encode_family(&[("swap", swap.info().name), ("side", side)])?, calls)?;
        }
    }
    Ok(())
}

fn evidence(encoder: &mut DescriptorEncoder<'_>, swaps: &[(&Swap, Counters)]) -> fmt::Result {
    type Read = fn(&Counters) -> u64;
    let kinds: [(&str, &str, Read); 4] = [
        ("mismatches", "Comparisons that differed", |counters| counters.mismatches),
        ("panics", "Panics of the Rust side", |counters| counters.panics),
        ("fallbacks", "Calls given to Rust that C served in the end", |counters| counters.fallbacks),
        ("demotions", "How often a function was taken back to C by evidence", |counters| counters.demotions),
    ];
    for (name, help, read) in kinds {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (swap, counters) in swaps {
            count(family.encode_family(&[("swap", swap.info().name)])?, read(counters))?;
        }
    }
    let help = "The first mismatches of a function, by what differed";
    let mut family = encoder.encode_descriptor("mismatch_records", help, None, MetricType::Counter)?;
    for (swap, _) in swaps {
        let records = swap.records();
        for kind in [switch::Kind::Length, switch::Kind::Bytes, switch::Kind::Result, switch::Kind::State] {
            let number = records.iter().filter(|record| record.kind == kind).count() as u64;
            let name = kind.to_string();
            count(family.encode_family(&[("swap", swap.info().name), ("kind", name.as_str())])?, number)?;
        }
    }
    let help = "1 for a function that evidence keeps on C until it is promoted";
    let mut family = encoder.encode_descriptor("demoted", help, None, MetricType::Gauge)?;
    for (swap, _) in swaps {
        let demoted = i64::from(swap.status().demoted.is_some());
        family.encode_family(&[("swap", swap.info().name)])?.encode_gauge(&demoted)?;
    }
    Ok(())
}

fn times(encoder: &mut DescriptorEncoder<'_>, swaps: &[(&Swap, Counters)]) -> fmt::Result {
    let help = "Timed calls of each side";
    let mut family = encoder.encode_descriptor("call_seconds", help, None, MetricType::Histogram)?;
    for (swap, counters) in swaps {
        for (side, times) in [("c", &counters.times.c), ("rust", &counters.times.rust)] {
            histogram(family.encode_family(&[("swap", swap.info().name), ("side", side)])?, times)?;
        }
    }
    Ok(())
}

fn histogram(mut metric: MetricEncoder<'_>, times: &TimeSummary) -> fmt::Result {
    let mut below_before = 0;
    // The encoder adds the buckets up again.
    let mut buckets: Vec<(f64, u64)> = times
        .cumulative()
        .map(|(ns, below)| (ns as f64 / 1e9, below - std::mem::replace(&mut below_before, below)))
        .collect();
    // Prometheus makes no quantile of a histogram without the bucket `+Inf`.
    buckets.push((f64::INFINITY, times.samples().saturating_sub(below_before)));
    metric.encode_histogram::<NoLabelSet>(times.sum_ns() as f64 / 1e9, times.samples(), &buckets, None)
}

fn session(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let seen = control_socket::figures();
    let gauges = [("sessions", "Sessions that carry frames, by the side that moves them", seen.path())];
    for (name, help, values) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (path, value) in values {
            family.encode_family(&[("adapter", path)])?.encode_gauge(&value)?;
        }
    }
    let directions = [("sent", seen.sent), ("received", seen.received)];
    let mut family = encoder.encode_descriptor("frames", "Ethernet frames carried", None, MetricType::Counter)?;
    for (way, traffic) in directions {
        count(family.encode_family(&[("way", way)])?, traffic.frames)?;
    }
    let mut family = encoder.encode_descriptor("bytes", "Their bytes", None, MetricType::Counter)?;
    for (way, traffic) in directions {
        count(family.encode_family(&[("way", way)])?, traffic.bytes)?;
    }
    let help = "Frames that the framing has dropped, by reason";
    let mut family = encoder.encode_descriptor("dropped_frames", help, None, MetricType::Counter)?;
    for reason in DropReason::ALL {
        count(family.encode_family(&[("reason", reason.name())])?, swaps::drops::dropped(reason))?;
    }
    let help = "Sessions made again";
    let reconnects = encoder.encode_descriptor("reconnects", help, None, MetricType::Counter)?;
    count(reconnects, seen.reconnects)?;
    let help = "CPU time of the process";
    let mut cpu = encoder.encode_descriptor("cpu_seconds", help, None, MetricType::Counter)?;
    cpu.encode_counter::<NoLabelSet, _, u64>(&crate::rollout::cpu().as_secs_f64(), None)
}

fn count(mut metric: MetricEncoder<'_>, value: u64) -> fmt::Result {
    metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_swap_has_its_rows_and_the_text_ends_as_it_must() {
        let text = text();
        assert!(text.ends_with("# EOF\n"), "{text}");
        for swap in modes::board().entries().map(|entry| entry.swap.info().name) {
            for row in [
                format!("cutover_swap_share{{swap=\"{swap}\",group="),
                format!("cutover_calls_total{{swap=\"{swap}\",side=\"rust\"}}"),
                format!("cutover_mismatches_total{{swap=\"{swap}\"}}"),
                format!("cutover_call_seconds_count{{swap=\"{swap}\",side=\"c\"}}"),
                format!("cutover_call_seconds_bucket{{le=\"+Inf\",swap=\"{swap}\",side=\"c\"}}"),
            ] {
                assert!(text.contains(&row), "{row} is missing");
            }
        }
        for row in
            ["cutover_dropped_frames_total{reason=\"oversize\"}", "cutover_reconnects_total ", "cutover_build_info{id="]
        {
            assert!(text.contains(row), "{row} is missing: {text}");
        }
    }

    /// A rule or a panel that asks for a name that is nowhere is silent for ever.
    #[test]
    fn what_alerts_and_dashboard_ask_for_is_there() {
        let text = text();
        let asked = concat!(
            include_str!("../../../docs/grafana/alerts.yml"),
            include_str!("../../../docs/grafana/cutover.json")
        );
        let names = asked.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: Vec<&str> = names.filter(|name| name.starts_with("cutover_")).collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            assert!(text.contains(&format!("\n{name}")), "{name} is not among the metrics");
        }
    }
}
