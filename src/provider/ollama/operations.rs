//! The operations of the Ollama HTTP API, and the paths by which they are recognised.

use super::assembler::OllamaAssembler;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::error_body::{is_only_error, texts};
use crate::provider::kept_images::KEPT_IMAGES;
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

const CHAT: OperationSpec = OperationSpec {
    operation: Operation::OllamaChat,
    provider: Provider::Ollama,
    name: "ollama-chat",
    kind: InteractionKind::Chat,
    on_by_default: true,
    proof: Proof::Host,
    request_ids: &["x-request-id"],
    placeholders: Placeholders {
        request: Some(Placeholder::new("messages", "[]")),
        response: Some(Placeholder::new("message", "{}")),
    },
    kept: Kept {
        scalars: &[
            "model",
            "created_at",
            "done",
            "done_reason",
            "total_duration",
            "load_duration",
            "prompt_eval_count",
            "prompt_eval_duration",
            "eval_count",
            "eval_duration",
        ],
        values: &[],
    },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Lines],
    end_marker: EndMarker(None),
    assemble: |stream, operation| assemble::<OllamaAssembler<'_>>(stream, operation),
    envelope: None,
    convert: None,
    error: |_, message, _| texts([("error", message)]),
    is_error: |response| is_only_error(response, &["message", "response"]),
    images: Some(KEPT_IMAGES),
    reclassify: None,
};

/// One row per operation, in the order of the enum.
pub(super) const OPERATIONS: &[OperationSpec] = &[
    CHAT,
    OperationSpec {
        operation: Operation::OllamaGenerate,
        name: "ollama-generate",
        placeholders: Placeholders {
            request: Some(Placeholder::new("prompt", "\"\"")),
            response: Some(Placeholder::new("response", "\"\"")),
        },
        ..CHAT
    },
];

/// The operation whose path this is, under any prefix.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    match path.as_bytes().last()? {
        b't' if path.ends_with("/api/chat") => Some(Operation::OllamaChat),
        b'e' if path.ends_with("/api/generate") => Some(Operation::OllamaGenerate),
        _ => None,
    }
}
