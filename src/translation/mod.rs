//! Translates recorded bytes into an interaction: the request and its response.

pub(crate) mod body;
pub(crate) mod context;
pub(crate) mod decoded_body;
mod effort;
mod enveloped;
mod partial_json;
mod streamed;
mod translate;
mod untranslated;

pub(crate) use self::effort::Effort;
pub(crate) use self::translate::{WallClock, translate};
pub(crate) use self::untranslated::Untranslated;
