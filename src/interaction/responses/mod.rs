//! The Responses API: its streams, and its translation into the shape of a chat, which Reconify documents.

mod answer;
mod assembly;
mod item;
mod question;

pub(super) use self::answer::answer;
pub(super) use self::assembly::Assembly;
pub(super) use self::question::question;

/// More items than any conversation has: what has more is reported by its length, since a chat of it could be ten times
/// as long as it.
const MOST_ITEMS: usize = 10_000;

/// What stands for a body with too many items.
fn too_many(raw: &serde_json::value::RawValue, expected: &str) -> String {
    format!(r#"{{"contentType":"application/json","bytes":{},"{expected}":[]}}"#, raw.get().len())
}
