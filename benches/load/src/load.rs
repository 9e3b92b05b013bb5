//! The load: exchanges over 64 connections, one in four of them a stream.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::upstream::{ANSWER, EVENTS};
use crate::{CONNECTIONS, Error};

/// What marks a question; ten digits follow.
pub(crate) const MARK: &str = "question number ";

type Connection = SendRequest<Full<Bytes>>;

/// What a run brought.
pub(crate) struct Measured {
    /// In nanoseconds, from the scheduled moment, the warm-up's left out.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) started: Instant,
}

#[derive(Default)]
struct Counts {
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
}

/// Exchanges one after another on every connection, until the time is up.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn closed(gateway: SocketAddr, time: Duration) -> Result<Measured, Error> {
    let counts = Arc::new(Counts::default());
    let mut connections = connect_all(gateway).await?;
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    while let Some(mut connection) = connections.pop() {
        let counts = counts.clone();
        tasks.spawn(async move {
            while started.elapsed() < time {
                let number = counts.next.fetch_add(1, Ordering::Relaxed);
                counts.count(attempt(&mut connection, gateway, number).await);
            }
        });
    }
    let ended = tokio::time::timeout(time + Duration::from_secs(10), tasks.join_all()).await;
    if ended.is_err() {
        eprintln!("load: an exchange hangs for 10 s; the round counts with that time");
    }
    counts.measured(histogram()?, started)
}

/// Exchanges that begin at fixed moments, whatever became of those before: what comes late counts from when it was due.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn open(
    gateway: SocketAddr,
    rate: f64,
    warm_up: Duration,
    time: Duration,
) -> Result<Measured, Error> {
    let interval = 1.0 / rate;
    let [unmeasured, total] = [warm_up, warm_up + time].map(|span| (span.as_secs_f64() * rate) as u64);
    let counts = Arc::new(Counts::default());
    let latencies = Arc::new(Mutex::new(histogram()?));
    let due = Arc::new(Semaphore::new(0));
    let connections = connect_all(gateway).await?;
    let started = Instant::now();
    let moment = move |number: u64| started + Duration::from_secs_f64(number as f64 * interval);

    // A thread that sleeps: timers of the runtime have steps of a millisecond.
    let clock = due.clone();
    let clock = std::thread::spawn(move || {
        for number in 0..total {
            std::thread::sleep(moment(number).saturating_duration_since(Instant::now()));
            clock.add_permits(1);
        }
    });
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let (counts, latencies, due) = (counts.clone(), latencies.clone(), due.clone());
        tasks.spawn(async move {
            while let Ok(permit) = due.acquire().await {
                permit.forget();
                let number = counts.next.fetch_add(1, Ordering::Relaxed);
                counts.count(attempt(&mut connection, gateway, number).await);
                if number >= unmeasured {
                    let late = moment(number).elapsed().as_nanos() as u64;
                    latencies.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(late);
                }
                if number + 1 == total {
                    due.close();
                }
            }
        });
    }
    // The last one that is due may be taken long before the others end: all are waited for.
    let _ = tokio::time::timeout((warm_up + time) * 3, tasks.join_all()).await;
    clock.join().map_err(|_| "the clock ended early")?;
    let mut latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // What was not answered by now was at least as late as it is.
    let missing = (total - unmeasured).saturating_sub(latencies.len());
    for number in total - missing..total {
        latencies.saturating_record(moment(number).elapsed().as_nanos() as u64);
    }
    counts.measured(latencies, started)
}

/// Up to ten minutes, longer than any run takes.
fn histogram() -> Result<Histogram<u64>, Error> {
    Ok(Histogram::new_with_bounds(1, 600_000_000_000, 3)?)
}

impl Counts {
    fn count(&self, is_done: bool) {
        let count = if is_done { &self.done } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn measured(&self, latencies: Histogram<u64>, started: Instant) -> Result<Measured, Error> {
        let [done, failed] = [&self.done, &self.failed].map(|count| count.load(Ordering::Relaxed));
        Ok(Measured { latencies, done, failed, started })
    }
}

async fn connect_all(gateway: SocketAddr) -> Result<Vec<Connection>, Error> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(connect(gateway).await?);
    }
    Ok(connections)
}

async fn connect(gateway: SocketAddr) -> Result<Connection, Error> {
    let stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// An exchange, and whether it was answered in full. A connection that broke is replaced.
async fn attempt(connection: &mut Connection, gateway: SocketAddr, number: u64) -> bool {
    let is_done = exchange(connection, number).await.unwrap_or(false);
    if !is_done && let Ok(another) = connect(gateway).await {
        *connection = another;
    }
    is_done
}

async fn exchange(connection: &mut Connection, number: u64) -> Result<bool, Error> {
    let is_streamed = number % 4 == 3;
    let request = Request::post("/v1/chat/completions")
        .header(HOST, "gateway")
        .header(AUTHORIZATION, "Bearer sk-load")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(question(number, is_streamed)))?;
    connection.ready().await?;
    let response = connection.send_request(request).await?;
    let is_ok = response.status() == StatusCode::OK;
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    let expected = if is_streamed { EVENTS.iter().map(Bytes::len).sum() } else { ANSWER.len() };
    Ok(is_ok && length == expected)
}

/// A question of 1 KiB.
fn question(number: u64, is_streamed: bool) -> String {
    let filler = "word ".repeat(180);
    format!(
        r#"{{"model":"gpt-4o","stream":{is_streamed},"messages":[{{"role":"user","content":"{MARK}{number:010}: {filler}"}}]}}"#
    )
}

/// The number of the question that is in a report.
pub(crate) fn number_in(report: &[u8]) -> Option<u64> {
    let start = memchr::memmem::find(report, MARK.as_bytes())? + MARK.len();
    std::str::from_utf8(report.get(start..start + 10)?).ok()?.parse().ok()
}
