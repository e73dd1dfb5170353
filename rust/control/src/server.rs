//! The server's side of the control socket: a thread, `cutover-ctl`, apart from the packet path, and another,
//! `cutover-look`, that lets the host look at what it watches over. The first sleeps until somebody asks.
//!
//! What happens to a client, in order:
//! 1. [`accept`] takes the connection; with [`Limits::clients`] connected it is answered `busy`.
//! 2. [`converse`] asks the kernel who the peer is: root and the server's own user may go on.
//! 3. [`read_request`] reads one line within bounds of size and time.
//! 4. [`answer`] calls the host's [`Handler`]; a panic in it becomes an answer.
//! 5. The answer is written within a bound of time; then from 3 on, until the client leaves.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdListener;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::exporter::Exporter;
use crate::place::{Claim, ClaimError, Place};
use crate::protocol::{ErrorCode, REQUEST_BYTES_MAX, Reply, Request};

/// What the host answers and watches. Requests come on the control thread, one at a time; one that blocks keeps other
/// clients of the socket waiting, and nothing else.
pub trait Handler: Send + Sync + 'static {
    /// Does what is asked, and answers.
    ///
    /// # Errors
    /// Why nothing was done, for a person.
    fn handle(&self, request: &Request, peer: Peer) -> Result<Value, String>;

    /// Looks at what is watched over, and says when to look next; after a request it is called at once. On a thread of its
    /// own.
    fn look(&self) -> Duration {
        LOOK_AFTER_MAX
    }

    /// The host's metrics, in OpenMetrics' text form.
    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

/// The next look is no later than this; so it is after one that panicked.
pub const LOOK_AFTER_MAX: Duration = Duration::from_secs(1);

/// Who asks, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user's id.
    pub uid: u32,
    /// The process's id, if it is visible from here.
    pub pid: Option<i32>,
}

/// What clients may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How many may be connected.
    clients: usize,
    /// How long a connection may be silent between requests.
    idle: Duration,
    /// How long a request may take from its first byte to its last, and an answer to be taken.
    message: Duration,
}

const LIMITS: Limits = Limits { clients: 16, idle: Duration::from_secs(60), message: Duration::from_secs(5) };

/// After a failed accept (no descriptor left, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A control socket that answers until this is dropped.
#[derive(Debug)]
pub struct Server {
    claim: Option<Claim>,
    stop: Option<oneshot::Sender<()>>,
    /// Without a control thread: what the looking thread waits for, and never gets.
    silent: Option<mpsc::SyncSender<()>>,
    /// The control thread, and the one that looks, which ends after it.
    threads: Vec<JoinHandle<()>>,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The name cannot be taken; `ClaimError::Taken` when it is in use.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The socket or its thread cannot be made.
    #[error("cannot make the control socket: {0}; check the runtime folder's permissions")]
    Io(#[from] io::Error),
}

impl Server {
    /// Takes `name` in `place` and begins to answer. Threads inherit signal masks: block what the
    /// main thread waits for before.
    ///
    /// # Errors
    /// The name is taken, or the system refuses the socket.
    pub fn start(place: &Place, name: &str, handler: Arc<dyn Handler>) -> Result<Server, StartError> {
        Server::start_with(place, name, handler, LIMITS, None)
    }

    /// As [`Server::start`], with the metrics on a port of this machine's loopback, too.
    ///
    /// # Errors
    /// As there; or the address is in use, or not loopback.
    pub fn start_exporting(
        place: &Place,
        name: &str,
        handler: Arc<dyn Handler>,
        loopback: Option<SocketAddr>,
    ) -> Result<Server, StartError> {
        Server::start_with(place, name, handler, LIMITS, loopback)
    }

    /// Takes `name` in `place` and lets the host look, and opens no socket: nobody can ask.
    ///
    /// # Errors
    /// The name is taken, or the system refuses the thread.
    pub fn start_silent(place: &Place, name: &str, handler: Arc<dyn Handler>) -> Result<Server, StartError> {
        let claim = place.claim(name)?;
        let (look, asked) = mpsc::sync_channel(0);
        let looker = spawn_looker(handler, asked)?;
        Ok(Server { claim: Some(claim), stop: None, silent: Some(look), threads: vec![looker] })
    }

