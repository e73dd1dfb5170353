//! The namespaces of a lab. This file knows nothing of SoftEther.
//!
//! One thread, the lab thread, leaves the host's mount, PID and network namespaces; every process of the lab is
//! started by that thread and so is born inside. Namespaces belong to a thread, not to a process, so the rest of
//! the program stays where it was, and many labs fit into one program.
//!
//! The first process born in the new PID namespace is its init, and the kernel kills the whole namespace with it.
//! Ours is a `cat` that waits on a pipe from us: it ends when we close the pipe, by will or by SIGKILL.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal, signal};

use super::{LabError, WorkDir};

/// Directories that programs of the lab write to by fixed path: each lab has its own.
const PRIVATE_DIRS: [&str; 6] =
    ["/run/cutover", "/run/softether", "/run/wireguard", "/run/netns", "/var/lib/softether", "/var/log/softether"];

/// One of the lab's two network namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the server, its TAP and iperf3's server run.
    Server,
    /// Where the client runs.
    Client,
}

type Job = Box<dyn FnOnce() + Send>;

/// The namespaces and the init that keeps them. They end with this value.
#[derive(Debug)]
pub(crate) struct World {
    server_net: File,
    client_net: File,
    init: Mutex<Child>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Fails unless this process may make a lab here.
pub(crate) fn check_preconditions() -> Result<(), LabError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    File::options().read(true).write(true).open("/dev/net/tun").map_err(LabError::NoTun)?;
    Ok(())
}

