use serde_json::value::RawValue;

/// An image that is uploaded separately from its report.
#[derive(Clone)]
pub(crate) struct DetachedImage {
    /// The file name that replaces it in the report.
    pub(crate) filename: String,
    pub(crate) element: Box<RawValue>,
}
