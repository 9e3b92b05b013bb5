use memchr::memmem;

use super::converse::{self, ConverseAssembler};
use super::texts::TextAssembler;
use crate::codec::json::{self, Node};
use crate::provider::anthropic::messages::MessageAssembler;
use crate::provider::openai::chat::assembler::ChatAssembler;
use crate::provider::operation::Operation;
use crate::provider::stream::{Progress, StreamAssembler};

/// Assembles the stream of an invoked model. Its first chunk shows whose format it has.
#[derive(Debug, Default)]
pub(super) struct InvokeAssembler<'a> {
    dialect: Option<Dialect<'a>>,
}

/// The format of a family of models.
#[derive(Debug)]
enum Dialect<'a> {
    Messages(Box<MessageAssembler<'a>>),
    Converse(Box<ConverseAssembler<'a>>),
    Chat(Box<ChatAssembler<'a>>),
    Texts(Box<TextAssembler<'a>>),
}

/// A field that Bedrock adds to the last chunk.
pub(super) const METRICS: &str = "amazon-bedrock-invocationMetrics";

impl Dialect<'_> {
    fn of(chunk: &[u8]) -> Option<Self> {
        let fields = json::parse_object(chunk)?;
        let has = |name: &&str| fields.iter().any(|(key, _)| key == name);
        Some(if has(&"choices") {
            Self::Chat(Box::default())
        } else if converse::FIRST.iter().any(has) {
            Self::Converse(Box::default())
        } else if has(&"type") && !has(&"completion") {
            Self::Messages(Box::default())
        } else {
            Self::Texts(Box::default())
        })
    }
}

impl<'a> StreamAssembler<'a> for InvokeAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        self.dialect = self.dialect.take().or_else(|| Dialect::of(data));
        let is_read = match &mut self.dialect {
            Some(Dialect::Messages(assembler)) => assembler.push(name, data, progress),
            Some(Dialect::Converse(assembler)) => assembler.push(name, data, progress),
            Some(Dialect::Chat(assembler)) => assembler.push(name, data, progress),
            Some(Dialect::Texts(assembler)) => assembler.push(name, data, progress),
            None => false,
        };
        progress.is_done |= is_read && is_last(data);
        is_read
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        match self.dialect.get_or_insert_with(|| Dialect::Texts(Box::default())) {
            Dialect::Messages(assembler) => assembler.mark_truncated(mark),
            Dialect::Converse(assembler) => assembler.mark_truncated(mark),
            Dialect::Chat(assembler) => assembler.mark_truncated(mark),
            Dialect::Texts(assembler) => assembler.mark_truncated(mark),
        }
    }

    fn finish(self, _: Operation, progress: &mut Progress) -> String {
        // For a completion, the chat assembler finds out from the chunks whether they are a chat's.
        let operation = Operation::Completion;
        match self.dialect {
            Some(Dialect::Messages(assembler)) => assembler.finish(operation, progress),
            Some(Dialect::Converse(assembler)) => assembler.finish(operation, progress),
            Some(Dialect::Chat(assembler)) => assembler.finish(operation, progress),
            Some(Dialect::Texts(assembler)) => assembler.finish(operation, progress),
            None => "{}".to_owned(),
        }
    }
}

/// Whether a chunk is the last one. A text may name the field too.
fn is_last(chunk: &[u8]) -> bool {
    memmem::find(chunk, METRICS.as_bytes()).is_some()
        && json::parse_object(chunk).is_some_and(|fields| json::field(&fields, METRICS).is_some())
}
