//! A collector that fails as asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How the collector answers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Answers {
    /// The status of every answer, if it is not 200.
    pub(crate) status: Option<u16>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) takes: Duration,
}

#[derive(Default)]
struct State {
    answers: Answers,
    /// How often each report was accepted. Counted when it arrives, because a killed forwarder does not
    /// wait for the answer.
    accepted: HashMap<Uuid, u32>,
    paths: HashMap<Uuid, String>,
    refused: u64,
}

pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: Option<Server>,
}

struct Server {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let server = Some(Server::start(listener, &state));
        Self { address, state, server }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/track", self.address)
    }

    pub(crate) fn answers(&self, answers: Answers) {
        self.state.lock().unwrap().answers = answers;
    }

    /// Closes the port and all connections. It answers what it has accepted, or that would come again.
    pub(crate) async fn stop(&mut self) {
        let Server { stop, task } = self.server.take().expect("it runs");
        drop(stop);
        task.await.unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.server = Some(Server::start(listener, &self.state));
    }

    pub(crate) fn accepted(&self) -> HashMap<Uuid, u32> {
        self.state.lock().unwrap().accepted.clone()
    }

    /// The path to which a report was posted.
    pub(crate) fn paths(&self) -> HashMap<Uuid, String> {
        self.state.lock().unwrap().paths.clone()
    }

    /// The number of different reports.
    pub(crate) fn delivered(&self) -> usize {
        self.state.lock().unwrap().accepted.len()
    }

    /// The number of answers that were not 200.
    pub(crate) fn refused(&self) -> u64 {
        self.state.lock().unwrap().refused
    }
}

impl Server {
    fn start(listener: TcpListener, state: &Arc<Mutex<State>>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(serve(listener, Arc::clone(state), stopped)) }
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, mut stopped: oneshot::Receiver<()>) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        let state = Arc::clone(&state);
        let answer = service_fn(move |request| answer(request, Arc::clone(&state)));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(accepted.unwrap().0), answer);
        tokio::spawn(connections.watch(connection));
    }
    drop(listener);
    connections.shutdown().await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let id: Uuid = request.headers()["idempotency-key"].to_str().unwrap().parse().unwrap();
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await else { return Ok(Response::default()) };
    let body = String::from_utf8(body.to_bytes().into()).unwrap();
    assert!(body.contains(r#""appKey":"app-key","apiKey":"api-key""#), "the forwarder has inserted the keys");
    let (answers, status) = {
        let mut state = state.lock().unwrap();
        let status = match state.answers.status {
            Some(status) => status,
            None if body.contains("poison") => 500,
            None if body.contains("unacceptable") => 422,
            None => 200,
        };
        if status == 200 {
            *state.accepted.entry(id).or_default() += 1;
            state.paths.insert(id, path);
        } else {
            state.refused += 1;
        }
        (state.answers, status)
    };
    tokio::time::sleep(answers.takes).await;
    let mut response = Response::builder().status(status);
    if let Some(seconds) = answers.retry_after {
        response = response.header("retry-after", seconds);
    }
    Ok(response.body(Full::default()).unwrap())
}
