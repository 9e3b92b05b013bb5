//! The operations of the Cohere HTTP API, and the paths by which they are recognised.

use memchr::memmem;

use super::chat::CohereChatAssembler;
use super::legacy::CohereLegacyAssembler;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::codec::json;
use crate::provider::error_body::texts;
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

const CHAT: OperationSpec = OperationSpec {
    operation: Operation::CohereChat,
    provider: Provider::Cohere,
    name: "cohere-chat",
    kind: InteractionKind::Chat,
    on_by_default: true,
    proof: Proof::Host,
    request_ids: &["x-debug-trace-id"],
    placeholders: Placeholders {
        request: Some(Placeholder::new("messages", "[]")),
        response: Some(Placeholder::new("message", "{}")),
    },
    kept: Kept {
        scalars: &["id", "response_id", "generation_id", "model", "finish_reason", "error_type"],
        values: &["usage", "meta", "token_count"],
    },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Events],
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |stream, operation| assemble::<CohereChatAssembler<'_>>(stream, operation),
    envelope: None,
    convert: None,
    error: |kind, message, _| texts([("message", message), ("error_type", kind)]),
    is_error,
    images: None,
    reclassify: None,
};

/// One row per operation, in the order of the enum.
pub(super) const OPERATIONS: &[OperationSpec] = &[
    CHAT,
    OperationSpec {
        operation: Operation::CohereChatV1,
        name: "cohere-chat-v1",
        placeholders: Placeholders {
            request: Some(Placeholder::new("message", "\"\"")),
            response: Some(Placeholder::new("text", "\"\"")),
        },
        framings: &[Framing::Events, Framing::Lines],
        assemble: |stream, operation| assemble::<CohereLegacyAssembler<'_>>(stream, operation),
        ..CHAT
    },
    OperationSpec {
        operation: Operation::CohereGenerate,
        name: "cohere-generate",
        kind: InteractionKind::Generate,
        placeholders: Placeholders {
            request: Some(Placeholder::new("prompt", "\"\"")),
            response: Some(Placeholder::new("generations", "[]")),
        },
        framings: &[Framing::Events, Framing::Lines],
        assemble: |stream, operation| assemble::<CohereLegacyAssembler<'_>>(stream, operation),
        ..CHAT
    },
];

/// The operation whose path this is, under any prefix.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    match path.as_bytes().last()? {
        b't' if path.ends_with("/v2/chat") => Some(Operation::CohereChat),
        b't' if path.ends_with("/v1/chat") => Some(Operation::CohereChatV1),
        b'e' if path.ends_with("/v1/generate") => Some(Operation::CohereGenerate),
        _ => None,
    }
}

/// Whether a response is only an error: its `message` is a text.
fn is_error(response: &[u8]) -> bool {
    // Nearly every response that is not an error has one.
    if memmem::find(response, b"\"finish_reason\"").is_some() {
        return false;
    }
    json::parse_object(response).is_some_and(|fields| {
        let is_answer = |name| json::field(&fields, name).is_some();
        json::field(&fields, "message").and_then(json::text).is_some()
            && !["text", "generations"].into_iter().any(is_answer)
    })
}
