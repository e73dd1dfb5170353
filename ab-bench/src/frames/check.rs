//! The account of received frames. No sockets and no clock here.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::pattern::Claim;
use super::{FRAME_SIZE_MAX, Pattern};

/// How many numbers of each kind of fault a report lists; all are counted.
const LISTED: usize = 32;
/// Below this length an Ethernet card pads frames with zeros.
const PADDED_SIZE: usize = 60;

/// One damaged frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The number that it claims; `None` if it claims none of the plan's.
    pub number: Option<u32>,
    /// The length that it should have (0 if unknown).
    pub expected_length: usize,
    /// The length that it has.
    pub length: usize,
    /// The first byte that differs; the shorter length if only the length differs.
    pub offset: usize,
}

/// What became of the frames of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FrameReport {
    /// Frames sent.
    pub sent: u64,
    /// Different frames received intact.
    pub received: u64,
    /// Frames never received intact.
    pub lost: u64,
    /// Copies received beyond the first.
    pub duplicated: u64,
    /// Frames that came after one with a higher number.
    pub reordered: u64,
    /// Frames with wrong bytes or a wrong length.
    pub damaged: u64,
    /// Frames shorter than 60 bytes that came padded with zeros to 60 (as Ethernet cards do; not a fault).
    pub padded: u64,
    /// Late frames of an earlier plan, and those of another client (not a fault of this one).
    pub foreign: u64,
    /// The first lost numbers.
    pub lost_numbers: Vec<u32>,
    /// The first duplicated numbers.
    pub duplicated_numbers: Vec<u32>,
    /// The first reordered numbers.
    pub reordered_numbers: Vec<u32>,
    /// The first damaged frames.
    pub damages: Vec<Damage>,
    /// From the first frame sent to the last one received.
    pub elapsed: Duration,
}

impl FrameReport {
    /// Every frame came once, in order and intact.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.reordered == 0 && self.damaged == 0
    }
}

impl fmt::Display for FrameReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames sent, {} received intact in {:.2} s: {} lost, {} duplicated, {} reordered, {} damaged",
            self.sent,
            self.received,
            self.elapsed.as_secs_f64(),
            self.lost,
            self.duplicated,
            self.reordered,
            self.damaged
        )?;
        let lists = [
            ("lost", &self.lost_numbers),
            ("duplicated", &self.duplicated_numbers),
            ("reordered", &self.reordered_numbers),
        ];
        for (what, numbers) in lists.iter().filter(|(_, numbers)| !numbers.is_empty()) {
            write!(f, "\n  {what}: {numbers:?}")?;
        }
        for Damage { number, expected_length, length, offset } in &self.damages {
            match number {
                Some(number) => write!(f, "\n  damaged: frame {number}, ")?,
                None => write!(f, "\n  damaged: a frame without a valid number, ")?,
            }
            write!(f, "{length} bytes instead of {expected_length}, from byte {offset} on")?;
        }
        Ok(())
    }
}

/// Compares received frames with a plan.
#[derive(Debug)]
pub struct Checker {
    pattern: Pattern,
    seen: Vec<bool>,
    highest: Option<u32>,
    expected: Vec<u8>,
    report: FrameReport,
}

impl Checker {
    /// A checker for the frames `0..count` of a pattern.
    #[must_use]
    pub fn new(pattern: Pattern, count: u32) -> Self {
        let report = FrameReport { sent: u64::from(count), ..FrameReport::default() };
        let seen = vec![false; count as usize];
        Self { pattern, seen, highest: None, expected: Vec::with_capacity(FRAME_SIZE_MAX), report }
    }

