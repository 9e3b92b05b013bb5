//! Rounds, in each of which every variant has its turn: what else the machine does meets all of them.

use std::time::Duration;

use crate::variants::Run;

/// The time of one exchange in each round, a row a variant.
pub fn measure(variants: &mut [(&'static str, Run)], rounds: usize, exchanges: u32) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::new(); variants.len()];
    for round in 0..rounds {
        for turn in 0..variants.len() {
            // Not always in the same order.
            let place = (turn + round) % variants.len();
            if let (Some((_, run)), Some(times)) = (variants.get_mut(place), times.get_mut(place)) {
                // The variants before have taken the caches, and given memory back.
                run(exchanges);
                times.push(nanoseconds(run(exchanges)) / f64::from(exchanges));
            }
        }
    }
    times
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of what is added to `bare`, in parts of what `base` adds in the same round.
pub fn added(times: &[f64], bare: &[f64], base: &[f64]) -> f64 {
    let rounds = times.iter().zip(bare).zip(base);
    median(rounds.map(|((time, bare), base)| (time - bare) / (base - bare)))
}
