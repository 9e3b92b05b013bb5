//! Random steps in any order, checked against the spool's invariants.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::spool::{Loaded, SegmentId};

/// A step. The first number is the process, for steps that a process makes.
#[derive(Clone, Debug)]
enum Step {
    Append(usize, u64, usize),
    Load(usize),
    Remove(usize, usize),
    Release(usize, usize),
    Adopt(usize, usize),
    Tidy(usize),
    Close(usize),
    Kill(usize),
    Crash,
    /// From now on one operation in this number fails, or none.
    Errors(Option<u64>),
    Space(Option<u64>),
}

const PROCESSES: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let process = || 0..PROCESSES;
    prop_oneof![
        8 => (process(), 1..8_u64, 0..300_usize).prop_map(|(p, items, size)| Step::Append(p, items, size)),
        5 => process().prop_map(Step::Load),
        4 => (process(), 0..4_usize).prop_map(|(p, which)| Step::Remove(p, which)),
        1 => (process(), 0..4_usize).prop_map(|(p, which)| Step::Release(p, which)),
        3 => (process(), 1..3_usize).prop_map(|(p, most)| Step::Adopt(p, most)),
        1 => process().prop_map(Step::Tidy),
        1 => process().prop_map(Step::Close),
        2 => process().prop_map(Step::Kill),
        1 => Just(Step::Crash),
        2 => prop_oneof![Just(None), (3..40_u64).prop_map(Some)].prop_map(Step::Errors),
        1 => prop_oneof![Just(None), (0..3_000_u64).prop_map(Some)].prop_map(Step::Space),
    ]
}

/// A process, and its loaded segments.
struct Process {
    spool: SegmentStore<SimFs>,
    out: BTreeMap<SegmentId, Vec<u64>>,
    /// The newest own item that it loaded: unless segments are released, they are loaded in order.
    newest: Option<u64>,
}

