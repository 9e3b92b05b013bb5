//! What an exchange costs the caller, in time: without a layer, with the layer of this crate, and with what others use in its
//! place. `cargo bench --manifest-path benches/comparisons/Cargo.toml --bench overhead`.
//!
//! Times are compared within one run, round by round, and mean nothing by themselves. Each variant has a process of its own:
//! what one leaves of the allocator's memory, dear or cheap, is not the next one's to use. Besides the table there is a
//! group for criterion, which keeps what it measured: it shows what a change did on one machine.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use tokio::runtime::Runtime;
use tower_reconify_comparisons::apart;
use tower_reconify_comparisons::exchange::{Scenario, streamed, uncaptured, unstreamed};
use tower_reconify_comparisons::rounds::{added, measure, median};
use tower_reconify_comparisons::variants::{NAMES, Run, named};

/// Exchanges a round, after as many that are not timed.
const EXCHANGES: [(fn() -> Scenario, u32); 5] = [
    (|| unstreamed("JSON, 1 KiB", 1_024), 2_048),
    (|| unstreamed("JSON, 16 KiB", 16 * 1_024), 2_048),
    (|| streamed("stream of 200 frames", 200), 512),
    (|| streamed("stream of 2,000 frames", 2_000), 128),
    (|| uncaptured("not captured"), 2_048),
];

const ROUNDS: usize = 31;

fn main() {
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new().expect("a runtime")));
    let _client = sentry::init(sentry::ClientOptions::default());
    if let Some((scenario, variant)) = apart::asked_for() {
        let scenarios = EXCHANGES.map(|(scenario, _)| scenario());
        let scenario = scenarios.iter().find(|known| known.name == scenario).expect("a scenario");
        return apart::serve(named(&variant, runtime, scenario, true));
    }
    beside_others();
    by_size(runtime);
    kept();
}

/// Every variant, in a process of its own.
fn each_apart(scenario: &Scenario) -> Vec<(&'static str, Run)> {
    NAMES.map(|name| (name, apart::start(scenario.name, name))).into()
}

/// What each adds, in parts of what `TraceLayer` adds.
fn beside_others() {
    println!(
        "| | variant | ns an exchange | added, in parts of what TraceLayer adds |\n| --- | --- | --- | --- |"
    );
    for (scenario, exchanges) in EXCHANGES {
        let scenario = scenario();
        let mut variants = each_apart(&scenario);
        let times = measure(&mut variants, ROUNDS, exchanges);
        let [bare, trace, ..] = times.as_slice() else { return };
        for ((name, _), times) in variants.iter().zip(&times) {
            let nanoseconds = median(times.iter().copied());
            println!("| {} | {name} | {nanoseconds:.0} | {:.2} |", scenario.name, added(times, bare, trace));
        }
    }
}

/// What the layer adds, by the size of the body: it is to grow no faster than that.
fn by_size(runtime: &'static Runtime) {
    println!("\n| | added: ns a KiB, or a frame |\n| --- | --- |");
    let json = [1, 16, 256, 4_096, 65_536].map(|kib| (unstreamed("JSON", kib * 1_024), kib, "KiB"));
    let streams = [10, 1_000, 100_000].map(|frames| (streamed("stream", frames), frames, "frames"));
    for (scenario, size, unit) in json.into_iter().chain(streams) {
        let run = |name| (name, named(name, runtime, &scenario, false));
        let mut variants = ["bare", "tower-reconify"].map(run);
        let exchanges = u32::try_from(200_000 / size).unwrap_or(1).clamp(1, 512);
        let times = measure(&mut variants, 15, exchanges);
        let [bare, ours] = times.as_slice() else { return };
        let added = median(ours.iter().zip(bare).map(|(ours, bare)| ours - bare)) / size as f64;
        println!("| {}, {size} {unit} | {added:.1} |", scenario.name);
    }
}

fn kept() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("overhead");
    for (scenario, _) in EXCHANGES {
        let scenario = scenario();
        for (name, mut run) in each_apart(&scenario) {
            group.bench_function(BenchmarkId::new(name, scenario.name), |bencher| {
                bencher.iter_custom(|times| match u32::try_from(times) {
                    Ok(times) => run(times),
                    Err(_) => Instant::now().elapsed(),
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
