//! The rules for what is reported as the request.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::exceptions;
use super::recorded::ProviderExchange;

/// The fields of an object as they stand there, in their order.
pub(crate) struct RawFields(Vec<(String, Box<RawValue>)>);

impl RawFields {
    pub(crate) fn of(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("{error} in {json}"))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// The elements of an array.
    fn elements(&self, name: &str) -> Option<Vec<String>> {
        let elements: Vec<Box<RawValue>> = serde_json::from_str(self.get(name)?).ok()?;
        Some(elements.iter().map(|element| element.get().to_owned()).collect())
    }

    /// The other fields.
    fn without(&self, names: &[&str]) -> Vec<(&str, &str)> {
        let others = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        others.map(|(name, value)| (name.as_str(), value.get())).collect()
    }
}

impl<'de> Deserialize<'de> for RawFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = RawFields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawFields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(RawFields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Says how the request of a report differs from what was sent.
pub(crate) fn compare(exchange: &ProviderExchange, reported: &str) -> Result<(), String> {
    let sent = str::from_utf8(&exchange.request).unwrap().trim();
    match exchange.provider() {
        "bedrock" if exceptions::is_request_cut(exchange) => {
            let told = format!("{sent},\"truncated\":{{\"bytes\":{}}}}}", exchange.request.len());
            compare_bedrock(exchange, &told, reported)
        }
        "bedrock" => compare_bedrock(exchange, sent, reported),
        "gemini" | "vertex-gemini" if exchange.kind() == Some("chat") => {
            compare_turns(exchange, sent, reported)
        }
        "gemini" | "vertex-gemini" | "vertex-anthropic" => {
            equal(&without_model(exchange, sent, reported)?, sent)
        }
        _ => equal(reported, sent),
    }
}

fn equal(reported: &str, sent: &str) -> Result<(), String> {
    if reported == sent { Ok(()) } else { Err(format!("request\n  expected {sent}\n  reported {reported}")) }
}

/// The reported request without the model that was added from the path as its first field.
fn without_model(exchange: &ProviderExchange, sent: &str, reported: &str) -> Result<String, String> {
    if RawFields::of(sent)?.get("model").is_some() {
        return Ok(reported.to_owned());
    }
    let rest = reported.strip_prefix(&format!("{{\"model\":{}", json!(exchange.model_in_path())));
    let rest = rest.ok_or_else(|| format!("no model first in {reported}"))?;
    Ok(format!("{{{}", rest.strip_prefix(',').unwrap_or(rest)))
}

/// Of several turns, the last one is in `contents` and the others are in `history`.
fn compare_turns(exchange: &ProviderExchange, sent: &str, reported: &str) -> Result<(), String> {
    let (sent, reported) = (RawFields::of(sent)?, RawFields::of(reported)?);
    let mut turns = sent.elements("contents").ok_or("no turns were sent")?;
    let last = turns.split_off(turns.len() - 1);
    if reported.elements("contents") != Some(last) || reported.elements("history") != Some(turns) {
        return Err("other turns".to_owned());
    }
    let model = json!(exchange.model_in_path()).to_string();
    let mut expected = sent.without(&["contents"]);
    if sent.get("model").is_none() {
        expected.insert(0, ("model", &model));
    }
    let others = reported.without(&["contents", "history"]);
    if others == expected { Ok(()) } else { Err(format!("fields {others:?} beside the turns")) }
}

/// The body is a string, beside what path and headers have of the call.
fn compare_bedrock(exchange: &ProviderExchange, sent: &str, reported: &str) -> Result<(), String> {
    let reported: BTreeMap<String, Value> =
        serde_json::from_str(reported).map_err(|error| error.to_string())?;
    let whole = exchange.model_in_path();
    let name = whole.rsplit('/').next().unwrap_or_default();
    let name = match name.split_once('.') {
        Some(("us" | "eu" | "apac" | "au" | "jp" | "ca" | "us-gov" | "global", name)) => name,
        _ => name,
    };
    let mut expected = BTreeMap::from([
        ("modelId".to_owned(), json!(name)),
        ("contentType".to_owned(), json!(exchange.request_type())),
        ("accept".to_owned(), json!(exchange.accept())),
        ("body".to_owned(), json!(sent)),
    ]);
    if name != whole {
        expected.insert("modelArn".to_owned(), json!(whole));
    }
    if reported == expected {
        Ok(())
    } else {
        Err(format!("\n  expected {expected:?}\n  reported {reported:?}"))
    }
}
