use bytes::BytesMut;

use crate::sync::ArrayQueue;

/// The sizes of the blocks that bodies are copied into. The first holds a short stream; each
/// further block of a long stream is twice as large as the one before.
pub(crate) const FIRST_BLOCK: usize = 8 * 1024;
pub(crate) const LARGEST_BLOCK: usize = FIRST_BLOCK << (SIZES - 1);
const SIZES: usize = 4;

/// How many blocks of each size are kept, 4 MB in all: what some thirty streams of 50 frames leave,
/// or ten of 2,000.
const SPARE: usize = 32;

/// Blocks that are not in use. The allocator returns large memory to the system, and the system
/// clears each new page on the caller's time: 2 µs for 4 KiB.
#[derive(Debug)]
pub(super) struct Blocks([ArrayQueue<BytesMut>; SIZES]);

impl Blocks {
    /// Keeps at most this many bytes of all sizes, but at least one block of each.
    pub(super) fn new(bytes: usize) -> Self {
        let places = |doublings: usize| (bytes / SIZES / (FIRST_BLOCK << doublings)).clamp(1, SPARE);
        Self(std::array::from_fn(|doublings| ArrayQueue::new(places(doublings))))
    }

    /// Returns an empty block of this size.
    pub(super) fn take(&self, size: usize) -> BytesMut {
        let spare = self.of(size).and_then(ArrayQueue::pop);
        spare.unwrap_or_else(|| BytesMut::with_capacity(size))
    }

    /// Keeps the block for reuse, if it has one of the sizes.
    pub(super) fn give_back(&self, mut block: BytesMut) {
        if let Some(spare) = self.of(block.capacity()) {
            block.clear();
            let _ = spare.push(block);
        }
    }

    /// Frees all blocks.
    pub(super) fn clear(&self) {
        self.0.iter().for_each(|spare| while spare.pop().is_some() {});
    }

    /// The blocks of this size.
    fn of(&self, size: usize) -> Option<&ArrayQueue<BytesMut>> {
        let doublings = (size / FIRST_BLOCK).checked_ilog2()? as usize;
        self.0.get(doublings).filter(|_| size == FIRST_BLOCK << doublings)
    }

    /// The size of all blocks, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().enumerate().map(|(doublings, spare)| spare.len() * (FIRST_BLOCK << doublings)).sum()
    }
}
