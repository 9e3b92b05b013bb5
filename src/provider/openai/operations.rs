//! The operations of the OpenAI HTTP API, and the paths by which they are recognised.

use super::audio::AudioAssembler;
use super::chat::assembler::ChatAssembler;
use super::chat::operation_of_completion;
use super::images::{self, ImageAssembler};
use super::responses::{self, ResponseAssembler};
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::provider::error_body::{error, is_error};
use crate::provider::kind::InteractionKind;
use crate::provider::operation::{Operation, Provider};
use crate::provider::placeholder::{Placeholder, Placeholders};
use crate::provider::spec::{Convert, Kept, OperationSpec, Proof};
use crate::provider::stream::assemble;

/// A request with messages is a chat, even on the completion path, so it needs no prompt.
const PROMPT_OF_COMPLETION: Placeholder = Placeholder { unless: Some("messages"), ..PROMPT };
const PROMPT: Placeholder = Placeholder::new("prompt", "\"\"");

/// The request id headers of OpenAI, Azure and other servers, in order of precedence.
const REQUEST_IDS: &[&str] = &["x-request-id", "apim-request-id", "request-id"];

/// The defaults of a row.
const COMMON: OperationSpec = OperationSpec {
    operation: Operation::Chat,
    provider: Provider::OpenAi,
    name: "",
    kind: InteractionKind::Chat,
    on_by_default: false,
    proof: Proof::Path,
    request_ids: REQUEST_IDS,
    placeholders: Placeholders::NONE,
    kept: Kept { scalars: &["id", "object", "created", "model"], values: &["usage"] },
    takes_forms: true,
    text_field: None,
    framings: &[Framing::Events, Framing::Lines],
    end_marker: EndMarker(Some("[DONE]")),
    assemble: |stream, operation| assemble::<ChatAssembler<'_>>(stream, operation),
    envelope: None,
    convert: None,
    error,
    is_error,
    images: None,
    reclassify: None,
};

/// The defaults of operations that return images.
const IMAGE: OperationSpec = OperationSpec {
    kind: InteractionKind::Image,
    images: Some(images::ELEMENTS),
    on_by_default: true,
    placeholders: Placeholders { request: Some(PROMPT), response: Some(Placeholder::new("data", "[]")) },
    assemble: |stream, operation| assemble::<ImageAssembler<'_>>(stream, operation),
    ..COMMON
};

/// One row per operation, in the order of the enum.
pub(super) const OPERATIONS: &[OperationSpec] = &[
    OperationSpec {
        operation: Operation::Chat,
        name: "chat",
        images: Some(images::IN_CHATS),
        on_by_default: true,
        placeholders: Placeholders::CHAT,
        takes_forms: false,
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Completion,
        name: "completion",
        kind: InteractionKind::Completion,
        on_by_default: true,
        placeholders: Placeholders { request: Some(PROMPT_OF_COMPLETION), ..Placeholders::CHAT },
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
        assemble: |stream, operation| assemble::<ResponseAssembler<'_>>(stream, operation),
        convert: Some(Convert {
            kind: InteractionKind::Chat,
            placeholders: Placeholders::CHAT,
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
        assemble: |stream, operation| assemble::<AudioAssembler<'_>>(stream, operation),
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Transcription,
        name: "transcription",
        kind: InteractionKind::Transcription,
        text_field: Some("text"),
        assemble: |stream, operation| assemble::<AudioAssembler<'_>>(stream, operation),
        ..COMMON
    },
    OperationSpec {
        operation: Operation::Translation,
        name: "translation",
        kind: InteractionKind::Translation,
        text_field: Some("text"),
        assemble: |stream, operation| assemble::<AudioAssembler<'_>>(stream, operation),
        ..COMMON
    },
];

/// The operation whose known name ends this path.
#[inline]
pub(super) fn recognise(path: &str) -> Option<Operation> {
    // Most other paths end in other letters, and most captured requests are chats.
    let ending = path.as_bytes().last_chunk()?;
    match u16::from_ne_bytes(*ending) {
        NS if path.ends_with("/chat/completions") => Some(Operation::Chat),
        NS | ES | TS | GS | CH => named(path),
        _ if ending[1] == b'/' => named(path),
        _ => None,
    }
}

/// The operation whose name ends the path. Trailing and doubled slashes do not count.
#[inline(never)]
fn named(path: &str) -> Option<Operation> {
    let path = trimmed(path);
    // One comparison per name, so that the compiler knows the length of each name.
    let before = |name| path.strip_suffix(name).map(trimmed);
    let below = |parent, name| before(name).is_some_and(|before| before.ends_with(parent));
    let generic = |name| before(name).is_some_and(is_base);
    match u16::from_ne_bytes(*path.as_bytes().last_chunk()?) {
        NS => None
            .or_else(|| below("/chat", "/completions").then_some(Operation::Chat))
            .or_else(|| generic("/completions").then_some(Operation::Completion))
            .or_else(|| below("/images", "/generations").then_some(Operation::ImageGeneration))
            .or_else(|| below("/images", "/variations").then_some(Operation::ImageVariation))
            .or_else(|| below("/audio", "/transcriptions").then_some(Operation::Transcription))
            .or_else(|| below("/audio", "/translations").then_some(Operation::Translation))
            .or_else(|| generic("/moderations").then_some(Operation::Moderation)),
        ES => generic("/responses").then_some(Operation::Responses),
        TS => below("/images", "/edits").then_some(Operation::ImageEdit),
        GS => generic("/embeddings").then_some(Operation::Embedding),
        CH => below("/audio", "/speech").then_some(Operation::Speech),
        _ => None,
    }
}

#[inline(always)]
fn trimmed(path: &str) -> &str {
    if path.ends_with('/') { path.trim_end_matches('/') } else { path }
}

/// Whether a generic name counts after this prefix. Other APIs use these names too.
///
/// OpenAI, Azure and compatible servers put these names after nothing, `v` and a number, `openai`,
/// `deployments/{name}` or `engines/{name}`.
fn is_base(path: &str) -> bool {
    let unnumbered = path.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if path.is_empty() || unnumbered.len() < path.len() && unnumbered.ends_with("/v") {
        return true;
    }
    let mut segments = path.as_bytes().rsplit(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    segments.next() == Some(b"openai") || matches!(segments.next(), Some(b"deployments" | b"engines"))
}

/// The last two letters of the known paths, as numbers.
const NS: u16 = u16::from_ne_bytes(*b"ns");
const ES: u16 = u16::from_ne_bytes(*b"es");
const TS: u16 = u16::from_ne_bytes(*b"ts");
const GS: u16 = u16::from_ne_bytes(*b"gs");
const CH: u16 = u16::from_ne_bytes(*b"ch");
