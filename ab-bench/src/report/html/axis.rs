//! Scales: from figures to places along a plot, in per cent of its width, so that plots are as wide as the page allows.

/// A logarithmic axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct LogAxis {
    low: f64,
    high: f64,
}

impl LogAxis {
    /// Wide enough for all positive values, with a little room, but never beyond `least..most`.
    pub(in crate::report) fn over(values: impl IntoIterator<Item = f64>, least: f64, most: f64) -> Self {
        let positive = values.into_iter().filter(|value| value.is_finite() && *value > 0.0);
        let (low, high) = positive.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self { low: least, high: most };
        }
        let (low, high) = ((low / 1.07).max(least), (high * 1.07).min(most));
        if low < high { Self { low, high } } else { Self { low: least, high: most } }
    }

    /// Where a value is, in per cent; values beyond the ends are put on them.
    pub(in crate::report) fn at(&self, value: f64) -> f64 {
        let share = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        (share * 100.0).clamp(0.0, 100.0)
    }

    /// Whether a value lies on the axis.
    pub(super) fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Round values on the axis, the finest set of at most `most`.
    pub(in crate::report) fn ticks(&self, most: usize) -> Vec<f64> {
        const SETS: [&[f64]; 5] = [
            &[1.0, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            &[1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
            &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            &[1.0, 2.0, 5.0],
            &[1.0],
        ];
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let ticks = |set: &[f64]| -> Vec<f64> {
            // Divided where that is exact: 6 / 10 is 0.6, 6 × 0.1 is not.
            let scaled = |digit: f64, decade: i32| {
                if decade < 0 { digit / 10_f64.powi(-decade) } else { digit * 10_f64.powi(decade) }
            };
            let all = decades.clone().flat_map(|decade| set.iter().map(move |digit| scaled(*digit, decade)));
            all.filter(|tick| self.holds(*tick)).collect()
        };
        let fits = |ticks: &Vec<f64>| ticks.len() <= most;
        SETS.iter().map(|set| ticks(set)).find(fits).unwrap_or_else(|| ticks(&[1.0]))
    }
}

/// A linear axis from zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Linear {
    high: f64,
}

impl Linear {
    /// From zero to a little more than the largest value.
    pub(super) fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let high = values.into_iter().filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self { high: if high > 0.0 { high * 1.02 } else { 1.0 } }
    }

    /// The largest value on the axis.
    pub(super) fn top(&self) -> f64 {
        self.high
    }

    /// Where a value is, in per cent.
    pub(super) fn at(&self, value: f64) -> f64 {
        (value / self.high * 100.0).clamp(0.0, 100.0)
    }
}

/// A percentage for a style or an attribute: `37.25%`.
pub(super) fn percent(value: f64) -> String {
    let text = format!("{value:.2}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order_and_their_ends() {
        let axis = LogAxis::over([0.5, 2.0, f64::NAN, 0.0], 0.01, 100.0);
        assert!((axis.at(1.0) - 50.0).abs() < 1e-9, "one lies between a half and two");
        assert_eq!((axis.at(0.0001), axis.at(1e9)), (0.0, 100.0));
        assert!(axis.holds(2.0) && !axis.holds(3.0));
        let nothing = LogAxis::over([], 0.5, 2.0);
        assert!(nothing.holds(1.0));
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(LogAxis::over([0.5, 2.0], 0.01, 100.0).ticks(8), [0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0]);
        assert_eq!(LogAxis::over([0.95, 1.05], 0.01, 100.0).ticks(8), [0.9, 1.0, 1.1]);
        for high in [1.5, 4.0, 30.0, 1e3, 1e6] {
            let ticks = LogAxis::over([1.0, high], 0.01, 1e9).ticks(8);
            assert!((1..=8).contains(&ticks.len()), "{high}: {ticks:?}");
        }
    }

    #[test]
    fn percentages_are_short() {
        assert_eq!([percent(37.25), percent(50.0), percent(0.0), percent(33.333)], ["37.25%", "50%", "0%", "33.33%"]);
    }
}
