//! From raw bytes to an interaction: what was asked, and what was answered.

mod complete;
mod content;
mod effort;
#[cfg(fuzzing)]
pub mod fuzzing;
mod received;
mod streamed;
mod translate;

pub(crate) use self::effort::Effort;
pub(crate) use self::translate::{Clock, Untranslated, translate};
