use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep_until};
use tower::Service;

use super::in_flight::{Ended, InFlight};
use super::outage_log::OutageLog;
use super::schedule::Schedule;
use super::{Breaker, Decision, GiveUpReason, Transport};
use crate::config::RetryLimits;
use crate::names::LOG;
use crate::report::Report;
use crate::stats::{DropReason, FailureClass, Settlement};
use crate::transport::DeliveryError;
use crate::unwind::guarded;

/// The minimum pause between two attempts of one report, whatever the random number.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// Delivers reports: pulls them from the schedule and hands them to the transport.
pub(crate) struct Dispatcher<S: Service<Report>> {
    transport: S,
    retry_limits: RetryLimits,
    /// Returns a new random number from 0 to 1.
    random: fn() -> f64,
    /// The most attempts in flight.
    concurrency: usize,
    breaker: Breaker,
    pub(crate) schedule: Schedule,
    running: InFlight<S::Future>,
    /// The transport is not ready, and wakes the worker once it is.
    is_blocked: bool,
    outage_log: OutageLog,
    last_success: Option<Instant>,
}

impl<S: Transport> Dispatcher<S> {
    pub(crate) fn new(
        transport: S,
        concurrency: usize,
        retry_limits: RetryLimits,
        random: fn() -> f64,
    ) -> Self {
        Self {
            transport,
            retry_limits,
            random,
            concurrency,
            breaker: Breaker::new(concurrency),
            schedule: Schedule::default(),
            running: InFlight::new(),
            is_blocked: false,
            outage_log: OutageLog::default(),
            last_success: None,
        }
    }

    /// How many more reports can be sent at once. Reports that wait for a retry do not count: a
    /// failing report must not hold up the others.
    pub(crate) fn room(&self) -> usize {
        self.concurrency.saturating_sub(self.running.len() + self.schedule.ready())
    }

    /// Starts attempts while there is room and the transport is ready.
    pub(crate) async fn start(&mut self) {
        self.is_blocked = false;
        let now = Instant::now();
        loop {
            let decision = self.breaker.decision(now, self.running.len());
            let Some(id) = self.schedule.next(decision, now) else { return };
            match poll_fn(|cx| Poll::Ready(guarded(|| self.transport.poll_ready(cx)))).await {
                Some(Poll::Ready(Ok(()))) => self.call(id, now),
                Some(Poll::Pending) => {
                    self.schedule.again_first(id);
                    self.is_blocked = true;
                    return;
                }
                Some(Poll::Ready(Err(error))) => {
                    self.begin(id, now);
                    match guarded(|| DeliveryError::of(error.into())) {
                        Some(error) => self.fail(id, &error),
                        None => self.lose(id),
                    }
                }
                None => self.lose(id),
            }
        }
    }

    /// Records an attempt.
    fn begin(&mut self, id: u64, now: Instant) -> Option<Report> {
        let job = self.schedule.get(id)?;
        if job.retry.begin(now) {
            job.reservation.budget().counters().retry();
        }
        self.breaker.began(job.report.id());
        Some(job.report.clone())
    }

    fn call(&mut self, id: u64, now: Instant) {
        let Some(report) = self.begin(id, now) else { return };
        match guarded(|| self.transport.call(report)) {
            Some(delivery) => self.running.push(id, delivery),
            None => self.lose(id),
        }
    }

    /// Waits until [`start`](Self::start) has work to do, or a report is settled.
    ///
    /// # Cancel safety
    ///
    /// No results are lost: each finished attempt is handled before this returns.
    pub(crate) async fn progress(&mut self) {
        let due = self.due();
        tokio::select! {
            Some((id, ended)) = self.running.next() => self.finish(id, ended),
            () = until(due) => {}
            () = poll_fn(|cx| is_settled(&mut self.transport, cx)), if self.is_blocked => {}
        }
    }

