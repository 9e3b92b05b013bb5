//! The gateway saturated: how many exchanges a second it brings to the caller and to the collector, all of them.

use std::time::{Duration, Instant};

use crate::child::Process;
use crate::collector::Health;
use crate::gateway::Variant;
use crate::table::{heading, median, micros, row, with_range};
use crate::{Error, Plan, load};

/// How long the collector may get nothing before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one round brought a variant.
struct Round {
    answered: u64,
    delivered: u64,
    /// Delivered in a second, from the first question to the last delivery; without a layer, answered.
    rate: f64,
    answered_rate: f64,
    cpu: f64,
    peak: u64,
}

pub(crate) fn measure(plan: Plan) -> Result<(), Error> {
    let variants = Variant::ALL;
    let mut rounds = variants.map(|_| Vec::new());
    for number in 0..plan.rounds as usize {
        // Each variant has each place in turn.
        for place in 0..variants.len() {
            let index = (place + number) % variants.len();
            rounds[index].push(run(variants[index], plan.time)?);
        }
    }
    println!("\n## Saturated: 64 connections, each exchange delivered\n");
    heading(&[
        "variant",
        "answered",
        "delivered",
        "exchanges/s, all delivered",
        "while answering, /s",
        "against spawn-and-post (range)",
        "against tee-and-post (range)",
        "gateway CPU, µs each",
        "peak MiB",
    ]);
    for (variant, own) in variants.iter().zip(&rounds) {
        let against = |other: Variant| -> Vec<f64> {
            let others =
                variants.iter().position(|variant| *variant == other).map_or(&[][..], |at| &rounds[at]);
            own.iter().zip(others).map(|(own, other)| own.rate / other.rate).collect()
        };
        row([
            variant.name().to_owned(),
            own.iter().map(|round| round.answered).sum::<u64>().to_string(),
            own.iter().map(|round| round.delivered).sum::<u64>().to_string(),
            format!("{:.0}", median(own.iter().map(|round| round.rate))),
            format!("{:.0}", median(own.iter().map(|round| round.answered_rate))),
            with_range(&against(Variant::SpawnAndPost)),
            with_range(&against(Variant::TeeAndPost)),
            format!("{:.0}", median(own.iter().map(|round| round.cpu))),
            format!("{:.0}", median(own.iter().map(|round| round.peak as f64))),
        ]);
    }
    Ok(())
}

/// How many exchanges a second a gateway without a layer answers, the median of the rounds.
pub(crate) fn bare_rate(plan: Plan) -> Result<f64, Error> {
    let rounds: Result<Vec<_>, _> = (0..plan.rounds).map(|_| run(Variant::None, plan.time)).collect();
    Ok(median(rounds?.iter().map(|round| round.answered_rate)))
}

fn run(variant: Variant, time: Duration) -> Result<Round, Error> {
    let upstream = Process::start(&["upstream"])?;
    let mut collector = Process::start(&["collector", Health::Healthy.name()])?;
    let addresses = [&upstream, &collector].map(|process| process.address.to_string());
    // All has to be delivered in the end: nothing is to be dropped for want of room.
    let mut gateway = Process::start(&["gateway", variant.name(), &addresses[0], &addresses[1], "roomy"])?;

    let load = load::closed(gateway.address, time)?;
    let answering = load.started.elapsed();
    if load.failed > 0 {
        return Err(format!("{} exchanges failed: {}", load.failed, variant.name()).into());
    }
    let mut took = answering;
    let mut delivered = 0;
    if variant != Variant::None {
        (delivered, took) = drained(&mut collector, load.done, load.started)?;
    }
    if variant == Variant::Reconify {
        check(&mut gateway, load.done, delivered)?;
    }
    let counted = if variant == Variant::None { load.done } else { delivered };
    Ok(Round {
        answered: load.done,
        delivered,
        rate: counted as f64 / took.max(answering).as_secs_f64(),
        answered_rate: load.done as f64 / answering.as_secs_f64(),
        cpu: micros(gateway.cpu()?, load.done),
        peak: gateway.peak_memory()?,
    })
}

/// Waits until the collector has all, or gets nothing more: how much it has, and how long after the start it got the last.
pub(crate) fn drained(collector: &mut Process, all: u64, started: Instant) -> Result<(u64, Duration), Error> {
    loop {
        let [received, since] = collector.ask()?;
        let since = Duration::from_micros(since);
        let waited = if received == 0 { started.elapsed() } else { since };
        if received >= all || waited > PATIENCE {
            return Ok((received, started.elapsed().saturating_sub(since)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Fails unless the collector got every exchange, and the layer knows it.
pub(crate) fn check(gateway: &mut Process, done: u64, received: u64) -> Result<(), Error> {
    // The layer learns of the last deliveries by their answers, a little after the collector.
    for _ in 0..100 {
        let [captured, delivered, dropped, pending] = gateway.ask()?;
        if [captured, delivered, dropped, pending] == [done, done, 0, 0] && received == done {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let counts: [u64; 4] = gateway.ask()?;
    Err(format!("{done} exchanges, {received} at the collector, but the layer counts {counts:?}").into())
}
