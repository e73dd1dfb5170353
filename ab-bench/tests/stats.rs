//! The statistics against figures that others have published or computed. The commands are given, so that anyone can
//! repeat them.

use ab_bench::stats::{bca, mean, median, ratio_estimate, wilcoxon_p};

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

/// Times between failures of an air conditioner (Proschan 1963; Davison and Hinkley, Bootstrap Methods and their
/// Application, example 1.1). Limits from SciPy 1.17.1 with three seeds: 56.9 to 57.1 and 225.4 to 225.8:
/// `scipy.stats.bootstrap((air,), np.mean, n_resamples=200000, method='BCa', random_state=seed)`.
#[test]
fn bca_agrees_with_scipy_on_a_skewed_sample() {
    const AIR: [f64; 12] = [3., 5., 7., 18., 43., 85., 91., 98., 100., 130., 230., 487.];
    for seed in 0..3 {
        let estimate = bca(&AIR, mean, 0.95, 40_000, seed);
        assert!(close(estimate.value, 108.083, 0.001), "{estimate:?}");
        assert!(close(estimate.low, 57.0, 1.0), "{estimate:?}");
        assert!(close(estimate.high, 225.6, 3.5), "{estimate:?}");
    }
}

/// As above on the logarithms of eight ratios: 0.6202 (0.5627 to 0.6586).
#[test]
fn the_interval_of_a_geometric_mean_agrees_with_scipy() {
    let estimate = ratio_estimate(&[0.62, 0.58, 0.71, 0.66, 0.6, 0.49, 0.64, 0.69], 1).unwrap();
    assert!(close(estimate.value, 0.620_154, 1e-6), "{estimate:?}");
    assert!(close(estimate.low, 0.562_7, 0.002), "{estimate:?}");
    assert!(close(estimate.high, 0.658_6, 0.002), "{estimate:?}");
}

/// Bortz, Lienert and Boehnke, Verteilungsfreie Methoden, with zeros and ties: p = 0.1367 by exactRankTests
/// (`wilcox.exact(x1, x2, paired=TRUE)`, R-help, 25 August 2006) and 0.13671875 by SciPy over all permutations
/// (`scipy.stats.wilcoxon(x1, x2, method=PermutationMethod(n_resamples=10**9))`).
#[test]
fn wilcoxon_is_exact_with_ties_and_zeros() {
    let first = [9, 14, 8, 11, 14, 10, 8, 14, 12, 14, 13, 9, 15, 12, 9].map(f64::from);
    let second = [13, 15, 9, 12, 16, 10, 8, 13, 12, 16, 9, 10, 16, 12, 9].map(f64::from);
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    assert!(close(wilcoxon_p(&differences).unwrap(), 0.136_718_75, 1e-12));
}

/// `scipy.stats.wilcoxon(x, mode='exact')` gives 0.02099609375.
#[test]
fn wilcoxon_agrees_with_scipy() {
    let x = [-0.35, 0.12, 0.44, -0.08, 0.5, 0.61, 0.27, 0.9, -0.02, 0.33, 0.71, 0.18];
    assert!(close(wilcoxon_p(&x).unwrap(), 0.020_996_093_75, 1e-12));
    let mirrored = x.map(|value| -value);
    assert_eq!(wilcoxon_p(&mirrored), wilcoxon_p(&x), "the test has two sides");
}

/// The exact distribution against the normal one where that is known to hold: n = 60 without ties.
#[test]
fn wilcoxon_approaches_the_normal_distribution() {
    let differences: Vec<f64> =
        (1..=60).map(|rank| if rank % 5 < 2 { -f64::from(rank) } else { f64::from(rank) }).collect();
    let positive: f64 = differences.iter().filter(|value| **value > 0.0).sum();
    let n = 60.0_f64;
    let z = (positive - n * (n + 1.0) / 4.0).abs() / (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
    let normal = statrs::function::erf::erfc(z / std::f64::consts::SQRT_2);
    let exact = wilcoxon_p(&differences).unwrap();
    assert!(close(exact, normal, 0.02 * normal + 0.003), "{exact} against {normal}");
}

#[test]
fn medians() {
    assert!(close(median(&[3.0, 1.0, 2.0]), 2.0, 0.0));
    assert!(close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5, 0.0));
    assert!(median(&[]).is_nan());
}

#[test]
fn the_same_seed_gives_the_same_interval() {
    let ratios = [0.9, 1.1, 1.05, 0.97, 1.2, 1.01, 0.88, 1.13, 1.07, 0.99, 0.95, 1.02];
    assert_eq!(ratio_estimate(&ratios, 7), ratio_estimate(&ratios, 7));
    assert_ne!(ratio_estimate(&ratios, 7), ratio_estimate(&ratios, 8));
}
