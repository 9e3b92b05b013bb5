//! Text and byte formats. Nothing here knows a provider or a setting.

pub(crate) mod allowance;
pub(crate) mod content_encoding;
pub(crate) mod end_marker;
pub(crate) mod frames;
pub(crate) mod framing;
pub(crate) mod json;
pub(crate) mod json_array;
#[cfg(feature = "multipart")]
pub(crate) mod multipart;
pub(crate) mod ndjson;
pub(crate) mod percent;
pub(crate) mod sse;
