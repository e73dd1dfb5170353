//! Periods that are made up.

use super::*;
use crate::ab::schema::{Metric, Way};
use crate::report::{Verdict, table};

/// A client that needs 4 s/GB on C and 1 s/GB on Rust, scraped each minute, with 1 GB a minute.
struct Made {
    moments: Vec<Moment>,
    cpu_s: f64,
    bytes: f64,
    calls: [f64; 2],
    build: &'static str,
}

impl Made {
    fn new() -> Self {
        Self { moments: Vec::new(), cpu_s: 0.0, bytes: 0.0, calls: [0.0; 2], build: "1+a" }
    }

    /// A minute, then a scrape with the swap in this mode.
    fn minute(&mut self, mode: &str, cpu_s: f64) -> &mut Self {
        self.cpu_s += cpu_s;
        self.bytes += 1e9;
        self.calls[usize::from(mode == "rust")] += 100.0;
        let share = |of| f64::from(u8::from(of == mode));
        let [c, rust] = self.calls;
        let mut text = format!(
            "cutover_build_info{{id=\"{}\"}} 1\ncutover_cpu_seconds_total {}\ncutover_bytes_total{{way=\"sent\"}} {}\n\
             cutover_swap_share{{swap=\"f\",mode=\"c\"}} {}\ncutover_swap_share{{swap=\"f\",mode=\"rust\"}} {}\n\
             cutover_swap_share{{swap=\"g\",mode=\"rust\"}} 1\ncutover_mismatches_total{{swap=\"f\"}} 0\n",
            self.build,
            self.cpu_s,
            self.bytes,
            share("c"),
            share("rust"),
        );
        for (side, calls, ns) in [("c", c, 200.0), ("rust", rust, 100.0)] {
            let labels = format!("swap=\"f\",side=\"{side}\"");
            text.push_str(&format!(
                "cutover_calls_total{{{labels}}} {calls}\ncutover_call_seconds_count{{{labels}}} {calls}\n\
                 cutover_call_seconds_sum{{{labels}}} {}\ncutover_call_seconds_bucket{{{labels},le=\"{:e}\"}} {calls}\n\
                 cutover_call_seconds_bucket{{{labels},le=\"+Inf\"}} {calls}\n",
                calls * ns * 1e-9,
                ns * 1e-9,
            ));
        }
        let unix_s = 1e9 + 60.0 * self.moments.len() as f64;
        self.moments.push(Moment { unix_s, scrape: Scrape::parse(&text).unwrap() });
        self
    }

    fn report(&self) -> Report {
        let mut report = from_scrapes(&self.moments, Vec::new()).unwrap();
        report.compare();
        report
    }
}

/// Whole minutes of each side, with some spread.
fn period() -> Made {
    let mut made = Made::new();
    made.minute("c", 4.0);
    (0..16).for_each(|i| _ = made.minute("c", 4.0 + 0.02 * f64::from(i % 3)));
    (0..8).for_each(|i| _ = made.minute("rust", 1.0 + 0.01 * f64::from(i % 3)));
    made
}

#[test]
fn what_rust_needs_less_is_shown() {
    let report = period().report();
    let row = report.rows.iter().find(|row| row.contestant == "rust").unwrap();
    // The minute in which the swap was set belongs to nobody.
    assert_eq!((row.metric, row.way, row.pairs.len()), (Metric::CpuSPerGb, Way::Both, 7));
    let ratio = row.ratio.unwrap();
    assert!(ratio.low < 0.26 && ratio.high > 0.24 && ratio.high < 0.3, "{ratio:?}");
    assert_eq!(row.verdict, Verdict::Better);
    assert!(table(&report).contains("rust / c"), "{}", table(&report));
    assert!(report.failures.is_empty());
    assert!(report.notes.iter().any(|note| note == "what moved: f"), "{:?}", report.notes);
    assert!(report.notes.iter().any(|note| note == "on rust in both: g"), "{:?}", report.notes);
    let ns = |side: &str| report.micro.iter().find(|row| row.side == side).unwrap().ns;
    assert!((ns("c").value - 200.0).abs() < 1e-6 && (ns("rust").value - 100.0).abs() < 1e-6);
}

/// Without a change nothing is compared, and nothing is made up.
#[test]
fn a_period_on_one_side_compares_nothing() {
    let mut made = Made::new();
    (0..6).for_each(|_| _ = made.minute("c", 4.0));
    let report = made.report();
    assert_eq!((report.runs.len(), report.rows.len()), (0, 0));
    assert!(report.notes.iter().any(|note| note.contains("nothing is compared")), "{:?}", report.notes);
}

/// A process that began anew counts from zero: what lies across that is left out, and a new build's, too.
#[test]
fn a_restart_and_a_new_build_are_left_out() {
    let mut made = period();
    (made.cpu_s, made.bytes, made.calls) = (0.0, 0.0, [0.0; 2]);
    made.minute("rust", 9.0);
    made.build = "1+b";
    made.minute("rust", 9.0);
    let report = made.report();
    let note = report.notes.iter().find(|note| note.contains(" intervals: ")).unwrap();
    assert!(note.starts_with("26 intervals: 16 on c, 7 on rust, 1 of neither"), "{note}");
    assert!(note.ends_with("2 in which the process or its build changed"), "{note}");
}

#[test]
fn what_went_wrong_is_a_failure_of_the_report() {
    let mut made = period();
    let last = made.moments.last_mut().unwrap();
    let text = "cutover_build_info{id=\"1+a\"} 1\ncutover_cpu_seconds_total 99\ncutover_bytes_total 99e9\n\
        cutover_swap_share{swap=\"f\",mode=\"c\"} 1\ncutover_calls_total{swap=\"f\",side=\"c\"} 99999\n\
        cutover_mismatches_total{swap=\"f\"} 2\ncutover_reconnects_total 1\n";
    last.scrape = Scrape::parse(text).unwrap();
    let reasons: Vec<String> = made.report().failures.into_iter().map(|failure| failure.reason).collect();
    assert_eq!(reasons, ["f: 2 mismatches", "1 reconnects"]);
}

#[test]
fn what_is_no_period_is_refused() {
    let made = period();
    assert!(from_scrapes(&made.moments[..1], Vec::new()).unwrap_err().contains("at least two"));
    let foreign = Moment { unix_s: 0.0, scrape: Scrape::parse("up 1\n").unwrap() };
    let error = from_scrapes(&[foreign.clone(), foreign], Vec::new()).unwrap_err();
    assert!(error.contains("scrape 1 has no cutover_cpu_seconds_total"), "{error}");
}
