//! Metrics for a collector: `GET /metrics` over HTTP/1, on the Unix socket `NAME.metrics` beside the control socket and, if
//! the configuration says so, on a port of this machine's loopback. What they are is the host's; nothing can be changed
//! here.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::server::Handler;

/// The longest head of a request; a collector's is a few hundred bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// How long a request and an answer may take, each.
const EXCHANGE_MAX: Duration = Duration::from_secs(5);

/// How many collectors may be connected; further ones are hung up on.
const COLLECTORS_MAX: usize = 8;

/// What OpenMetrics calls itself.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Both listeners, bound.
#[derive(Debug)]
pub(crate) struct Exporter {
    unix: Option<UnixListener>,
    tcp: Option<TcpListener>,
    path: PathBuf,
}

impl Exporter {
    /// Binds `path` and, if given, `loopback`, inside the runtime. The name's lock is held, so that a socket of that name
    /// is a dead instance's.
    ///
    /// # Errors
    /// The system refuses one of them, or `loopback` is somewhere else.
    pub fn bind(path: PathBuf, loopback: Option<SocketAddr>) -> io::Result<Exporter> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let unix = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let tcp = loopback.map(|address| {
            if !address.ip().is_loopback() {
                return Err(io::Error::other(format!("{address} is not this machine's loopback")));
            }
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        Ok(Exporter { unix: Some(unix), tcp: tcp.transpose()?, path })
    }

    /// Serves until it is dropped.
    pub async fn serve(mut self, handler: Arc<dyn Handler>) {
        let places = Arc::new(Semaphore::new(COLLECTORS_MAX));
        let (unix, tcp) = (self.unix.take(), self.tcp.take());
        let by_unix = async {
            let Some(listener) = unix else { return std::future::pending().await };
            loop {
                let stream = listener.accept().await.map(|(stream, _)| stream);
                spawn(stream, &places, &handler).await;
            }
        };
        let by_tcp = async {
            let Some(listener) = tcp else { return std::future::pending().await };
            loop {
                let stream = listener.accept().await.map(|(stream, _)| stream);
                spawn(stream, &places, &handler).await;
            }
        };
        tokio::select! { () = by_unix => {}, () = by_tcp => {} }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn spawn<S>(accepted: io::Result<S>, places: &Arc<Semaphore>, handler: &Arc<dyn Handler>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match (accepted, places.clone().try_acquire_owned()) {
        (Ok(stream), Ok(place)) => {
            let handler = handler.clone();
            tokio::spawn(async move {
                exchange(stream, handler.as_ref()).await;
                drop(place);
            });
        }
        // Full: the connection is dropped. Or accept failed, so that the loop must not spin.
        (Ok(_), Err(_)) => {}
        (Err(_), _) => tokio::time::sleep(Duration::from_millis(100)).await,
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, handler: &dyn Handler) {
    let Ok(Some(line)) = timeout(EXCHANGE_MAX, request_line(&mut stream)).await else { return };
    let answer = answer(&line, handler);
    let _ = timeout(EXCHANGE_MAX, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// The request's first line, once its head is there whole; `None` if it never is.
async fn request_line<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(buffer.get(..count)?);
        if head.len() > HEAD_BYTES_MAX {
            return None;
        }
    }
    let line = head.split(|byte| *byte == b'\r').next()?;
    String::from_utf8(line.to_vec()).ok()
}

fn answer(line: &str, handler: &dyn Handler) -> String {
    let mut words = line.split(' ');
    let (status, kind, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/metrics")) => ("200 OK", CONTENT_TYPE, handler.metrics()),
        (Some("GET"), _) => ("404 Not Found", "text/plain", "the metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain", "only GET\n".to_owned()),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Peer;
    use crate::{Place, Request, Server};
    use serde_json::Value;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    struct Metrics;

    impl Handler for Metrics {
        fn handle(&self, _: &Request, _: Peer) -> Result<Value, String> {
            Ok(Value::Null)
        }

        fn metrics(&self) -> String {
            "# EOF\n".to_owned()
        }
    }

    fn ask(mut stream: impl Read + Write, request: &[u8]) -> String {
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn metrics_are_served_on_both_sockets_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_folder(folder.path().join("run"));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = Server::start_exporting(&place, "office", Arc::new(Metrics), Some(port)).unwrap();
        let path = folder.path().join("run/office.metrics");
        let unix = |request: &[u8]| ask(UnixStream::connect(&path).unwrap(), request);
        let good = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        for answer in [unix(good), ask(TcpStream::connect(port).unwrap(), good)] {
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n# EOF\n"), "{answer}");
            assert!(answer.contains("Content-Length: 6\r\n"), "{answer}");
        }
        assert!(unix(b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(unix(b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert_eq!(unix(&vec![b'x'; 100_000]), "");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(place.instances(), ["office"], "it is no instance of its own");
        drop(server);
        assert!(!path.exists());
    }

    /// Who wants no control socket has the name all the same, and is looked at.
    #[test]
    fn a_silent_server_takes_the_name_and_opens_nothing() {
        struct Looks(mpsc::Sender<()>);
        impl Handler for Looks {
            fn handle(&self, _: &Request, _: Peer) -> Result<Value, String> {
                Err("nobody can ask".to_owned())
            }
            fn look(&self) -> std::time::Duration {
                let _ = self.0.send(());
                std::time::Duration::from_millis(1)
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_folder(folder.path().join("run"));
        let (looks, looked) = mpsc::channel();
        let server = Server::start_silent(&place, "office", Arc::new(Looks(looks))).unwrap();
        assert!(Server::start_silent(&place, "office", Arc::new(Metrics)).is_err(), "the name is taken");
        assert!((0..3).all(|_| looked.recv().is_ok()), "nobody looks");
        let names = fs::read_dir(folder.path().join("run")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["office.lock"]);
        drop(server);
        assert!(looked.iter().count() < 1000 && looked.recv().is_err(), "the thread has ended");
        assert!(Server::start(&place, "office", Arc::new(Metrics)).is_ok());
    }

    #[test]
    fn only_loopback_is_listened_on() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::in_folder(folder.path().join("run"));
        let anywhere = "0.0.0.0:0".parse().unwrap();
        let error = Server::start_exporting(&place, "office", Arc::new(Metrics), Some(anywhere)).unwrap_err();
        assert!(error.to_string().contains("loopback"), "{error}");
    }
}
