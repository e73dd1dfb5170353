//! Which contestant is visited when: ABBA blocks in random order. No clock and no lab here.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// How long everything may take and how it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Measured rounds, an even number.
    pub rounds: u32,
    /// Seconds of one run of iperf3.
    pub seconds: u32,
}

/// What one visit costs beside its two runs of iperf3: connecting, iperf3's own handshakes, ending.
const VISIT_OVERHEAD_S: f64 = 1.5;
/// A visit of the warm-up round: two runs of one second.
const WARM_UP_VISIT_S: f64 = VISIT_OVERHEAD_S + 2.0;

impl Effort {
    /// At most two minutes in all, for up to five slots.
    #[must_use]
    pub fn quick(slots: usize) -> Self {
        Self::within(110.0, 6, slots)
    }

    /// At most fifteen minutes in all.
    #[must_use]
    pub fn full(slots: usize) -> Self {
        Self::within(840.0, 16, slots)
    }

    /// `slots` visits a round, and a short round before to warm up.
    fn within(budget_s: f64, rounds: u32, slots: usize) -> Self {
        let slots = slots.max(1) as f64;
        let per_visit = (budget_s - slots * WARM_UP_VISIT_S) / (slots * f64::from(rounds));
        let seconds = ((per_visit - VISIT_OVERHEAD_S) / 2.0).clamp(1.0, 8.0);
        Self { rounds, seconds: seconds as u32 }
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
        for slots in 1..=5 {
            for (effort, limit_s) in [(Effort::quick(slots), 120.0), (Effort::full(slots), 900.0)] {
                let visits = slots as f64 * f64::from(effort.rounds);
                let visit_s = 2.0 * f64::from(effort.seconds) + VISIT_OVERHEAD_S;
                let all_s = visits * visit_s + slots as f64 * WARM_UP_VISIT_S;
                assert!(all_s <= limit_s + 5.0, "{slots} {effort:?}: {all_s}");
                assert_eq!(effort.rounds % 2, 0);
            }
        }
        assert_eq!(Effort::quick(3), Effort { rounds: 6, seconds: 2 });
        assert_eq!(Effort::full(4), Effort { rounds: 16, seconds: 5 });
    }
}
