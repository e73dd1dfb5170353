//! Compiles C files into objects, each kept in a cache under the hash of all that went into it, so that
//! neither another cargo profile nor `cargo clean` recompiles what has not changed.

use crate::source::Source;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Upstream's definitions for Linux on a 64-bit machine, release configuration. The build date is the
/// date of the vendored snapshot, so that two builds of the same source are the same.
const DEFINES: &[(&str, Option<&str>)] = &[
    ("NDEBUG", None),
    ("VPN_SPEED", None),
    ("CPU_64", None),
    ("_REENTRANT", None),
    ("REENTRANT", None),
    ("_THREAD_SAFE", None),
    ("_THREADSAFE", None),
    ("THREAD_SAFE", None),
    ("THREADSAFE", None),
    ("_FILE_OFFSET_BITS", Some("64")),
    ("UNIX", None),
    ("UNIX_LINUX", None),
    ("SKIP_CPU_FEATURES", None),
    ("CEDAR_VERSION_MAJOR", Some("5")),
    ("CEDAR_VERSION_MINOR", Some("1")),
    ("CEDAR_VERSION_BUILD", Some("9674")),
    ("BUILD_DATE_D", Some("6")),
    ("BUILD_DATE_M", Some("8")),
    ("BUILD_DATE_Y", Some("2020")),
    ("BUILD_DATE_HO", Some("0")),
    ("BUILD_DATE_MI", Some("0")),
    ("BUILD_DATE_SE", Some("0")),
    ("BUILDER_NAME", Some("\"cutover\"")),
    ("BUILD_PLACE", Some("\"cutover\"")),
];

/// For the library: upstream's programs keep settings, a language file and logs beside themselves; a client that several
/// people may run at once, from a folder that is not theirs, keeps none.
const KEEPS_NO_FILES: &[(&str, Option<&str>)] =
    &[("SE_DBDIR", Some("\"/dev/null\"")), ("SE_LOGDIR", Some("\"/dev/null\"")), ("SE_PIDDIR", Some("\"/dev/null\""))];

/// Upstream's compiler flags, and the two that let a linker leave out what a program does not reach.
const FLAGS: &[&str] = &["-fsigned-char", "-fno-strict-aliasing", "-ffunction-sections", "-fdata-sections"];

/// How much the compiler optimises, whether it writes debug information, and what is defined besides [`DEFINES`].
#[derive(Clone)]
pub struct Profile {
    pub opt_level: String,
    pub debug: bool,
    defines: &'static [(&'static str, Option<&'static str>)],
}

impl Profile {
    /// The profile that cargo builds the crate with.
    pub fn of_cargo() -> Self {
        let var = |name| env::var(name).unwrap_or_default();
        Self { opt_level: var("OPT_LEVEL"), debug: var("DEBUG") != "false", defines: KEEPS_NO_FILES }
    }

    /// What upstream and Debian ship.
    pub fn of_upstream() -> Self {
        Self { opt_level: "2".to_owned(), debug: false, defines: &[] }
    }
}

/// One C file to compile.
pub struct Unit {
    /// Path under `src/` or a name of ours; names the object.
    pub name: String,
    /// The text to compile, after any renaming.
    pub text: Vec<u8>,
}

/// A C compiler with the project's flags and the cache of its objects.
pub struct Compiler<'a> {
    source: &'a Source,
    bridge: PathBuf,
    out_dir: PathBuf,
    cache: PathBuf,
    /// Hash of the compiler's version and of every header.
    environment: String,
}

impl<'a> Compiler<'a> {
    /// Asks the compiler for its version and hashes the headers.
    pub fn new(source: &'a Source, root: &Path, out_dir: &Path) -> Result<Self, String> {
        let bridge = root.join("bridge");
        println!("cargo::rerun-if-changed={}", bridge.join("include").display());
        println!("cargo::rerun-if-env-changed=CUTOVER_CACHE_DIR");
        let cache = env::var_os("CUTOVER_CACHE_DIR").map_or_else(|| root.join(".cache"), PathBuf::from);
        fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;

        let mut hash = Sha256::new();
        let version = Command::new(cc::Build::new().get_compiler().path()).arg("--version").output();
        hash.update(version.map_err(|e| format!("no C compiler: {e}. Run `apt-get install gcc libc6-dev`."))?.stdout);
        for header in source.headers()? {
            hash.update(&header);
            hash.update(source.read(&header)?);
        }
        let environment = hex(hash);
        Ok(Self { source, bridge, out_dir: out_dir.to_owned(), cache, environment })
    }