    /// Every frame has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.report.received == self.report.sent
    }

    /// The account so far; what has not come is not lost yet.
    #[must_use]
    pub fn report(&self) -> &FrameReport {
        &self.report
    }

    /// The highest number that has come.
    #[must_use]
    pub fn highest(&self) -> Option<u32> {
        self.highest
    }

    /// The numbers below `sent` that have not come.
    pub fn missing(&self, sent: u32) -> impl Iterator<Item = u32> {
        (0..sent).zip(&self.seen).filter(|(_, seen)| !**seen).map(|(number, _)| number)
    }

    /// Takes one frame that came with our EtherType, and returns its number if it claims one of the plan's.
    pub fn accept(&mut self, frame: &[u8]) -> Option<u32> {
        let claim = match self.pattern.claim(frame) {
            Claim::LowBits(low) => self.nearest(low, frame.len()).map_or(Claim::Unreadable, Claim::Number),
            claim => claim,
        };
        match claim {
            Claim::Number(number) if (number as usize) < self.seen.len() => {
                self.accept_number(number, frame);
                return Some(number);
            }
            Claim::OtherPlan => self.report.foreign += 1,
            Claim::Introduction(_) => {}
            Claim::Number(_) | Claim::LowBits(_) | Claim::Unreadable => {
                self.damage(Damage { number: None, expected_length: 0, length: frame.len(), offset: 0 });
            }
        }
        None
    }

    /// The account. Frames that have not come until now are lost.
    #[must_use]
    pub fn finish(mut self, elapsed: Duration) -> FrameReport {
        self.report.elapsed = elapsed;
        for (number, _) in (0..).zip(&self.seen).filter(|(_, seen)| !**seen) {
            self.report.lost += 1;
            list(&mut self.report.lost_numbers, number);
        }
        self.report
    }

    /// Which frame it is that is too short for its number: of those with these low bits, the nearest to the newest that has
    /// this length and has not come; if there is none, the nearest. How near says nothing of which: over several
    /// connections one frame may wait for as long as its connection does, while hundreds overtake it.
    fn nearest(&self, low: u8, length: usize) -> Option<u32> {
        let count = self.seen.len() as u32;
        let newest = self.highest.unwrap_or(0);
        let here = newest - newest % 256 + u32::from(low);
        let start = [here.checked_sub(256), Some(here), here.checked_add(256)].into_iter().flatten();
        let start = start.min_by_key(|number| number.abs_diff(newest))?;
        let outwards = (0..=count.div_ceil(256)).flat_map(|n| [start.checked_sub(n * 256), start.checked_add(n * 256)]);
        let mut numbers = outwards.flatten().filter(|number| *number < count);
        let is_missing = |number: &u32| !self.seen[*number as usize] && self.pattern.size(*number) == length;
        numbers.clone().find(is_missing).or_else(|| numbers.next())
    }

    fn accept_number(&mut self, number: u32, frame: &[u8]) {
        self.pattern.write(number, &mut self.expected);
        let (expected, padded) = (self.expected.len(), is_padded(&self.expected, frame));
        if !padded && frame != self.expected {
            let differs = frame.iter().zip(&self.expected).position(|(a, b)| a != b);
            let offset = differs.unwrap_or(expected.min(frame.len()));
            self.damage(Damage { number: Some(number), expected_length: expected, length: frame.len(), offset });
            return;
        }
        self.report.padded += u64::from(padded);
        if std::mem::replace(&mut self.seen[number as usize], true) {
            self.report.duplicated += 1;
            list(&mut self.report.duplicated_numbers, number);
            return;
        }
        self.report.received += 1;
        if self.highest.is_some_and(|highest| number < highest) {
            self.report.reordered += 1;
            list(&mut self.report.reordered_numbers, number);
        }
        self.highest = self.highest.max(Some(number));
    }

    fn damage(&mut self, damage: Damage) {
        self.report.damaged += 1;
        list(&mut self.report.damages, damage);
    }
}

fn list<T>(items: &mut Vec<T>, item: T) {
    if items.len() < LISTED {
        items.push(item);
    }
}

