use super::*;

const MAX_DELIVERIES: usize = 32;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

const SECOND: Duration = Duration::from_secs(1);

fn failing(breaker: &mut Breaker, now: Instant, reports: impl IntoIterator<Item = u128>) {
    for report in reports {
        breaker.began(id(report));
        breaker.failed(now, id(report), &DeliveryError::unavailable(), 1.0);
    }
}

#[test]
fn it_opens_when_five_different_reports_fail_in_a_row() {
    let (mut breaker, now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
    failing(&mut breaker, now, [1, 1, 1, 1, 1, 2, 3, 4]);
    breaker.succeeded();
    failing(&mut breaker, now, [1, 2, 3, 4]);
    assert_eq!(breaker.decision(now, 31), Decision::Allow);
    failing(&mut breaker, now, [5]);
    assert_eq!(breaker.decision(now, 0), Decision::RetryAt(now + SECOND / 2));
}

#[test]
fn open_it_lets_one_probe_through_at_a_time_in_pauses_that_double_to_a_minute() {
    let (mut breaker, mut now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
    failing(&mut breaker, now, 1..=5);
    let mut pauses = Vec::new();
    for report in 6..15 {
        let Decision::RetryAt(next) = breaker.decision(now, 0) else { panic!("there is a pause") };
        pauses.push((next - now).as_millis());
        now = next;
        assert_eq!(breaker.decision(now, 0), Decision::HalfOpenProbe);
        breaker.began(id(report));
        assert_eq!(breaker.decision(now, 1), Decision::Saturated);
        assert!(
            !breaker.failed(now, id(report), &DeliveryError::unavailable(), 1.0),
            "it counts_as_attempt no attempt"
        );
    }
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
}

#[test]
fn the_first_success_closes_it_and_each_further_one_lets_one_more_through() {
    let (mut breaker, now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
    failing(&mut breaker, now, 1..=5);
    for concurrency_limit in 1..=MAX_DELIVERIES + 5 {
        breaker.succeeded();
        let concurrency_limit = concurrency_limit.min(MAX_DELIVERIES);
        let decision =
            if concurrency_limit < MAX_DELIVERIES { Decision::AllowUntried } else { Decision::Allow };
        assert_eq!(breaker.decision(now, concurrency_limit - 1), decision);
        assert_eq!(breaker.decision(now, concurrency_limit), Decision::Saturated);
    }
}

#[test]
fn what_the_collector_asks_for_holds_everything_for_up_to_five_minutes_and_costs_no_attempt() {
    for (asked, held) in [(0, 0), (7, 7), (300, 300), (1_000_000_000, 300), (u64::MAX, 300)] {
        let (mut breaker, now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
        let error = DeliveryError::unavailable().with_retry_after(Duration::from_secs(asked));
        assert!(!breaker.failed(now, id(1), &error, 0.5), "it counts_as_attempt no attempt");
        let until = now + Duration::from_secs(held);
        let silent = if held > 0 { Decision::RetryAt(until) } else { Decision::AllowUntried };
        assert_eq!(breaker.decision(now, 0), silent);
        assert_eq!(breaker.decision(until, 0), Decision::AllowUntried);
        assert_eq!(breaker.decision(until, 1), Decision::Saturated, "one at first");
        // A shorter pause from an attempt in flight does not shorten it, nor does a success.
        let shorter = DeliveryError::unavailable().with_retry_after(Duration::ZERO);
        breaker.failed(now, id(2), &shorter, 0.5);
        breaker.succeeded();
        assert_eq!(breaker.decision(now, 0), silent);
    }
}

#[test]
fn keys_that_are_not_accepted_leave_one_probe_every_five_seconds_doubling_to_a_minute() {
    let (mut breaker, mut now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
    assert!(!breaker.failed(now, id(1), &DeliveryError::unauthorized(), 0.1));
    for seconds in [5, 10, 20, 40, 60, 60] {
        assert_eq!(breaker.decision(now, 0), Decision::RetryAt(now + seconds * SECOND));
        now += seconds * SECOND;
        breaker.began(id(1));
        breaker.failed(now, id(1), &DeliveryError::unauthorized(), 0.1);
    }
    breaker.succeeded();
    assert!(!breaker.doubts_keys());
    assert_eq!(breaker.decision(now, 0), Decision::AllowUntried);
}

#[test]
fn one_report_that_is_refused_like_wrong_keys_holds_up_no_other_once_the_keys_are_proven() {
    let (mut breaker, now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
    breaker.succeeded();
    for _ in 0..10 {
        assert!(
            breaker.failed(now, id(1), &DeliveryError::unauthorized(), 0.1),
            "it counts_as_attempt an attempt"
        );
    }
    breaker.failed(now, id(2), &DeliveryError::unauthorized(), 0.1);
    assert_eq!(breaker.decision(now, 0), Decision::Allow);
    breaker.failed(now, id(3), &DeliveryError::unauthorized(), 0.1);
    assert_eq!(breaker.decision(now, 0), Decision::RetryAt(now + 5 * SECOND));
}

#[test]
fn a_probe_that_is_rejected_or_lost_is_followed_by_another_after_a_pause() {
    let (mut breaker, now) = (Breaker::new(MAX_DELIVERIES), Instant::now());
    failing(&mut breaker, now, 1..=5);
    breaker.began(id(6));
    breaker.failed(now, id(6), &DeliveryError::rejected(), 1.0);
    assert_eq!(breaker.decision(now, 0), Decision::RetryAt(now + SECOND));
    breaker.began(id(7));
    breaker.lost(now, id(7), 1.0);
    assert_eq!(breaker.decision(now, 0), Decision::RetryAt(now + 2 * SECOND));
    breaker.retry_now(now);
    assert_eq!(breaker.decision(now, 0), Decision::HalfOpenProbe);
}