    /// The arguments that clang needs to see the headers as the C compiler does.
    pub fn clang_arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = self.includes().iter().map(|dir| format!("-I{}", dir.display())).collect();
        arguments.extend(DEFINES.iter().map(|(name, value)| match value {
            Some(value) => format!("-D{name}={value}"),
            None => format!("-D{name}"),
        }));
        arguments.push("-fsigned-char".to_owned());
        arguments
    }

    /// A header for other readers of the C, such as Zig's translate-c: the definitions, then all of the headers.
    pub fn umbrella_header(&self) -> String {
        let defines = DEFINES.iter().map(|(name, value)| format!("#define {name} {}\n", value.unwrap_or("1")));
        defines.chain(["#include \"bridge/wrapper.h\"\n".to_owned()]).collect()
    }

    /// A path in the cache for something made from the headers and `inputs`, named `<hash>-<name>`.
    pub fn cache_path(&self, name: &str, inputs: &[&[u8]]) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(&self.environment);
        for input in inputs {
            hash.update(input.len().to_le_bytes());
            hash.update(input);
        }
        self.cache.join(format!("{}-{name}", &hex(hash)[..32]))
    }

    /// Objects for `units`, in their order; only those that the cache lacks are compiled.
    pub fn objects(&self, profile: &Profile, units: &[Unit]) -> Result<Vec<PathBuf>, String> {
        let flags = format!("{DEFINES:?}{:?}{FLAGS:?}{}{}", profile.defines, profile.opt_level, profile.debug);
        let cached: Vec<PathBuf> = units
            .iter()
            .map(|unit| {
                let name = format!("{}.o", unit.name.replace('/', "-"));
                let mut inputs = vec![flags.as_bytes(), unit.name.as_bytes(), &unit.text];
                inputs.extend(included(unit, units).map(|other| other.text.as_slice()));
                self.cache_path(&name, &inputs)
            })
            .collect();

        let missing: Vec<usize> = (0..units.len()).filter(|&i| !cached[i].exists()).collect();
        if missing.is_empty() {
            return Ok(cached);
        }
        let copies = self.out_dir.join("units");
        let mut build = self.build(profile);
        for &i in &missing {
            for other in included(&units[i], units) {
                write_copy(&copies, other)?;
            }
            build.file(write_copy(&copies, &units[i])?);
        }
        let objects = build.try_compile_intermediates().map_err(|e| format!("{e}"))?;
        for (&i, object) in missing.iter().zip(&objects) {
            keep(object, &cached[i])?;
        }
        Ok(cached)
    }

    /// Archives objects into `lib<name>.a` and tells cargo to link it.
    pub fn archive(&self, name: &str, objects: &[PathBuf]) {
        let mut build = cc::Build::new();
        build.objects(objects);
        build.compile(name);
    }

    /// Links a program from objects, leaving out what it does not reach.
    pub fn link(&self, objects: &[PathBuf], program: &Path) -> Result<(), String> {
        let partial = partial(program);
        let mut command = cc::Build::new().get_compiler().to_command();
        command.arg("-Wl,--gc-sections").arg("-o").arg(&partial).args(objects);
        command.args(crate::LIBRARIES.iter().map(|library| format!("-l{library}")));
        let output = command.output().map_err(|e| format!("linking {}: {e}", program.display()))?;
        if !output.status.success() {
            return Err(format!("linking {}: {}", program.display(), String::from_utf8_lossy(&output.stderr)));
        }
        fs::rename(&partial, program).map_err(|e| format!("{}: {e}", program.display()))
    }

    fn includes(&self) -> [PathBuf; 4] {
        let src = &self.source.src;
        [self.bridge.join("include"), src.clone(), src.join("Mayaqua"), src.join("Cedar")]
    }

    fn build(&self, profile: &Profile) -> cc::Build {
        let mut build = cc::Build::new();
        build.out_dir(self.out_dir.join("objects")).warnings(false).pic(true);
        build.opt_level_str(&profile.opt_level).debug(profile.debug).includes(self.includes()).flag("-w");
        // Objects are the same wherever the checkout lies, and debuggers see `Cedar/Connection.c`.
        build.flag(format!("-ffile-prefix-map={}/=", self.source.src.display()));
        build.flag(format!("-ffile-prefix-map={}/=", self.out_dir.join("units").display()));
        for flag in FLAGS {
            build.flag(flag);
        }
        for (name, value) in DEFINES.iter().chain(profile.defines) {
            build.define(name, *value);
        }
        build
    }
}

/// The C files that a C file includes, as VLan.c does with VLanUnix.c: their copies must stand beside its own.
fn included<'u>(unit: &'u Unit, units: &'u [Unit]) -> impl Iterator<Item = &'u Unit> {
    let names = |other: &&Unit| {
        let file = other.name.rsplit('/').next().unwrap_or_default();
        let line = format!("#include \"{file}\"");
        unit.text.windows(line.len()).any(|text| text == line.as_bytes())
    };
    let is_c = unit.text.windows(4).any(|text| text == b".c\"\r" || text == b".c\"\n");
    units.iter().filter(move |_| is_c).filter(names)
}

/// Writes the text to be compiled under its own name, so that `__FILE__` and debug information keep it.
fn write_copy(copies: &Path, unit: &Unit) -> Result<PathBuf, String> {
    let path = copies.join(&unit.name);
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(copies))?;
        fs::write(&path, &unit.text)
    };
    write().map_err(|e: std::io::Error| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// Copies a finished file to its place in one step, so that builds at the same time never see half of it.
pub fn keep(from: &Path, to: &Path) -> Result<(), String> {
    let partial = partial(to);
    let copy = || {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from, &partial)?;
        fs::rename(&partial, to)
    };
    copy().map_err(|e: std::io::Error| format!("{}: {e}", to.display()))
}

/// A name beside `path` that no other process writes to.
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".part{}", std::process::id()));
    PathBuf::from(name)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
