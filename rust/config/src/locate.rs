//! Finds the configuration that `cutover up FILE|NAME` means, and the instance name that follows
//! from it. Reads no configuration and no process state: the environment is an argument.

use std::path::{Path, PathBuf};

use crate::error::{ConfigError, Place};

/// Longest instance name. It becomes part of a socket path, and those end at 107 bytes.
pub const NAME_BYTES_MAX: usize = 48;

/// What this crate asks of the process's surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `$XDG_CONFIG_HOME`, else `$HOME/.config`.
    pub config_home: Option<PathBuf>,
    /// Where the machine's own configurations are: `/etc/cutover`.
    pub system_folder: PathBuf,
    /// `$CREDENTIALS_DIRECTORY`, which systemd sets for LoadCredential=.
    pub credentials_directory: Option<PathBuf>,
}

impl Environment {
    /// The surroundings of this process.
    pub fn of_process() -> Environment {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Environment {
            config_home: path("XDG_CONFIG_HOME").or_else(|| path("HOME").map(|home| home.join(".config"))),
            system_folder: PathBuf::from("/etc/cutover"),
            credentials_directory: path("CREDENTIALS_DIRECTORY"),
        }
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let own = self.config_home.iter().map(|home| home.join("cutover"));
        own.chain([self.system_folder.clone()])
    }
}

/// A configuration file and the name of the instance that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file.
    pub path: PathBuf,
    /// The file's name without `.toml`; names the control socket.
    pub name: String,
}

/// Resolves FILE (anything with a `/` in it or with `.toml` at its end) or NAME.
///
/// # Errors
/// NAME is no name, no folder has `NAME.toml`, or FILE's own name is no instance name.
pub fn locate(target: &str, environment: &Environment) -> Result<Located, ConfigError> {
    if target.contains('/') || target.ends_with(".toml") {
        return locate_file(Path::new(target));
    }
    check_name(target, &Place::Name(format!("{target:?}")))?;
    let candidates: Vec<PathBuf> = environment.folders().map(|folder| folder.join(format!("{target}.toml"))).collect();
    match candidates.iter().find(|path| path.exists()) {
        Some(path) => Ok(Located { path: path.clone(), name: target.to_owned() }),
        None => {
            let looked_at: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
            Err(ConfigError::new(
                &Place::Name(target.to_owned()),
                "there is no configuration of this name",
                format!("looked for {}; write one of them, or name a file: ./{target}.toml", looked_at.join(" and ")),
            ))
        }
    }
}

fn locate_file(path: &Path) -> Result<Located, ConfigError> {
    let place = Place::start_of(path);
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    check_name(&name, &place)?;
    Ok(Located { path: path.to_owned(), name })
}

/// True for a text that can name an instance: letters, digits, `-`, `_` and `.`, not first `.` or
/// `-`, at most [`NAME_BYTES_MAX`] bytes.
pub fn is_name(name: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_name_byte) && !name.starts_with(['.', '-'])
}

fn check_name(name: &str, place: &Place) -> Result<(), ConfigError> {
    if is_name(name) {
        return Ok(());
    }
    Err(ConfigError::new(
        place,
        format!("{name:?} cannot name a connection"),
        format!("use 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.'"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_name_is_looked_for_at_home_first_then_in_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let system = folder.path().join("etc");
        let environment =
            Environment { config_home: Some(home.clone()), system_folder: system.clone(), credentials_directory: None };
        fs::create_dir_all(home.join("cutover")).unwrap();
        fs::create_dir_all(&system).unwrap();

        let error = locate("office", &environment).unwrap_err().to_string();
        assert!(error.contains("home/cutover/office.toml and") && error.contains("etc/office.toml"), "{error}");

        fs::write(system.join("office.toml"), "").unwrap();
        assert_eq!(locate("office", &environment).unwrap().path, system.join("office.toml"));
        fs::write(home.join("cutover/office.toml"), "").unwrap();
        assert_eq!(locate("office", &environment).unwrap().path, home.join("cutover/office.toml"));
    }

    #[test]
    fn a_file_names_its_instance() {
        let environment = Environment::default();
        assert_eq!(locate("./conf/office.toml", &environment).unwrap().name, "office");
        assert_eq!(locate("office.toml", &environment).unwrap().name, "office");
        assert_eq!(locate("/a/office", &environment).unwrap().name, "office");
        for target in ["", ".toml", "../x y.toml", "a b", "-x", "/", "a\0b", &"x".repeat(49)] {
            assert!(locate(target, &environment).is_err(), "{target:?}");
        }
    }
}
