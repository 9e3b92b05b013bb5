//! The example gateway as a process, with the test as its OpenAI and its collector.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::mpsc;

use super::PATIENCE;
use super::example::command;

pub const APP_KEY: &str = "APP-of-the-test";
pub const API_KEY: &str = "API-of-the-test";

/// A running gateway.
pub struct Gateway {
    pub address: SocketAddr,
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    /// What it has printed so far.
    pub printed: Vec<String>,
    /// The lines of its log.
    log: mpsc::UnboundedReceiver<String>,
}

impl Gateway {
    /// Starts the example with these variables and none of the surrounding `RECONIFY_*`.
    pub async fn start(variables: &[(&str, String)]) -> Self {
        let mut command = command("gateway", variables);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the example starts");
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = lines(child.stderr.take().unwrap());
        let mut gateway = Self { address: ([0, 0, 0, 0], 0).into(), child, output, printed: Vec::new(), log };
        let line = gateway.line_with("listening on http://").await;
        gateway.address = line.trim_start_matches("listening on http://").parse().unwrap();
        gateway
    }

    /// Between an OpenAI and a collector of the test's.
    pub async fn between(openai: SocketAddr, collector: SocketAddr) -> Self {
        Self::between_with(openai, collector, &[]).await
    }

    /// Between them, with further variables.
    pub async fn between_with(openai: SocketAddr, collector: SocketAddr, more: &[(&str, &str)]) -> Self {
        let mut variables = vec![
            ("OPENAI_BASE_URL", format!("http://{openai}/v1")),
            ("RECONIFY_ENDPOINT", format!("http://{collector}/track")),
            ("RECONIFY_APP_KEY", APP_KEY.to_owned()),
            ("RECONIFY_API_KEY", API_KEY.to_owned()),
        ];
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::start(&variables).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Reads its output up to a line that contains `text`.
    pub async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
            let line =
                line.unwrap_or_else(|_| panic!("the gateway prints {text:?} in time: {:?}", self.printed));
            let Some(line) = line.unwrap() else {
                let log: Vec<_> = std::iter::from_fn(|| self.log.try_recv().ok()).collect();
                panic!("the gateway prints {text:?}: {:?} {log:?}", self.printed);
            };
            self.printed.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads its log up to a line that contains `text`.
    pub async fn logged(&mut self, text: &str) -> String {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.log.recv()).await;
            let line = line.unwrap_or_else(|_| panic!("the gateway logs {text:?} in time"));
            let line = line.unwrap_or_else(|| panic!("the gateway logs {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Stops it, and returns everything that it printed and logged.
    #[cfg(unix)]
    pub async fn stop_and_tell(mut self) -> (Vec<String>, Vec<String>) {
        self.terminate();
        self.line_with("final counts: ").await;
        let mut logged = Vec::new();
        while let Some(line) = tokio::time::timeout(PATIENCE, self.log.recv()).await.expect("its log ends") {
            logged.push(line);
        }
        (self.printed, logged)
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to stop, as a service manager does.
    #[cfg(unix)]
    pub fn terminate(&self) {
        let pid = self.child.id().expect("the gateway runs").to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Stops it, and returns how it ended with its final counts.
    #[cfg(unix)]
    pub async fn stop(mut self) -> (ExitStatus, String) {
        self.terminate();
        let counts = self.line_with("final counts: ").await;
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("the gateway ends").unwrap();
        (status, counts)
    }
}

/// The lines of a stream, read as they come: a full pipe would hold up the process.
fn lines(stream: ChildStderr) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A server of the test's, on a free port.
pub async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A collector that takes every report.
pub struct Collector {
    pub address: SocketAddr,
    posts: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
}

impl Collector {
    pub async fn start() -> Self {
        let (sender, posts) = mpsc::unbounded_channel();
        let app = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
            let _ = sender.send((headers, body));
            (StatusCode::OK, r#"{"status":"ok"}"#)
        });
        Self { address: serve(app.layer(axum::extract::DefaultBodyLimit::disable())).await, posts }
    }

    /// The next post: its headers, and its body as text.
    pub async fn post(&mut self) -> (HeaderMap, String) {
        let post = tokio::time::timeout(PATIENCE, self.posts.recv()).await;
        let (headers, body) = post.expect("a report in time").unwrap();
        (headers, String::from_utf8(body.to_vec()).expect("a report is text"))
    }

    /// What has arrived and was not looked at.
    pub fn rest(&mut self) -> usize {
        std::iter::from_fn(|| self.posts.try_recv().ok()).count()
    }
}

/// An OpenAI that answers every request with what the test says, and keeps the requests.
pub struct Upstream {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<(axum::http::request::Parts, Bytes)>>>,
}

impl Upstream {
    pub async fn start(
        answer: impl Fn(&axum::http::request::Parts, &Bytes) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let app = Router::new().fallback(async move |request: axum::extract::Request| {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
            let response = answer(&parts, &body);
            kept.lock().unwrap().push((parts, body));
            response
        });
        Self { address: serve(app).await, requests }
    }
}

/// An upstream that writes these bytes once it has read the head of a request, and then closes.
pub async fn raw_upstream(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}
