//! Who is compared: names from the command line, made into programs and what they shall run.

use std::path::PathBuf;

use super::schema::AGAIN;
use crate::lab::{ClientKind, Neighbour};

// Every swap by its line in the registry, for `--each`.
include!("../../../rust/swaps/src/registry.rs");

macro_rules! swap_names {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        /// The names of all swaps, in the registry's order.
        pub const SWAPS: &[&str] = &[$(stringify!($name)),*];
    };
}
with_registry!(swap_names);

/// Someone to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contestant {
    /// `c`, `rust`, `official`, …
    pub name: String,
    /// What it is, for people.
    pub what: String,
    /// The program.
    pub kind: ClientKind,
    /// Its `CUTOVER_SWAPS`; absent: the build's default.
    pub swaps: Option<String>,
    /// More of its environment: what plants a fault, for example.
    pub env: Vec<(String, String)>,
}

/// The names that need no explanation on the command line.
const NAMES: &str = "c, c-dispatched, rust, official, the neighbours openvpn-tcp, openvpn-udp, openconnect, boringtun and \
                     gotatun, and those that `--mix` and `--each` make";

/// The contestants by name, those of `mixes` and one for each swap of `each` after them. `c` and `c-dispatched` and
/// `rust` need an executable of `programs`; an executable of any other name runs with its defaults.
pub fn contestants(
    names: &[String],
    programs: &[(String, PathBuf)],
    mixes: &[Mix],
    each: &[&str],
) -> Result<Vec<Contestant>, String> {
    let mut contestants: Vec<Contestant> = Vec::new();
    let named = names.iter().map(|name| named(name, programs));
    let mixed =
        mixes.iter().map(|mix| rust_build(&mix.name, &format!("Rust build, {}", mix.modes), &mix.modes, programs));
    let alone = each
        .iter()
        .map(|swap| rust_build(swap, &format!("C, only {swap} on Rust"), &format!("*=c,{swap}=rust"), programs));
    for contestant in named.chain(mixed).chain(alone) {
        let contestant = contestant?;
        if contestants.iter().any(|other| other.name == contestant.name) {
            return Err(format!("contestant `{}` is named twice", contestant.name));
        }
        contestants.push(contestant);
    }
    if contestants.is_empty() { Err(format!("no contestant: there are {NAMES}")) } else { Ok(contestants) }
}

/// A contestant made of the Rust build and modes of its swaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    name: String,
    modes: String,
}

impl std::str::FromStr for Mix {
    type Err = String;

    /// `framing=rust,session=c`, whose name is made of what is not on C (`framing`), or `NAME:framing=rust,…`.
    /// What is not named stays on C; `*=rust` before the others turns that round.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, modes) = match text.split_once(':') {
            Some((name, modes)) => (Some(name.to_owned()), modes),
            None => (None, text),
        };
        let pairs: Option<Vec<(&str, &str)>> = modes.split(',').map(|pair| pair.split_once('=')).collect();
        let pairs = pairs.ok_or("want [NAME:]SWAP=MODE,…, for example framing=rust,adapter=rust")?;
        if let Some((swap, mode)) = pairs.iter().find(|(_, mode)| !is_mode(mode)) {
            return Err(format!("`{swap}={mode}`: a mode is c, rust, shadow, rust@N% or shadow@N%"));
        }
        let base = pairs.iter().find(|(swap, _)| *swap == "*").map_or("c", |(_, mode)| mode);
        let others: Vec<&str> =
            pairs.iter().filter(|(swap, mode)| *swap != "*" && *mode != base).map(|(swap, _)| *swap).collect();
        let default_name = match (base, &others[..]) {
            ("rust", []) => "all-on-rust".to_owned(),
            ("rust", others) => format!("rust-without-{}", others.join("-")),
            (_, []) => "all-on-c".to_owned(),
            (_, others) => others.join("+"),
        };
        let modes = if modes.contains("*=") { modes.to_owned() } else { format!("*=c,{modes}") };
        Ok(Self { name: name.unwrap_or(default_name), modes })
    }
}

/// Whether the client takes this as a mode: c, rust and shadow, the last two also with a share.
fn is_mode(mode: &str) -> bool {
    match mode.split_once('@') {
        None => matches!(mode, "c" | "rust" | "shadow"),
        Some((mode, share)) => {
            let percent = share.strip_suffix('%').and_then(|percent| percent.parse::<u8>().ok());
            matches!(mode, "rust" | "shadow") && percent.is_some_and(|percent| percent <= 100)
        }
    }
}

