use serde_json::value::RawValue;

/// An image that is sent by itself.
#[derive(Clone)]
pub(crate) struct DetachedImage {
    /// What stands in its place.
    pub(crate) filename: String,
    pub(crate) element: Box<RawValue>,
}
