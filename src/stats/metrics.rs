use std::fmt;

use super::{DropReason, FailureClass, Stats, WithholdReason};

/// One value of [`Stats`], for a metrics system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name in Prometheus' style, such as `reconify_dropped_total`.
    pub name: &'static str,
    /// The name and value of a label, such as `("reason", "too_many_bytes")`.
    pub label: Option<(&'static str, &'static str)>,
    /// The value. Counters only grow, other values go up and down.
    pub value: u64,
    /// Whether the value is a counter.
    pub is_counter: bool,
    /// What is counted.
    pub help: &'static str,
}

impl Stats {
    /// All values, each with its name and label. Values that have the same name are adjacent.
    ///
    /// ```
    /// # use tower_reconify::{Config, ReconifyLayer};
    /// # let reporter = ReconifyLayer::new(Config::disabled()).reporter();
    /// for metric in reporter.stats().metrics() {
    ///     println!("{} {:?} {}", metric.name, metric.label, metric.value);
    /// }
    /// ```
    pub fn metrics(&self) -> impl Iterator<Item = Metric> + use<> {
        let stats = *self;
        let plain = move |(name, is_counter, help, value): (_, _, _, fn(&Stats) -> u64)| Metric {
            name,
            label: None,
            value: value(&stats),
            is_counter,
            help,
        };
        let labelled = |name, is_counter, help, label, value| Metric {
            name,
            label: Some(label),
            value,
            is_counter,
            help,
        };
        let dropped = DropReason::ALL.iter().map(move |reason| {
            let label = ("reason", reason.as_str());
            labelled("reconify_dropped_total", true, "Interactions lost.", label, stats.dropped(*reason))
        });
        let withheld = WithholdReason::ALL.iter().map(move |reason| {
            let label = ("reason", reason.as_str());
            let help = "Interactions intentionally not sent.";
            labelled("reconify_withheld_total", true, help, label, stats.withheld(*reason))
        });
        let failures = FailureClass::ALL.iter().map(move |class| {
            let is_last = stats.last_failure == Some(*class);
            let help = "1 for the class of the last failed attempt.";
            labelled("reconify_last_failure", false, help, ("class", class.as_str()), is_last.into())
        });
        PLAIN.iter().copied().map(plain).chain(dropped).chain(withheld).chain(failures)
    }