fn named(name: &str, programs: &[(String, PathBuf)]) -> Result<Contestant, String> {
    let plain =
        |what: &str, kind| Contestant { name: name.to_owned(), what: what.into(), kind, swaps: None, env: Vec::new() };
    match name {
        AGAIN => Err(format!("`{AGAIN}` is the baseline's second visit: take another name")),
        "c" => Ok(plain("untouched C", ClientKind::Cutover(program("c", programs, "c")?))),
        "c-dispatched" => rust_build(name, "Rust build, every swap on C", "*=c", programs),
        "rust" => rust_build(name, "Rust build, every swap on Rust", "*=rust", programs),
        "official" => Ok(plain("Debian's vpnclient", ClientKind::Official)),
        _ => match (Neighbour::from_name(name), programs.iter().any(|(program, _)| program == name)) {
            (Some(neighbour), _) => Ok(plain(neighbour.what(), ClientKind::Neighbour(neighbour))),
            (None, true) => Ok(plain("an executable of its own", ClientKind::Cutover(program(name, programs, name)?))),
            (None, false) => Err(format!("unknown contestant `{name}`: there are {NAMES}")),
        },
    }
}

fn rust_build(name: &str, what: &str, modes: &str, programs: &[(String, PathBuf)]) -> Result<Contestant, String> {
    if matches!(name, AGAIN | "c" | "official") || Neighbour::from_name(name).is_some() {
        return Err(format!("`{name}` is the name of another contestant: take another one"));
    }
    let own = programs.iter().any(|(program, _)| program == name);
    let program = program(name, programs, if own { name } else { "rust" })?;
    Ok(Contestant {
        name: name.to_owned(),
        what: what.to_owned(),
        kind: ClientKind::Cutover(program),
        swaps: Some(modes.to_owned()),
        env: Vec::new(),
    })
}

fn program(name: &str, programs: &[(String, PathBuf)], build: &str) -> Result<PathBuf, String> {
    let found = programs.iter().find(|(program, _)| program == build).map(|(_, path)| path.clone());
    found.ok_or_else(|| {
        format!("contestant `{name}` needs its executable: `--bin {build}=PATH` (`./zigw build ab` gives it)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn programs() -> Vec<(String, PathBuf)> {
        ["c", "rust", "own"].map(|name| (name.to_owned(), PathBuf::from(format!("/{name}")))).to_vec()
    }

    #[test]
    fn names_become_programs_and_modes() {
        let wanted = names(&["c", "c-dispatched", "rust", "official", "own", "openvpn-udp"]);
        let all = contestants(&wanted, &programs(), &[], &[]).unwrap();
        let cutover = |path: &str| ClientKind::Cutover(path.into());
        let expected = [
            (cutover("/c"), None),
            (cutover("/rust"), Some("*=c")),
            (cutover("/rust"), Some("*=rust")),
            (ClientKind::Official, None),
            (cutover("/own"), None),
            (ClientKind::Neighbour(Neighbour::OpenVpnUdp), None),
        ];
        let found: Vec<_> = all.iter().map(|one| (one.kind.clone(), one.swaps.as_deref())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |wanted: &[&str], programs: &[(String, PathBuf)]| {
            contestants(&names(wanted), programs, &[], &[]).unwrap_err()
        };
        assert!(message(&["c"], &[]).contains("--bin c=PATH"));
        assert!(message(&["c-dispatched"], &[]).contains("--bin rust=PATH"));
        assert!(message(&["go"], &programs()).contains("unknown contestant `go`"));
        assert!(message(&["c", "c"], &programs()).contains("twice"));
        assert!(message(&["again"], &programs()).contains("another name"));
        assert!(message(&[], &programs()).contains("no contestant"));
    }

    #[test]
    fn a_mix_is_named_by_what_differs() {
        let mix = |text: &str| text.parse::<Mix>().unwrap();
        let of = |name: &str, modes: &str| Mix { name: name.into(), modes: modes.into() };
        assert_eq!(
            mix("framing=rust,session=c,adapter=rust"),
            of("framing+adapter", "*=c,framing=rust,session=c,adapter=rust")
        );
        assert_eq!(mix("*=rust,tls=c"), of("rust-without-tls", "*=rust,tls=c"));
        assert_eq!(mix("mine:adapter=rust"), of("mine", "*=c,adapter=rust"));
        assert_eq!(mix("new_block=shadow@1%"), of("new_block", "*=c,new_block=shadow@1%"));
        for wrong in ["adapter", "adapter=zig", "new_block=shadow@101%", "new_block=shadow@1", "new_block=c@1%"] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong}");
        }
        assert!("framing".parse::<Mix>().is_err());
        assert!("framing=zig".parse::<Mix>().unwrap_err().contains("a mode is c, rust, shadow"));
        let all = contestants(&names(&["c"]), &programs(), &[mix("adapter=rust")], &["new_block"]).unwrap();
        assert_eq!(all[1].swaps.as_deref(), Some("*=c,adapter=rust"));
        assert_eq!((&all[2].name[..], all[2].swaps.as_deref()), ("new_block", Some("*=c,new_block=rust")));
        assert!(contestants(&[], &programs(), &[mix("c:adapter=rust")], &[]).is_err());
    }

    #[test]
    fn every_swap_is_known() {
        assert!(SWAPS.contains(&"connection_send") && SWAPS.contains(&"vlan_get_packet_adapter"), "{SWAPS:?}");
    }
}
