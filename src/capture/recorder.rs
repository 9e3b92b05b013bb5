use std::time::Instant;
use std::{fmt, mem};

use bytes::{BufMut, Bytes, BytesMut};

use crate::budget::Budget;
use crate::exchange::{Ended, Mark, Recording};

/// From this size on a frame is kept by reference. Smaller ones are copied: a frame is a slice of the connection's read
/// buffer, and keeping it keeps all of that (a trickled HTTP/1 stream was seen to hold 38 times its size).
const KEEP_BY_REFERENCE: usize = 8 * 1024;

/// Room that is made for copies when it is first needed, and the step by which it grows at the most: enough for most
/// streams in a few blocks, and never much more than what is in them.
const FIRST_BLOCK: usize = 4 * 1024;
const LARGEST_BLOCK: usize = 512 * 1024;

/// Moments that are noted of one body: enough to reach the first token, and never more than 24 KB.
const MOST_MARKS: usize = 1_000;

/// Keeps what passes, up to the limit for one body and as far as the budget has room.
#[derive(Default)]
pub(crate) struct Recorder {
    kept: Kept,
    kept_bytes: usize,
    passed: u64,
    charged: usize,
    over_budget: bool,
    /// `None` if nobody asks when frames pass.
    marks: Option<Vec<Mark>>,
    /// No more of them are noted.
    has_all_marks: bool,
}

#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    /// Most JSON bodies come in one frame.
    One(Bytes),
    Many {
        blocks: Vec<Bytes>,
        /// The block being filled.
        open: BytesMut,
    },
}

impl Recorder {
    /// A recorder that notes when frames pass, too.
    pub(crate) fn with_marks() -> Self {
        Self { marks: Some(Vec::new()), ..Self::default() }
    }

    pub(crate) fn record(&mut self, frame: &Bytes, budget: &Budget) {
        self.passed += frame.len() as u64;
        if frame.is_empty() || self.over_budget {
            return;
        }
        self.mark(budget);
        let room = budget.body_limit().saturating_sub(self.kept_bytes);
        let kept = if frame.len() <= room {
            self.keep(frame, budget)
        } else {
            // Copied: a slice would keep all of the frame.
            room == 0 || self.keep(&Bytes::copy_from_slice(frame.get(..room).unwrap_or_default()), budget)
        };
        if !kept {
            self.over_budget = true;
            self.kept = Kept::Nothing;
            budget.release(mem::take(&mut self.charged));
        }
    }

    /// Notes the moment, as far as that is asked for and the budget has room.
    fn mark(&mut self, budget: &Budget) {
        let Some(marks) = &mut self.marks else { return };
        if self.has_all_marks {
            return;
        }
        if marks.len() == marks.capacity() {
            let more = marks.len().max(16).min(MOST_MARKS - marks.len());
            if more == 0 || !charge(&mut self.charged, more * size_of::<Mark>(), budget) {
                // For good: with a gap, later frames would seem to have come with earlier ones.
                self.has_all_marks = true;
                return;
            }
            marks.reserve_exact(more);
        }
        marks.push(Mark { passed: self.passed, at: Instant::now() });
    }

    /// Whether the budget had room.
    fn keep(&mut self, frame: &Bytes, budget: &Budget) -> bool {
        self.kept_bytes += frame.len();
        match &mut self.kept {
            Kept::Nothing => {
                let has_room = charge(&mut self.charged, frame.len(), budget);
                if has_room {
                    let is_large = frame.len() >= KEEP_BY_REFERENCE;
                    self.kept =
                        Kept::One(if is_large { frame.clone() } else { Bytes::copy_from_slice(frame) });
                }
                has_room
            }
            Kept::One(first) => {
                let first = mem::take(first);
                self.kept = Kept::Many { blocks: Vec::new(), open: BytesMut::new() };
                budget.release(first.len());
                self.charged -= first.len();
                self.append(&first, budget) && self.append(frame, budget)
            }
            Kept::Many { .. } => self.append(frame, budget),
        }
    }

    fn append(&mut self, frame: &Bytes, budget: &Budget) -> bool {
        let Kept::Many { blocks, open } = &mut self.kept else {
            return true;
        };
        if frame.len() >= KEEP_BY_REFERENCE {
            if !open.is_empty() {
                blocks.push(open.split().freeze());
            }
            blocks.push(frame.clone());
            return charge(&mut self.charged, frame.len(), budget);
        }
        let room = open.capacity() - open.len();
        if frame.len() <= room {
            open.put_slice(frame);
            return true;
        }
        let (head, rest) = frame.split_at(room);
        open.put_slice(head);
        let size = (self.kept_bytes / 2).clamp(FIRST_BLOCK, LARGEST_BLOCK).max(rest.len());
        if !charge(&mut self.charged, size, budget) {
            return false;
        }
        let full = mem::replace(open, BytesMut::with_capacity(size));
        if !full.is_empty() {
            blocks.push(full.freeze());
        }
        open.put_slice(rest);
        true
    }

