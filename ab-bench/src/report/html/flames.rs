//! Flamegraphs: the baseline and the candidate on one scale, side by side, and what changed between them.

use maud::{Markup, html};

use super::axis::percent;
use super::cpu::way_title;
use crate::ab::schema::{Profile, ProfileKind, Report, Rig, Way};
use crate::profile::Flame;
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
                    "scale for both, so a narrower picture is a cheaper client. Frames of the kernel are shaded. In the difference, "
                    span.key.less {} "blue is less than " (report.baseline) " needs, " span.key.more {} "orange more."
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
    let joint = Flame::of_two(folded(couple.candidate), folded(couple.baseline));
    let change = Change { ours: couple.candidate.bytes, theirs: couple.baseline.bytes };
    let several_rigs = report.profiles.iter().any(|profile| profile.rig != couple.rig);
    html! {
        h3 { (way_title(couple.way)) @if several_rigs { " · " (couple.rig.name()) } }
        div.beside {
            @for (flame, profile) in [(&before, couple.baseline), (&after, couple.candidate)] {
                @let share = per_gb(flame, profile) / widest;
                figure.flame {
                    figcaption { b { (profile.contestant) } " · " (figure(flame.samples)) " samples, " (per_cent(share)) " of the wider one" }
                    (picture(flame, share, None, &format!("{} {}", profile.contestant, profile.way.name())))
                }
            }
        }
        figure.flame {
            figcaption { b { (couple.candidate.contestant) " − " (couple.baseline.contestant) } " · widths are " (couple.candidate.contestant) "’s" }
            (picture(&joint, 1.0, Some(&change), &format!("difference {}", couple.way.name())))
        }
    }
}

/// Payload under the two profiles of a difference.
struct Change {
    ours: f64,
    theirs: f64,
}

impl Change {
    /// How a frame's cost per byte changed: −1 (gone) to 1 (doubled, or new).
    fn of(&self, flame: &Flame) -> f64 {
        let (ours, theirs) = (flame.samples / self.ours, flame.other / self.theirs);
        if theirs > 0.0 { (ours / theirs - 1.0).clamp(-1.0, 1.0) } else { 1.0 }
    }
}

fn picture(flame: &Flame, share: f64, change: Option<&Change>, label: &str) -> Markup {
    let mut frames = Vec::new();
    let scale = share / flame.samples.max(1.0);
    lay(flame, "all", 0, 0.0, scale, &mut frames);
    let depth = frames.iter().map(|frame| frame.depth + 1).max().unwrap_or(1);
    html! {
        div.frames data-plot="flame" role="img" aria-label={ "Flamegraph, " (label) ": " (hottest(flame)) } style={ "height:" (depth as f64 * FRAME_REM) "rem" } {
            @for frame in &frames {
                span class={ "frame " (kind(frame.name)) } title={ (frame.name) ": " (per_cent(frame.flame.samples / flame.samples.max(1.0))) }
                    style={
                        "left:" (percent(frame.left * 100.0)) ";width:" (percent(frame.width * 100.0)) ";bottom:" (rem(frame.depth)) "rem"
                        @if let Some(change) = change { ";--change:" (format!("{:.2}", change.of(frame.flame))) ";background:" (tint(change.of(frame.flame))) }
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

fn lay<'a>(flame: &'a Flame, name: &'a str, depth: usize, left: f64, scale: f64, frames: &mut Vec<Placed<'a>>) {
    let width = flame.samples * scale;
    if width < SHARE_MIN || depth >= DEPTH_MAX {
        return;
    }
    frames.push(Placed { name, flame, depth, left, width });
    let mut left = left;
    for (name, callee) in &flame.callees {
        lay(callee, name, depth + 1, left, scale, frames);
        left += callee.samples * scale;
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
fn hottest(flame: &Flame) -> String {
    fn own<'a>(flame: &'a Flame, name: &'a str, sums: &mut std::collections::BTreeMap<&'a str, f64>) {
        let below: f64 = flame.callees.values().map(|callee| callee.samples).sum();
        *sums.entry(short(name)).or_default() += flame.samples - below;
        flame.callees.iter().for_each(|(name, callee)| own(callee, name, sums));
    }
    let mut sums = std::collections::BTreeMap::new();
    own(flame, "all", &mut sums);
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    let one = |(name, samples): &(&str, f64)| format!("{name} {}", per_cent(samples / flame.samples.max(1.0)));
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
    fn changes_are_per_byte() {
        let change = Change { ours: 2.0, theirs: 1.0 };
        let flame = |samples, other| Flame { samples, other, ..Flame::default() };
        assert_eq!(change.of(&flame(2.0, 1.0)), 0.0, "twice the samples for twice the bytes");
        assert_eq!(change.of(&flame(0.0, 1.0)), -1.0);
        assert_eq!(change.of(&flame(1.0, 0.0)), 1.0);
    }
}