impl World {
    /// Makes the namespaces. The caller must be root.
    pub(crate) fn create(work_dir: &WorkDir) -> Result<Self, LabError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (born, birth) = mpsc::sync_channel(1);
        let mounts = work_dir.path().join("mounts");
        let thread = thread::Builder::new()
            .name("lab".into())
            .spawn(move || {
                let entered = enter(&mounts);
                let failed = entered.is_err();
                if born.send(entered).is_err() || failed {
                    return;
                }
                for job in queue {
                    job();
                }
            })
            .map_err(|source| LabError::io("start the lab thread", source))?;
        let entered =
            birth.recv().map_err(|_| LabError::io("enter namespaces", io::Error::other("the lab thread died")))?;
        let (server_net, client_net, init) = entered?;
        Ok(Self { server_net, client_net, init: Mutex::new(init), jobs: Some(jobs), thread: Some(thread) })
    }

    /// Starts a process inside, on one side, in a process group of its own unless `foreground`
    /// (so that Ctrl-C on the terminal reaches only what shall be reached).
    pub(crate) fn spawn(&self, side: Side, mut command: Command, foreground: bool) -> io::Result<Child> {
        let net: RawFd = self.net(side).as_raw_fd();
        if !foreground {
            command.process_group(0);
        }
        // SAFETY: the closure runs between fork and exec and makes one system call. The descriptor is open until
        // the spawn below has returned, because `self` is borrowed that long.
        unsafe {
            command.pre_exec(move || {
                let net = BorrowedFd::borrow_raw(net);
                setns(net, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
            });
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            let _ = reply.send(command.spawn());
        });
        let dead = || io::Error::other("the lab thread is gone");
        self.jobs.as_ref().ok_or_else(dead)?.send(job).map_err(|_| dead())?;
        answer.recv().map_err(|_| dead())?
    }

    /// Runs `work` on a thread inside one side's network namespace (and otherwise on the host).
    pub(crate) fn within<T: Send>(&self, side: Side, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let net = self.net(side).as_fd();
        thread::scope(|scope| {
            let thread = scope.spawn(move || setns(net, CloneFlags::CLONE_NEWNET).map(|()| work()));
            match thread.join() {
                Ok(result) => result.map_err(|errno| LabError::io("enter a network namespace", errno)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Moves the calling thread, and those that it starts, into one side's network namespace for good.
    pub(crate) fn enter(&self, side: Side) -> io::Result<()> {
        setns(self.net(side).as_fd(), CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }

    /// Whether a TCP port is listened on. It is not connected to, so the listener does not notice.
    pub(crate) fn listens(&self, side: Side, port: u16) -> Result<bool, LabError> {
        // The lines are "  0: LOCAL:PORT REMOTE:PORT STATE …" in hexadecimal; state 0A is LISTEN.
        let local = format!(":{port:04X}");
        let in_table = |table: String| {
            table.lines().any(|line| {
                let mut fields = line.split_whitespace().skip(1);
                fields.next().is_some_and(|address| address.ends_with(&local)) && fields.nth(1) == Some("0A")
            })
        };
        self.within(side, || {
            ["tcp", "tcp6"]
                .iter()
                .any(|name| std::fs::read_to_string(format!("/proc/thread-self/net/{name}")).is_ok_and(&in_table))
        })
    }

    /// Whether an interface of this name is there.
    pub(crate) fn has_interface(&self, side: Side, name: &str) -> Result<bool, LabError> {
        self.within(side, || nix::net::if_::if_nametoindex(name).is_ok())
    }

    /// Waits until an interface is gone: that of a process that was killed goes with its last thread.
    pub(crate) fn wait_gone(&self, side: Side, name: &str) -> Result<(), LabError> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let deadline = Instant::now() + PATIENCE;
        while self.has_interface(side, name)? {
            if Instant::now() >= deadline {
                let what = format!("the end of interface {name}");
                return Err(LabError::TimedOut { what, after: PATIENCE, detail: String::new() });
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn net(&self, side: Side) -> &File {
        match side {
            Side::Server => &self.server_net,
            Side::Client => &self.client_net,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // All handles to the lab's processes hold an `Arc` of this world, so every one of them has been reaped
        // and waiting for init cannot wait for a zombie of ours.
        let mut init = self.init.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = init.kill();
        let _ = init.wait();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Moves the calling thread into new namespaces; returns the server's and the client's network and the init.
fn enter(mounts: &Path) -> Result<(File, File, Child), LabError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| match errno {
        nix::errno::Errno::EPERM => LabError::NotRoot,
        errno => LabError::io("enter a mount namespace", errno),
    })?;
    private_mounts(mounts)?;
    let server_net = new_network()?;
    let client_net = new_network()?;
    unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| LabError::io("enter a PID namespace", errno))?;
    let init = start_init().map_err(|source| LabError::io("start the lab's init", source))?;
    Ok((server_net, client_net, init))
}

fn new_network() -> Result<File, LabError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| LabError::io("enter a network namespace", errno))?;
    File::open("/proc/thread-self/ns/net").map_err(|source| LabError::io("open a network namespace", source))
}

/// Cuts mount propagation to the host and gives the lab its own copy of [`PRIVATE_DIRS`].
fn private_mounts(mounts: &Path) -> Result<(), LabError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|errno| LabError::io("make the lab's mounts private", errno))?;
    std::fs::create_dir(mounts).map_err(|source| LabError::io(format!("create {}", mounts.display()), source))?;
    mount_tmpfs(mounts)?;
    for dir in PRIVATE_DIRS.map(Path::new) {
        if !dir.exists() {
            make_dir_unseen(dir, mounts)?;
        }
        mount_tmpfs(dir)?;
    }
    Ok(())
}

fn mount_tmpfs(dir: &Path) -> Result<(), LabError> {
    mount(Some("cutover-lab"), dir, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755"))
        .map_err(|errno| LabError::io(format!("mount a tmpfs on {}", dir.display()), errno))
}

/// Makes a directory that only the lab sees: its parent is covered by an overlay whose changes lie in a tmpfs.
fn make_dir_unseen(dir: &Path, mounts: &Path) -> Result<(), LabError> {
    let parent = dir.parent().unwrap_or(dir);
    let layer = mounts.join(parent.strip_prefix("/").unwrap_or(parent).to_string_lossy().replace('/', "-"));
    if !layer.exists() {
        let (upper, work) = (layer.join("upper"), layer.join("work"));
        for path in [&upper, &work] {
            std::fs::create_dir_all(path)
                .map_err(|source| LabError::io(format!("create {}", path.display()), source))?;
        }
        let options = format!("lowerdir={},upperdir={},workdir={}", parent.display(), upper.display(), work.display());
        mount(Some("cutover-lab"), parent, Some("overlay"), MsFlags::empty(), Some(options.as_str())).map_err(
            |errno| {
                LabError::io(
                    format!("cover {} by an overlay (`mkdir -p {}` helps)", parent.display(), dir.display()),
                    errno,
                )
            },
        )?;
    }
    std::fs::create_dir(dir).map_err(|source| LabError::io(format!("create {} in the lab", dir.display()), source))
}

/// Starts the PID namespace's init. It reads a pipe that only we can write to, so it ends when we do; it ignores
/// SIGCHLD, so orphans of the lab vanish; and it mounts the lab's own /proc.
fn start_init() -> io::Result<Child> {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // SAFETY: the closure runs between fork and exec and only makes system calls; none of them allocates.
    unsafe {
        command.pre_exec(|| {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            signal(Signal::SIGCHLD, SigHandler::SigIgn)?;
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)?;
            Ok(())
        });
    }
    command.spawn()
}
