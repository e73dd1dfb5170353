//! Who is compared: names from the command line, made into programs and what they shall run.

use std::path::PathBuf;

use super::schema::AGAIN;
use crate::lab::ClientKind;

/// Someone to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contestant {
    /// `c`, `rust`, `official`, …
    pub name: String,
    /// The program.
    pub kind: ClientKind,
    /// Its `CUTOVER_SWAPS`; absent: the build's default.
    pub swaps: Option<String>,
}

/// The contestants by name. `c` and `rust` need an executable, `official` is Debian's client. A name in `swaps` is the
/// Rust build (or an executable of that name) with these modes of its swaps.
pub fn contestants(
    names: &[String],
    programs: &[(String, PathBuf)],
    swaps: &[(String, String)],
) -> Result<Vec<Contestant>, String> {
    let mut contestants: Vec<Contestant> = Vec::new();
    if let Some((name, _)) = swaps.iter().find(|(name, _)| !names.contains(name)) {
        return Err(format!("`--swaps {name}=…` is for a contestant that is not compared"));
    }
    for name in names {
        if contestants.iter().any(|contestant| contestant.name == *name) {
            return Err(format!("contestant `{name}` is named twice"));
        }
        contestants.push(contestant(name, programs, swaps)?);
    }
    if contestants.is_empty() { Err("no contestant: name c, rust or official".into()) } else { Ok(contestants) }
}

fn contestant(name: &str, programs: &[(String, PathBuf)], swaps: &[(String, String)]) -> Result<Contestant, String> {
    let modes = swaps.iter().find(|(of, _)| of == name).map(|(_, modes)| modes.clone());
    let (build, swaps) = match (name, modes) {
        (AGAIN, _) => return Err(format!("`{AGAIN}` is the baseline's second visit: take another name")),
        ("official" | "c", Some(_)) => return Err(format!("`{name}` has no swaps to set")),
        ("official", None) => {
            return Ok(Contestant { name: name.to_owned(), kind: ClientKind::Official, swaps: None });
        }
        ("c", None) => ("c", None),
        ("rust", modes) => ("rust", modes.or_else(|| Some("*=rust".to_owned()))),
        (_, Some(modes)) => ("rust", Some(modes)),
        (_, None) => {
            return Err(format!(
                "unknown contestant `{name}`: there are c, rust and official, and those that `--swaps NAME=MODES` makes"
            ));
        }
    };
    let of = |wanted: &str| programs.iter().find(|(program, _)| program == wanted).map(|(_, path)| path.clone());
    let program = of(name).or_else(|| of(build)).ok_or_else(|| {
        format!("contestant `{name}` needs its executable: `--bin {build}=PATH` (`./zigw build ab` gives it)")
    })?;
    Ok(Contestant { name: name.to_owned(), kind: ClientKind::Cutover(program), swaps })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn contestants_are_checked() {
        let programs = [("c".to_owned(), PathBuf::from("/c")), ("rust".to_owned(), PathBuf::from("/rust"))];
        let all = contestants(&names(&["c", "rust", "official"]), &programs, &[]).unwrap();
        assert_eq!(all[0], Contestant { name: "c".into(), kind: ClientKind::Cutover("/c".into()), swaps: None });
        assert_eq!(all[1].swaps.as_deref(), Some("*=rust"));
        assert_eq!(all[2].kind, ClientKind::Official);
        assert!(contestants(&names(&["c"]), &[], &[]).unwrap_err().contains("--bin c=PATH"));
        assert!(contestants(&names(&["go"]), &programs, &[]).unwrap_err().contains("unknown contestant `go`"));
        assert!(contestants(&names(&["c", "c"]), &programs, &[]).unwrap_err().contains("twice"));
        assert!(contestants(&[], &programs, &[]).is_err());
    }

    #[test]
    fn a_contestant_may_have_its_own_modes() {
        let mut programs = vec![("c".to_owned(), PathBuf::from("/c")), ("rust".to_owned(), PathBuf::from("/rust"))];
        let modes = |name: &str| vec![(name.to_owned(), "*=c,adapter=rust".to_owned())];
        let expected = |path: &str| Contestant {
            name: "adapter".into(),
            kind: ClientKind::Cutover(path.into()),
            swaps: Some("*=c,adapter=rust".into()),
        };
        let two = names(&["c", "adapter"]);
        assert_eq!(contestants(&two, &programs, &modes("adapter")).unwrap()[1], expected("/rust"));
        programs.push(("adapter".to_owned(), PathBuf::from("/own")));
        assert_eq!(contestants(&two, &programs, &modes("adapter")).unwrap()[1], expected("/own"));
        let rust = contestants(&names(&["rust"]), &programs, &modes("rust")).unwrap();
        assert_eq!(rust[0].swaps.as_deref(), Some("*=c,adapter=rust"));
        assert!(contestants(&names(&["c"]), &programs, &modes("adapter")).unwrap_err().contains("not compared"));
        assert!(contestants(&names(&["c"]), &programs, &modes("c")).unwrap_err().contains("no swaps"));
        assert!(contestants(&names(&["again"]), &programs, &modes("again")).unwrap_err().contains("another name"));
        assert!(contestants(&two, &[], &modes("adapter")).is_err());
    }
}
