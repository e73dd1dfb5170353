//! The same tests for both platforms, as far as their code runs here.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

fn platforms() -> [(&'static str, Box<dyn Platform>); 2] {
    [("unix", Box::new(Unix)), ("windows", Box::new(Windows))]
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mayaqua-os-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_replaced_whole_and_folders_read_in_order() {
    for (name, os) in platforms() {
        let folder = Folder::new(name);
        let path = folder.0.join("b");
        for bytes in [&b"first"[..], b"", &[7; 100_000]] {
            os.replace_file(&path, bytes).unwrap();
            assert_eq!(os.read_file(&path).unwrap(), bytes);
        }
        fs::write(folder.0.join("a"), "").unwrap();
        assert_eq!(os.list_directory(&folder.0).unwrap(), [folder.0.join("a"), path.clone()], "nothing is left over");
        // A folder that holds something cannot be replaced by a file: the attempt leaves all as it was.
        let full = folder.0.join("full");
        fs::create_dir(&full).unwrap();
        fs::write(full.join("x"), "").unwrap();
        assert!(os.replace_file(&full, b"no").is_err());
        assert_eq!(os.list_directory(&folder.0).unwrap().len(), 3);
        assert!(os.replace_file(Path::new("/"), b"").is_err());
        assert!(os.read_file(&full).is_err() && os.list_directory(&path).is_err());
        let error = os.create_secret_file(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
    let folder = Folder::new("mode");
    let path = folder.0.join("secret");
    Unix.replace_file(&path, b"").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_without_end_is_not_read_to_it() {
    let error = Unix.read_file(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn the_machine_says_who_it_is() {
    let info = Unix.os_info();
    assert_eq!(info.machine, std::env::consts::ARCH);
    assert!(!info.name.is_empty() && !info.release.is_empty());
    assert_eq!(Unix.machine_name().unwrap().as_bytes(), rustix::system::uname().nodename().to_bytes());
    assert_eq!(Windows.os_info().machine, std::env::consts::ARCH);
    assert_eq!(Windows.machine_name().ok(), std::env::var("COMPUTERNAME").ok());
}

#[test]
fn randomness_threads_time_and_programs() {
    for (_, os) in platforms() {
        let mut draws = [[0; 32]; 2];
        draws.iter_mut().for_each(|draw| os.random(draw).unwrap());
        assert!(draws[0] != draws[1] && draws[0] != [0; 32]);
        os.random(&mut []).unwrap();

        let (sender, receiver) = mpsc::channel();
        let work = move || sender.send(thread::current().name().map(str::to_owned)).unwrap();
        os.spawn("worker", Box::new(work)).unwrap().join().unwrap();
        assert_eq!(receiver.recv().unwrap().as_deref(), Some("worker"));

        let before = os.time();
        os.sleep(Duration::from_millis(1));
        assert!(before > 1_600_000_000_000);

        let output = os.run(Path::new("/bin/sh"), &["-c", "read x; echo \"$0$x\"; exit 3", "name"]).unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(3), &b"name\n"[..]));
        assert!(os.run(Path::new("/no/such/program"), &[]).is_err());
    }
}
