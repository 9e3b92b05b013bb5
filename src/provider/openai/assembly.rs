use super::chat::assembler;
use super::chat::chunk::{Chunk, Progress};
use super::{audio, images, responses};
use crate::codec::json::Node;
use crate::provider::operation::Operation;

/// What puts a stream together.
pub(crate) struct Assembly<'a> {
    pub(crate) progress: Progress,
    parts: Parts<'a>,
}

enum Parts<'a> {
    Chunks(assembler::Assembly<'a>),
    Response(responses::Assembly<'a>),
    Images(images::Assembly<'a>),
    Audio(audio::Assembly<'a>),
}

impl<'a> Assembly<'a> {
    pub(crate) fn of(operation: Operation) -> Self {
        let parts = match operation {
            Operation::Responses => Parts::Response(responses::Assembly::default()),
            Operation::Speech | Operation::Transcription | Operation::Translation => {
                Parts::Audio(audio::Assembly::default())
            }
            operation if operation.is_image() => Parts::Images(images::Assembly::default()),
            _ => Parts::Chunks(assembler::Assembly::default()),
        };
        Self { progress: Progress::default(), parts }
    }

    /// The same for a chat or completion, of which every event is taken in by itself.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn without_patterns() -> Self {
        let parts = Parts::Chunks(assembler::Assembly::without_patterns());
        Self { progress: Progress::default(), parts }
    }

    /// Whether an event was taken in as it came.
    #[cfg(test)]
    pub(crate) fn is_alike(&mut self, data: &[u8]) -> bool {
        match &mut self.parts {
            Parts::Chunks(chunks) => chunks.add_alike(data),
            _ => false,
        }
    }

    /// Takes in one event. Returns whether its data could be read; if not, nothing has changed.
    pub(crate) fn add(&mut self, name: &'a [u8], data: &'a [u8]) -> bool {
        // Some servers keep connections alive with events of nothing.
        if data.is_empty() {
            return true;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.progress.is_done = true;
            return true;
        }
        if let Parts::Chunks(chunks) = &mut self.parts
            && chunks.add_alike(data)
        {
            self.progress.chunks += 1;
            return true;
        }
        let Some(chunk) = Chunk::of(name, data) else { return false };
        self.progress.chunks += 1;
        self.progress.has_error |= chunk.error().is_some();
        match &mut self.parts {
            Parts::Chunks(chunks) => chunks.add(data, chunk, &mut self.progress),
            Parts::Response(response) => response.add(&chunk, &mut self.progress),
            Parts::Images(images) => images.add(chunk, &mut self.progress),
            Parts::Audio(audio) => audio.add(chunk, &mut self.progress),
        }
        true
    }

    /// Counts an event whose data cannot be read.
    pub(crate) fn skip(&mut self) {
        self.progress.chunks += 1;
        self.progress.skipped += 1;
    }

    /// What is known of the stream.
    pub(crate) fn progress(&self) -> Progress {
        match &self.parts {
            Parts::Chunks(chunks) => Progress { is_finished: chunks.is_finished(), ..self.progress },
            _ => self.progress,
        }
    }

    /// Says that the stream went on after what is here.
    pub(crate) fn mark_truncated(&mut self, mark: Node<'a>) {
        match &mut self.parts {
            Parts::Chunks(chunks) => chunks.mark_truncated(mark),
            Parts::Response(response) => response.mark_truncated(mark),
            Parts::Images(images) => images.mark_truncated(mark),
            Parts::Audio(audio) => audio.mark_truncated(mark),
        }
    }

    /// The whole, as JSON text.
    pub(crate) fn finish(self, operation: Operation) -> String {
        match self.parts {
            Parts::Chunks(chunks) => chunks.finish(operation),
            Parts::Response(response) => response.finish(),
            Parts::Images(images) => images.finish(),
            Parts::Audio(audio) => audio.finish(),
        }
    }
}