    /// When the next attempt is due, if it depends on time alone.
    fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let due = self.schedule.due(now).filter(|_| !self.is_blocked)?;
        match self.breaker.decision(now, self.running.len()) {
            Decision::RetryAt(moment) => Some(moment),
            Decision::Allow | Decision::AllowUntried => Some(due),
            Decision::HalfOpenProbe => Some(now),
            Decision::Saturated => None,
        }
    }

    /// Retries waiting reports immediately, unless the collector asked for a pause: there may be no
    /// later chance.
    pub(crate) fn retry_now(&mut self) {
        let now = Instant::now();
        self.breaker.retry_now(now);
        self.schedule.retry_now(now);
    }

    /// Handles finished attempts up to the given time, without waiting. No unstarted attempt starts
    /// any more.
    pub(crate) async fn finish_ended(&mut self, until: Instant) {
        self.running.begin_no_more();
        // Two attempts that wake themselves end a poll, as does the runtime's budget, although
        // other attempts may have finished.
        let mut turns = self.running.len();
        while turns > 0 && Instant::now() < until {
            if !unconstrained(self.finish_next()).await {
                turns -= 1;
            }
        }
    }

    /// Handles another finished attempt. Returns whether there was one.
    pub(crate) async fn finish_next(&mut self) -> bool {
        let ended = self.running.next_ended().await;
        ended.map(|(id, ended)| self.finish(id, ended)).is_some()
    }

    /// Aborts the running attempts.
    pub(crate) fn abort(&mut self) {
        for id in self.running.abort() {
            self.schedule.again_first(id);
        }
    }

    /// Whether the collector is believed to accept no reports.
    pub(crate) fn is_failing(&self) -> bool {
        self.breaker.is_failing(Instant::now())
    }

    /// Whether an attempt has failed since the last success.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.breaker.is_doubtful()
    }

    /// When a report or image was last accepted.
    pub(crate) fn last_success(&self) -> Option<Instant> {
        self.last_success
    }

    /// When the newest of the attempts under way began.
    pub(crate) fn newest_attempt(&mut self) -> Option<Instant> {
        self.running.starts().max()
    }

    /// The failure for which a report was last given up.
    pub(crate) fn last_loss(&self) -> Option<&str> {
        self.outage_log.given_up()
    }

    /// Why reports are not delivered yet: unanswered attempts, and reports that wait.
    pub(crate) fn explain(&mut self) -> String {
        let (running, waiting) = (self.running.len(), self.schedule.len().saturating_sub(self.running.len()));
        let mut reasons = Vec::new();
        if let Some(since) = self.running.starts().min() {
            let attempts = if running == 1 { "attempt" } else { "attempts" };
            let seconds = since.elapsed().as_secs_f64();
            reasons.push(format!("{running} {attempts} unanswered for {seconds:.1} s"));
        }
        match self.outage_log.last() {
            Some(error) if waiting > 0 => reasons.push(format!("{waiting} waiting because {error}")),
            None if waiting > 0 => reasons.push(format!("{waiting} waiting")),
            _ => {}
        }
        reasons.join(", ")
    }

    /// The number of attempts in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.running.len()
    }

    fn finish(&mut self, id: u64, ended: Ended) {
        match ended {
            Some(Ok(())) => {
                self.breaker.succeeded();
                self.last_success = Some(Instant::now());
                self.outage_log.delivered();
                self.go_on(id);
            }
            Some(Err(error)) => self.fail(id, &error),
            None => self.lose(id),
        }
    }

    /// Settles a report whose attempt panicked.
    fn lose(&mut self, id: u64) {
        if let Some(job) = self.schedule.get(id) {
            self.breaker.lost(Instant::now(), job.report.id(), (self.random)());
        }
        self.settle(id, Settlement::Dropped(DropReason::Panicked));
    }

    fn fail(&mut self, id: u64, error: &DeliveryError) {
        let (now, class) = (Instant::now(), error.class());
        let waiting = self.schedule.len();
        let Some(job) = self.schedule.get(id) else { return };
        let chain = error.chain();
        tracing::debug!(target: LOG, id = %job.report.id(), error = %chain, "an attempt failed");
        let counts_as_attempt = self.breaker.failed(now, job.report.id(), error, (self.random)());
        if class != FailureClass::Unsendable {
            self.outage_log.failed(chain.clone(), self.breaker.doubts_keys(), waiting);
        }
        job.reservation.budget().counters().fail(class);
        let limits = self.retry_limits;
        let mut retry = || job.retry.fail(now, class, counts_as_attempt, (self.random)(), limits);
        let settlement = match class {
            FailureClass::Rejected => Settlement::Rejected,
            FailureClass::Unsendable => Settlement::Dropped(DropReason::Unsendable),
            _ => match retry() {
                Ok(pause) => return self.schedule.again_at(now + pause.max(SHORTEST_PAUSE), id),
                Err(GiveUpReason::Attempts) if class == FailureClass::Unauthorized => Settlement::Rejected,
                Err(GiveUpReason::Attempts) => Settlement::Dropped(DropReason::Undelivered),
                Err(GiveUpReason::Age) => Settlement::Dropped(DropReason::Expired),
            },
        };
        self.outage_log.gave_up(chain);
        self.give_up(id, settlement);
    }

    /// Gives up a report or one of its images. Without the report its images are not sent; without
    /// one image the others are.
    fn give_up(&mut self, id: u64, settlement: Settlement) {
        let Some(job) = self.schedule.get(id) else { return };
        let failed = *job.failed.get_or_insert(settlement);
        if job.report.is_image_upload() { self.go_on(id) } else { self.settle(id, failed) }
    }

    /// Continues with the next image of an interaction, or settles the job.
    fn go_on(&mut self, id: u64) {
        let Some(job) = self.schedule.get(id) else { return };
        if job.next_part() {
            self.schedule.again_first(id);
        } else {
            let settlement = job.failed.unwrap_or(Settlement::Delivered);
            self.settle(id, settlement);
        }
    }

    fn settle(&mut self, id: u64, settlement: Settlement) {
        self.schedule.settle(id, settlement);
    }
}

/// Sleeps until the given time; without one it never returns.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Pending until the transport's readiness has changed.
fn is_settled<S: Service<Report>>(transport: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    match guarded(|| transport.poll_ready(cx).is_pending()) {
        Some(true) => Poll::Pending,
        _ => Poll::Ready(()),
    }
}
