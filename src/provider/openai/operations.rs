//! The operations of the OpenAI HTTP API.

use super::audio::AudioAssembler;
use super::chat::assembler::ChatAssembler;
use super::chat::operation_of_completion;
use super::error_body::{error, is_error};
use super::images::{self, ImageAssembler};
use super::responses::{self, ResponseAssembler};
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Convert, Kept, OperationSpec};
use crate::provider::stream::assemble;

const CHAT: Placeholders = Placeholders {
    request: Some(placeholder("messages", "[]")),
    response: Some(placeholder("choices", "[]")),
};
/// A request with messages is a chat, even on the completion path, so it needs no prompt.
const PROMPT: Placeholder = Placeholder { unless: Some("messages"), ..placeholder("prompt", "\"\"") };
const NONE: Placeholders = Placeholders { request: None, response: None };

const fn placeholder(key: &'static str, empty: &'static str) -> Placeholder {
    Placeholder { key, empty, unless: None }
}

/// The headers of OpenAI, Azure and other servers, in this order.
const REQUEST_IDS: &[&str] = &["x-request-id", "apim-request-id", "request-id"];

/// The defaults of a row.
const COMMON: OperationSpec = OperationSpec {
    operation: Operation::Chat,
    provider: Provider::OpenAi,
    name: "",
    kind: InteractionKind::Chat,
    on_by_default: false,
    request_ids: REQUEST_IDS,
    placeholders: NONE,
    kept: Kept { scalars: &["id", "object", "created", "model"], values: &["usage"] },
    takes_forms: true,
    text_field: None,
    framings: &[Framing::Events, Framing::Lines],
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |events, operation| assemble::<ChatAssembler<'_>>(events, operation),
    convert: None,
    error,
    is_error,
    images: None,
    reclassify: None,
};

/// What the operations that answer with images have in common.
const IMAGE: OperationSpec = OperationSpec {
    kind: InteractionKind::Image,
    images: Some(images::ELEMENTS),
    on_by_default: true,
    placeholders: Placeholders { request: Some(PROMPT), response: Some(placeholder("data", "[]")) },
    assemble: |events, operation| assemble::<ImageAssembler<'_>>(events, operation),
    ..COMMON
};

/// One row per operation, in the order of the enum.
pub(super) const OPERATIONS: &[OperationSpec] = &[
    OperationSpec {
        operation: Operation::Chat,
        name: "chat",
        images: Some(images::IN_CHATS),
        on_by_default: true,
        placeholders: CHAT,
        takes_forms: false,
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Completion,
        name: "completion",
        kind: InteractionKind::Completion,
        on_by_default: true,
        placeholders: Placeholders { request: Some(PROMPT), ..CHAT },
        takes_forms: false,
        reclassify: Some(operation_of_completion),
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Responses,
        name: "responses",
        kind: InteractionKind::Response,
        images: Some(images::GENERATED),
        on_by_default: true,
        takes_forms: false,
        assemble: |events, operation| assemble::<ResponseAssembler<'_>>(events, operation),
        convert: Some(Convert {
            kind: InteractionKind::Chat,
            placeholders: CHAT,
            is_optional: true,
            request: responses::chat_request,
            response: responses::chat_response,
            too_many: responses::of_too_many,
        }),
        ..COMMON
    },
    OperationSpec { operation: Operation::ImageGeneration, name: "image-generation", ..IMAGE },
    OperationSpec { operation: Operation::ImageEdit, name: "image-edit", ..IMAGE },
    OperationSpec { operation: Operation::ImageVariation, name: "image-variation", ..IMAGE },
    OperationSpec {
        operation: Operation::Embedding,
        name: "embedding",
        kind: InteractionKind::Embedding,
        framings: &[Framing::Events],
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Moderation,
        name: "moderation",
        kind: InteractionKind::Moderation,
        framings: &[Framing::Events],
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Speech,
        name: "speech",
        kind: InteractionKind::Speech,
        assemble: |events, operation| assemble::<AudioAssembler<'_>>(events, operation),
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Transcription,
        name: "transcription",
        kind: InteractionKind::Transcription,
        text_field: Some("text"),
        assemble: |events, operation| assemble::<AudioAssembler<'_>>(events, operation),
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Translation,
        name: "translation",
        kind: InteractionKind::Translation,
        text_field: Some("text"),
        assemble: |events, operation| assemble::<AudioAssembler<'_>>(events, operation),
        ..COMMON
    },
];
