//! Flamegraphs: the baseline and the candidate on one scale, side by side, and what changed between them.

use maud::{Markup, html};

use super::axis::percent;
use super::cpu::way_title;
use crate::ab::schema::{Profile, ProfileKind, Report, Rig, Way};
use crate::profile::{Flame, by_work};
use crate::report::words::{figure, per_cent};

/// Frames narrower than this share of the picture are left out.
const SHARE_MIN: f64 = 0.003;
/// Frames deeper than this are left out.
const DEPTH_MAX: usize = 48;
/// Height of a frame in rem.
const FRAME_REM: f64 = 1.15;

/// Two profiles that belong beside one another.
struct Couple<'a> {
    rig: Rig,
    way: Way,
    baseline: &'a Profile,
    candidate: &'a Profile,
}

pub(super) fn section(report: &Report) -> Markup {
    let couples = couples(report);
    let calls: Vec<&Profile> = report
        .profiles
        .iter()
        .filter(|profile| profile.kind == ProfileKind::Syscalls && !profile.syscalls.is_empty())
        .collect();
    html! {
        @if !couples.is_empty() {
            section #profiles {
                h2 { "Where the time goes" }
                p.lead {
                    "Stacks sampled on the CPU clock while payload flowed, of runs that were not timed. Width is CPU time per GB, on the same "
                    "scale for both, so a narrower picture is a cheaper client. Frames of the kernel are shaded. The difference is by what the "
                    "machine does: stacks begin where they enter the kernel, or are the function that runs, since the two programs share few "
                    "others. It is as wide as both together: "
                    span.key.less {} "blue is what " (report.baseline) " needs more of, " span.key.more {} "orange what it needs less of."
                }
                @for couple in &couples { (pictures(report, couple)) }
            }
        }
        @if !calls.is_empty() {
            section #syscalls {
                h2 { "System calls" }
                p.lead { "Counted by strace in runs of their own, since tracing makes every call many times dearer: numbers hold, times do not." }
                div.beside { @for profile in calls { figure { (table(profile)) } } }
            }
        }
    }
}

fn couples(report: &Report) -> Vec<Couple<'_>> {
    let Some(candidate) = super::candidate(report) else { return Vec::new() };
    let stacks =
        |profile: &&Profile| profile.kind == ProfileKind::Flamegraph && profile.inline.is_some() && profile.bytes > 0.0;
    let of = |name: &str, rig, way| {
        let mut profiles = report.profiles.iter().filter(stacks);
        profiles.find(|profile| profile.contestant == name && profile.rig == rig && profile.way == way)
    };
    let baselines = report.profiles.iter().filter(stacks).filter(|profile| profile.contestant == report.baseline);
    baselines
        .filter_map(|baseline| {
            let (rig, way) = (baseline.rig, baseline.way);
            Some(Couple { rig, way, baseline, candidate: of(&candidate.name, rig, way)? })
        })
        .collect()
}

fn folded(profile: &Profile) -> &str {
    profile.inline.as_deref().unwrap_or_default()
}

fn pictures(report: &Report, couple: &Couple<'_>) -> Markup {
    let (before, after) = (Flame::of(folded(couple.baseline)), Flame::of(folded(couple.candidate)));
    let per_gb = |flame: &Flame, profile: &Profile| flame.samples / profile.bytes;
    let widest = per_gb(&before, couple.baseline).max(per_gb(&after, couple.candidate));
    let joint = Flame::of_two(&by_work(folded(couple.candidate)), &by_work(folded(couple.baseline)));
    let both = Scale::of_two(&joint, couple.candidate.bytes, couple.baseline.bytes);
    let several_rigs = report.profiles.iter().any(|profile| profile.rig != couple.rig);
    html! {
        h3 { (way_title(couple.way)) @if several_rigs { " · " (couple.rig.name()) } }
        div.beside {
            @for (flame, profile) in [(&before, couple.baseline), (&after, couple.candidate)] {
                @let share = per_gb(flame, profile) / widest;
                figure.flame {
                    figcaption { b { (profile.contestant) } " · " (figure(flame.samples)) " samples, " (per_cent(share)) " of the wider one" }
                    (picture(flame, &Scale::of(flame, share), &format!("{} {}", profile.contestant, profile.way.name())))
                }
            }
        }
        figure.flame {
            figcaption { b { (couple.candidate.contestant) " − " (couple.baseline.contestant) } " · widths are both together" }
            (picture(&joint, &both, &format!("difference {}", couple.way.name())))
        }
    }
}

