use std::time::SystemTime;

use serde_json::value::RawValue;

use super::detached_image::DetachedImage;
use super::kind::{InteractionKind, Placeholder};
use super::operation::Operation;
use super::providers::Provider;
use super::stream::{Assembled, Events};

/// What is to be known of an operation: one row of its provider's table.
pub(crate) struct OperationSpec {
    pub(crate) operation: Operation,
    pub(crate) provider: Provider,
    /// In settings and reports.
    pub(crate) name: &'static str,
    /// The type that it is reported with.
    pub(crate) kind: InteractionKind,
    /// Whether it is captured unless a setting says otherwise.
    pub(crate) on_by_default: bool,
    /// Headers that name a request, the first one that is there counts.
    pub(crate) request_ids: &'static [&'static str],
    pub(crate) request: Placeholder,
    pub(crate) response: Placeholder,
    pub(crate) shape: Shape,
    /// Whether lines of JSON may be a stream.
    pub(crate) streams: bool,
    /// Puts a stream together: one indirect call a stream, none an event.
    pub(crate) assemble: for<'a> fn(Events<'a>, Operation) -> Assembled,
    /// The shape that Reconify documents, if it is another one.
    pub(crate) convert: Option<Convert>,
    /// Whether the JSON text of a response is an error and nothing else, although its status is that of a success.
    pub(crate) is_error: fn(&str) -> bool,
    /// Images in responses, which follow the report by themselves.
    pub(crate) images: Option<Images>,
    /// The operation that a request is after all, by its JSON text.
    pub(crate) reclassify: Option<fn(&str) -> Operation>,
}

/// A response without its images, and the images.
pub(crate) type Detached = (Box<RawValue>, Vec<DetachedImage>);

/// Images in the response of an operation.
#[derive(Clone, Copy)]
pub(crate) struct Images {
    /// A quick look whether a response may hold any.
    pub(crate) may_hold: fn(&[u8]) -> bool,
    /// Takes them out of a response of this day, and leaves file names.
    pub(crate) detach: fn(Box<RawValue>, SystemTime) -> Detached,
    /// Leaves their sizes only, where images are not tracked.
    pub(crate) elide: fn(Box<RawValue>) -> Box<RawValue>,
}

/// What bodies of an operation may be beside JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Json,
    /// Requests may be forms.
    Form,
    /// Requests may be forms, and responses plain text.
    FormAndText,
}

/// Turns bodies into the shape that Reconify documents.
#[derive(Clone, Copy)]
pub(crate) struct Convert {
    /// The type that the result is reported with.
    pub(crate) kind: InteractionKind,
    pub(crate) request: fn(&RawValue) -> Option<Converted>,
    pub(crate) response: fn(&RawValue) -> Option<Converted>,
    /// What stands for a body with too many items, with this field in it.
    pub(crate) too_many: fn(&RawValue, &str) -> Converted,
}

/// A body in another shape.
pub(crate) struct Converted {
    /// JSON text.
    pub(crate) json: String,
    /// It had more than is reported.
    pub(crate) is_truncated: bool,
}