    /// All values in Prometheus' text format, version 0.0.4 (`text/plain; version=0.0.4`).
    ///
    /// Alert on:
    ///
    /// - `increase(reconify_dropped_total[5m]) > 0`: reports are lost; the label has the reason.
    /// - `increase(reconify_rejected_total[5m]) > 0`: the collector rejects reports.
    /// - `reconify_pending > 5000` for some minutes: the collector does not keep up.
    /// - `increase(reconify_delivered_total[15m]) == 0 and increase(reconify_captured_total[15m]) > 0`:
    ///   nothing is delivered; `reconify_last_failure` has the class.
    /// - `increase(reconify_spool_failures_total[5m]) > 0`: the disk fails or is full.
    ///
    /// ```
    /// # use tower_reconify::{Config, ReconifyLayer};
    /// # let reporter = ReconifyLayer::new(Config::disabled()).reporter();
    /// let text = reporter.stats().prometheus();
    /// assert!(text.contains("# TYPE reconify_captured_total counter\nreconify_captured_total 0\n"));
    /// ```
    pub fn prometheus(&self) -> String {
        use fmt::Write as _;
        let mut text = String::new();
        let mut last = "";
        for Metric { name, label, value, is_counter, help } in self.metrics() {
            if name != last {
                last = name;
                let kind = if is_counter { "counter" } else { "gauge" };
                _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
            _ = match label {
                Some((label, of)) => writeln!(text, "{name}{{{label}=\"{of}\"}} {value}"),
                None => writeln!(text, "{name} {value}"),
            };
        }
        text
    }
}

type Plain = (&'static str, bool, &'static str, fn(&Stats) -> u64);

/// The values without a label.
const PLAIN: [Plain; 17] = [
    ("reconify_captured_total", true, "Interactions captured.", |stats| stats.captured),
    ("reconify_delivered_total", true, "Reports that the collector accepted.", |stats| stats.delivered),
    ("reconify_rejected_total", true, "Reports that the collector rejected permanently.", |stats| {
        stats.rejected
    }),
    ("reconify_pending", false, "Interactions in memory that are not settled.", |stats| stats.pending),
    ("reconify_spooled", false, "Reports on disk only.", |stats| stats.spooled),
    ("reconify_pending_on_disk", false, "Pending reports that are on disk too.", |stats| {
        stats.pending_on_disk
    }),
    ("reconify_sending", false, "Delivery attempts under way.", |stats| stats.sending),
    ("reconify_held_bytes", false, "Bytes of bodies and reports in memory.", |stats| stats.bytes_held),
    ("reconify_retried_total", true, "Attempts beyond the first of a report.", |stats| stats.retried),
    ("reconify_truncated_total", true, "Reports with only a part of a body.", |stats| stats.truncated),
    ("reconify_undecodable_total", true, "Reports with a body that was not decoded.", |stats| {
        stats.undecodable
    }),
    ("reconify_unread_total", true, "Reports with a body that took too much work.", |stats| stats.unread),
    ("reconify_mended_total", true, "Reports with a body made valid JSON.", |stats| stats.mended),
    ("reconify_skipped_events_total", true, "Stream events that were not read.", |stats| {
        stats.skipped_events
    }),
    ("reconify_hook_panics_total", true, "Panics of hooks.", |stats| stats.hook_panics),
    ("reconify_recovered_total", true, "Reports taken over from earlier processes.", |stats| stats.recovered),
    ("reconify_spool_failures_total", true, "Failures of the spool's disk.", |stats| stats.spool_failures),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_value_is_a_metric_of_its_own() {
        let metrics: Vec<_> = Stats::default().metrics().collect();
        let different: BTreeSet<_> = metrics.iter().map(|metric| (metric.name, metric.label)).collect();
        assert_eq!(different.len(), metrics.len());
        let labels = DropReason::ALL.len() + WithholdReason::ALL.len() + FailureClass::ALL.len();
        assert_eq!(metrics.len(), PLAIN.len() + labels);
        assert!(metrics.iter().all(|metric| metric.is_counter == metric.name.ends_with("_total")));
    }

    #[test]
    fn no_field_of_the_counts_lacks_a_metric_and_a_place_in_the_line() {
        // Without `..`: a new field does not compile until it is added here.
        let Stats {
            captured: _,
            delivered: _,
            rejected: _,
            pending: _,
            spooled: _,
            pending_on_disk: _,
            retried: _,
            truncated: _,
            undecodable: _,
            unread: _,
            mended: _,
            skipped_events: _,
            hook_panics: _,
            bytes_held: _,
            recovered: _,
            spool_failures: _,
            sending: _,
            last_failure: _,
            dropped: _,
            withheld: _,
        } = Stats::default();
        let names = format!("{:?}", Stats::default());
        let line = Stats::default().to_string();
        let fields = names.split(['{', ',', '[']).filter_map(|part| part.split_once(": "));
        for (field, _) in fields {
            assert!(line.contains(field.trim()), "{field} is missing in {line}");
        }
    }

    #[test]
    fn the_text_has_each_help_and_type_once_and_before_its_values() {
        let text = Stats { captured: 7, last_failure: Some(FailureClass::Rejected), ..Stats::default() }
            .prometheus();
        assert_eq!(text.matches("# TYPE reconify_dropped_total counter").count(), 1);
        assert!(text.contains("\nreconify_captured_total 7\n"), "{text}");
        assert!(text.contains("reconify_last_failure{class=\"rejected\"} 1\n"), "{text}");
        let names: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