/// How wide a sample is, as a share of the picture: one of the profile, and one of the other in a picture of two.
struct Scale {
    ours: f64,
    theirs: Option<f64>,
}

impl Scale {
    /// Of one profile, so that all of it is `share` wide.
    fn of(flame: &Flame, share: f64) -> Self {
        Self { ours: share / flame.samples.max(1.0), theirs: None }
    }

    /// Of two that carried so many bytes each, so that both together are as wide as the picture.
    fn of_two(flame: &Flame, our_bytes: f64, their_bytes: f64) -> Self {
        let (ours, theirs) = (1.0 / our_bytes, 1.0 / their_bytes);
        let whole = flame.samples * ours + flame.other * theirs;
        Self { ours: ours / whole, theirs: Some(theirs / whole) }
    }

    fn widths(&self, flame: &Flame) -> (f64, f64) {
        (flame.samples * self.ours, flame.other * self.theirs.unwrap_or(0.0))
    }

    fn width(&self, flame: &Flame) -> f64 {
        let (ours, theirs) = self.widths(flame);
        ours + theirs
    }

    /// How the cost of a frame differs in a picture of two: −1 (theirs alone) to 1 (ours alone).
    fn change(&self, flame: &Flame) -> Option<f64> {
        self.theirs?;
        let (ours, theirs) = self.widths(flame);
        (ours + theirs > 0.0).then(|| (ours - theirs) / (ours + theirs))
    }

    /// A frame's share in words: of its profile, or of all that the other one needs.
    fn words(&self, flame: &Flame, root: &Flame) -> String {
        let (ours, theirs) = self.widths(flame);
        let whole = self.widths(root);
        match self.theirs {
            Some(_) if whole.1 > 0.0 => {
                format!("{} instead of {}", per_cent(ours / whole.1), per_cent(theirs / whole.1))
            }
            _ => per_cent(ours / whole.0),
        }
    }
}

fn picture(flame: &Flame, scale: &Scale, label: &str) -> Markup {
    let mut frames = Vec::new();
    lay(flame, "all", 0, 0.0, scale, &mut frames);
    let depth = frames.iter().map(|frame| frame.depth + 1).max().unwrap_or(1);
    html! {
        div.frames data-plot="flame" role="img" aria-label={ "Flamegraph, " (label) ": " (hottest(flame, scale)) } style={ "height:" (depth as f64 * FRAME_REM) "rem" } {
            @for frame in &frames {
                span class={ "frame " (kind(frame.name)) } title={ (short(frame.name)) ": " (scale.words(frame.flame, flame)) }
                    style={
                        "left:" (percent(frame.left * 100.0)) ";width:" (percent(frame.width * 100.0)) ";bottom:" (rem(frame.depth)) "rem"
                        @if let Some(change) = scale.change(frame.flame) { ";background:" (tint(change)) }
                    } {
                    @if frame.width > 0.03 { (short(frame.name)) }
                }
            }
        }
    }
}

fn rem(depth: usize) -> String {
    format!("{:.2}", depth as f64 * FRAME_REM)
}

/// A frame's place.
struct Placed<'a> {
    name: &'a str,
    flame: &'a Flame,
    depth: usize,
    left: f64,
    width: f64,
}

fn lay<'a>(flame: &'a Flame, name: &'a str, depth: usize, left: f64, scale: &Scale, frames: &mut Vec<Placed<'a>>) {
    let width = scale.width(flame);
    if width < SHARE_MIN || depth >= DEPTH_MAX {
        return;
    }
    frames.push(Placed { name, flame, depth, left, width });
    let mut left = left;
    for (name, callee) in &flame.callees {
        lay(callee, name, depth + 1, left, scale, frames);
        left += scale.width(callee);
    }
}