fn is_padded(expected: &[u8], frame: &[u8]) -> bool {
    expected.len() < PADDED_SIZE
        && frame.len() == PADDED_SIZE
        && frame.strip_prefix(expected).is_some_and(|padding| padding.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Direction, FRAME_SIZE_MIN, FramePlan, FrameSizes};
    use super::*;

    const COUNT: u32 = 400;

    /// All frames of a plan, changed by `fault`, then checked.
    fn check(seed: u64, fault: impl FnOnce(&mut Vec<Vec<u8>>)) -> FrameReport {
        let pattern = Pattern::new(&FramePlan::new(COUNT, seed), Direction::Up, [2; 6]);
        let mut frames: Vec<Vec<u8>> = (0..COUNT)
            .map(|number| {
                let mut frame = Vec::new();
                pattern.write(number, &mut frame);
                frame
            })
            .collect();
        fault(&mut frames);
        let mut checker = Checker::new(pattern, COUNT);
        for frame in &frames {
            checker.accept(frame);
        }
        checker.finish(Duration::ZERO)
    }

    #[test]
    fn intact_frames_are_clean() {
        let report = check(1, |_| {});
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.sent, report.received), (400, 400));
    }

    #[test]
    fn the_first_two_frames_have_the_extreme_sizes() {
        let pattern = Pattern::new(&FramePlan::new(COUNT, 3), Direction::Up, [2; 6]);
        assert_eq!((pattern.size(0), pattern.size(1)), (FRAME_SIZE_MIN, FRAME_SIZE_MAX));
    }

    #[test]
    fn one_lost_frame_in_a_million_is_found() {
        let pattern = Pattern::new(
            &FramePlan { sizes: FrameSizes::new(14, 30), ..FramePlan::new(1_000_000, 5) },
            Direction::Up,
            [2; 6],
        );
        let mut checker = Checker::new(pattern.clone(), 1_000_000);
        let mut frame = Vec::new();
        for number in (0..1_000_000).filter(|number| *number != 765_432) {
            pattern.write(number, &mut frame);
            checker.accept(&frame);
        }
        let report = checker.finish(Duration::ZERO);
        assert_eq!((report.lost, report.lost_numbers), (1, vec![765_432]));
    }

    #[test]
    fn losses_at_both_ends_are_found() {
        let report = check(2, |frames| {
            frames.pop();
            frames.remove(0);
        });
        assert_eq!(report.lost_numbers, [0, COUNT - 1]);
        assert!(!report.is_clean());
    }

    #[test]
    fn a_duplicate_is_found() {
        let report = check(2, |frames| frames.insert(100, frames[17].clone()));
        assert_eq!((report.duplicated, &report.duplicated_numbers[..]), (1, &[17][..]));
        assert_eq!((report.lost, report.reordered), (0, 0));
        assert!(!report.is_clean());
    }

    #[test]
    fn a_swap_of_neighbours_is_one_reordered_frame() {
        let report = check(2, |frames| frames.swap(50, 51));
        assert_eq!(report.reordered_numbers, [50]);
        assert!(!report.is_clean());
    }

    #[test]
    fn shortened_lengthened_and_emptied_frames_are_found() {
        let report = check(2, |frames| {
            frames[1].pop();
            frames[2].push(0);
            frames[3].clear();
        });
        assert_eq!((report.damaged, report.lost), (3, 3));
        assert_eq!(report.damages[0].offset, FRAME_SIZE_MAX - 1);
        assert_eq!(report.damages[2].number, None);
    }

    #[test]
    fn short_frames_are_told_by_their_addresses() {
        let plan = FramePlan { sizes: FrameSizes::new(14, 17), ..FramePlan::new(5000, 1) };
        let pattern = Pattern::new(&plan, Direction::Down, [2; 6]);
        let mut checker = Checker::new(pattern.clone(), plan.count);
        let mut frame = Vec::new();
        for number in 0..plan.count {
            pattern.write(number, &mut frame);
            checker.accept(&frame);
        }
        let report = checker.finish(Duration::ZERO);
        assert!(report.is_clean(), "{report}");
    }

    #[test]
    fn a_short_frame_that_hundreds_overtake_is_late_and_not_damaged() {
        let late = |seed, frames: &mut Vec<Vec<u8>>| {
            let first = frames.remove(0);
            frames.insert(first.len() + 160 + seed as usize, first);
        };
        for seed in 0..20 {
            let report = check(seed, |frames| late(seed, frames));
            assert_eq!((report.lost, report.damaged, &report.reordered_numbers[..]), (0, 0, &[0][..]), "{report}");
        }
    }

    #[test]
    fn zero_padding_to_60_is_no_damage_and_other_padding_is() {
        let pad = |value: u8| check(2, move |frames| frames[0].resize(60, value));
        assert!(pad(0).is_clean());
        assert_eq!(pad(0).padded, 1);
        assert_eq!(pad(1).damaged, 1);
    }

    #[test]
    fn frames_of_another_plan_are_not_counted() {
        let other = Pattern::new(&FramePlan::new(COUNT, 99), Direction::Up, [2; 6]);
        let mut frame = Vec::new();
        other.write(4, &mut frame);
        let report = check(2, |frames| frames.insert(3, frame));
        assert!(report.is_clean());
        assert_eq!(report.foreign, 1);
    }

    #[test]
    fn a_number_beyond_the_plan_is_damage() {
        let report = check(2, |frames| frames[9][14] = 0xff);
        assert_eq!((report.damaged, report.lost_numbers), (1, vec![9]));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_of_any_frame_is_found(seed: u64, number in 0..COUNT as usize, at: prop::sample::Index, bit in 0..8) {
            let report = check(seed, |frames| {
                let offset = at.index(frames[number].len());
                frames[number][offset] ^= 1_u8 << bit;
            });
            prop_assert!(!report.is_clean());
            prop_assert!(report.lost_numbers.contains(&u32::try_from(number).unwrap()));
        }
    }
}
