//! The statistics of paired runs: a BCa bootstrap interval and the exact Wilcoxon signed-rank test.
//!
//! `statrs` has neither, and the crates that do approximate the test where values are tied or have no users yet; the normal
//! distribution comes from `statrs`. Both are tested against published values, here and in tests/stats.rs.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Estimate {
    /// Whether the interval contains `value`.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half the interval's width.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

const RESAMPLES: usize = 10_000;

/// The geometric mean of ratios with its 95 % interval; `None` for fewer than three ratios or one that is not
/// positive and finite. The same seed gives the same interval.
#[must_use]
pub fn ratio_estimate(ratios: &[f64], seed: u64) -> Option<Estimate> {
    if ratios.len() < 3 || !ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0) {
        return None;
    }
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let Estimate { value, low, high } = bca(&logs, mean, 0.95, RESAMPLES, seed);
    Some(Estimate { value: value.exp(), low: low.exp(), high: high.exp() })
}

/// The arithmetic mean; of nothing, NaN.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The median; of nothing, NaN.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// Bias-corrected and accelerated bootstrap interval (Efron, "Better bootstrap confidence intervals", 1987).
#[must_use]
pub fn bca(sample: &[f64], statistic: fn(&[f64]) -> f64, level: f64, resamples: usize, seed: u64) -> Estimate {
    let value = statistic(sample);
    let mut rng = StdRng::seed_from_u64(seed);
    let mut resample = vec![0.0; sample.len()];
    let mut estimates: Vec<f64> = (0..resamples)
        .map(|_| {
            resample.fill_with(|| sample[rng.random_range(0..sample.len())]);
            statistic(&resample)
        })
        .collect();
    estimates.sort_by(f64::total_cmp);

    let normal = Normal::standard();
    let below = estimates.partition_point(|estimate| *estimate < value);
    let up_to = estimates.partition_point(|estimate| *estimate <= value);
    // Half of the ties count as below, so that a statistic with few values has no bias by them.
    let share = (below + up_to) as f64 / (2 * resamples) as f64;
    if share <= 0.0 || share >= 1.0 || estimates[0] == estimates[resamples - 1] {
        return Estimate { value, low: estimates[0], high: estimates[resamples - 1] };
    }
    let bias = normal.inverse_cdf(share);
    let acceleration = acceleration(sample, statistic);
    let bound = |tail: f64| {
        let shifted = bias + normal.inverse_cdf(tail);
        quantile(&estimates, normal.cdf(bias + shifted / (1.0 - acceleration * shifted)))
    };
    let tail = (1.0 - level) / 2.0;
    Estimate { value, low: bound(tail), high: bound(1.0 - tail) }
}

/// A sixth of the skewness of the jackknife.
fn acceleration(sample: &[f64], statistic: fn(&[f64]) -> f64) -> f64 {
    let left_out: Vec<f64> = (0..sample.len())
        .map(|index| {
            let mut rest = sample.to_vec();
            rest.remove(index);
            statistic(&rest)
        })
        .collect();
    let centre = mean(&left_out);
    let (squares, cubes) = left_out.iter().fold((0.0, 0.0), |(squares, cubes), estimate| {
        let deviation = centre - estimate;
        (squares + deviation.powi(2), cubes + deviation.powi(3))
    });
    if squares == 0.0 { 0.0 } else { cubes / (6.0 * f64::powf(squares, 1.5)) }
}

/// Linear interpolation between order statistics (type 7 of Hyndman and Fan).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (position - position.floor())
}

/// The two-sided p-value of the Wilcoxon signed-rank test, exact also with ties; zeros are left out.
/// `None` if nothing is left.
#[must_use]
pub fn wilcoxon_p(differences: &[f64]) -> Option<f64> {
    let mut nonzero: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    if nonzero.is_empty() || nonzero.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    nonzero.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = doubled_ranks(&nonzero);
    let positive: usize = nonzero.iter().zip(&ranks).filter(|(value, _)| **value > 0.0).map(|(_, rank)| rank).sum();
    let total: usize = ranks.iter().sum();
    // chances[s] = the probability that the ranks with a positive sign sum up to s when signs are coin tosses.
    let mut chances = vec![0.0; total + 1];
    chances[0] = 1.0;
    for rank in ranks {
        for sum in (0..=total).rev() {
            chances[sum] = (chances[sum] + if sum >= rank { chances[sum - rank] } else { 0.0 }) / 2.0;
        }
    }
    let extreme = positive.min(total - positive);
    Some((2.0 * chances[..=extreme].iter().sum::<f64>()).min(1.0))
}

