//! Generations of processes share one spool, with random faults: each report that was handed over
//! is settled by one of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::RetryLimits;

/// The outcomes of reports over all generations.
#[derive(Default)]
struct Ends {
    taken: BTreeSet<Uuid>,
    rejected: BTreeSet<Uuid>,
    /// How many deliveries repeated an earlier one.
    repeated: usize,
}

fn run(seed: u64, mode: Spooling) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(generations(seed, mode));
}

async fn generations(seed: u64, mode: Spooling) {
    let folder = tempfile::tempdir().unwrap();
    let ends = Arc::new(Mutex::new(Ends::default()));
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut handed_over, mut lost) = (0, 0);
    for generation in 0..6 {
        let noted = Arc::clone(&ends);
        let mut dice = random.fork();
        // In the last generation the collector accepts everything.
        let (fails, rejects) = if generation == 5 { (0, 0) } else { (random.u32(0..100), random.u32(0..10)) };
        let config = spooling(folder.path(), mode)
            .limits(Limits { items: random.usize(50..3_000), ..Limits::default() })
            .retry(RetryLimits { attempts: 1_000, ..RetryLimits::default() });
        let (simulated, _) = answering(config, fastrand::f64, move |attempt| {
            let mut ends = noted.lock().unwrap();
            if dice.u32(0..100) < fails {
                return Err(match dice.u32(0..10) {
                    0 => DeliveryError::unavailable().with_retry_after(SECOND * dice.u32(0..20)),
                    1 => DeliveryError::unauthorized(),
                    _ => DeliveryError::unavailable(),
                });
            }
            if dice.u32(0..100) < rejects {
                ends.rejected.insert(attempt.id);
                return Err(DeliveryError::rejected());
            }
            if !ends.taken.insert(attempt.id) {
                ends.repeated += 1;
            }
            Ok(())
        });
        for _ in 0..random.u32(0..40) {
            for _ in 0..random.u32(0..200) {
                simulated.report();
                handed_over += 1;
            }
            sleep(SECOND * random.u32(0..20) / 10).await;
            if random.u8(0..10) == 0 {
                simulated.flush(SECOND * random.u32(0..100)).await;
            }
            let stats = simulated.stats();
            assert!(stats.settled() <= stats.captured, "{stats}");
        }
        if generation == 5 {
            for _ in 0..100_000 {
                if simulated.stats().unsettled() == 0 && segments(folder.path()).is_empty() {
                    break;
                }
                sleep(SECOND).await;
            }
        }
        let ended = simulated.shutdown(SECOND * random.u32(0..60) / 10).await;
        let Simulated { worker, reporter, .. } = simulated;
        worker.await.unwrap();
        let stats = reporter.stats();
        assert_accounted(&stats);
        assert_eq!((stats.pending, stats.bytes_held), (0, 0), "{stats}");
        assert_eq!((ended.spooled, ended.exchanges_open), (stats.spooled, 0));
        lost += stats.dropped_total();
    }
    let ends = ends.lock().unwrap();
    let settled = ends.taken.union(&ends.rejected).count() as u64;
    assert!(settled + lost >= handed_over, "{settled} + {lost} < {handed_over}");
    assert!(settled <= handed_over);
    assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
    // At most the last segment of each generation is repeated.
    assert!(ends.repeated as u64 <= 5 * 4_000, "{}", ends.repeated);
}

#[test]
fn whatever_was_handed_over_is_settled_in_one_generation_or_counted_as_lost() {
    for seed in 0..6 {
        run(seed, Spooling::WhenNeeded);
        run(seed, Spooling::Always);
    }
}
