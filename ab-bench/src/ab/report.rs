//! The comparison that is computed from a report's runs. The data itself is in `schema`.

use serde::{Deserialize, Serialize};

use super::schema::{AGAIN, Metric, Phase, Report, Rig, Run, Way};
use crate::stats::{Estimate, median, ratio_estimate, wilcoxon_p};

/// Above this p a difference does not count as shown. With six pairs it means that all six agree.
const P_MAX: f64 = 0.05;

/// One contestant against the baseline in one metric and direction; or, if it is called [`AGAIN`], the baseline
/// against itself, which shows the noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Where.
    pub rig: Rig,
    /// With which setting.
    pub setting: String,
    /// What.
    pub metric: Metric,
    /// Which way.
    pub way: Way,
    /// Who, or [`AGAIN`].
    pub contestant: String,
    /// Against whom.
    pub baseline: String,
    /// The contestant's median.
    pub median: f64,
    /// The baseline's median.
    pub baseline_median: f64,
    /// Contestant / baseline, round by round.
    pub pair_ratios: Vec<f64>,
    /// Their geometric mean with 95 % interval (BCa bootstrap); absent for fewer than three pairs.
    pub ratio: Option<Estimate>,
    /// Two-sided p of the Wilcoxon signed-rank test.
    pub wilcoxon_p: Option<f64>,
    /// Half the width of the A/A interval for this metric and direction; absent if unknown.
    pub noise: Option<f64>,
    /// What that means.
    pub verdict: Verdict,
}

/// The meaning of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better than the baseline: the interval excludes 1 on the good side, p is below 0.05 and the ratio exceeds the
    /// noise.
    Better,
    /// Worse than the baseline, likewise.
    Worse,
    /// No difference was shown.
    NoDifference,
    /// Nothing can be said: too few pairs, or the A/A comparison shows a difference that is as large.
    Void,
    /// An A/A row whose interval holds 1, as it should.
    Quiet,
}

/// Where and what a row compares.
#[derive(Clone, Copy)]
struct Subject<'a> {
    rig: Rig,
    setting: &'a str,
    metric: Metric,
    way: Way,
}

impl Report {
    /// Computes the rows from the runs.
    pub fn compare(&mut self) {
        let mut rows = Vec::new();
        let baseline = self.baseline.clone();
        for (rig, setting) in self.places() {
            for metric in Metric::ALL {
                for way in [Way::Up, Way::Down, Way::Both, Way::None] {
                    let subject = Subject { rig, setting: &setting, metric: *metric, way };
                    let same = self.row(subject, Phase::Aa, AGAIN, &baseline, None);
                    let noise = same.ratio;
                    rows.push(same);
                    for contestant in self.contestants.iter().filter(|contestant| contestant.name != baseline) {
                        rows.push(self.row(subject, Phase::Ab, &contestant.name, &baseline, noise));
                    }
                }
            }
        }
        rows.retain(|row| !row.pair_ratios.is_empty());
        self.rows = rows;
    }

    /// The rigs and settings that there are runs of.
    fn places(&self) -> Vec<(Rig, String)> {
        let mut places = Vec::new();
        for run in &self.runs {
            if !places.iter().any(|(rig, setting)| (*rig, setting) == (run.rig, &run.setting)) {
                places.push((run.rig, run.setting.clone()));
            }
        }
        places
    }

    fn row(&self, subject: Subject<'_>, phase: Phase, contestant: &str, baseline: &str, same: Option<Estimate>) -> Row {
        let Subject { rig, setting, metric, way } = subject;
        let figures = |run: &Run| {
            let is_it = run.contestant == contestant && run.phase == phase && !run.disturbed;
            let ours = (is_it && (run.rig, &run.setting[..], run.way) == (rig, setting, way))
                .then(|| run.metrics.get(&metric))??;
            let beside = self.run(run, baseline).filter(|beside| !beside.disturbed)?;
            Some((*ours, *beside.metrics.get(&metric)?))
        };
        let pairs: Vec<(f64, f64)> = self.runs.iter().filter_map(figures).collect();
        let pair_ratios: Vec<f64> = pairs
            .iter()
            .filter(|(ours, theirs)| *ours > 0.0 && *theirs > 0.0)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        let logs: Vec<f64> = pair_ratios.iter().map(|ratio| ratio.ln()).collect();
        let ratio = ratio_estimate(&pair_ratios, self.seed);
        let wilcoxon_p = wilcoxon_p(&logs);
        let is_shown = wilcoxon_p.is_some_and(|p| p < P_MAX);
        let verdict =
            if contestant == AGAIN { verdict_on_noise(ratio) } else { verdict(metric, ratio, same, is_shown) };
        let side = |pick: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(pick).collect::<Vec<_>>());
        Row {
            rig,
            setting: setting.to_owned(),
            metric,
            way,
            contestant: contestant.to_owned(),
            baseline: baseline.to_owned(),
            median: side(|pair| pair.0),
            baseline_median: side(|pair| pair.1),
            pair_ratios,
            ratio,
            wilcoxon_p,
            noise: if contestant == AGAIN { ratio } else { same }.map(|estimate| estimate.half_width()),
            verdict,
        }
    }
}

fn verdict_on_noise(ratio: Option<Estimate>) -> Verdict {
    match ratio {
        Some(ratio) if ratio.contains(1.0) => Verdict::Quiet,
        _ => Verdict::Void,
    }
}

fn verdict(metric: Metric, ratio: Option<Estimate>, same: Option<Estimate>, is_shown: bool) -> Verdict {
    let (Some(ratio), Some(same)) = (ratio, same) else {
        return Verdict::Void;
    };
    if !same.contains(1.0) && (same.value - 1.0).abs() >= (ratio.value - 1.0).abs() {
        return Verdict::Void;
    }
    if !is_shown || ratio.contains(1.0) || (ratio.value - 1.0).abs() <= same.half_width() {
        return Verdict::NoDifference;
    }
    if (ratio.value > 1.0) == metric.more_is_better() { Verdict::Better } else { Verdict::Worse }
}
