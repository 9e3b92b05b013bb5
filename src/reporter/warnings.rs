use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::DeliveryError;

/// The shortest time between two warnings of one kind.
const QUIET: Duration = Duration::from_secs(60);

/// What the log hears of deliveries: once an episode, never once a report, and nothing of their content.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    is_failing: bool,
    failing: Option<Instant>,
    rejecting: Option<Instant>,
}

impl Warnings {
    pub(super) fn delivered(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("reports are delivered again");
        }
    }

    pub(super) fn failed(&mut self, error: &DeliveryError) {
        if error.is_retryable() {
            if !self.is_failing && is_due(&mut self.failing) {
                self.is_failing = true;
                tracing::warn!(%error, "reports wait to be delivered");
            }
        } else if is_due(&mut self.rejecting) {
            tracing::warn!(%error, "reports are lost");
        }
    }
}

fn is_due(last: &mut Option<Instant>) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= QUIET);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}
