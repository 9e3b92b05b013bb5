use std::mem;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::budget::{Budget, FIRST_BLOCK, LARGEST_BLOCK};
use crate::exchange::{BodyEnd, BodyPiece, KEEP_BY_REFERENCE, Mark, Recording, Tail};

/// The initial capacity for pieces: enough for most streams.
const PIECES: usize = 16;

/// The largest block that is kept for another body.
const LARGEST_SPARE: usize = 4 * 1024;

/// The most timestamps for one body, at most 24 KB: enough to reach the first token.
const MOST_MARKS: usize = 1_000;

/// Keeps the frames of a body, up to the limit for one body and as far as the budget has room.
#[derive(Default)]
pub(crate) struct Recorder {
    /// The block being filled.
    open: BytesMut,
    /// Whether a frame that fits can be appended without any further check.
    is_open: bool,
    /// Whether the budget is charged for the open block. A block left by the previous body is charged
    /// when the exchange begins, if the budget has room.
    is_charged: bool,
    /// The number of bytes that passed and were not kept.
    beyond: u64,
    /// The last of those bytes.
    tail: Option<Box<Tail>>,
    /// Full blocks and large frames, in order. The first is stored inline: most bodies have no
    /// more.
    first: Option<BodyPiece>,
    pieces: Vec<BodyPiece>,
    pieces_len: usize,
    /// The number of bytes charged to the budget.
    pub(super) charged: usize,
    over_budget: bool,
    /// Whether many frames are expected.
    is_stream: bool,
    /// `None` if timestamps are not recorded.
    moments: Option<Box<Moments>>,
}

#[derive(Default)]
struct Moments {
    marks: Vec<Mark>,
    /// No more timestamps are recorded.
    is_full: bool,
}

impl Recorder {
    /// Prepares for a body: whether it comes in many frames, and whether to record when they pass.
    pub(crate) fn expect(&mut self, is_stream: bool, with_marks: bool) {
        self.is_stream = is_stream;
        if with_marks {
            self.moments = Some(Box::default());
            self.is_open = false;
        }
    }

    /// The size of the block left by the previous body. It never exceeds the limit for a body,
    /// which is the same for all.
    #[inline(always)]
    pub(crate) fn spare(&self) -> usize {
        self.open.capacity()
    }

    /// Opens that block, which has been charged. Most JSON bodies are one frame, which fits.
    #[inline(always)]
    pub(crate) fn open_spare(&mut self) {
        self.charged = self.open.capacity();
        self.is_charged = true;
        self.is_open = true;
    }

