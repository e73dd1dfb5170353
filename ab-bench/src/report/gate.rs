//! Gates: goals that a report meets or not, by the bound of the interval and not by the estimate.
//!
//! ```text
//! GATE    = SUBJECT METRIC [ "." WAY ] [ "@" RIG [ "/" SETTING ] ] OP NUMBER
//! SUBJECT = CONTESTANT "/" BASELINE     the ratio, as in the report's rows
//!         | CONTESTANT "/limit"         the share of the physical limit that is reached (0.7 is 70 %)
//!         | CONTESTANT                  the figure itself, in the metric's unit
//! WAY     = "up" | "down" | "both" | "none"
//! OP      = "<=" | "<" | ">=" | ">"
//! ```
//!
//! `rust/c cpu_s_per_gb.down <= 0.35` is met if the upper end of the 95 % interval is at most 0.35. Without a way, a rig or
//! a setting the gate holds for all that the report has, and there must be one. A void row meets nothing.

use std::str::FromStr;

use super::rows::{Row, Verdict};
use super::words::{figure, place};
use crate::ab::schema::{Metric, Report, Rig, Way};
use crate::stats::{Estimate, bca, mean};

/// A goal. Its text form is described at the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    text: String,
    contestant: String,
    against: Against,
    metric: Metric,
    way: Option<Way>,
    rig: Option<Rig>,
    setting: Option<String>,
    comparison: Comparison,
    bound: f64,
}

/// What a contestant is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Against {
    Baseline(String),
    Limit,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    AtLeast,
    Above,
}

/// Why a gate cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The text is not of the grammar's form.
    #[error("gate `{0}` is not of the form `rust/c cpu_s_per_gb.down <= 0.35`: {1}")]
    Form(String, &'static str),
    /// There is no such metric.
    #[error("gate `{text}`: unknown metric `{metric}`. There are: {known}")]
    UnknownMetric {
        /// The gate.
        text: String,
        /// What it names.
        metric: String,
        /// What it could name.
        known: String,
    },
    /// The report has no such contestant, or another baseline.
    #[error("gate `{text}`: the report has no {what}. It has: {known}")]
    Unknown {
        /// The gate.
        text: String,
        /// What is missing.
        what: String,
        /// What is there.
        known: String,
    },
}

/// What became of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether every row meets it.
    pub is_met: bool,
    /// One line per row that it was applied to.
    pub lines: Vec<String>,
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let form = |reason| GateError::Form(text.to_owned(), reason);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [subject, metric, comparison, bound] = words[..] else {
            return Err(form("four words, separated by blanks, are wanted"));
        };
        let (contestant, against) = match subject.split_once('/') {
            None => (subject, Against::Nothing),
            Some((contestant, "limit")) => (contestant, Against::Limit),
            Some((contestant, baseline)) => (contestant, Against::Baseline(baseline.to_owned())),
        };
        let (metric, place) = metric.split_once('@').map_or((metric, None), |(metric, place)| (metric, Some(place)));
        let (metric, way) = metric.split_once('.').map_or((metric, None), |(metric, way)| (metric, Some(way)));
        let ways = [Way::Up, Way::Down, Way::Both, Way::None];
        let way = way.map(|name| ways.into_iter().find(|way| way.name() == name));
        let (rig, setting) =
            match place.map(|place| place.split_once('/').map_or((place, None), |(rig, of)| (rig, Some(of)))) {
                None => (None, None),
                Some((rig, setting)) => {
                    let rig = [Rig::Real, Rig::Peer].into_iter().find(|known| known.name() == rig);
                    (Some(rig.ok_or_else(|| form("the rigs are real and peer"))?), setting.map(str::to_owned))
                }
            };
        Ok(Self {
            text: text.to_owned(),
            contestant: contestant.to_owned(),
            against,
            metric: Metric::from_name(metric).ok_or_else(|| GateError::UnknownMetric {
                text: text.to_owned(),
                metric: metric.to_owned(),
                known: Metric::ALL.iter().map(|metric| metric.name()).collect::<Vec<_>>().join(", "),
            })?,
            way: match way {
                Some(None) => return Err(form("the ways are up, down, both and none")),
                Some(way) => way,
                None => None,
            },
            rig,
            setting,
            comparison: match comparison {
                "<" => Comparison::Below,
                "<=" => Comparison::AtMost,
                ">=" => Comparison::AtLeast,
                ">" => Comparison::Above,
                _ => return Err(form("compare by <=, <, >= or >")),
            },
            bound: bound
                .parse()
                .ok()
                .filter(|bound: &f64| bound.is_finite())
                .ok_or_else(|| form("the last word is a number"))?,
        })
    }
}

