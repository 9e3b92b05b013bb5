use std::time::SystemTime;

use serde_json::value::RawValue;

use super::detached_image::DetachedImage;
use super::kind::InteractionKind;
use super::operation::{Operation, Provider};
use super::placeholder::{Placeholder, Placeholders};
use super::stream::{Assembled, RecordedStream};
use super::target::RequestTarget;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::codec::json::Fields;

/// The properties of a provider.
pub(crate) struct ProviderSpec {
    pub(crate) provider: Provider,
    /// The name in settings.
    pub(crate) name: &'static str,
    /// The format in reports (`reconify.format`).
    pub(crate) format: &'static str,
    /// The version that Reconify's documentation names for the format.
    pub(crate) version: &'static str,
    /// The exact hosts of its API, or its port (`:11434`). There, each of its paths is proof enough.
    pub(crate) hosts: &'static [&'static str],
    /// The last two bytes of each path that `recognise` knows. Paths with other endings are passed on
    /// without asking any provider.
    pub(crate) endings: &'static [&'static [u8; 2]],
    /// Determines the operation of a request by its path.
    pub(crate) recognise: fn(&str) -> Option<Operation>,
    /// The field of a request that the report writes as a string of JSON. Hooks see it as JSON.
    pub(crate) request_string: Option<&'static str>,
    /// The field of requests and responses that has the whole conversation as numbers of tokens.
    pub(crate) tokens: Option<&'static str>,
    /// One row per operation, in the order of the enum.
    pub(crate) operations: &'static [OperationSpec],
}

/// The properties of an operation: one row of its provider's table.
pub(crate) struct OperationSpec {
    pub(crate) operation: Operation,
    pub(crate) provider: Provider,
    /// The name in settings and reports.
    pub(crate) name: &'static str,
    /// The type in reports.
    pub(crate) kind: InteractionKind,
    /// Whether it is captured by default.
    pub(crate) on_by_default: bool,
    /// What a request needs besides its path, if the application did not ask for the operation by
    /// name.
    pub(crate) proof: Proof,
    /// Headers with the request id, in order of precedence.
    pub(crate) request_ids: &'static [&'static str],
    pub(crate) placeholders: Placeholders,
    /// The fields that remain if the content of a body is removed.
    pub(crate) kept: Kept,
    /// Whether a request may be a form.
    pub(crate) takes_forms: bool,
    /// The field that reports a response in plain text, if the operation has such responses.
    pub(crate) text_field: Option<&'static str>,
    /// The framings of its streams. If several match, the first is used.
    pub(crate) framings: &'static [Framing],
    pub(crate) end_marker: EndMarker,
    /// Assembles a stream: one indirect call per stream, none per event.
    pub(crate) assemble: for<'a> fn(RecordedStream<'a>, Operation) -> Assembled,
    /// Adds the parts of the exchange outside of the bodies. Only operations with an envelope keep
    /// the path of a request.
    pub(crate) envelope: Option<Envelope>,
    /// Conversion into the format that Reconify documents, if the operation has another one.
    pub(crate) convert: Option<Convert>,
    /// Builds the response that is reported for a call that got none, in the provider's format, from
    /// the kind of error, its message, and the response's placeholder.
    pub(crate) error: fn(&str, &str, Option<Placeholder>) -> Fields<'static>,
    /// Whether the JSON text of a response is only an error, although its status is a success.
    pub(crate) is_error: fn(&[u8]) -> bool,
    /// How to detach images from responses. They are uploaded separately.
    pub(crate) images: Option<Images>,
    /// Determines the actual operation from the JSON text of the request.
    pub(crate) reclassify: Option<fn(&str) -> Operation>,
}

/// What shows that a request to a known path calls the operation.
///
/// Applications have routes with the same paths, which must never be reported by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The path alone: no application has one like it.
    Path,
    /// This header of the request, or the provider's host.
    Header(&'static str),
    /// Only the provider's host.
    Host,
}

/// Adds the parts of an exchange outside of its bodies, such as the model in the path, to the
/// reported request and response. Every body gets it, even one that is cut, unread or missing.
#[derive(Clone, Copy)]
pub(crate) struct Envelope {
    pub(crate) request: fn(&RawValue, &RequestTarget) -> Enveloped,
    /// The second argument is the request id. `None` leaves responses as they are.
    pub(crate) response: Option<fn(&RawValue, Option<&str>) -> String>,
    /// Whether the body becomes a field of the reported object, so that the placeholders belong to
    /// that object and not to the body.
    pub(crate) encloses: bool,
}

/// A request in its envelope.
pub(crate) struct Enveloped {
    pub(crate) json: String,
    /// The type in the report, if the request decides it.
    pub(crate) kind: Option<InteractionKind>,
}

/// The fields of a request and a response that reveal nothing of their content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// Kept if they are neither object nor array.
    pub(crate) scalars: &'static [&'static str],
    /// Kept as they are.
    pub(crate) values: &'static [&'static str],
}

/// A response without its images, and the images.
pub(crate) type Detached = (Box<RawValue>, Vec<DetachedImage>);

/// How to handle images in the responses of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Images {
    /// A quick check whether a response may contain images.
    pub(crate) may_hold: fn(&[u8]) -> bool,
    /// Replaces the images with file names. The time is the fallback for the creation time.
    pub(crate) detach: fn(Box<RawValue>, SystemTime) -> Detached,
    /// Replaces the images with their sizes, for use when images are not tracked.
    pub(crate) elide: fn(Box<RawValue>) -> Box<RawValue>,
}

/// Converts bodies into the format that Reconify documents.
#[derive(Clone, Copy)]
pub(crate) struct Convert {
    /// The type in the report of the converted interaction.
    pub(crate) kind: InteractionKind,
    pub(crate) placeholders: Placeholders,
    /// Whether the application can turn it off, with
    /// [`ConfigBuilder::responses`](crate::ConfigBuilder::responses).
    pub(crate) is_optional: bool,
    pub(crate) request: fn(&RawValue) -> Option<Converted>,
    pub(crate) response: fn(&RawValue) -> Option<Converted>,
    /// The replacement for a body with too many items. The argument is the name of the expected
    /// field.
    pub(crate) too_many: fn(&RawValue, &str) -> Converted,
}

/// A converted body.
pub(crate) struct Converted {
    pub(crate) json: String,
    /// Part of the body was left out.
    pub(crate) is_truncated: bool,
}
