use serde_json::value::RawValue;

use super::media;
use crate::codec::json::rewrite;

/// An image that is uploaded separately from its report.
#[derive(Clone)]
pub(crate) struct DetachedImage {
    /// The file name that replaces it in the report.
    pub(crate) filename: String,
    pub(crate) element: Box<RawValue>,
}

impl DetachedImage {
    /// Replaces the texts beside the data, such as a revised prompt.
    pub(crate) fn redact(&mut self, redact: &mut dyn FnMut(&str) -> Option<String>) {
        let media = media::find(self.element.get());
        let is_data = |start| media.binary_search_by_key(&start, |medium| medium.place.start).is_ok();
        let redacted = rewrite::strings(self.element.get(), |start, text| match is_data(start) {
            true => None,
            false => redact(text),
        });
        if let Some(element) = redacted.and_then(|text| RawValue::from_string(text).ok()) {
            self.element = element;
        }
    }
}
