//! The operation of the Perplexity HTTP API, and the path by which it is recognised.

use super::assembler::PerplexityAssembler;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::error_body::{error, is_error};
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::Placeholders;
use crate::provider::spec::{Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

pub(super) const OPERATIONS: &[OperationSpec] = &[OperationSpec {
    operation: Operation::PerplexityChat,
    provider: Provider::Perplexity,
    name: "perplexity-chat",
    kind: InteractionKind::Chat,
    on_by_default: true,
    proof: Proof::Host,
    request_ids: &["x-request-id"],
    placeholders: Placeholders::CHAT,
    kept: Kept { scalars: &["id", "object", "created", "model"], values: &["usage"] },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Events],
    // Most servers of this format send one. Perplexity's last chunk has a name of its own instead.
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |stream, operation| assemble::<PerplexityAssembler<'_>>(stream, operation),
    envelope: None,
    convert: None,
    error: |kind, message, _| error(kind, message, None),
    is_error,
    images: None,
    reclassify: None,
}];

/// The operation of this path, with or without `/v1` and under any prefix.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    path.ends_with("/chat/completions").then_some(Operation::PerplexityChat)
}