impl Gate {
    /// Whether a report meets it.
    pub fn check(&self, report: &Report) -> Result<Outcome, GateError> {
        let unknown = |what: String, known: String| GateError::Unknown { text: self.text.clone(), what, known };
        let names: Vec<&str> = report.contestants.iter().map(|contestant| &contestant.name[..]).collect();
        if !names.contains(&&self.contestant[..]) {
            return Err(unknown(format!("contestant `{}`", self.contestant), names.join(", ")));
        }
        if let Against::Baseline(baseline) = &self.against
            && *baseline != report.baseline
        {
            return Err(unknown(format!("baseline `{baseline}`"), report.baseline.clone()));
        }
        let rows: Vec<&Row> = report.rows.iter().filter(|row| self.is_about(row, report)).collect();
        if rows.is_empty() {
            let has = |row: &&Row| row.contestant == self.contestant;
            let mut known: Vec<String> =
                report.rows.iter().filter(has).map(|row| format!("{}.{}", row.metric.name(), row.way.name())).collect();
            known.dedup();
            return Err(unknown(format!("such figure of `{}`", self.contestant), known.join(", ")));
        }
        let judged: Vec<(bool, String)> = rows.into_iter().map(|row| self.judge(report, row)).collect();
        let is_met = judged.iter().all(|(is_met, _)| *is_met);
        Ok(Outcome { is_met, lines: judged.into_iter().map(|(_, line)| line).collect() })
    }

    fn is_about(&self, row: &Row, report: &Report) -> bool {
        // The baseline's own figures are in its row against itself.
        let is_self = self.contestant == report.baseline && self.against != Against::Baseline(report.baseline.clone());
        let who = row.contestant == self.contestant || is_self && row.is_noise();
        who && row.metric == self.metric
            && self.way.is_none_or(|way| way == row.way)
            && self.rig.is_none_or(|rig| rig == row.rig)
            && self.setting.as_ref().is_none_or(|setting| *setting == row.setting)
    }

    fn judge(&self, report: &Report, row: &Row) -> (bool, String) {
        let interval = match self.against {
            Against::Baseline(_) if row.verdict == Verdict::Void => None,
            Against::Baseline(_) => {
                row.ratio.or_else(|| row.plain_ratio().filter(|_| row.verdict == Verdict::Counted).map(point))
            }
            Against::Nothing => own(row, report.seed),
            Against::Limit => report.reached(row).zip(own(row, report.seed)).map(|((limit, _), own)| {
                let share =
                    |value: f64| if row.metric.more_is_better() { value / limit.value } else { limit.value / value };
                let ends = [share(own.low), share(own.high)];
                Estimate { value: share(own.value), low: ends[0].min(ends[1]), high: ends[0].max(ends[1]) }
            }),
        };
        let place = place(report, row);
        let Some(Estimate { value, low, high }) = interval else {
            return (false, format!("NOT MET  {}{place}: nothing can be said, the row is void", self.text));
        };
        let is_met = match self.comparison {
            Comparison::Below => high < self.bound,
            Comparison::AtMost => high <= self.bound,
            Comparison::AtLeast => low >= self.bound,
            Comparison::Above => low > self.bound,
        };
        let word = if is_met { "met     " } else { "NOT MET " };
        (is_met, format!("{word} {}{place}: {} (95 %: {} to {})", self.text, figure(value), figure(low), figure(high)))
    }
}

/// A figure that was counted, not estimated.
fn point(value: f64) -> Estimate {
    Estimate { value, low: value, high: value }
}

/// The mean of a contestant's own figures with its interval.
fn own(row: &Row, seed: u64) -> Option<Estimate> {
    let figures: Vec<f64> = row.pairs.iter().map(|(ours, _)| *ours).collect();
    match figures[..] {
        [figure] if row.verdict == Verdict::Counted => Some(point(figure)),
        [_, _, _, ..] => Some(bca(&figures, mean, 0.95, 10_000, seed)),
        _ => None,
    }
}