    fn start_with(
        place: &Place,
        name: &str,
        handler: Arc<dyn Handler>,
        limits: Limits,
        loopback: Option<SocketAddr>,
    ) -> Result<Server, StartError> {
        let claim = place.claim(name)?;
        // Between bind and chmod the folder's mode 0700 keeps others out.
        let listener = StdListener::bind(&claim.socket)?;
        fs::set_permissions(&claim.socket, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (listener, exporter) = {
            let _inside = runtime.enter();
            let exporter = Exporter::bind(claim.socket.with_extension("metrics"), loopback)?;
            (UnixListener::from_std(listener)?, exporter)
        };
        let (stop, stopped) = oneshot::channel();
        let (look, asked) = mpsc::sync_channel(1);
        let looker = spawn_looker(handler.clone(), asked)?;
        let handler: Arc<dyn Handler> = Arc::new(ThenLook { handler, look });
        let thread = std::thread::Builder::new().name("cutover-ctl".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, handler.clone(), limits) => {}
                    () = exporter.serve(handler.clone()) => {}
                }
            });
        })?;
        Ok(Server { claim: Some(claim), stop: Some(stop), silent: None, threads: vec![thread, looker] })
    }
}

impl Drop for Server {
    /// Ends all conversations, then gives the name back.
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.silent = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the control socket panicked");
            }
        }
        self.claim = None;
    }
}

/// Has the host look after each request.
struct ThenLook {
    handler: Arc<dyn Handler>,
    look: mpsc::SyncSender<()>,
}

impl Handler for ThenLook {
    fn handle(&self, request: &Request, peer: Peer) -> Result<Value, String> {
        let answer = self.handler.handle(request, peer);
        // Full means that it is about to.
        let _ = self.look.try_send(());
        answer
    }

    fn metrics(&self) -> String {
        self.handler.metrics()
    }
}

fn spawn_looker(handler: Arc<dyn Handler>, asked: mpsc::Receiver<()>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("cutover-look".to_owned()).spawn(move || look_around(handler.as_ref(), &asked))
}

