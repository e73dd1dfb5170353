//! Every kind of configuration mistake: one error, at the right place, with a way out, exit code 12,
//! and without the secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use config::cli::{Command, Connection};
use config::{Config, Environment, ExitCode, parse};
use proptest::prelude::*;

/// The least that is a valid configuration; ten lines, so that what is appended begins at line 11.
const GOOD: &str = "\
server = \"vpn.example.net\"
hub = \"DEFAULT\"



[auth]
user = \"alice\"
password_file = \"secret.txt\"


";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("secret.txt", b"hunter2\n", 0o600);
        folder.write("ca.pem", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", 0o644);
        folder.write("key.pem", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", 0o600);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn load(path: &Path, options: &[&str]) -> Result<Config, String> {
    let path = path.to_str().unwrap();
    let line = ["cutover", "check", path].into_iter().chain(options.iter().copied()).map(Into::into);
    let Ok(Command::Check(Connection { target, overrides })) = parse(line) else {
        panic!("{options:?} does not parse");
    };
    let config = Config::load(&target, &overrides, &Environment::default()).and_then(|config| {
        config.check_secrets()?;
        Ok(config)
    });
    config.map_err(|error| {
        assert_eq!(error.exit_code(), ExitCode::Configuration);
        let text = error.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("; ") && text.lines().count() == 1, "{text:?}");
        text
    })
}

#[track_caller]
fn assert_mistake(content: &[u8], place: &str, words: &str) {
    let folder = Folder::new();
    let path = folder.write("office.toml", content, 0o644);
    let error = load(&path, &[]).unwrap_err();
    assert!(error.starts_with(&format!("{}:{place}: ", path.display())), "{error}, not at {place}");
    assert!(error.contains(words), "{error}, without {words:?}");
}

#[track_caller]
fn assert_appended_mistake(appended: &str, place: &str, words: &str) {
    assert_mistake(format!("{GOOD}{appended}").as_bytes(), place, words);
}

