//! Where the vendored C is, and which files of it are compiled.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The directory `src/` of a SoftEtherVPN tree.
pub struct Source {
    pub src: PathBuf,
}

impl Source {
    /// `$SOFTETHER_SRC`, or `vendor/SoftEtherVPN` as `vendor/fetch` left it.
    pub fn locate(root: &Path) -> Result<Self, String> {
        println!("cargo::rerun-if-env-changed=SOFTETHER_SRC");
        let tree = match env::var_os("SOFTETHER_SRC") {
            Some(dir) => PathBuf::from(dir),
            None => {
                let tree = root.join("vendor/SoftEtherVPN");
                if !tree.join(".fetched").is_file() {
                    return Err(format!(
                        "{} is missing or incomplete. Run `vendor/fetch`, or set SOFTETHER_SRC to a checkout of SoftEtherVPN.",
                        tree.display()
                    ));
                }
                tree
            }
        };
        let src = tree.join("src");
        if !src.join("Cedar/Cedar.h").is_file() {
            return Err(format!(
                "{} holds no src/Cedar/Cedar.h: SOFTETHER_SRC must name the top of a SoftEtherVPN tree.",
                tree.display()
            ));
        }
        for part in ["Mayaqua", "Cedar", "GlobalConst.h", "bin/hamcore"] {
            println!("cargo::rerun-if-changed={}", src.join(part).display());
        }
        Ok(Self { src })
    }

    /// The C files of Mayaqua and Cedar, as paths under `src/`, in a fixed order.
    pub fn c_files(&self) -> Result<Vec<String>, String> {
        let mut files = self.files("Mayaqua", "c")?;
        files.extend(self.files("Cedar", "c")?);
        Ok(files)
    }

    /// All headers, as paths under `src/`, in a fixed order.
    pub fn headers(&self) -> Result<Vec<String>, String> {
        let mut files = vec!["GlobalConst.h".to_owned()];
        files.extend(self.files("Mayaqua", "h")?);
        files.extend(self.files("Cedar", "h")?);
        Ok(files)
    }

    /// The bytes of one file under `src/`.
    pub fn read(&self, file: &str) -> Result<Vec<u8>, String> {
        let path = self.src.join(file);
        fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn files(&self, directory: &str, extension: &str) -> Result<Vec<String>, String> {
        let path = self.src.join(directory);
        let entries = fs::read_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut files: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| Path::new(name).extension().is_some_and(|e| e == extension))
            .map(|name| format!("{directory}/{name}"))
            .collect();
        files.sort();
        Ok(files)
    }
}