/// Lets the host look until nobody can ask any more; a panic in it costs that look. The wait is a thread's and not the
/// runtime's, whose timers wake twice for each time.
fn look_around(handler: &dyn Handler, asked: &mpsc::Receiver<()>) {
    loop {
        let after = panic::catch_unwind(AssertUnwindSafe(|| handler.look())).unwrap_or_else(|_| {
            tracing::error!("the host's look panicked");
            LOOK_AFTER_MAX
        });
        if asked.recv_timeout(after.min(LOOK_AFTER_MAX)) == Err(mpsc::RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

async fn accept(listener: UnixListener, handler: Arc<dyn Handler>, limits: Limits) {
    let places = Arc::new(Semaphore::new(limits.clients));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let handler = handler.clone();
                    tokio::spawn(async move {
                        converse(stream, handler.as_ref(), limits).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    let reply = Reply::error(ErrorCode::Busy, "too many clients are connected; try again");
                    // A new connection's buffer is empty: this neither blocks nor falls short.
                    let _ = stream.try_write(reply.to_line().as_bytes());
                }
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a control connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, handler: &dyn Handler, limits: Limits) {
    let peer = admit(&stream);
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let reply = match peer {
            Err(ref refusal) => refusal.clone(),
            Ok(peer) => match read_request(&mut reader, limits).await {
                Ok(None) => return,
                Ok(Some(request)) => answer(handler, &request, peer),
                Err(reply) => reply,
            },
        };
        let written = timeout(limits.message, writer.write_all(reply.to_line().as_bytes())).await;
        if reply.is_final() || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// Lets root and the server's own user in (SO_PEERCRED).
fn admit(stream: &UnixStream) -> Result<Peer, Reply> {
    let own_uid = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == 0 || peer.uid() == own_uid => Ok(Peer { uid: peer.uid(), pid: peer.pid() }),
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), pid = peer.pid(), "refused a control connection");
            let message = format!("this client belongs to user id {own_uid}; ask as that user or as root");
            Err(Reply::error(ErrorCode::Forbidden, message))
        }
        Err(error) => Err(Reply::error(ErrorCode::Forbidden, format!("cannot tell who asks: {error}"))),
    }
}

/// Reads one request; `None` when the client has left or has been silent for long.
async fn read_request<R>(reader: &mut R, limits: Limits) -> Result<Option<Request>, Reply>
where
    R: AsyncBufRead + Unpin,
{
    match timeout(limits.idle, reader.fill_buf()).await {
        Ok(Ok([_, ..])) => {}
        _ => return Ok(None),
    }
    let mut line = Vec::new();
    let mut bounded = reader.take(REQUEST_BYTES_MAX as u64 + 1);
    match timeout(limits.message, bounded.read_until(b'\n', &mut line)).await {
        Err(_) => {
            return Err(Reply::error(ErrorCode::Timeout, "the request did not end in time; end it with a newline"));
        }
        Ok(Err(_)) => return Ok(None),
        Ok(Ok(_)) => {}
    }
    match line.pop() {
        Some(b'\n') => Request::from_line(&line).map(Some),
        _ if line.len() >= REQUEST_BYTES_MAX => {
            Err(Reply::error(ErrorCode::TooLong, format!("the request is longer than {REQUEST_BYTES_MAX} bytes")))
        }
        _ => Err(Reply::error(ErrorCode::BadRequest, "the request was cut short; end it with a newline")),
    }
}

fn answer(handler: &dyn Handler, request: &Request, peer: Peer) -> Reply {
    match panic::catch_unwind(AssertUnwindSafe(|| handler.handle(request, peer))) {
        Ok(Ok(value)) => Reply::Ok(value),
        Ok(Err(message)) => Reply::error(ErrorCode::Refused, message),
        Err(_) => Reply::error(ErrorCode::Internal, "the client could not answer; its log says why"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client;
    use serde_json::json;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixStream as StdStream;
    use std::path::PathBuf;
    use std::time::Instant;

    /// Answers with what it is asked; panics and refuses when told to.
    struct Echo;

    impl Handler for Echo {
        fn handle(&self, request: &Request, peer: Peer) -> Result<Value, String> {
            match request {
                Request::Status {} => Ok(json!({"state": "up"})),
                Request::Swaps {} => Ok(json!({"big": "x".repeat(300_000)})),
                Request::SetSwaps { modes, .. } => match modes.as_str() {
                    "panic" => panic!("asked to"),
                    "refuse" => Err("no such swap".to_owned()),
                    _ => Ok(json!({"modes": modes, "uid": peer.uid, "pid": peer.pid})),
                },
                other => Ok(json!(format!("{other:?}"))),
            }
        }
    }

    struct World {
        folder: tempfile::TempDir,
        server: Option<Server>,
    }

    impl World {
        fn new(limits: Limits) -> World {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::in_folder(folder.path().join("run"));
            let server = Server::start_with(&place, "office", Arc::new(Echo), limits, None).unwrap();
            World { folder, server: Some(server) }
        }

        fn place(&self) -> Place {
            Place::in_folder(self.folder.path().join("run"))
        }

        fn socket(&self) -> PathBuf {
            self.place().socket("office")
        }

        fn connect(&self) -> StdStream {
            let stream = StdStream::connect(self.socket()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        }

        /// Sends bytes and returns everything up to the server's end of the conversation.
        fn send(&self, bytes: &[u8]) -> String {
            let mut stream = self.connect();
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            read_to_end(stream)
        }
    }

    fn read_to_end(mut stream: StdStream) -> String {
        let mut answer = Vec::new();
        // A reset after the answer (we wrote more than was read) is no loss of the answer.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    const QUICK: Limits = Limits { clients: 4, idle: Duration::from_millis(300), message: Duration::from_millis(300) };

    #[test]
    fn requests_are_answered_one_after_the_other() {
        let world = World::new(LIMITS);
        let status = "{\"v\":1,\"do\":\"status\"}\n";
        let answers = world.send(format!("{status}{status}").as_bytes());
        let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers, vec![json!({"v": 1, "ok": {"state": "up"}}); 2]);
    }

    #[test]
    fn the_blocking_client_gets_answers_larger_than_a_buffer_and_refusals() {
        let world = World::new(LIMITS);
        let ask = |request| client::ask(&world.place(), Some("office"), &request);
        assert_eq!(ask(Request::Status {}).unwrap(), json!({"state": "up"}));
        assert_eq!(ask(Request::Swaps {}).unwrap()["big"].as_str().unwrap().len(), 300_000);
        let own = ask(Request::SetSwaps { modes: "a=c".into(), generation: None, reconnect: false }).unwrap();
        assert_eq!(own["pid"], std::process::id());
        assert_eq!(own["uid"], rustix::process::geteuid().as_raw());
        let error = ask(Request::SetSwaps { modes: "refuse".into(), generation: None, reconnect: false }).unwrap_err();
        assert!(error.to_string().contains("no such swap"), "{error}");
    }

    #[test]
    fn the_host_is_let_look_also_after_a_panic_and_while_clients_are_silent() {
        struct Counts(std::sync::atomic::AtomicU32);
        impl Handler for Counts {
            fn handle(&self, _: &Request, _: Peer) -> Result<Value, String> {
                Ok(self.0.load(std::sync::atomic::Ordering::Relaxed).into())
            }
            fn look(&self) -> Duration {
                if self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                    panic!("asked to");
                }
                Duration::from_millis(10)
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_folder(folder.path().join("run"));
        let counts = Arc::new(Counts(0.into()));
        let _server = Server::start(&place, "office", counts.clone()).unwrap();
        let _silent = StdStream::connect(place.socket("office")).unwrap();
        let begun = Instant::now();
        while counts.0.load(std::sync::atomic::Ordering::Relaxed) < 5 {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is let look no more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn the_only_instance_needs_no_name() {
        let world = World::new(LIMITS);
        assert!(client::ask(&world.place(), None, &Request::Status {}).is_ok());
        let second = Server::start(&world.place(), "home", Arc::new(Echo)).unwrap();
        let error = client::ask(&world.place(), None, &Request::Status {}).unwrap_err();
        assert!(error.to_string().contains("home, office"), "{error}");
        drop(second);
        assert!(client::ask(&world.place(), None, &Request::Status {}).is_ok());
    }

    #[test]
    fn a_panicking_handler_is_an_answer_and_the_server_lives() {
        let world = World::new(LIMITS);
        let line = "{\"v\":1,\"do\":\"swaps.set\",\"modes\":\"panic\"}\n";
        let answer = world.send(format!("{line}{{\"v\":1,\"do\":\"status\"}}\n").as_bytes());
        assert!(answer.contains("\"internal\"") && answer.contains("\"state\":\"up\""), "{answer}");
    }

    #[test]
    fn ten_megabytes_are_refused_early() {
        let world = World::new(LIMITS);
        let mut stream = world.connect();
        let sent = stream.write_all(&vec![b' '; 10 << 20]);
        assert!(sent.is_err(), "the server read ten megabytes");
        assert!(read_to_end(stream).contains("\"too-long\""));
    }

    #[test]
    fn the_longest_request_is_read_and_one_byte_more_is_not() {
        let world = World::new(LIMITS);
        let request = |bytes: usize| {
            let frame = "{\"v\":1,\"do\":\"swaps.set\",\"modes\":\"\"}".len();
            format!("{{\"v\":1,\"do\":\"swaps.set\",\"modes\":\"{}\"}}\n", "x".repeat(bytes - frame))
        };
        assert!(world.send(request(REQUEST_BYTES_MAX).as_bytes()).contains("\"ok\""));
        assert!(world.send(request(REQUEST_BYTES_MAX + 1).as_bytes()).contains("\"too-long\""));
    }

    #[test]
    fn garbage_and_cut_messages_get_an_answer() {
        let world = World::new(LIMITS);
        for bytes in [
            &b"{\"v\":1,\"do\":\"sta"[..],
            b"\n",
            b"\xff\xfe\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"{\"v\":1}\n",
            b"\0\0\0\0",
        ] {
            let answer = world.send(bytes);
            assert!(answer.contains("\"bad-request\"") && answer.ends_with('\n'), "{bytes:?}: {answer}");
        }
        assert_eq!(world.send(b""), "");
        assert!(client::ask(&world.place(), Some("office"), &Request::Status {}).is_ok());
    }

    #[test]
    fn a_slow_request_times_out_and_a_silent_client_is_let_go() {
        let world = World::new(QUICK);
        let begun = Instant::now();
        let mut slow = world.connect();
        slow.write_all(b"{\"v\":1").unwrap();
        let silent = world.connect();
        assert!(read_to_end(slow).contains("\"timeout\""));
        assert_eq!(read_to_end(silent), "");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_client_that_reads_nothing_is_let_go() {
        let world = World::new(QUICK);
        let mut deaf = world.connect();
        deaf.write_all(&"{\"v\":1,\"do\":\"swaps\"}\n".repeat(100).into_bytes()).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        // Twenty answers or so filled the buffers; the other eighty were not worth waiting for.
        let answers = read_to_end(deaf).matches("\"ok\"").count();
        assert!(answers < 100, "{answers}");
    }

    #[test]
    fn two_clients_are_served_while_both_are_connected() {
        let world = World::new(LIMITS);
        let first = world.connect();
        let second = world.connect();
        for mut stream in [&second, &first, &second] {
            stream.write_all(b"{\"v\":1,\"do\":\"status\"}\n").unwrap();
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).unwrap();
            assert!(answer.contains("\"up\""), "{answer}");
        }
    }

    #[test]
    fn one_client_too_many_is_told_so() {
        let world = World::new(Limits { clients: 2, ..LIMITS });
        let first = world.connect();
        let _second = world.connect();
        assert!(read_to_end(world.connect()).contains("\"busy\""));
        drop(first);
        let served = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            client::ask(&world.place(), Some("office"), &Request::Status {}).is_ok()
        });
        assert!(served);
    }

    #[test]
    fn another_user_is_refused_also_when_the_modes_let_him_through() {
        assert!(rustix::process::geteuid().is_root(), "only root can become another user: run the tests as root");
        let world = World::new(LIMITS);
        for (path, mode) in
            [(world.folder.path(), 0o755), (&world.folder.path().join("run"), 0o755), (&world.socket(), 0o666)]
        {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let socket = world.socket();
        // Ids belong to threads in Linux: this thread alone becomes somebody else.
        let stranger = std::thread::spawn(move || {
            let uid = rustix::process::Uid::from_raw(12_345);
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            let mut stream = StdStream::connect(socket).unwrap();
            let _ = stream.write_all(b"{\"v\":1,\"do\":\"status\"}\n");
            read_to_end(stream)
        });
        let answer = stranger.join().unwrap();
        assert!(answer.contains("\"forbidden\"") && !answer.contains("\"ok\""), "{answer}");
    }

    #[test]
    fn folder_and_socket_are_private_and_a_loose_folder_is_tightened() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Place::in_folder(folder.path().to_owned());
        let _server = Server::start(&place, "office", Arc::new(Echo)).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(folder.path()), mode(&place.socket("office"))), (0o700, 0o600));
    }

    #[test]
    fn a_second_instance_of_a_name_is_refused_and_a_dead_ones_socket_replaced() {
        let mut world = World::new(LIMITS);
        let error = Server::start(&world.place(), "office", Arc::new(Echo)).unwrap_err();
        assert!(matches!(error, StartError::Claim(ClaimError::Taken { .. })), "{error}");
        assert!(client::ask(&world.place(), Some("office"), &Request::Status {}).is_ok());

        world.server = None;
        assert!(!world.socket().exists());
        let error = client::ask(&world.place(), Some("office"), &Request::Status {}).unwrap_err();
        assert!(error.is_not_running(), "{error}");

        // What SIGKILL leaves: a socket that nobody listens on.
        drop(StdListener::bind(world.socket()).unwrap());
        assert!(world.socket().exists());
        let error = client::ask(&world.place(), None, &Request::Status {}).unwrap_err();
        assert!(error.is_not_running(), "{error}");
        let _server = Server::start(&world.place(), "office", Arc::new(Echo)).unwrap();
        assert!(client::ask(&world.place(), Some("office"), &Request::Status {}).is_ok());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_folder(folder.path().join("x".repeat(100)));
        let error = Server::start(&place, "office", Arc::new(Echo)).unwrap_err();
        assert!(error.to_string().contains("CUTOVER_RUNTIME_DIR"), "{error}");
    }

    #[test]
    fn dropping_the_server_ends_conversations_at_once() {
        let mut world = World::new(LIMITS);
        let stream = world.connect();
        let begun = Instant::now();
        world.server = None;
        assert_eq!(read_to_end(stream), "");
        assert!(begun.elapsed() < LIMITS.idle / 2);
    }
}