    /// Records a frame.
    #[inline(always)]
    pub(crate) fn record<'a>(&mut self, frame: &Bytes, budget: impl FnOnce() -> Option<&'a Budget>) {
        let room = self.open.capacity() - self.open.len();
        if self.is_open && frame.len() <= room && frame.len() < KEEP_BY_REFERENCE {
            self.open.extend_from_slice(frame);
        } else if let Some(budget) = budget() {
            self.record_any(frame, budget);
        }
    }

    #[inline(never)]
    fn record_any(&mut self, frame: &Bytes, budget: &Budget) {
        if frame.is_empty() || self.over_budget {
            self.beyond += frame.len() as u64;
            return;
        }
        let passed = self.passed() + frame.len() as u64;
        self.mark(passed, budget);
        let room = budget.body_limit().saturating_sub(self.kept());
        let kept = if frame.len() <= room {
            self.keep(frame, budget)
        } else {
            let (head, rest) = frame.split_at(room);
            // Copied: a slice would keep all of the frame.
            let kept = room == 0 || self.keep(&Bytes::copy_from_slice(head), budget);
            self.keep_tail(rest, budget);
            kept
        };
        if !kept {
            self.give_up(passed, budget);
        }
        // An empty block belongs to the previous body, and is no longer charged.
        self.is_open = !self.open.is_empty() && self.moments.as_deref().is_none_or(|moments| moments.is_full);
    }

    /// Keeps the last of the bytes that exceed the limit, if the budget has room.
    #[cold]
    fn keep_tail(&mut self, bytes: &[u8], budget: &Budget) {
        self.beyond += bytes.len() as u64;
        if self.tail.is_none() {
            let most = Tail::MOST.min(budget.body_limit());
            if !charge(&mut self.charged, 2 * most, budget) {
                return;
            }
            self.tail = Some(Box::new(Tail::new(most)));
        }
        if let Some(tail) = &mut self.tail {
            tail.push(bytes);
        }
    }

    /// Discards everything: the budget has no room for the whole body, or for its headers.
    #[cold]
    pub(crate) fn give_up(&mut self, passed: u64, budget: &Budget) {
        self.beyond = passed;
        self.over_budget = true;
        (self.open, self.first, self.pieces, self.pieces_len, self.moments) = Default::default();
        self.tail = None;
        self.is_charged = false;
        budget.release(mem::take(&mut self.charged));
    }

    fn kept(&self) -> usize {
        self.pieces_len + self.open.len()
    }

    fn passed(&self) -> u64 {
        self.kept() as u64 + self.beyond
    }

    /// Records a timestamp, if timestamps are recorded and the budget has room.
    fn mark(&mut self, passed: u64, budget: &Budget) {
        let Some(Moments { marks, is_full }) = self.moments.as_deref_mut() else { return };
        if *is_full {
            return;
        }
        if marks.len() == marks.capacity() {
            let more = marks.len().max(16).min(MOST_MARKS - marks.len());
            if more == 0 || !charge(&mut self.charged, more * size_of::<Mark>(), budget) {
                // Permanently: after a gap, later frames would seem to have come with earlier ones.
                *is_full = true;
                return;
            }
            marks.reserve_exact(more);
        }
        marks.push(Mark { passed, at: Instant::now() });
    }

    /// Returns whether the budget had room.
    fn keep(&mut self, frame: &Bytes, budget: &Budget) -> bool {
        if frame.len() < KEEP_BY_REFERENCE {
            return self.append(frame, budget);
        }
        self.close(budget);
        self.push(BodyPiece::Frame(frame.clone()));
        charge(&mut self.charged, frame.len(), budget)
    }

    /// Closes the open block early and releases the unused rest: all of it if the block is empty.
    fn close(&mut self, budget: &Budget) {
        if mem::take(&mut self.is_charged) {
            let rest = (self.open.capacity() - self.open.len()).min(self.charged);
            self.charged -= rest;
            budget.release(rest);
        }
        if !self.open.is_empty() {
            let block = mem::take(&mut self.open);
            self.push(BodyPiece::Frame(Bytes::copy_from_slice(&block)));
            budget.give_back(block);
        }
    }

    fn append(&mut self, frame: &[u8], budget: &Budget) -> bool {
        if self.open.is_empty() && self.open.capacity() > 0 {
            self.take_spare(frame.len(), budget);
        }
        let room = self.open.capacity() - self.open.len();
        let (head, rest) = frame.split_at(room.min(frame.len()));
        self.open.extend_from_slice(head);
        if rest.is_empty() {
            return true;
        }
        let room = budget.body_limit().saturating_sub(self.kept());
        let size = match self.kept() {
            // Most JSON bodies come in one frame.
            0 if !self.is_stream => rest.len(),
            // After a large frame the sizes start over: little may come between two such frames.
            _ => 1 << (self.open.capacity() * 2).clamp(FIRST_BLOCK, LARGEST_BLOCK).ilog2(),
        };
        let size = size.min(room).max(rest.len());
        if !charge(&mut self.charged, size, budget) {
            return false;
        }
        self.is_charged = true;
        let full = mem::replace(&mut self.open, budget.take_block(size));
        if !full.is_empty() {
            self.push(BodyPiece::Block(full));
        }
        self.open.extend_from_slice(rest);
        true
    }

    /// Uses the block left by the previous body, or discards it.
    fn take_spare(&mut self, needed: usize, budget: &Budget) {
        let capacity = self.open.capacity();
        let is_of_use =
            (self.is_stream || needed <= capacity) && self.kept() + capacity <= budget.body_limit();
        if !self.is_charged {
            self.is_charged = is_of_use && charge(&mut self.charged, capacity, budget);
        } else if !is_of_use {
            self.charged -= capacity;
            budget.release(capacity);
            self.is_charged = false;
        }
        if !self.is_charged {
            self.open = BytesMut::new();
        }
    }

    fn push(&mut self, piece: BodyPiece) {
        if self.first.is_none() {
            self.pieces_len = piece.len();
            self.first = Some(piece);
            return;
        }
        if self.pieces.is_empty() {
            self.pieces.reserve_exact(PIECES);
        }
        self.pieces_len += piece.len();
        self.pieces.push(piece);
    }

    /// Takes the recording. A small block and the capacity for blocks remain, for the next body.
    pub(crate) fn finish(&mut self, ended: BodyEnd) -> Recording {
        let passed = self.passed();
        let Self { mut open, first, mut pieces, charged, over_budget, moments, tail, .. } = mem::take(self);
        let mut kept = Vec::with_capacity(pieces.len() + 2);
        kept.extend(first);
        kept.append(&mut pieces);
        if pieces.capacity() <= PIECES {
            self.pieces = pieces;
        }
        if open.capacity() > LARGEST_SPARE {
            kept.push(BodyPiece::Block(open));
        } else {
            if !open.is_empty() {
                kept.push(BodyPiece::Frame(Bytes::copy_from_slice(&open)));
            }
            open.clear();
            self.open = open;
        }
        let marks = moments.map(|moments| moments.marks).unwrap_or_default();
        Recording { pieces: kept, passed, charged, ended, over_budget, marks, tail }
    }
}

fn charge(charged: &mut usize, bytes: usize, budget: &Budget) -> bool {
    let has_room = budget.charge_body(bytes, *charged + bytes);
    if has_room {
        *charged += bytes;
    }
    has_room
}

#[cfg(test)]
mod tests;
