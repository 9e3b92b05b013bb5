//! Limits the work and memory that reading one body may cost.
//!
//! *Work* is the number of bytes examined, plus a few per node. *Nodes* are the parts of JSON held
//! in memory at once. Both are counted and never timed, so that the same body always gives the same
//! report. The counters are thread-local: a body is read on one thread from start to end, at every
//! level of its JSON.

use std::cell::Cell;

/// The maximum cost of reading one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Bytes examined. A pass over text takes about a nanosecond per byte.
    pub(crate) work: usize,
    /// Nodes held at once. Each stands for 40 to 60 bytes of memory.
    pub(crate) nodes: usize,
}

/// The actual cost of reading one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The work allowance ran out: the result must be discarded.
    pub(crate) is_exhausted: bool,
    /// The number of list elements left out because there was no room.
    pub(crate) left_out: u64,
    /// How often there was no room for a list, which is then kept as text, or for an element.
    pub(crate) refused: u64,
    pub(crate) work: usize,
    /// The peak number of nodes held at once.
    pub(crate) peak: usize,
}

/// The maximum number of nodes held at once. Longer lists are kept as text.
const NODES: usize = 250_000;

/// The work per node beside its bytes, in bytes examined.
const NODE_WORK: usize = 8;

impl Allowance {
    /// For bodies read on the worker thread: one or two milliseconds.
    ///
    /// Plain bodies of several hundred kilobytes fit.
    pub(crate) const SMALL: Self = Self { work: 2 * 1024 * 1024, nodes: NODES };

    /// For bodies read on a dedicated thread: about 100 ms.
    ///
    /// A Responses request of 16 MiB fits; it is examined about ten times.
    pub(crate) const LARGE: Self = Self { work: 192 * 1024 * 1024, nodes: NODES };

    /// For bodies that are not read.
    pub(crate) const ZERO: Self = Self { work: 0, nodes: 0 };

    /// No limits, as outside of [`within`](Self::within).
    const NONE: Self = Self { work: usize::MAX, nodes: usize::MAX / 2 };

    /// Reads a body within this allowance.
    pub(crate) fn within<T>(self, read: impl FnOnce() -> T) -> (T, Cost) {
        struct Restore(Counts);

        impl Drop for Restore {
            fn drop(&mut self) {
                COUNTS.set(self.0);
            }
        }

        let _before = Restore(COUNTS.replace(Counts::of(self)));
        let result = read();
        let Counts { work, lowest, is_exhausted, left_out, refused, .. } = COUNTS.get();
        let peak = self.nodes.saturating_add_signed(lowest.saturating_neg());
        (result, Cost { is_exhausted, left_out, refused, work: self.work - work, peak })
    }
}

#[derive(Clone, Copy)]
struct Counts {
    /// The remaining work and nodes. Nodes may become negative.
    work: usize,
    nodes: isize,
    /// The minimum of the remaining nodes.
    lowest: isize,
    is_exhausted: bool,
    /// How often there was no room for more nodes.
    refused: u64,
    left_out: u64,
}

impl Counts {
    const fn of(Allowance { work, nodes }: Allowance) -> Self {
        let nodes = nodes.cast_signed();
        Self { work, nodes, lowest: nodes, is_exhausted: false, refused: 0, left_out: 0 }
    }
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts::of(Allowance::NONE)) };
}

/// Spends the work of examining this many bytes. Returns whether the allowance covers it.
pub(crate) fn examine(bytes: usize) -> bool {
    let mut counts = COUNTS.get();
    match counts.work.checked_sub(bytes) {
        Some(work) if !counts.is_exhausted => counts.work = work,
        _ => counts.is_exhausted = true,
    }
    COUNTS.set(counts);
    !counts.is_exhausted
}

/// Gives up: the result must be discarded.
pub(crate) fn exhaust() {
    COUNTS.set(Counts { is_exhausted: true, ..COUNTS.get() });
}

/// Whether no work is left. The result is discarded then, so loops can end early.
pub(crate) fn is_exhausted() -> bool {
    COUNTS.get().is_exhausted
}

/// The number of nodes that may still be held.
pub(crate) fn nodes_left() -> usize {
    usize::try_from(COUNTS.get().nodes).unwrap_or_default()
}

/// How often there was no room for more nodes.
pub(crate) fn refused() -> u64 {
    COUNTS.get().refused
}

/// Records that there was no room for a list, which is kept as text.
pub(crate) fn refuse() {
    let counts = COUNTS.get();
    COUNTS.set(Counts { refused: counts.refused + 1, ..counts });
}

/// Records that there was no room for a list element, which is left out.
fn refuse_element() {
    refuse();
    let counts = COUNTS.get();
    COUNTS.set(Counts { left_out: counts.left_out + 1, ..counts });
}

/// Nodes held by a value. Dropping it releases them.
#[derive(Debug, Default)]
pub(crate) struct Held(usize);

impl Held {
    pub(crate) fn new(nodes: usize) -> Self {
        let mut held = Self(0);
        held.grow(nodes);
        held
    }

    /// Holds more nodes even beyond the allowance; then no others fit.
    pub(crate) fn grow(&mut self, nodes: usize) {
        let counts = COUNTS.get();
        let left = counts.nodes.saturating_sub_unsigned(nodes);
        let work = counts.work.saturating_sub(nodes * NODE_WORK);
        self.0 += nodes;
        COUNTS.set(Counts { nodes: left, lowest: counts.lowest.min(left), work, ..counts });
    }

    /// Holds more nodes if there is room.
    pub(crate) fn try_grow(&mut self, nodes: usize) -> bool {
        let has_room = nodes <= nodes_left();
        if has_room {
            self.grow(nodes)
        } else {
            refuse_element()
        }
        has_room
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0 > 0 {
            let counts = COUNTS.get();
            COUNTS.set(Counts { nodes: counts.nodes.saturating_add_unsigned(self.0), ..counts });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_taken_until_it_runs_out_and_then_nothing_more_is_done() {
        let allowance = Allowance { work: 10, nodes: 10 };
        let (taken, cost) = allowance.within(|| [examine(4), examine(6), examine(1), examine(0)]);
        assert_eq!(taken, [true, true, false, false]);
        assert_eq!((cost.is_exhausted, cost.work), (true, 10));
        assert!(examine(1 << 40), "outside nothing is limited");
    }

    #[test]
    fn nodes_are_given_back_when_they_are_dropped_and_the_peak_is_known() {
        let allowance = Allowance { work: 1_000, nodes: 10 };
        let (_, cost) = allowance.within(|| {
            let mut held = Held::new(6);
            assert!(!held.try_grow(5));
            drop(held);
            let mut held = Held::default();
            assert!(held.try_grow(5));
            assert_eq!(nodes_left(), 5);
        });
        assert_eq!((cost.peak, cost.left_out, cost.is_exhausted), (6, 1, false));
    }

    #[test]
    fn an_allowance_ends_with_a_panic_inside_of_it() {
        let allowance = Allowance { work: 0, nodes: 0 };
        let read = || allowance.within(|| panic!("on purpose"));
        assert!(std::panic::catch_unwind(read).is_err());
        assert!(examine(1));
    }
}