/// Twice the rank of each value among ascending absolute values; ties share their mean, doubling keeps it whole.
fn doubled_ranks(ascending: &[f64]) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(ascending.len());
    for ties in ascending.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        let last = ranks.len() + ties.len();
        ranks.extend(std::iter::repeat_n(first + last, ties.len()));
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance
    }

    /// Efron and Tibshirani, An Introduction to the Bootstrap (1993), table 14.1 and section 14.2: the variance of
    /// the spatial test data, 90 % BCa interval (115.8, 259.6) from 2000 resamples.
    #[test]
    fn bca_agrees_with_efron_and_tibshirani() {
        const DATA: [f64; 26] = [
            48., 36., 20., 29., 42., 42., 20., 42., 22., 41., 45., 14., 6., 0., 33., 28., 34., 4., 32., 24., 47., 41.,
            24., 26., 30., 41.,
        ];
        fn variance(values: &[f64]) -> f64 {
            let centre = mean(values);
            values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / values.len() as f64
        }
        let estimate = bca(&DATA, variance, 0.90, 20_000, 1);
        assert!(close(estimate.value, 171.5, 0.05), "{estimate:?}");
        assert!(close(estimate.low, 115.8, 3.0), "{estimate:?}");
        assert!(close(estimate.high, 259.6, 5.0), "{estimate:?}");
        assert!(close(acceleration(&DATA, variance), 0.061, 0.0005));
    }

    /// Hollander and Wolfe (1973), the depression scale of nine patients: V = 40, two-sided p = 0.0390625.
    #[test]
    #[allow(clippy::approx_constant, reason = "3.14 is a patient, not a circle")]
    fn wilcoxon_agrees_with_hollander_and_wolfe() {
        let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let differences: Vec<f64> = before.iter().zip(after).map(|(a, b)| a - b).collect();
        assert!(close(wilcoxon_p(&differences).unwrap(), 0.039_062_5, 1e-12));
    }

    /// With n equal signs the two-sided p is 2 / 2^n.
    #[test]
    fn wilcoxon_of_equal_signs() {
        assert!(close(wilcoxon_p(&[1., 2., 3., 4., 5., 6.]).unwrap(), 2.0 / 64.0, 1e-12));
        assert!(close(wilcoxon_p(&[-1.; 6]).unwrap(), 2.0 / 64.0, 1e-12), "ties");
        assert_eq!(wilcoxon_p(&[0.0, 0.0]), None);
        assert!(close(wilcoxon_p(&[1.0, -1.0]).unwrap(), 1.0, 1e-12));
    }

    #[test]
    fn the_interval_of_equal_ratios_is_a_point() {
        let estimate = ratio_estimate(&[2.0; 5], 1).unwrap();
        assert!(close(estimate.low, 2.0, 1e-12) && close(estimate.high, 2.0, 1e-12), "{estimate:?}");
    }

    #[test]
    fn too_few_and_unusable_ratios_have_no_interval() {
        assert_eq!(ratio_estimate(&[1.0, 1.1], 1), None);
        assert_eq!(ratio_estimate(&[1.0, 0.0, 1.0], 1), None);
        assert_eq!(ratio_estimate(&[1.0, f64::NAN, 1.0], 1), None);
    }

    /// The interval must hold the truth about as often as it says: 95 % of 400 samples of 20, give or take.
    #[test]
    fn the_interval_covers_the_truth() {
        let mut rng = StdRng::seed_from_u64(20);
        let covered = (0..400)
            .filter(|round| {
                let sample: Vec<f64> =
                    (0..20).map(|_| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0).collect();
                bca(&sample, mean, 0.95, 1000, *round).contains(0.0)
            })
            .count();
        assert!((360..=395).contains(&covered), "{covered} of 400");
    }
}
