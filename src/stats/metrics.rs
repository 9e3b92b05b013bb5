use std::fmt;

use super::{DropReason, FailureClass, Stats, WithholdReason};

/// One value of [`Stats`], for a metrics system.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        let plain = |(name, is_counter, help, value): (_, _, _, fn(&Stats) -> u64)| Metric {
            name,
            label: None,
            value: value(self),
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
            labelled("reconify_dropped_total", true, "Interactions lost.", label, self.dropped(*reason))
        });
        let withheld = WithholdReason::ALL.iter().map(move |reason| {
            let label = ("reason", reason.as_str());
            let help = "Interactions intentionally not sent.";
            labelled("reconify_withheld_total", true, help, label, self.withheld(*reason))
        });
        let failures = FailureClass::ALL.iter().map(move |class| {
            let is_last = self.last_failure == Some(*class);
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
    ///   nothing is delivered; `reconify_last_failure` has the class. If all traffic may be withheld,
    ///   subtract `reconify_withheld_total`.
    /// - `increase(reconify_spool_failures_total[5m]) > 0`: the disk fails or is full.
    ///
    /// ```
    /// # use tower_reconify::{Config, ReconifyLayer};
    /// # let reporter = ReconifyLayer::new(Config::disabled()).reporter();
    /// let text = reporter.stats().prometheus();
    /// assert!(text.contains("# TYPE reconify_captured_total counter\nreconify_captured_total 0\n"));
    /// ```
    pub fn prometheus(&self) -> String {
        text(&[(None, self)])
    }

    /// The same for several reporters of one process, told apart by the label `reporter`.
    ///
    /// A name must not occur twice. Prometheus refuses a text in which two reporters have values of one
    /// name and no label.
    ///
    /// ```
    /// # use tower_reconify::{Config, ReconifyLayer, Stats};
    /// # let (chats, search) = (ReconifyLayer::new(Config::disabled()), ReconifyLayer::new(Config::disabled()));
    /// let (chats, search) = (chats.reporter().stats(), search.reporter().stats());
    /// let text = Stats::prometheus_of([("chats", &chats), ("search", &search)]);
    /// assert!(text.contains("reconify_captured_total{reporter=\"search\"} 0\n"));
    /// ```
    pub fn prometheus_of<'a>(reporters: impl IntoIterator<Item = (&'a str, &'a Self)>) -> String {
        let reporters: Vec<_> = reporters.into_iter().map(|(name, stats)| (Some(name), stats)).collect();
        text(&reporters)
    }
}

/// All values of a name stand together, as the format wants it.
fn text(reporters: &[(Option<&str>, &Stats)]) -> String {
    use fmt::Write as _;
    let mut text = String::new();
    let mut last = "";
    let mut all: Vec<_> = reporters.iter().map(|(_, stats)| stats.metrics()).collect();
    let names = reporters.iter().map(|(name, _)| name.map(|name| format!("reporter=\"{}\"", escaped(name))));
    let names: Vec<_> = names.collect();
    loop {
        let row: Vec<_> =
            all.iter_mut().zip(&names).filter_map(|(of, name)| Some((name, of.next()?))).collect();
        if row.is_empty() {
            return text;
        }
        for (reporter, Metric { name, label, value, is_counter, help }) in row {
            if name != last {
                last = name;
                let kind = if is_counter { "counter" } else { "gauge" };
                _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            }
            let label = label.map(|(label, of)| format!("{label}=\"{of}\""));
            let labels: Vec<_> = reporter.iter().chain(&label).map(String::as_str).collect();
            _ = match &*labels {
                [] => writeln!(text, "{name} {value}"),
                labels => writeln!(text, "{name}{{{}}} {value}", labels.join(",")),
            };
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
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
    fn several_reporters_have_each_name_once_and_a_label_each() {
        let (one, two) =
            (Stats { captured: 1, ..Stats::default() }, Stats { captured: 2, ..Stats::default() });
        let text = Stats::prometheus_of([("one", &one), ("t\\w\"o\n", &two)]);
        let captured = "# TYPE reconify_captured_total counter\n\
            reconify_captured_total{reporter=\"one\"} 1\n\
            reconify_captured_total{reporter=\"t\\\\w\\\"o\\n\"} 2\n";
        assert!(text.contains(captured), "{text}");
        assert!(text.contains("reconify_dropped_total{reporter=\"one\",reason=\""), "{text}");
        let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert_eq!(Stats::prometheus_of([]), "");
    }

    #[test]
    fn no_field_of_the_counts_lacks_a_metric_and_a_place_in_the_line() {
        // Without `..`: a new field does not compile until it is added here.
        let stats = Stats {
            captured: 1,
            delivered: 1,
            rejected: 1,
            pending: 1,
            spooled: 1,
            pending_on_disk: 1,
            retried: 1,
            truncated: 1,
            undecodable: 1,
            unread: 1,
            mended: 1,
            skipped_events: 1,
            hook_panics: 1,
            bytes_held: 1,
            recovered: 1,
            spool_failures: 1,
            sending: 1,
            last_failure: Some(FailureClass::Rejected),
            dropped: Default::default(),
            withheld: Default::default(),
        };
        let (names, line) = (format!("{stats:?}"), stats.to_string());
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
