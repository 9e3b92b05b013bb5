//! Promise 8 in a child that was forked while the worker's thread ran: it has no such thread.
//! A binary of its own, because it forks: other tests would hold locks meanwhile.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::convert::Infallible;
use std::future::pending;
use std::process::{Command, exit};
use std::sync::mpsc::channel;
use std::time::Duration;

use fork::{Fork, fork, waitpid};
use futures_executor::block_on;
use futures_util::future::poll_immediate;
use http_body_util::BodyExt;
use support::{ANSWER, PATIENCE, begin, config, json};
use tower::service_fn;
use tower_reconify::{ReconifyLayer, Report};

const HOUR: Duration = Duration::from_secs(3_600);

async fn exchange(layer: &ReconifyLayer) {
    begin(layer, json(ANSWER)).await.into_body().collect().await.unwrap();
}

/// What the child does. It returns the step that went wrong, or zero.
fn child(layer: ReconifyLayer, begun: impl Future) -> i32 {
    let flushed = block_on(layer.reporter().flush(HOUR));
    if (flushed.delivered, flushed.pending, flushed.is_complete()) != (0, 2, false) {
        return 1;
    }
    // Requests pass, as they would in the parent.
    block_on(exchange(&layer));
    let ended = block_on(layer.reporter().shutdown(HOUR));
    if (ended.delivered, ended.dropped, ended.is_complete()) != (0, 3, false) {
        return 2;
    }
    drop(begun);
    drop(layer);
    // A layer of its own works.
    let layer =
        ReconifyLayer::with_transport(config(), service_fn(async |_: Report| Ok::<_, Infallible>(())));
    block_on(exchange(&layer));
    if !block_on(layer.reporter().shutdown(HOUR)).is_complete() {
        return 3;
    }
    0
}

#[test]
fn in_a_forked_child_flush_shutdown_and_drop_return_at_once_and_a_layer_of_its_own_works() {
    let (called, calls) = channel();
    let transport = service_fn(move |_: Report| {
        called.send(()).unwrap();
        pending::<Result<(), Infallible>>()
    });
    let layer = ReconifyLayer::with_transport(config(), transport);
    for _ in 0..2 {
        block_on(exchange(&layer));
        calls.recv_timeout(PATIENCE).expect("it is tried");
    }
    // Somebody waits as the process forks.
    let reporter = layer.reporter();
    let mut begun = Box::pin(async move { reporter.flush(HOUR).await });
    assert!(block_on(poll_immediate(&mut begun)).is_none());
    let pid = match fork().unwrap() {
        Fork::Child => exit(child(layer, begun)),
        Fork::Parent(pid) => pid,
    };
    let (ended, end) = channel();
    std::thread::spawn(move || ended.send(waitpid(pid).unwrap()));
    let status = end.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
        panic!("the child hangs");
    });
    assert_eq!(status, 0, "the step that went wrong is the second byte");

    // The parent has noticed nothing.
    let flushed = block_on(layer.reporter().flush(Duration::from_millis(100)));
    assert_eq!((flushed.pending, flushed.dropped), (2, 0));
    assert_eq!(layer.reporter().stats().captured, 2);
}
