//! The operations of the Bedrock HTTP API, and the paths by which they are recognised.

use super::converse::ConverseAssembler;
use super::envelope::ENVELOPE;
use super::invoke::{InvokeAssembler, METRICS};
use super::lines::{self, write_converse, write_invoke};
use super::model::ModelPath;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::codec::json;
use crate::provider::error_body::texts;
use crate::provider::kept_images::KEPT_IMAGES;
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

const BODY: Option<Placeholder> = Some(Placeholder::new("body", "{}"));

const CONVERSE: OperationSpec = OperationSpec {
    operation: Operation::BedrockConverse,
    provider: Provider::Bedrock,
    name: "bedrock-converse",
    kind: InteractionKind::Chat,
    on_by_default: true,
    proof: Proof::Path,
    request_ids: &["x-amzn-requestid"],
    placeholders: Placeholders { request: BODY, response: BODY },
    kept: Kept {
        scalars: &[
            "modelId",
            "modelArn",
            "contentType",
            "accept",
            "requestId",
            "id",
            "model",
            "prompt_token_count",
            "generation_token_count",
            "inputTextTokenCount",
        ],
        values: &["usage", "metrics", METRICS],
    },
    takes_forms: false,
    text_field: None,
    framings: &[Framing::Frames],
    end_marker: EndMarker(None),
    assemble: |stream, operation| {
        lines::assembled(stream, operation, write_converse, |stream, operation| {
            assemble::<ConverseAssembler<'_>>(stream, operation)
        })
    },
    envelope: Some(ENVELOPE),
    convert: None,
    // Bedrock sends the type in a header.
    error: |kind, message, _| texts([("type", kind), ("message", message)]),
    is_error,
    images: Some(KEPT_IMAGES),
    reclassify: None,
};

/// One row per operation, in the order of the enum.
pub(super) const OPERATIONS: &[OperationSpec] = &[
    CONVERSE,
    OperationSpec {
        operation: Operation::BedrockInvoke,
        name: "bedrock-invoke",
        assemble: |stream, operation| {
            lines::assembled(stream, operation, write_invoke, |stream, operation| {
                assemble::<InvokeAssembler<'_>>(stream, operation)
            })
        },
        ..CONVERSE
    },
];

/// The operation whose path this is, under any prefix.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    // Nearly all other paths end in other letters.
    match u32::from_ne_bytes(*path.as_bytes().last_chunk()?) {
        ERSE | VOKE | REAM => named(path),
        _ => None,
    }
}

#[inline(never)]
fn named(path: &str) -> Option<Operation> {
    let ModelPath { id, method } = ModelPath::of(path).filter(|path| path.id.is_bedrocks())?;
    match method {
        "converse" | "converse-stream" => Some(Operation::BedrockConverse),
        "invoke" | "invoke-with-response-stream" if id.is_chat() => Some(Operation::BedrockInvoke),
        _ => None,
    }
}

/// The last letters of the known paths, as numbers.
const ERSE: u32 = u32::from_ne_bytes(*b"erse");
const VOKE: u32 = u32::from_ne_bytes(*b"voke");
const REAM: u32 = u32::from_ne_bytes(*b"ream");

/// The longest response that may be an error, in bytes.
const LONGEST_ERROR: usize = 16 * 1024;

/// Whether a response is only an error: it has a message and nothing else.
fn is_error(response: &[u8]) -> bool {
    let fields = if response.len() > LONGEST_ERROR { None } else { json::parse_object(response) };
    fields.is_some_and(|fields| {
        let is_message = |key: &str| matches!(key, "message" | "Message");
        let is_type = |key: &str| matches!(key, "type" | "__type" | "code");
        fields.iter().any(|(key, _)| is_message(key))
            && fields.iter().all(|(key, _)| is_message(key) || is_type(key))
    })
}
