//! Counts, percentiles and histograms of what matches a search.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::overview::add;
use crate::store::{Summary, Tokens};

#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    count: u64,
    pub(crate) total: u64,
    sessions: usize,
    users: usize,
    failed: u64,
    interrupted: u64,
    truncated: u64,
    problems: u64,
    bytes: u64,
    tokens: Tokens,
    ttft: Percentiles,
    duration: Percentiles,
    series: Vec<Bucket>,
    ttfts: Vec<Bucket>,
    durations: Vec<Bucket>,
    models: Vec<Named>,
    outcomes: Vec<Named>,
    types: Vec<Named>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Percentiles {
    count: usize,
    p50: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
    max: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Bucket {
    from: u64,
    to: u64,
    count: u64,
    failed: u64,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    count: u64,
}

/// The figures of some reports.
pub(crate) fn figures(rows: &[Arc<Summary>], buckets: usize) -> Figures {
    let rows: Vec<&Summary> = rows.iter().map(|row| &**row).filter(|row| !row.is_upload()).collect();
    let mut out = Figures { count: rows.len() as u64, ..Figures::default() };
    let (mut sessions, mut users) = (HashSet::new(), HashSet::new());
    for row in &rows {
        sessions.extend(row.session.as_deref());
        users.extend(row.user.as_ref().map(|user| &*user.key));
        out.failed += u64::from(row.is_failed());
        out.interrupted += u64::from(row.outcome.as_deref() == Some("interrupted"));
        out.truncated += u64::from(row.truncated);
        out.problems += u64::from(row.has_problem());
        out.bytes = out.bytes.saturating_add(row.bytes);
        add(&mut out.tokens, &row.tokens);
    }
    (out.sessions, out.users) = (sessions.len(), users.len());
    let measured = |of: fn(&Summary) -> Option<u64>| {
        let mut values: Vec<_> = rows.iter().filter_map(|row| Some((of(row)?, row.is_failed()))).collect();
        values.sort_unstable();
        values
    };
    let (ttfts, durations) = (measured(|row| row.ttft), measured(|row| row.duration));
    (out.ttft, out.duration) = (percentiles(&ttfts), percentiles(&durations));
    (out.ttfts, out.durations) = (histogram(&ttfts), histogram(&durations));
    out.series = series(&rows, buckets);
    out.models = named(rows.iter().map(|row| row.model.as_deref().unwrap_or("(none)")));
    out.outcomes = named(rows.iter().map(|row| row.outcome.as_deref().unwrap_or("(not said)")));
    out.types = named(rows.iter().map(|row| &*row.kind));
    out
}

/// The nearest ranks of sorted values.
fn percentiles(values: &[(u64, bool)]) -> Percentiles {
    let rank = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100).max(1);
        values.get(rank - 1).map(|(value, _)| *value)
    };
    Percentiles { count: values.len(), p50: rank(50), p95: rank(95), p99: rank(99), max: rank(100) }
}

/// Buckets whose limits are 1, 2 and 5 times the powers of ten.
fn histogram(values: &[(u64, bool)]) -> Vec<Bucket> {
    let mut out: Vec<Bucket> = Vec::new();
    for (value, is_failed) in values {
        let (from, to) = limits(*value);
        if out.last().is_none_or(|bucket| bucket.from != from) {
            while let Some(last) = out.last().filter(|last| last.to < from) {
                let (from, to) = limits(last.to);
                out.push(Bucket { from, to, ..Bucket::default() });
            }
            out.push(Bucket { from, to, ..Bucket::default() });
        }
        if let Some(bucket) = out.last_mut() {
            bucket.count += 1;
            bucket.failed += u64::from(*is_failed);
        }
    }
    out
}

fn limits(value: u64) -> (u64, u64) {
    let power = 10u64.pow(value.checked_ilog10().unwrap_or(0));
    match value / power {
        0 => (0, 1),
        1 => (power, power.saturating_mul(2)),
        2..=4 => (power * 2, power.saturating_mul(5)),
        _ => (power * 5, power.saturating_mul(10)),
    }
}

/// Counts over time, in buckets of equal length.
fn series(rows: &[&Summary], buckets: usize) -> Vec<Bucket> {
    let times = || rows.iter().map(|row| row.time());
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Vec::new() };
    let buckets = buckets.clamp(1, 200);
    let width = ((last - first) / buckets as u64).saturating_add(1).max(1000);
    let count = usize::try_from((last - first) / width + 1).unwrap_or(1).min(buckets);
    let start = |index: usize| first.saturating_add(width.saturating_mul(index as u64));
    let bucket = |index: usize| Bucket { from: start(index), to: start(index + 1), ..Bucket::default() };
    let mut out: Vec<_> = (0..count).map(bucket).collect();
    for row in rows {
        let index = usize::try_from((row.time() - first) / width).unwrap_or(usize::MAX);
        if let Some(bucket) = out.get_mut(index) {
            bucket.count += 1;
            bucket.failed += u64::from(row.is_failed());
        }
    }
    out
}

/// The most frequent names.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Named> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut out: Vec<_> =
        counts.into_iter().map(|(name, count)| Named { name: name.to_owned(), count }).collect();
    out.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    out.truncate(20);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ttft: u64, requested: u64) -> Arc<Summary> {
        Arc::new(Summary { ttft: Some(ttft), requested: Some(requested), ..Summary::default() })
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<_> = (1..=100).map(|value| (value, false)).collect();
        let found = percentiles(&values);
        assert_eq!((found.p50, found.p95, found.p99, found.max), (Some(50), Some(95), Some(99), Some(100)));
        assert_eq!(percentiles(&[(7, false)]).p99, Some(7));
        assert_eq!(percentiles(&[]), Percentiles::default());
    }

    #[test]
    fn histograms_have_no_gaps_and_lose_nothing() {
        let values: Vec<_> = [0, 1, 3, 60, 60, 1999].into_iter().map(|value| (value, value == 60)).collect();
        let buckets = histogram(&values);
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 6);
        assert_eq!(buckets.iter().map(|bucket| bucket.failed).sum::<u64>(), 2);
        assert!(buckets.windows(2).all(|pair| pair[0].to == pair[1].from), "{buckets:?}");
    }

    #[test]
    fn a_series_covers_all_times() {
        let rows: Vec<_> = [5, 5_000, 100_000, 7_000_000].into_iter().map(|time| row(1, time)).collect();
        let figures = figures(&rows, 48);
        assert_eq!(figures.series.iter().map(|bucket| bucket.count).sum::<u64>(), 4);
        assert!(figures.series.len() <= 48);
        let hostile = [row(1, 0), row(u64::MAX, u64::MAX - 1)];
        assert_eq!(super::figures(&hostile, 48).series.iter().map(|bucket| bucket.count).sum::<u64>(), 2);
    }
}
