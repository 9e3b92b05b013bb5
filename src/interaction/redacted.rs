//! What is left of an interaction whose content is not to be reported.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::InteractionKind;

/// Fields that hold no content.
#[derive(Default, Deserialize, Serialize)]
struct Known<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    object: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    created: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    model: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    usage: Option<&'a RawValue>,
    /// Lists that consoles reach for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    messages: Option<[(); 0]>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    prompt: Option<&'static str>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    choices: Option<[(); 0]>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    data: Option<[(); 0]>,
    #[serde(skip_deserializing)]
    omitted: Omitted,
}

/// What was left out.
#[derive(Default, Serialize)]
struct Omitted {
    bytes: usize,
}

pub(crate) fn request(kind: InteractionKind, json: &str, bytes: usize) -> Box<RawValue> {
    let known = Known::of(json, bytes);
    raw(&match kind {
        InteractionKind::Chat | InteractionKind::Assistant => Known { messages: Some([]), ..known },
        InteractionKind::Completion | InteractionKind::Image => Known { prompt: Some(""), ..known },
        _ => known,
    })
}

pub(crate) fn response(kind: InteractionKind, json: &str, bytes: usize) -> Box<RawValue> {
    let known = Known::of(json, bytes);
    raw(&match kind {
        InteractionKind::Chat | InteractionKind::Assistant | InteractionKind::Completion => {
            Known { choices: Some([]), ..known }
        }
        InteractionKind::Image => Known { data: Some([]), ..known },
        _ => known,
    })
}

impl<'a> Known<'a> {
    fn of(json: &'a str, bytes: usize) -> Self {
        let known: Self = serde_json::from_str(json).unwrap_or_default();
        let scalar = |raw: Option<&'a RawValue>| raw.filter(|raw| !raw.get().starts_with(['{', '[']));
        Self {
            id: scalar(known.id),
            object: scalar(known.object),
            created: scalar(known.created),
            model: scalar(known.model),
            usage: known.usage,
            omitted: Omitted { bytes },
            ..Self::default()
        }
    }
}

fn raw(known: &Known<'_>) -> Box<RawValue> {
    // Raw texts and numbers serialise; null stands where that should ever prove wrong.
    to_raw_value(known).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
