use std::fmt;

/// The last bytes of a body that exceeds the limit.
pub(crate) struct Tail {
    /// Up to twice as many bytes as are kept, so that bytes are moved seldom.
    bytes: Vec<u8>,
    most: usize,
}

impl Tail {
    /// The most that is kept of a tail: names, flags and counts come last in most bodies.
    pub(crate) const MOST: usize = 4 * 1024;

    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: Vec::with_capacity(2 * most), most }
    }

    #[cfg(fuzzing)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), most: Self::MOST }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(self.most)..).unwrap_or_default();
        if self.bytes.len() + bytes.len() > 2 * self.most {
            let kept = self.most - bytes.len();
            self.bytes.drain(..self.bytes.len().saturating_sub(kept));
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.bytes.get(self.bytes.len().saturating_sub(self.most)..).unwrap_or_default().to_vec()
    }
}

/// Shows sizes, and nothing of the content.
impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}
