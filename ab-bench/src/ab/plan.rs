//! Which contestant is visited when: ABBA blocks in random order. No clock and no lab here.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::schema::{Effort, Metric, Way, Workload};

/// One thing that a visit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// What.
    pub workload: Workload,
    /// Which way.
    pub way: Way,
}

impl Job {
    /// Its length in units of a run's.
    pub(super) fn weight(self) -> f64 {
        match self.workload {
            Workload::Connect => 0.0,
            Workload::Bulk | Workload::RttLoad | Workload::Counted => 1.0,
            Workload::Idle | Workload::RttIdle | Workload::Frames64 | Workload::FramesMixed | Workload::FramesFull => {
                0.5
            }
        }
    }

    /// What it costs beside its time, in seconds: iperf3's handshakes, the last probes, the wait before an idle look.
    fn overhead_s(self) -> f64 {
        match self.workload {
            Workload::Idle => JOB_OVERHEAD_S + IDLE_SETTLE_S,
            _ => JOB_OVERHEAD_S,
        }
    }
}

/// The jobs of a quick measurement: CPU and goodput, each way, and the counted run.
#[must_use]
pub fn quick_jobs() -> Vec<Job> {
    jobs_of(&[Workload::Bulk, Workload::Counted], &[Way::Up, Way::Down])
}

/// The jobs of a full measurement: all but frames of mixed sizes.
#[must_use]
pub fn full_jobs() -> Vec<Job> {
    let mut jobs = all_jobs();
    jobs.retain(|job| job.workload != Workload::FramesMixed);
    jobs.retain(|job| job.way != Way::Both || job.workload == Workload::Bulk);
    jobs
}

fn all_jobs() -> Vec<Job> {
    jobs_of(&Workload::ALL, &[Way::None, Way::Up, Way::Down, Way::Both])
}

/// A metric that is asked for, in all ways that it has or in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The metric.
    pub metric: Metric,
    /// The way; `None`: all.
    pub way: Option<Way>,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    /// `METRIC` or `METRIC.WAY`, as in a gate.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, way) = text.split_once('.').map_or((text, None), |(name, way)| (name, Some(way)));
        let metric = Metric::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
            format!("no such metric: there are {}", names.join(", "))
        })?;
        let wanted = |way| Self { metric, way };
        let Some(way) = way else { return Ok(wanted(None)) };
        let possible: Vec<Way> = jobs_for(&[wanted(None)]).into_iter().map(|job| job.way).collect();
        let found = possible.iter().find(|one| one.name() == way);
        found.map(|way| wanted(Some(*way))).ok_or_else(|| match possible[..] {
            [] | [Way::None] => format!("{name} has no ways: leave `.{way}` out"),
            _ => {
                let names: Vec<&str> = possible.iter().map(|way| way.name()).collect();
                format!("{name} has no way `{way}`: there are {}", names.join(", "))
            }
        })
    }
}

/// What these metrics need.
#[must_use]
pub fn jobs_for(metrics: &[Wanted]) -> Vec<Job> {
    let needs = |wanted: &Wanted, job: &Job| {
        wanted.metric.workload() == job.workload && wanted.way.is_none_or(|way| way == job.way)
    };
    let mut jobs = all_jobs();
    jobs.retain(|job| metrics.iter().any(|wanted| needs(wanted, job)));
    jobs
}

fn jobs_of(workloads: &[Workload], ways: &[Way]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for workload in workloads {
        let possible: &[Way] = match workload {
            // Every visit connects.
            Workload::Connect => &[],
            Workload::Idle | Workload::RttIdle => &[Way::None],
            Workload::Frames64 | Workload::FramesMixed | Workload::FramesFull => &[Way::Up, Way::Down],
            Workload::Bulk | Workload::RttLoad | Workload::Counted => &[Way::Up, Way::Down, Way::Both],
        };
        let wanted = possible.iter().filter(|way| ways.contains(way));
        jobs.extend(wanted.map(|way| Job { workload: *workload, way: *way }));
    }
    jobs
}