/// Blue for less, orange for more, stronger the more it is; mixed with the page so that text stays readable.
fn tint(change: f64) -> String {
    let colour = if change < 0.0 { "--less" } else { "--more" };
    format!("color-mix(in oklab, var({colour}) {:.0}%, var(--frame))", change.abs() * 80.0)
}

fn kind(name: &str) -> &'static str {
    match name {
        name if name.ends_with("_[k]") => "kernel",
        _ => "user",
    }
}

/// The function without its module path, its mark and its hash.
fn short(name: &str) -> &str {
    let name = name.trim_end_matches("_[k]");
    let plain = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16).map_or(name, |(path, _)| path);
    if plain.contains('<') { plain } else { plain.rsplit("::").next().unwrap_or(plain) }
}

/// The functions that most time is spent in themselves, for those who cannot see the picture.
fn hottest(flame: &Flame, scale: &Scale) -> String {
    fn own<'a>(flame: &'a Flame, name: &'a str, scale: &Scale, sums: &mut std::collections::BTreeMap<&'a str, f64>) {
        let below: f64 = flame.callees.values().map(|callee| scale.width(callee)).sum();
        *sums.entry(short(name)).or_default() += scale.width(flame) - below;
        flame.callees.iter().for_each(|(name, callee)| own(callee, name, scale, sums));
    }
    let mut sums = std::collections::BTreeMap::new();
    own(flame, "all", scale, &mut sums);
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    let whole = scale.width(flame).max(f64::MIN_POSITIVE);
    let one = |(name, width): &(&str, f64)| format!("{name} {}", per_cent(width / whole));
    sums.iter().take(5).map(one).collect::<Vec<_>>().join(", ")
}

fn table(profile: &Profile) -> Markup {
    const LINES: usize = 12;
    let gigabytes = profile.bytes / 1e9;
    let all: u64 = profile.syscalls.iter().map(|call| call.calls).sum();
    html! {
        h3 { (profile.contestant) " · " (profile.way.name()) @if profile.rig == Rig::Peer { " · peer" } }
        div.scroll { table {
            thead { tr { th { "call" } th { "calls/GB" } th { "share" } th { "failed" } } }
            tbody {
                @for call in profile.syscalls.iter().take(LINES) { tr {
                    th scope="row" { code { (call.name) } }
                    td { (figure(call.calls as f64 / gigabytes)) }
                    td { (per_cent(call.calls as f64 / all.max(1) as f64)) }
                    td { (figure(call.errors as f64)) }
                } }
                tr.total { th scope="row" { "all" } td { (figure(all as f64 / gigabytes)) } td {} td {} }
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_to_what_tells() {
        assert_eq!(short("cedar::framing::decode::h0123456789abcdef"), "decode");
        assert_eq!(short("tcp_sendmsg_[k]"), "tcp_sendmsg");
        assert_eq!(short("<cedar::Tap as cedar::Adapter>::send"), "<cedar::Tap as cedar::Adapter>::send");
    }

    #[test]
    fn two_profiles_are_compared_per_byte() {
        let flame = |samples, other| Flame { samples, other, ..Flame::default() };
        let root = flame(30.0, 10.0);
        let scale = Scale::of_two(&root, 2e9, 1e9);
        assert_eq!(scale.width(&root), 1.0);
        let change = |samples, other| scale.change(&flame(samples, other));
        assert!(change(2.0, 1.0).is_some_and(|change| change.abs() < 1e-9), "twice the samples for twice the bytes");
        assert_eq!((change(0.0, 1.0), change(1.0, 0.0), change(0.0, 0.0)), (Some(-1.0), Some(1.0), None));
        assert_eq!(scale.words(&flame(10.0, 2.5), &root), "50 % instead of 25 %");
        let alone = Scale::of(&root, 0.5);
        assert_eq!((alone.width(&root), alone.change(&root)), (0.5, None));
        assert_eq!(alone.words(&flame(15.0, 0.0), &root), "50 %");
    }
}