struct World {
    disk: SimFs,
    processes: [Option<Process>; PROCESSES],
    next: u64,
    acknowledged: BTreeSet<u64>,
    /// Their removal was requested, so they may be lost.
    given_up: BTreeSet<u64>,
    /// Their removal succeeded, so they must not be loaded again.
    removed: BTreeSet<u64>,
    /// Segments may have been skipped.
    had_errors: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            disk: SimFs::new(seed),
            processes: [const { None }; PROCESSES],
            next: 0,
            acknowledged: BTreeSet::new(),
            given_up: BTreeSet::new(),
            removed: BTreeSet::new(),
            had_errors: false,
        }
    }

    /// Returns the process, and starts it first if possible.
    fn process(&mut self, which: usize) -> Option<&mut Process> {
        if self.processes[which].is_none() {
            let spool = SegmentStore::open(self.disk.process(), settings("/spool")).ok()?;
            self.processes[which] = Some(Process { spool, out: BTreeMap::new(), newest: None });
        }
        self.processes[which].as_mut()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Append(which, count, letters) => self.append(which, count, letters),
            Step::Load(which) => {
                let loaded =
                    self.process(which).and_then(|process| process.spool.load_oldest().ok().flatten());
                if let Some(loaded) = loaded {
                    self.loaded(which, &loaded);
                }
            }
            Step::Remove(which, segment) => self.remove(which, segment),
            Step::Release(which, segment) => {
                let Some(process) = self.process(which) else { return };
                let Some(id) = process.out.keys().nth(segment).copied() else { return };
                process.out.remove(&id);
                process.spool.release(id);
                process.newest = None;
            }
            Step::Adopt(which, most) => {
                let Some(process) = self.process(which) else { return };
                if let Ok(adopted) = process.spool.adopt(most) {
                    assert!(adopted.folders <= most);
                }
            }
            Step::Tidy(which) => {
                let _ = self.process(which).map(|process| process.spool.tidy());
            }
            Step::Close(which) => {
                let _ = self.processes[which].take().map(|process| process.spool.close());
            }
            Step::Kill(which) => {
                let _ = self.processes[which].take().map(|process| process.spool.disk.kill());
            }
            Step::Crash => {
                self.disk.crash();
                self.processes = [const { None }; PROCESSES];
                self.disk = self.disk.process();
            }
            Step::Errors(one_in) => {
                self.had_errors |= one_in.is_some();
                self.disk.faults(|faults| faults.one_in = one_in);
            }
            Step::Space(space) => self.disk.faults(|faults| faults.space = space),
        }
    }

    fn append(&mut self, which: usize, count: u64, letters: usize) {
        let numbers = self.next..self.next + count;
        let Some(process) = self.process(which) else { return };
        let items: Vec<_> = numbers.clone().map(|number| item(number, letters)).collect();
        let appended = process.spool.append(&items);
        assert_eq!(appended.stopped.is_none(), appended.durable.len() == items.len());
        assert!(appended.durable.is_sorted());
        self.acknowledged.extend(numbers.take(appended.durable.len()));
        self.next += count;
    }

    fn loaded(&mut self, which: usize, Loaded { segment, items, is_foreign, .. }: &Loaded) {
        let numbers: Vec<u64> = items.iter().map(number).collect();
        for number in &numbers {
            assert!(*number < self.next, "{number} was never appended");
            assert!(!self.removed.contains(number), "{number} was removed");
            let others = self.processes.iter().flatten().flat_map(|process| process.out.values().flatten());
            assert!(!others.copied().any(|other| other == *number), "{number} is out twice");
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?} are out of order");
        let Some(process) = &mut self.processes[which] else { return };
        if let (false, false, Some(first)) = (is_foreign, self.had_errors, numbers.first()) {
            assert!(process.newest.is_none_or(|newest| newest < *first), "{first} comes late");
            process.newest = numbers.last().copied();
        }
        assert!(process.out.insert(*segment, numbers).is_none(), "{segment:?} is out twice");
    }

    fn remove(&mut self, which: usize, segment: usize) {
        let Some(process) = self.processes[which].as_mut() else { return };
        let Some(id) = process.out.keys().nth(segment).copied() else { return };
        let numbers = process.out.remove(&id).unwrap_or_default();
        self.given_up.extend(&numbers);
        if process.spool.remove(id).is_ok() {
            self.removed.extend(numbers);
        }
    }

    /// All faults end, and one process loads all items.
    fn settle(mut self) {
        self.disk.faults(|faults| *faults = Default::default());
        for process in self.processes.iter_mut().filter_map(Option::take) {
            process.spool.disk.kill();
        }
        let mut spool = SegmentStore::open(self.disk.process(), settings("/spool")).unwrap();
        adopt_all(&mut spool, 2);
        self.processes[0] = Some(Process { spool, out: BTreeMap::new(), newest: None });
        let mut found = BTreeSet::new();
        while let Some(loaded) = self.processes[0].as_mut().unwrap().spool.load_oldest().unwrap() {
            self.loaded(0, &loaded);
            found.extend(loaded.items.iter().map(number));
            self.remove(0, 0);
        }
        let lost: Vec<_> =
            self.acknowledged.difference(&self.given_up).filter(|number| !found.contains(number)).collect();
        assert!(lost.is_empty(), "{lost:?} were acknowledged, and are lost");
        self.processes[0].take().unwrap().spool.close();
        let left: Vec<_> =
            self.disk.paths().into_iter().filter(|path| path.components().count() > 2).collect();
        let is_aside = |path: &std::path::PathBuf| path.to_str().unwrap().ends_with(".seg.corrupt");
        assert!(left.iter().skip(1).all(is_aside), "{left:?} are left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_acknowledged_is_lost_and_nothing_removed_comes_back(
        seed: u64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(seed);
        for step in &steps {
            world.take(step);
        }
        world.settle();
    }
}
