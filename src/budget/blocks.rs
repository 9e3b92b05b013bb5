use bytes::BytesMut;

use crate::sync::ArrayQueue;

/// How large the blocks are that bodies are copied into: the first is enough for a short stream, of a long one each is twice as
/// large as the one before.
pub(crate) const FIRST_BLOCK: usize = 8 * 1024;
pub(crate) const LARGEST_BLOCK: usize = FIRST_BLOCK << (SIZES - 1);
const SIZES: usize = 4;

/// How many are kept of each size, 4 MB of all: as many as some thirty streams of 50 frames leave, or ten of 2,000.
const SPARE: usize = 32;

/// Blocks that are not in use. The allocator gives much memory back to the system, and each page of what comes in its place has
/// to be cleared first, on the caller's time: 2 µs for 4 KiB.
#[derive(Debug)]
pub(super) struct Blocks([ArrayQueue<BytesMut>; SIZES]);

impl Blocks {
    /// They take no more than that many bytes of all sizes, but for one block of each.
    pub(super) fn new(bytes: usize) -> Self {
        let places = |doublings: usize| (bytes / SIZES / (FIRST_BLOCK << doublings)).clamp(1, SPARE);
        Self(std::array::from_fn(|doublings| ArrayQueue::new(places(doublings))))
    }

    /// An empty one, of this many bytes.
    pub(super) fn take(&self, size: usize) -> BytesMut {
        let spare = self.of(size).and_then(ArrayQueue::pop);
        spare.unwrap_or_else(|| BytesMut::with_capacity(size))
    }

    /// Keeps it for whoever needs one next, if it has one of the sizes.
    pub(super) fn give_back(&self, mut block: BytesMut) {
        if let Some(spare) = self.of(block.capacity()) {
            block.clear();
            let _ = spare.push(block);
        }
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        self.0.iter().for_each(|spare| while spare.pop().is_some() {});
    }

    /// Where those of this size are.
    fn of(&self, size: usize) -> Option<&ArrayQueue<BytesMut>> {
        let doublings = (size / FIRST_BLOCK).checked_ilog2()? as usize;
        self.0.get(doublings).filter(|_| size == FIRST_BLOCK << doublings)
    }

    /// How many bytes they have.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().enumerate().map(|(doublings, spare)| spare.len() * (FIRST_BLOCK << doublings)).sum()
    }
}