    pub(crate) fn finish(self, ended: Ended) -> Recording {
        let pieces = match self.kept {
            Kept::Nothing => Vec::new(),
            Kept::One(frame) => vec![frame],
            Kept::Many { mut blocks, open } => {
                if !open.is_empty() {
                    blocks.push(open.freeze());
                }
                blocks
            }
        };
        let Self { passed, charged, over_budget, marks, .. } = self;
        Recording { pieces, passed, charged, ended, over_budget, marks: marks.unwrap_or_default() }
    }
}

/// Shows sizes, and nothing of the content.
impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("passed", &self.passed)
            .field("kept", &self.kept_bytes)
            .finish_non_exhaustive()
    }
}

fn charge(charged: &mut usize, bytes: usize, budget: &Budget) -> bool {
    let has_room = budget.charge(bytes);
    if has_room {
        *charged += bytes;
    }
    has_room
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Limits;

    fn budget(bytes: usize, body_bytes: usize) -> Budget {
        Budget::new(Limits { items: 1, bytes, body_bytes })
    }

    fn record(frames: &[Bytes], budget: &Budget) -> Recording {
        let mut recorder = Recorder::default();
        for frame in frames {
            recorder.record(frame, budget);
        }
        recorder.finish(Ended::Complete)
    }

    fn frames() -> impl Strategy<Value = Vec<Bytes>> {
        let size = prop_oneof![8 => 0..300usize, 2 => 4_000..9_000usize, 1 => 9_000..70_000usize];
        proptest::collection::vec(
            (any::<u8>(), size).prop_map(|(byte, size)| Bytes::from(vec![byte; size])),
            0..60,
        )
    }

    proptest! {
        #[test]
        fn what_passes_is_kept_in_order_up_to_the_limit(frames in frames(), limit in 1..200_000usize) {
            let budget = budget(usize::MAX / 2, limit);
            let recording = record(&frames, &budget);
            let whole = frames.concat();
            let kept = &whole[..whole.len().min(limit)];
            prop_assert_eq!(recording.passed, whole.len() as u64);
            prop_assert_eq!(budget.stats().bytes_held, recording.charged as u64);
            prop_assert!(recording.charged >= kept.len());
            prop_assert!(recording.charged <= kept.len() * 3 / 2 + FIRST_BLOCK + KEEP_BY_REFERENCE);
            prop_assert_eq!(recording.into_bytes(), kept);
        }

        #[test]
        fn a_budget_without_room_keeps_nothing_and_holds_nothing(frames in frames(), bytes in 0..50_000usize) {
            let budget = budget(bytes, usize::MAX);
            let recording = record(&frames, &budget);
            if recording.over_budget {
                prop_assert!(recording.pieces.is_empty());
                prop_assert_eq!(budget.stats().bytes_held, 0);
            } else {
                prop_assert!(budget.stats().bytes_held as usize <= bytes);
                prop_assert_eq!(recording.into_bytes(), frames.concat());
            }
        }
    }

    #[test]
    fn a_large_frame_is_kept_without_a_copy() {
        let frame = Bytes::from(vec![b'x'; KEEP_BY_REFERENCE]);
        let recording = record(std::slice::from_ref(&frame), &budget(10_000, 10_000));
        assert_eq!(recording.pieces[0].as_ptr(), frame.as_ptr());
    }

    #[test]
    fn a_frame_that_is_cut_at_the_limit_is_not_pinned() {
        let frame = Bytes::from(vec![b'x'; 100_000]);
        let recording = record(std::slice::from_ref(&frame), &budget(1_000_000, 20_000));
        assert!(frame.is_unique());
        assert_eq!((recording.passed, recording.into_bytes().len()), (100_000, 20_000));
    }

    #[test]
    fn moments_are_in_the_budget() {
        for (room, marks) in [(10_000, 128), (100_000, MOST_MARKS)] {
            let budget = budget(room, room);
            let mut recorder = Recorder::with_marks();
            for _ in 0..2_000 {
                recorder.record(&Bytes::from_static(b"x"), &budget);
            }
            let recording = recorder.finish(Ended::Complete);
            assert_eq!((recording.over_budget, recording.marks.len()), (false, marks));
            assert!(recording.charged >= recording.marks.len() * size_of::<Mark>() + 2_000);
            assert_eq!(budget.stats().bytes_held, recording.charged as u64);
        }
    }

    #[test]
    fn after_a_moment_that_had_no_room_none_is_noted() {
        let budget = budget(10_000, 10_000);
        let mut recorder = Recorder::with_marks();
        let mut record =
            |frames| (0..frames).for_each(|_| recorder.record(&Bytes::from_static(b"x"), &budget));
        record(16);
        let taken = 10_000 - budget.stats().bytes_held as usize;
        assert!(budget.charge(taken));
        record(1);
        budget.release(taken);
        record(100);
        assert_eq!(recorder.finish(Ended::Complete).marks.len(), 16);
    }

    #[test]
    fn small_frames_do_not_pin_what_they_were_cut_from() {
        let frame = Bytes::from(vec![b'x'; 100]);
        for cut in [100, 50] {
            let recording = record(&[frame.slice(..cut), frame.slice(cut..)], &budget(10_000, 10_000));
            assert!(frame.is_unique());
            assert_eq!(recording.into_bytes(), frame);
        }
    }
}
