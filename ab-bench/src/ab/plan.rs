//! Which contestant is visited when: ABBA blocks in random order. No clock and no lab here.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::schema::Effort;

/// How long everything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// At most two minutes.
    Quick,
    /// At most fifteen minutes.
    Full,
}

/// What one visit costs beside its timed runs: connecting, iperf3's own handshakes, ending.
const VISIT_OVERHEAD_S: f64 = 1.5;
/// One timed run of the warm-up.
pub(super) const WARM_UP_RUN_S: f64 = 1.0;
/// A run lasts this long at least and at most.
const RUN_S: std::ops::RangeInclusive<f64> = 0.5..=8.0;

impl Budget {
    /// The effort that fits: so many contestants in a round, each with `runs` timed runs.
    #[must_use]
    pub fn effort(self, contestants: usize, runs: usize) -> Effort {
        let (name, budget_s, aa_rounds, rounds) = match self {
            Self::Quick => ("quick", 110.0, 6, 6),
            Self::Full => ("full", 840.0, 12, 16),
        };
        let (contestants, runs) = (contestants.max(1) as f64, runs.max(1) as f64);
        let warm_up_s = contestants * (VISIT_OVERHEAD_S + runs * WARM_UP_RUN_S);
        let visits = 2.0 * f64::from(aa_rounds) + contestants * f64::from(rounds);
        let run_s = ((budget_s - warm_up_s) / visits - VISIT_OVERHEAD_S) / runs;
        // Steps of a tenth, so that the report's figure is the one that iperf3 was given.
        let seconds_per_run = (run_s.clamp(*RUN_S.start(), *RUN_S.end()) * 10.0).floor() / 10.0;
        Effort { name: name.into(), aa_rounds, rounds, seconds_per_run }
    }
}

/// The order of `slots` contestants in each of `rounds` rounds. Rounds come in twos: a random order and its
/// reverse, so that a machine that gets steadily slower or faster favours nobody.
#[must_use]
pub fn orders(slots: usize, rounds: u32, seed: u64) -> Vec<Vec<usize>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut orders = Vec::new();
    while orders.len() < rounds as usize {
        let mut order: Vec<usize> = (0..slots).collect();
        order.shuffle(&mut rng);
        let reverse = order.iter().rev().copied().collect();
        orders.extend([order, reverse]);
    }
    orders.truncate(rounds as usize);
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_visits_everybody_and_every_second_one_backwards() {
        let orders = orders(4, 6, 9);
        assert_eq!(orders.len(), 6);
        for pair in orders.chunks(2) {
            let mut sorted = pair[0].clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            assert!(pair[0].iter().rev().eq(&pair[1]));
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(orders(5, 8, 1), orders(5, 8, 1));
        assert_ne!(orders(5, 8, 1), orders(5, 8, 2));
    }

    #[test]
    fn the_budgets_hold() {
        for contestants in 1..=4 {
            for (budget, limit_s) in [(Budget::Quick, 120.0), (Budget::Full, 900.0)] {
                let effort = budget.effort(contestants, 2);
                let visits = f64::from(2 * effort.aa_rounds) + contestants as f64 * f64::from(effort.rounds);
                let all_s = visits * (2.0 * effort.seconds_per_run + VISIT_OVERHEAD_S)
                    + contestants as f64 * (VISIT_OVERHEAD_S + 2.0 * WARM_UP_RUN_S);
                assert!(all_s <= limit_s, "{contestants} {effort:?}: {all_s}");
                assert_eq!((effort.rounds % 2, effort.aa_rounds % 2), (0, 0));
            }
        }
        assert!(Budget::Quick.effort(2, 2).seconds_per_run >= 1.0);
    }
}
