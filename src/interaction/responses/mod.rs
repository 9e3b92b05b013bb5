//! The Responses API: its streams, and its translation into the shape of a chat, which Reconify documents.

mod answer;
mod assembly;
mod item;
mod question;

pub(super) use self::answer::answer;
pub(super) use self::assembly::Assembly;
pub(super) use self::question::question;
