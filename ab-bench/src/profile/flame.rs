//! Folded stacks as a tree, and as the picture that is used everywhere for them.

use std::collections::BTreeMap;

use inferno::flamegraph::{self, Options};

use super::ProfileError;

/// A frame with all that it calls. The root stands for all samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flame {
    /// Samples of one profile in this frame and below it.
    pub samples: f64,
    /// Samples of the other profile, in a tree of two.
    pub other: f64,
    /// The callees by name.
    pub callees: BTreeMap<String, Flame>,
}

impl Flame {
    /// The tree of folded stacks. Lines that are not `frame;frame count` are left out.
    #[must_use]
    pub fn of(folded: &str) -> Self {
        let mut root = Self::default();
        root.add(folded, |flame| &mut flame.samples);
        root
    }

    /// The tree of two profiles in one: `samples` of the first, `other` of the second.
    #[must_use]
    pub fn of_two(first: &str, second: &str) -> Self {
        let mut root = Self::of(first);
        root.add(second, |flame| &mut flame.other);
        root
    }

    fn add(&mut self, folded: &str, side: fn(&mut Self) -> &mut f64) {
        for (stack, count) in folded.lines().filter_map(stack_and_count) {
            *side(self) += count;
            let mut flame = &mut *self;
            // The first frame is the thread's name: what threads do is told apart by what they call.
            for frame in stack.split(';').skip(1) {
                flame = flame.callees.entry(frame.to_owned()).or_default();
                *side(flame) += count;
            }
        }
    }

    /// How many frames lie above one another.
    #[must_use]
    pub fn depth(&self) -> usize {
        1 + self.callees.values().map(Self::depth).max().unwrap_or(0)
    }
}

fn stack_and_count(line: &str) -> Option<(&str, f64)> {
    let (stack, count) = line.rsplit_once(' ')?;
    count.parse().ok().filter(|count: &f64| count.is_finite() && *count >= 0.0).map(|count| (stack, count))
}

/// The folded stacks without what is too thin to be seen: stacks below `share` of all samples are cut where they fork.
#[must_use]
pub fn prune(folded: &str, share: f64) -> String {
    let tree = Flame::of(folded);
    let least = tree.samples * share;
    let mut pruned: BTreeMap<String, f64> = BTreeMap::new();
    for (stack, count) in folded.lines().filter_map(stack_and_count) {
        let (mut kept, mut flame) = (vec![stack.split(';').next().unwrap_or_default()], &tree);
        for frame in stack.split(';').skip(1) {
            match flame.callees.get(frame).filter(|callee| callee.samples >= least) {
                Some(callee) => {
                    kept.push(frame);
                    flame = callee;
                }
                None => break,
            }
        }
        *pruned.entry(kept.join(";")).or_default() += count;
    }
    pruned.iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
}

/// The folded stacks by what the machine does, for a comparison of programs that share no function: a stack that reaches
/// the kernel begins where it enters it, any other one is the function that runs.
#[must_use]
pub fn by_work(folded: &str) -> String {
    const ENTRIES: [&str; 3] = ["entry_SYSCALL_64_after_hwframe_[k]", "do_syscall_64_[k]", "x64_sys_call_[k]"];
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (stack, count) in folded.lines().filter_map(stack_and_count) {
        let frames: Vec<&str> = stack.split(';').skip(1).collect();
        let kernel = frames.iter().position(|frame| frame.ends_with("_[k]"));
        let work = match kernel {
            Some(first) => {
                let below: Vec<&str> =
                    frames[first..].iter().copied().filter(|frame| !ENTRIES.contains(frame)).collect();
                format!("all;in the kernel;{}", below.join(";")).trim_end_matches(';').to_owned()
            }
            None => format!("all;in the program;{}", frames.last().copied().unwrap_or("[unknown]")),
        };
        *sums.entry(work).or_default() += count;
    }
    sums.iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
}

/// A flamegraph as a file of its own, to be opened and zoomed in a browser; with `before`, coloured by the difference.
pub fn flamegraph_svg(title: &str, folded: &str, before: Option<&str>) -> Result<Vec<u8>, ProfileError> {
    let failed = |reason: String| ProfileError::Failed { program: "inferno", reason };
    let mut options = Options::default();
    options.title = title.to_owned();
    options.count_name = "samples".into();
    let mut svg = Vec::new();
    let lines = match before {
        None => folded.as_bytes().to_vec(),
        Some(before) => {
            let mut both = Vec::new();
            let normalised = inferno::differential::Options { normalize: true, ..Default::default() };
            inferno::differential::from_readers(normalised, before.as_bytes(), folded.as_bytes(), &mut both)
                .map_err(|error| failed(error.to_string()))?;
            both
        }
    };
    flamegraph::from_reader(&mut options, &lines[..], &mut svg).map_err(|error| failed(error.to_string()))?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDED: &str = "cutover;main;read;vfs_read 60\ncutover;main;seal 39\ncutover;main;rare;rarer 1\n";

    #[test]
    fn a_frame_counts_what_it_calls() {
        let flame = Flame::of(FOLDED);
        assert_eq!((flame.samples, flame.depth()), (100.0, 4));
        let main = &flame.callees["main"];
        assert_eq!((main.samples, main.callees["read"].samples), (100.0, 60.0));
        assert_eq!(Flame::of("no count\nnot;a number x\n"), Flame::default());
    }

    #[test]
    fn two_profiles_share_a_tree() {
        let flame = Flame::of_two(FOLDED, "cutover;main;seal 5\ncutover;idle 1\n");
        assert_eq!((flame.samples, flame.other), (100.0, 6.0));
        assert_eq!((flame.callees["idle"].samples, flame.callees["idle"].other), (0.0, 1.0));
        assert_eq!(flame.callees["main"].callees["seal"].other, 5.0);
    }

    #[test]
    fn pruning_keeps_every_sample() {
        let pruned = prune(FOLDED, 0.02);
        assert_eq!(pruned, "cutover;main 1\ncutover;main;read;vfs_read 60\ncutover;main;seal 39\n");
        assert_eq!(Flame::of(&pruned).samples, 100.0);
        assert_eq!(Flame::of(&prune(FOLDED, 0.0)), Flame::of(FOLDED));
    }

    #[test]
    fn work_begins_where_the_kernel_is_entered() {
        let folded = "c;main;write;entry_SYSCALL_64_after_hwframe_[k];do_syscall_64_[k];tun_[k] 5\n\
                      c;other;entry_SYSCALL_64_after_hwframe_[k];do_syscall_64_[k];tun_[k] 2\nc;main;seal 3\nc 1\n";
        let work = "all;in the kernel;tun_[k] 7\nall;in the program;[unknown] 1\nall;in the program;seal 3\n";
        assert_eq!(by_work(folded), work);
        assert_eq!(by_work("c;main;do_syscall_64_[k] 1\n"), "all;in the kernel 1\n");
    }

    #[test]
    fn the_pictures_are_made() {
        let svg = String::from_utf8(flamegraph_svg("c", FOLDED, None).unwrap()).unwrap();
        assert!(svg.contains("vfs_read") && svg.contains("</svg>"));
        let difference = flamegraph_svg("rust − c", FOLDED, Some("cutover;main;seal 50\n")).unwrap();
        assert!(String::from_utf8(difference).unwrap().contains("seal"));
        assert!(flamegraph_svg("nothing", "", None).is_err());
    }
}
