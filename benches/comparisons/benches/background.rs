//! How long the worker takes from captured bytes to a delivered report, beside what a plain implementation takes for
//! the payload alone.
//!
//! The worker has a thread of its own: it is held in a delivery while exchanges pass the layer, and the clock runs from
//! when it is let go to when all are delivered, to a transport that does nothing. That includes its queue, the making of
//! deliveries and being woken for the flush, of which the plain implementation has nothing.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a measurement that is not one must not look like one")]

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_executor::block_on;
use tower::service_fn;
use tower_reconify::{Config, Limits, ReconifyLayer, Report};
use tower_reconify_instructions::worker::exchanges::{Exchange, exchange};
use tower_reconify_instructions::worker::{passing, plain};

/// Scenarios, and how many exchanges are waiting when the worker is let go. Long bodies are read on threads of their
/// own, several at once: of those it is one, or two cores would be compared with one.
const SCENARIOS: [(&str, u32); 4] =
    [("json-1024", 256), ("json-16384", 256), ("json-1048576", 1), ("stream-2000", 1)];

/// A worker whose deliveries can be held up.
struct Held {
    layer: ReconifyLayer,
    gate: Arc<Mutex<()>>,
    arrived: Receiver<()>,
}

impl Held {
    fn new() -> Self {
        let gate = Arc::new(Mutex::new(()));
        let (sender, arrived): (Sender<()>, _) = channel();
        let at_gate = Arc::clone(&gate);
        let sink = service_fn(move |report: Report| {
            let _ = sender.send(());
            drop(at_gate.lock().unwrap());
            black_box(report);
            std::future::ready(Ok::<_, Infallible>(()))
        });
        let config = Config::builder("app", "key")
            .limits(Limits { bytes: 1 << 30, ..Limits::default() })
            .build()
            .unwrap();
        Self { layer: ReconifyLayer::with_transport(config, sink), gate, arrived }
    }

    /// The worker's time for a number of exchanges that are all queued.
    fn time(&self, exchange: &Exchange, first: &Exchange, exchanges: u32) -> Duration {
        let held = self.gate.lock().unwrap();
        passing::pass(&self.layer, first);
        self.arrived.recv().unwrap();
        (0..exchanges).for_each(|_| passing::pass(&self.layer, exchange));
        let started = Instant::now();
        drop(held);
        let flushed = block_on(self.layer.reporter().flush(Duration::from_secs(600)));
        let took = started.elapsed();
        assert_eq!(flushed.pending, 0, "all are delivered");
        assert_eq!(self.arrived.try_iter().count() as u32, exchanges, "and each was timed");
        took
    }
}

fn background(criterion: &mut Criterion) {
    let first = exchange("json-1024").unwrap();
    for (name, exchanges) in SCENARIOS {
        let mut group = criterion.benchmark_group(name);
        let exchange = exchange(name).unwrap();
        let (request, response) = (exchange.request.concat(), exchange.response.concat());
        group.bench_function("plain", |bencher| {
            bencher.iter(|| plain::report(&request, &response, exchange.api, exchange.is_stream).unwrap());
        });
        let held = Held::new();
        group.bench_function("reconify", |bencher| {
            // As many at once as may wait; what is left of the last time is scaled.
            bencher.iter_custom(|times| {
                let rounds = times.div_ceil(u64::from(exchanges));
                let took: Duration = (0..rounds).map(|_| held.time(&exchange, &first, exchanges)).sum();
                took.mul_f64(times as f64 / (rounds * u64::from(exchanges)) as f64)
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = background
}
criterion_main!(benches);