#[test]
fn the_smallest_configuration_has_the_documented_defaults() {
    let folder = Folder::new();
    let config = load(&folder.write("office.toml", GOOD.as_bytes(), 0o644), &[]).unwrap();
    assert_eq!((config.name.as_str(), config.host.as_str(), config.port), ("office", "vpn.example.net", 443));
    assert_eq!(config.verify, config::config::Verify::SystemRoots);
    assert_eq!((config.transport.connections, config.transport.qos), (1, false));
    assert!(config.transport.encrypt && config.transport.udp_acceleration && config.reconnect.enabled);
    assert_eq!((config.interface.name.as_str(), config.interface.mtu), ("cut0", 1500));
    assert_eq!((config.swaps.as_str(), config.warnings.len()), ("", 0));
    assert!(config.control && config.metrics.is_none());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn every_key_arrives_in_its_field() {
    let folder = Folder::new();
    let content = "\
        server = \"[2001:db8::1]\"\nport = 0x1f_40\nhub = \"VPN\"\n\
        [auth]\ntype = \"certificate\"\nuser = \"bob\"\ncertificate_file = \"ca.pem\"\nkey_file = \"key.pem\"\n\
        [tls]\nca_file = \"ca.pem\"\n\
        [transport]\nconnections = 32\nhalf_duplex = true\nencrypt = false\ncompress = true\nudp_acceleration = false\nqos = false\n\
        [reconnect]\nenabled = false\ninterval = 3\nmax = 3\n\
        [interface]\nname = \"fifteen_bytes_x\"\naddress = [\"10.78.0.2/24\", \"fd00::2/64\"]\nmac = \"5e:00:00:12:34:56\"\nmtu = 1280\npersistent = true\n\
        [control]\nenabled = false\n\
        [swaps]\n\"new_block\" = \"shadow\"\n\"*\" = \"rust\"\naaa = \"rust@10%\"\n";
    let config = load(&folder.write("office.toml", content.as_bytes(), 0o644), &[]).unwrap();
    let debug = format!("{config:?}");
    for part in [
        "host: \"2001:db8::1\", port: 8000, hub: \"VPN\"",
        "user: \"bob\"",
        "Certificate {",
        "CaFile(",
        "Transport { connections: 32, half_duplex: true, encrypt: false, compress: true, udp_acceleration: false, qos: false }",
        "Reconnect { enabled: false, interval: 3s, max: 3s }",
        "name: \"fifteen_bytes_x\", addresses: [10.78.0.2/24, fd00::2/64], mac: Some([94, 0, 0, 18, 52, 86]), mtu: 1280, persistent: true",
        "control: false",
        "swaps: \"new_block=shadow,*=rust,aaa=rust@10%\"",
    ] {
        assert!(debug.contains(part), "{part} is not in {debug}");
    }
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

#[test]
fn without_a_control_socket_there_are_no_metrics_to_listen_for() {
    let appended = "[control]\nenabled = false\n[metrics]\nlisten = \"127.0.0.1:9469\"\n";
    assert_appended_mistake(appended, "12:11", "metrics.listen needs");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    assert_mistake(b"\xef\xbb\xbfserver = \"a\"\n", "1:1", "byte order mark");
    assert_mistake(b"\xff\xfes\0e\0", "1:1", "byte order mark");
    assert_mistake(b"server = \"a\"\nhub = \"\xff\"\n", "2:8", "not UTF-8");
    assert_mistake(b"server = \"a\"\nhub = \"a\0b\"\n", "2:9", "NUL");
    assert_mistake(&vec![b'#'; 10 << 20], "1:1", "larger than 262144 bytes");
    assert_mistake(b"", "1:1", "server is missing");
}

#[test]
fn a_file_that_is_no_file_is_refused_at_once() {
    let folder = Folder::new();
    fs::create_dir(folder.path("office.toml")).unwrap();
    assert!(load(&folder.path("office.toml"), &[]).unwrap_err().contains("not a regular file"));
    assert!(load(&folder.path("missing.toml"), &[]).unwrap_err().contains("No such file"));
    assert!(load(Path::new("/dev/zero"), &[]).unwrap_err().contains("not a regular file"));
}

#[test]
fn toml_mistakes_have_their_place_and_do_not_quote_the_line() {
    assert_mistake(b"server = \"a\"\nhub = \"hunter2\n", "2:15", "not valid TOML");
    assert_mistake(b"server = hunter2\n", "1:10", "not valid TOML");
    assert_mistake(b"server \"hunter2\"\n", "1:8", "not valid TOML");
    assert_mistake(b"server = \"a\"\nserver = \"hunter2\"\n", "2:1", "duplicate key");
    assert_mistake(b"[auth\nuser = \"hunter2\"\n", "1:6", "not valid TOML");
    let nested = [b"a = ".as_slice(), &[b'['; 100_000]].concat();
    assert_mistake(&nested, "1:85", "not valid TOML");
}

#[test]
fn unknown_keys_are_named_with_a_suggestion() {
    assert_appended_mistake("[transport]\nconections = 2\n", "12:1", "did you mean transport.connections?");
    assert_appended_mistake("[trasport]\nconnections = 2\n", "11:2", "did you mean [transport]?");
    assert_appended_mistake("[wireguard]\n", "11:2", "--help");
    assert_appended_mistake("[tls.more]\n", "11:6", "tls.more");
    assert_mistake(b"verify = false\n", "1:1", "did you mean tls.verify?");
    assert_mistake(b"# \xc3\xa9\n  quux = 1\n", "2:3", "there is no key quux");
}

#[test]
fn the_first_mistake_of_the_file_is_the_one_reported() {
    assert_mistake(b"zzz = 1\naaa = 1\n", "1:1", "zzz");
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    assert_appended_mistake("password = \"hunter2\"\n", "11:1", "chmod 600");
    assert_mistake(b"password = \"hunter2\"\n", "1:1", "chmod 600");
    assert_mistake(b"[auth]\npassword.file = \"hunter2\"\n", "2:1", "chmod 600");
}

#[test]
fn wrong_types_and_ranges() {
    assert_mistake(b"server = 1\n", "1:10", "server is a string");
    assert_mistake(b"server = \"a\"\nport = \"443\"\n", "2:8", "without quotes");
    for port in ["0", "65536", "-1", "99999999999999999999"] {
        assert_mistake(format!("server = \"a\"\nport = {port}\n").as_bytes(), "2:8", "from 1 to 65535");
    }
    assert_mistake(b"server = \"a\"\nport = 443.0\n", "2:8", "a whole number, not of type float");
    assert_mistake(b"auth = \"hunter2\"\n", "1:1", "there is no key auth");
    assert_mistake(b"[auth]\ntype = \"telepathy\"\n", "2:8", "password, plain, anonymous, certificate");
    assert_appended_mistake("[transport]\nconnections = 33\n", "12:15", "from 1 to 32");
    assert_appended_mistake("[transport]\nconnections = 0\n", "12:15", "from 1 to 32");
    assert_appended_mistake("[transport]\nencrypt = \"yes\"\n", "12:11", "true or false");
    assert_appended_mistake("[interface]\naddress = [\"10.78.0.2/24\", 7]\n", "12:28", "list of strings");
    assert_appended_mistake("[interface]\nmtu = 1501\n", "12:7", "from 576 to 1500");
    assert_appended_mistake("swaps = \"c\"\n", "11:1", "there is no key auth.swaps");
    assert_appended_mistake("[swaps]\na = true\n", "12:5", "a table of modes");
    assert_appended_mistake("[swaps]\na = \"old\"\n", "12:5", "\"c\", \"shadow\" or \"rust\"");
    assert_appended_mistake("[swaps]\n\"a b\" = \"c\"\n", "12:9", "is no swap");
    assert_appended_mistake("[interface]\nname = \"sixteen_bytes_xx\"\n", "12:8", "has 16 bytes");
    assert_appended_mistake("[interface]\naddress = \"10.78.0.2\"\n", "12:11", "has no prefix length");
    assert_appended_mistake("[tls]\npin = \"sha256:abc\"\n", "12:7", "64 hexadecimal digits");
    assert_appended_mistake("[tls]\nca_file = \"missing.pem\"\n", "12:11", "No such file");
    assert_appended_mistake("[tls]\nca_file = \"secret.txt\"\n", "12:11", "no certificate in PEM");
}

#[test]
fn keys_that_contradict_each_other() {
    let pin = "ab".repeat(32);
    assert_appended_mistake(&format!("[tls]\nverify = false\npin = \"sha256:{pin}\"\n"), "12:10", "verify is false");
    assert_appended_mistake("[tls]\nverify = false\nca_file = \"ca.pem\"\n", "12:10", "verify is false");
    assert_appended_mistake(&format!("[tls]\nca_file = \"ca.pem\"\npin = \"sha256:{pin}\"\n"), "13:7", "no effect");
    assert_appended_mistake("password_stdin = true\n", "11:18", "two sources");
    assert_appended_mistake("type = \"anonymous\"\n", "8:17", "no meaning");
    assert_appended_mistake("type = \"certificate\"\n", "8:17", "no meaning");
    assert_appended_mistake("key_file = \"key.pem\"\n", "11:12", "no meaning");
    assert_appended_mistake("[transport]\nhalf_duplex = true\n", "12:15", "one TCP connection for each direction");
    assert_appended_mistake("[reconnect]\ninterval = 10\nmax = 5\n", "13:7", "shorter");
    assert_appended_mistake("[interface]\nmtu = 1279\naddress = \"fd00::2/64\"\n", "12:7", "1280");
    assert_mistake(b"server = \"a:1\"\nport = 2\n", "2:8", "server says 1");
}

#[test]
fn what_is_missing_is_named() {
    assert_mistake(b"server = \"a\"\n", "1:1", "auth.user is missing");
    assert_mistake(b"server = \"a\"\n[auth]\nuser = \"u\"\n", "1:1", "password_file");
    assert_mistake(b"server = \"a\"\n[auth]\nuser = \"u\"\ntype = \"certificate\"\n", "1:1", "certificate_file");
    assert_mistake(
        b"server = \"a\"\n[auth]\nuser = \"u\"\ntype = \"certificate\"\ncertificate_file = \"ca.pem\"\n",
        "1:1",
        "key_file",
    );
    assert_mistake(b"server = \"a\"\n[auth]\nuser = \"u\"\npassword_credential = \"vpn\"\n", "4:23", "CREDENTIALS");
}

#[test]
fn a_secret_that_others_can_read_points_at_the_key_that_named_it() {
    let folder = Folder::new();
    folder.write("secret.txt", b"hunter2\n", 0o644);
    let path = folder.write("office.toml", GOOD.as_bytes(), 0o644);
    let error = load(&path, &[]).unwrap_err();
    assert!(error.starts_with(&format!("{}:8:17: ", path.display())), "{error}");
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn an_option_beats_the_file_and_is_named_when_it_is_wrong() {
    let folder = Folder::new();
    let path = folder.write("office.toml", format!("{GOOD}[swaps]\na = \"c\"\n").as_bytes(), 0o644);
    let config = load(
        &path,
        &[
            "--server",
            "other:1",
            "--auth-password-stdin",
            "--swaps",
            "b=rust,*=c",
            "--interface-address",
            "10.0.0.1/8,fd00::1/64",
        ],
    )
    .unwrap();
    assert_eq!((config.host.as_str(), config.port, config.swaps.as_str()), ("other", 1, "b=rust,*=c"));
    assert_eq!(config.interface.addresses.len(), 2);
    assert!(format!("{:?}", config.auth.proof).contains("Stdin"));

    for (option, value) in [
        ("--port", "0"),
        ("--port", "x"),
        ("--auth-type", "magic"),
        ("--interface-name", "sixteen_bytes_xx"),
        ("--swaps", "a"),
        ("--swaps", "a=b"),
        ("--interface-address", "10.0.0.1"),
        ("--auth-password-file", "/dev/null"),
    ] {
        let error = load(&path, &[option, value]).unwrap_err();
        assert!(error.starts_with(&format!("{option}: ")), "{error}");
    }
    let error = load(&path, &["--tls-verify=maybe"]).unwrap_err();
    assert!(error.starts_with("--tls-verify: "), "{error}");
}

#[test]
fn what_is_allowed_but_dangerous_is_a_warning() {
    let folder = Folder::new();
    let content = format!("{GOOD}[tls]\nverify = false\n[transport]\nencrypt = false\nqos = true\n");
    let config = load(&folder.write("office.toml", content.as_bytes(), 0o644), &[]).unwrap();
    let warnings = config.warnings.join("\n");
    for words in [":12:10: the server's certificate", ":14:11: after login", ":15:7: qos makes 2"] {
        assert!(warnings.contains(words), "{warnings}");
    }
}

proptest! {
    /// Whatever stands in the file, there is an error with a place or a configuration: no panic,
    /// and no secret in what is printed.
    #[test]
    fn a_damaged_file_never_panics_and_never_leaks(offset in 0usize..400, damage in proptest::collection::vec(any::<u8>(), 0..6)) {
        let folder = Folder::new();
        let mut content = format!("{GOOD}password = \"hunter2\"\n[tls]\nverify = true\n[swaps]\n\"*\" = \"c\"\n").into_bytes();
        let offset = offset.min(content.len());
        content.splice(offset..(offset + damage.len() / 2).min(content.len()), damage);
        let path = folder.write("office.toml", &content, 0o644);
        let shown = match load(&path, &[]) {
            Ok(config) => format!("{config:?}"),
            Err(error) => {
                prop_assert!(error.starts_with(&format!("{}:", path.display())), "{}", error);
                error
            }
        };
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }
}
