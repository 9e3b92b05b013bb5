//! The gateway at half the rate that saturates it without a layer, with a collector in every state of health.

use crate::child::Process;
use crate::collector::Health;
use crate::gateway::Variant;
use crate::table::{heading, median, micros, row, with_range};
use crate::{Error, Plan, load, saturated};

/// What one round brought a variant; latencies in milliseconds.
struct Round {
    p50: f64,
    p99: f64,
    sent: u64,
    failed: u64,
    delivered: u64,
    cpu: f64,
    peak: u64,
}

pub(crate) fn measure(plan: Plan) -> Result<(), Error> {
    let full = saturated::bare_rate(plan)?;
    let rate = full / 2.0;
    println!("\n## At {rate:.0} exchanges a second, half of what saturates the gateway without a layer\n");
    heading(&[
        "collector",
        "variant",
        "p50 ms",
        "p99 ms",
        "p50 against none (range)",
        "p99 against none (range)",
        "failed",
        "delivered",
        "gateway CPU, µs each",
        "peak MiB",
    ]);
    for health in Health::ALL {
        let mut rounds = Variant::ALL.map(|_| Vec::new());
        for number in 0..plan.rounds as usize {
            // Each variant has each place in turn.
            for place in 0..Variant::ALL.len() {
                let index = (place + number) % Variant::ALL.len();
                rounds[index].push(run(Variant::ALL[index], health, rate, plan)?);
            }
        }
        for (variant, own) in Variant::ALL.iter().zip(&rounds) {
            let against = |figure: fn(&Round) -> f64| -> Vec<f64> {
                own.iter().zip(&rounds[0]).map(|(own, none)| figure(own) / figure(none)).collect()
            };
            let sent: u64 = own.iter().map(|round| round.sent).sum();
            let delivered: u64 = own.iter().map(|round| round.delivered).sum();
            row([
                health.name().to_owned(),
                variant.name().to_owned(),
                format!("{:.3}", median(own.iter().map(|round| round.p50))),
                format!("{:.3}", median(own.iter().map(|round| round.p99))),
                with_range(&against(|round| round.p50)),
                with_range(&against(|round| round.p99)),
                own.iter().map(|round| round.failed).sum::<u64>().to_string(),
                format!("{delivered} of {sent}"),
                format!("{:.0}", median(own.iter().map(|round| round.cpu))),
                format!("{:.0}", median(own.iter().map(|round| round.peak as f64))),
            ]);
        }
    }
    Ok(())
}

fn run(variant: Variant, health: Health, rate: f64, plan: Plan) -> Result<Round, Error> {
    let upstream = Process::start(&["upstream"])?;
    let mut collector = Process::start(&["collector", health.name()])?;
    let addresses = [&upstream, &collector].map(|process| process.address.to_string());
    let mut gateway = Process::start(&["gateway", variant.name(), &addresses[0], &addresses[1], "default"])?;

    let load = load::open(gateway.address, rate, plan.warm_up, plan.time)?;
    let cpu = micros(gateway.cpu()?, load.done);
    let mut delivered = 0;
    if health == Health::Healthy && variant != Variant::None {
        (delivered, _) = saturated::drained(&mut collector, load.done, load.started)?;
        if variant == Variant::Reconify {
            saturated::check(&mut gateway, load.done, delivered)?;
        }
    }
    let quantile = |part| load.latencies.value_at_quantile(part) as f64 / 1e6;
    Ok(Round {
        p50: quantile(0.5),
        p99: quantile(0.99),
        sent: load.done + load.failed,
        failed: load.failed,
        delivered,
        cpu,
        peak: gateway.peak_memory()?,
    })
}
