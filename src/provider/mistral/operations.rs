//! The operation of the Mistral HTTP API, and the path by which it is recognised.

use memchr::memmem;

use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::codec::json;
use crate::provider::error_body::texts;
use crate::provider::kind::InteractionKind;
use crate::provider::openai::chat::assembler::ChatAssembler;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::Placeholders;
use crate::provider::spec::{Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

pub(super) const OPERATIONS: &[OperationSpec] = &[OperationSpec {
    operation: Operation::MistralChat,
    provider: Provider::Mistral,
    name: "mistral-chat",
    kind: InteractionKind::Chat,
    on_by_default: true,
    proof: Proof::Host,
    request_ids: &["mistral-correlation-id", "x-kong-request-id"],
    placeholders: Placeholders::CHAT,
    kept: Kept { scalars: &["id", "object", "created", "model"], values: &["usage"] },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Events],
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |stream, operation| assemble::<ChatAssembler<'_>>(stream, operation),
    envelope: None,
    convert: None,
    error: |kind, message, _| texts([("object", "error"), ("message", message), ("type", kind)]),
    is_error,
    images: None,
    reclassify: None,
}];

/// The operation of this path, under any prefix. Agents, conversations and completions of code
/// (`/v1/fim/completions`) are not captured.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    path.ends_with("/v1/chat/completions").then_some(Operation::MistralChat)
}

/// Whether a response is only an error.
fn is_error(response: &[u8]) -> bool {
    if memmem::find(response, b"\"choices\"").is_some() {
        return false;
    }
    json::parse_object(response).is_some_and(|fields| {
        let is_error = json::field(&fields, "object").and_then(json::text) == Some("error");
        is_error || ["detail", "error"].into_iter().any(|name| json::field(&fields, name).is_some())
    })
}
