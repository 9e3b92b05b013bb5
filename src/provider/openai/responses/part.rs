//! The parts of a streamed item.

use serde_json::value::RawValue;

use crate::codec::json::{Fields, Node};

/// The kinds of part. Each kind has one place in an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Text,
    Refusal,
    Reasoning,
    Audio,
    Transcript,
    Summary,
    Command,
    Stdout,
    Stderr,
}

/// The content of a part so far.
#[derive(Debug, Default)]
pub(crate) struct Content<'a> {
    /// With JSON escapes.
    pub(crate) text: String,
    /// The insides of lists, as JSON text rather than nodes: an attacker could send millions of
    /// elements.
    pub(crate) annotations: String,
    pub(crate) logprobs: String,
    /// The text is complete.
    pub(crate) is_finished: bool,
    /// The part from its `done` event.
    pub(crate) done: Option<&'a RawValue>,
}

impl Part {
    /// Parts that share a list, and therefore share indices.
    pub(crate) const CONTENT: [Self; 5] =
        [Self::Text, Self::Refusal, Self::Reasoning, Self::Audio, Self::Transcript];

    /// The part of this type. Unknown types are treated as text.
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "refusal" => Self::Refusal,
            "reasoning_text" => Self::Reasoning,
            "summary_text" => Self::Summary,
            "output_audio" => Self::Audio,
            _ => Self::Text,
        }
    }

    /// The type of the items that have such parts.
    pub(crate) fn item(self) -> &'static str {
        match self {
            Self::Text | Self::Refusal | Self::Audio | Self::Transcript => "message",
            Self::Reasoning | Self::Summary => "reasoning",
            Self::Command => "shell_call",
            Self::Stdout | Self::Stderr => "shell_call_output",
        }
    }

    /// The field of an event that contains the index of the part.
    pub(crate) fn index(self) -> &'static str {
        match self {
            Self::Summary => "summary_index",
            Self::Command | Self::Stdout | Self::Stderr => "command_index",
            _ => "content_index",
        }
    }

    /// The field that contains the text, both in the part and in the event with the whole text.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Audio => "data",
            Self::Transcript => "transcript",
            Self::Command => "command",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            _ => "text",
        }
    }

    /// The type of the part in an item, if it has one.
    pub(crate) fn kind(self) -> Option<&'static str> {
        match self {
            Self::Text => Some("output_text"),
            Self::Refusal => Some("refusal"),
            Self::Reasoning => Some("reasoning_text"),
            Self::Summary => Some("summary_text"),
            Self::Audio | Self::Transcript => Some("output_audio"),
            Self::Command | Self::Stdout | Self::Stderr => None,
        }
    }

    /// A part with only its type.
    pub(crate) fn empty<'a>(self) -> Fields<'a> {
        let mut fields = Fields::default();
        if let Some(kind) = self.kind() {
            fields.set("type", Node::string(kind));
        }
        fields
    }

    /// The list of an item that contains the part.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Command => "commands",
            Self::Stdout | Self::Stderr => "output",
            _ => "content",
        }
    }
}

impl<'a> Content<'a> {
    pub(crate) fn is_blank(&self) -> bool {
        self.text.is_empty() && self.annotations.is_empty() && self.logprobs.is_empty() && self.done.is_none()
    }

    /// Adds the part to its node.
    pub(crate) fn write(self, part: Part, node: &mut Node<'a>) {
        if let Some(done) = self.done {
            *node = Node::Raw(done);
        }
        if part == Part::Command {
            *node = Node::Text(self.text);
        } else if let Node::Object(fields) = node {
            fields.set(part.key(), Node::Text(self.text));
            for (key, list) in [("annotations", self.annotations), ("logprobs", self.logprobs)] {
                if !list.is_empty() {
                    fields.set(key, Node::List(list));
                }
            }
        }
    }
}