/// The jobs of one visit in their order: those of the counted run or the others; each direction is the first one as
/// often as the other.
pub(super) fn in_order(jobs: &[Job], counted: bool, round: u32) -> Vec<Job> {
    let mut jobs: Vec<Job> =
        jobs.iter().copied().filter(|job| (job.workload == Workload::Counted) == counted).collect();
    if matches!(round % 4, 2 | 3) {
        jobs.chunk_by_mut(|a, b| a.workload == b.workload).for_each(<[Job]>::reverse);
    }
    jobs
}

/// The jobs of a warm-up visit: bulk, which warms everything up and says what load the baseline can carry; if that is not
/// wanted, what is.
pub(super) fn warm_up(jobs: &[Job]) -> Vec<Job> {
    let has = |workload| jobs.iter().any(|job| job.workload == workload);
    if has(Workload::Bulk) {
        jobs.iter().copied().filter(|job| job.workload == Workload::Bulk).collect()
    } else if has(Workload::RttLoad) {
        jobs_of(&[Workload::Bulk], &[Way::Up, Way::Down])
    } else {
        in_order(jobs, false, 1)
    }
}

/// How long everything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// At most two minutes.
    Quick,
    /// At most fifteen minutes.
    Full,
}

/// What one visit costs beside its jobs: connecting, ending.
const VISIT_OVERHEAD_S: f64 = 0.8;
/// What any job costs beside its time.
const JOB_OVERHEAD_S: f64 = 0.25;
/// An idle look begins this long after what was before it: what a new connection brings with it (router solicitations,
/// the first keep-alives) is no idling.
pub(super) const IDLE_SETTLE_S: f64 = 0.5;
/// A run of the warm-up and a counted one last this long at most.
pub(super) const SHORT_RUN_S: f64 = 1.0;
/// A run lasts this long at least and at most.
const RUN_S: std::ops::RangeInclusive<f64> = 1.0..=8.0;

impl Budget {
    /// The effort that fits: so many contestants in a round, in so many places (rigs times settings), with these jobs; and
    /// with so many rounds, if a number is asked for.
    #[must_use]
    pub fn effort(self, contestants: usize, places: usize, jobs: &[Job], asked: Option<u32>) -> Effort {
        let (name, budget_s, aa_rounds, rounds) = match self {
            // Eight rounds, so that the test still can show something if two are disturbed.
            Self::Quick => ("quick", 105.0, 6, 8),
            Self::Full => ("full", 830.0, 4, 6),
        };
        // Orders come in twos.
        let asked = asked.map(|rounds| rounds.next_multiple_of(2));
        let name = if asked.is_some() { "own" } else { name };
        let (aa_rounds, rounds) = (asked.unwrap_or(aa_rounds), asked.unwrap_or(rounds));
        let (contestants, places) = (contestants.max(1) as f64, places.max(1) as f64);
        let timed: Vec<&Job> = jobs.iter().filter(|job| job.workload != Workload::Counted).collect();
        let weight: f64 = timed.iter().map(|job| job.weight()).sum::<f64>().max(1.0);
        // A counted run takes at most a second.
        let counted_s = (jobs.len() - timed.len()) as f64 * (1.0 + JOB_OVERHEAD_S) + VISIT_OVERHEAD_S;
        let warm_up_s = warm_up(jobs).len() as f64 * (SHORT_RUN_S + JOB_OVERHEAD_S) + VISIT_OVERHEAD_S;
        let visits = 2.0 * f64::from(aa_rounds) + contestants * f64::from(rounds);
        let jobs_overhead_s: f64 = timed.iter().map(|job| job.overhead_s()).sum();
        let overhead_s = visits * (VISIT_OVERHEAD_S + jobs_overhead_s) + contestants * (warm_up_s + counted_s);
        let run_s = (budget_s / places - overhead_s) / (visits * weight);
        // iperf3 knows whole seconds only.
        let seconds_per_run = run_s.clamp(*RUN_S.start(), *RUN_S.end()).floor();
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

    fn wanted(metrics: &str) -> Vec<Wanted> {
        metrics.split(' ').map(|text| text.parse().unwrap()).collect()
    }

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
        for (contestants, places, budget, limit_s, jobs) in [
            (2, 1, Budget::Quick, 120.0, quick_jobs()),
            (4, 1, Budget::Full, 900.0, full_jobs()),
            (4, 2, Budget::Full, 900.0, full_jobs()),
        ] {
            let effort = budget.effort(contestants, places, &jobs, None);
            let timed: Vec<Job> = in_order(&jobs, false, 0);
            let visits = f64::from(2 * effort.aa_rounds) + contestants as f64 * f64::from(effort.rounds);
            let visit_s = |jobs: &[Job], seconds: f64| {
                jobs.iter().map(|job| job.weight() * seconds + job.overhead_s()).sum::<f64>() + VISIT_OVERHEAD_S
            };
            let once_s = visit_s(&warm_up(&jobs), SHORT_RUN_S) + visit_s(&in_order(&jobs, true, 0), SHORT_RUN_S);
            let all_s =
                (visits * visit_s(&timed, effort.seconds_per_run) + contestants as f64 * once_s) * places as f64;
            assert!(all_s <= limit_s, "{contestants} {effort:?}: {all_s}");
            assert_eq!((effort.rounds % 2, effort.aa_rounds % 2), (0, 0));
            assert!(effort.seconds_per_run >= 1.0 && effort.seconds_per_run.fract() == 0.0, "{effort:?}");
        }
    }

