use memchr::memmem;

use crate::codec::json::{self, Node};
use crate::provider::openai::chat::assembler::ChatAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles a stream of chat chunks that has no end marker.
#[derive(Debug, Default)]
pub(crate) struct PerplexityAssembler<'a>(ChatAssembler<'a>);

/// The `object` of the last chunk. In most streams it replaces the end marker.
const DONE: &str = "chat.completion.done";

impl<'a> StreamAssembler<'a> for PerplexityAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        let is_read = self.0.push(name, data, progress);
        progress.is_done |= is_read && is_terminal(data);
        is_read
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.0.mark_truncated(mark);
    }

    fn finish(self, operation: Operation, progress: &mut Progress) -> String {
        let json = self.0.finish(operation, progress);
        progress.is_done |= progress.is_finished;
        json
    }
}

/// Whether this is the last chunk. Only chunks that contain its name are parsed a second time.
fn is_terminal(data: &[u8]) -> bool {
    memmem::find(data, DONE.as_bytes()).is_some()
        && json::parse_object(data)
            .is_some_and(|chunk| json::field(&chunk, "object").and_then(json::text) == Some(DONE))
}
