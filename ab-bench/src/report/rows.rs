//! The comparison: what a report's runs say when they are paired. The data itself is in `ab::schema`.

use serde::{Deserialize, Serialize};

use crate::ab::schema::{AGAIN, Limit, Metric, Phase, Report, Rig, Run, Way};
use crate::stats::{Estimate, median, ratio_estimate, wilcoxon_p};

/// Above this p a difference does not count as shown. With six pairs it means that all six agree.
const P_MAX: f64 = 0.05;
/// With fewer pairs nothing is said.
pub(super) const PAIRS_MIN: usize = 3;

/// One contestant against the baseline in one metric and way; or, if it is called [`AGAIN`], the baseline against
/// itself, which shows the noise.
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
    /// The figures of the contestant and of the baseline, round by round.
    pub pairs: Vec<(f64, f64)>,
    /// Contestant / baseline, of the pairs in which neither is zero.
    pub pair_ratios: Vec<f64>,
    /// Their geometric mean with 95 % interval (BCa bootstrap); absent for fewer than three, or if a figure is zero.
    pub ratio: Option<Estimate>,
    /// Two-sided p of the Wilcoxon signed-rank test, of the log ratios; of the differences if a figure is zero.
    pub wilcoxon_p: Option<f64>,
    /// Half the width of the A/A interval for this metric and way; absent if unknown.
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
    /// Nothing can be said: too few pairs, an A/A comparison that shows a difference as large, or noise above the floor
    /// that was asked for.
    Void,
    /// An A/A row whose interval holds 1, as it should.
    Quiet,
    /// Counted once under instruments, not timed: there is no interval and no noise.
    Counted,
}

impl Row {
    /// Whether this is the baseline against itself.
    #[must_use]
    pub fn is_noise(&self) -> bool {
        self.contestant == AGAIN
    }

    /// Whether it is of one way. In production nobody tells the ways apart, so both together stand for them.
    #[must_use]
    pub fn is_of_a_way(&self) -> bool {
        self.way != Way::Both || self.rig == Rig::Production
    }

    /// The quotient of the medians, for rows without an estimate.
    #[must_use]
    pub fn plain_ratio(&self) -> Option<f64> {
        let ratio = self.median / self.baseline_median;
        ratio.is_finite().then_some(ratio)
    }
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
                        rows.push(self.row(subject, Phase::Counted, &contestant.name, &baseline, None));
                    }
                }
            }
        }
        rows.retain(|row| !row.pairs.is_empty());
        self.rows = rows;
    }

    /// The rigs and settings that there are runs of, in their order.
    #[must_use]
    pub fn places(&self) -> Vec<(Rig, String)> {
        let mut places = Vec::new();
        for run in &self.runs {
            if !places.iter().any(|(rig, setting)| (*rig, setting) == (run.rig, &run.setting)) {
                places.push((run.rig, run.setting.clone()));
            }
        }
        places
    }

    /// The widest A/A interval among client CPU and goodput, as half its width: what the report cannot tell apart.
    #[must_use]
    pub fn noise(&self) -> Option<f64> {
        let headline = |row: &&Row| matches!(row.metric, Metric::CpuSPerGb | Metric::GoodputGbitPerS);
        let same = self.rows.iter().filter(|row| row.is_noise()).filter(headline);
        same.filter_map(|row| row.noise).reduce(f64::max)
    }

    /// Whether the noise exceeds the floor that was asked for, or is unknown although one was.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.noise_floor_max.is_some_and(|floor| self.noise().is_none_or(|noise| noise > floor))
    }

    /// The physical limit for what a row compares, and the share of it (0..=1) that its contestant reaches.
    #[must_use]
    pub fn reached(&self, row: &Row) -> Option<(&Limit, f64)> {
        let place = (row.rig, &row.setting, row.metric, row.way);
        let limits = &self.calibration.as_ref()?.limits;
        let limit = limits.iter().find(|limit| (limit.rig, &limit.setting, limit.metric, limit.way) == place)?;
        let share = if row.metric.more_is_better() { row.median / limit.value } else { limit.value / row.median };
        share.is_finite().then_some((limit, share))
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
        let has_zero = pairs.iter().any(|(ours, theirs)| *ours <= 0.0 || *theirs <= 0.0);
        let quotients = pairs.iter().filter(|(ours, theirs)| *ours > 0.0 && *theirs > 0.0);
        let pair_ratios: Vec<f64> = quotients.map(|(ours, theirs)| ours / theirs).collect();
        let ratio = if has_zero { None } else { ratio_estimate(&pair_ratios, self.seed) };
        let differences: Vec<f64> = if has_zero {
            pairs.iter().map(|(ours, theirs)| ours - theirs).collect()
        } else {
            pair_ratios.iter().map(|ratio| ratio.ln()).collect()
        };
        let side = |pick: fn(&(f64, f64)) -> f64| median(&pairs.iter().map(pick).collect::<Vec<_>>());
        let mut row = Row {
            rig,
            setting: setting.to_owned(),
            metric,
            way,
            contestant: contestant.to_owned(),
            baseline: baseline.to_owned(),
            median: side(|pair| pair.0),
            baseline_median: side(|pair| pair.1),
            pairs,
            pair_ratios,
            ratio,
            wilcoxon_p: wilcoxon_p(&differences),
            noise: if contestant == AGAIN { ratio } else { same }.map(|estimate| estimate.half_width()),
            verdict: Verdict::Void,
        };
        row.verdict = match phase {
            Phase::Counted => Verdict::Counted,
            Phase::Aa => verdict_on_noise(&row),
            _ if has_zero => verdict_on_differences(&row),
            _ => self.verdict(&row, same),
        };
        row
    }

    fn verdict(&self, row: &Row, same: Option<Estimate>) -> Verdict {
        let (Some(ratio), Some(same)) = (row.ratio, same) else {
            return Verdict::Void;
        };
        let is_loud = self.noise_floor_max.is_some_and(|floor| same.half_width() > floor);
        if is_loud || !same.contains(1.0) && (same.value - 1.0).abs() >= (ratio.value - 1.0).abs() {
            return Verdict::Void;
        }
        let is_shown = row.wilcoxon_p.is_some_and(|p| p < P_MAX);
        if !is_shown || ratio.contains(1.0) || (ratio.value - 1.0).abs() <= same.half_width() {
            return Verdict::NoDifference;
        }
        if (ratio.value > 1.0) == row.metric.more_is_better() { Verdict::Better } else { Verdict::Worse }
    }
}

fn verdict_on_noise(row: &Row) -> Verdict {
    match row.ratio {
        Some(ratio) if ratio.contains(1.0) => Verdict::Quiet,
        // Zero against zero is what an undisturbed baseline shows in lost frames.
        None if row.pairs.len() >= PAIRS_MIN && row.wilcoxon_p.is_none_or(|p| p >= P_MAX) => Verdict::Quiet,
        _ => Verdict::Void,
    }
}

/// Where figures may be zero there is no ratio, and the differences decide.
fn verdict_on_differences(row: &Row) -> Verdict {
    if row.pairs.len() < PAIRS_MIN {
        return Verdict::Void;
    }
    let more = row.pairs.iter().filter(|(ours, theirs)| ours > theirs).count();
    let less = row.pairs.iter().filter(|(ours, theirs)| ours < theirs).count();
    match row.wilcoxon_p {
        Some(p) if p < P_MAX && (more > less) == row.metric.more_is_better() => Verdict::Better,
        Some(p) if p < P_MAX => Verdict::Worse,
        _ => Verdict::NoDifference,
    }
}