    #[test]
    fn more_rounds_are_shorter() {
        let effort = |asked| Budget::Full.effort(2, 1, &jobs_for(&wanted("cpu_s_per_gb")), asked);
        let (few, many) = (effort(None), effort(Some(15)));
        assert_eq!((many.rounds, many.aa_rounds, &many.name[..]), (16, 16, "own"));
        assert!(many.seconds_per_run < few.seconds_per_run, "{few:?} {many:?}");
    }

    #[test]
    fn metrics_choose_their_jobs() {
        let jobs = |text| jobs_for(&wanted(text)).iter().map(|job| (job.workload, job.way)).collect::<Vec<_>>();
        let bulk = [Way::Up, Way::Down, Way::Both].map(|way| (Workload::Bulk, way));
        assert_eq!(jobs("cpu_s_per_gb wakeups_per_s"), [&[(Workload::Idle, Way::None)][..], &bulk].concat());
        assert_eq!(jobs("cpu_s_per_gb.up"), [(Workload::Bulk, Way::Up)]);
        assert!(jobs("connect_s").is_empty(), "every visit connects");
    }

    #[test]
    fn a_metric_or_a_way_that_is_none_is_told_what_there_is() {
        let error = |text: &str| text.parse::<Wanted>().unwrap_err();
        assert!(error("speed").contains("cpu_s_per_gb, "), "{}", error("speed"));
        assert_eq!(error("wakeups_per_s.up"), "wakeups_per_s has no ways: leave `.up` out");
        assert_eq!(error("cpu_s_per_gb.sideways"), "cpu_s_per_gb has no way `sideways`: there are up, down, both");
        assert_eq!(error("connect_s.up"), "connect_s has no ways: leave `.up` out");
    }

    #[test]
    fn the_warm_up_finds_the_load() {
        let ways = |metrics| {
            warm_up(&jobs_for(&wanted(metrics))).iter().map(|job| (job.workload, job.way)).collect::<Vec<_>>()
        };
        assert_eq!(warm_up(&full_jobs()).len(), 3, "bulk, three ways");
        assert_eq!(ways("rtt_load_p99_us"), [(Workload::Bulk, Way::Up), (Workload::Bulk, Way::Down)]);
        assert_eq!(ways("rtt_idle_p50_us syscalls_per_frame"), [(Workload::RttIdle, Way::None)]);
    }

    #[test]
    fn directions_change_places() {
        let first = |round| in_order(&quick_jobs(), false, round)[0].way;
        assert_eq!([1, 2, 3, 4].map(first), [Way::Up, Way::Down, Way::Down, Way::Up]);
        assert!(in_order(&quick_jobs(), true, 1).iter().all(|job| job.workload == Workload::Counted));
    }
}
