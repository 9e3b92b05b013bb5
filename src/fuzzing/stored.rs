//! The entry point for the fuzz target of stored reports, compiled only for it. It asserts that keys
//! are inserted in one place only.

#![allow(clippy::expect_used, reason = "a fuzz target fails by panicking")]

use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use crate::codec::json;
use crate::provider::Provider;
use crate::report::Report;

const OPENING: &[u8] = br#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0"}"#;
const KEYS: &[u8] = br#","appKey":"a","apiKey":"b""#;

/// Restores any input: as it is, and behind the beginning of a report.
pub fn stored(input: &[u8]) {
    check(input);
    check(&[OPENING, input].concat());
    check(&[OPENING, b",", input, b"}"].concat());
}

fn check(stored: &[u8]) {
    let id = Uuid::from_u128(7);
    let Ok(report) = Report::from_stored(id, Bytes::copy_from_slice(stored)) else { return };
    assert_eq!((report.id(), report.json().as_bytes()), (id, stored), "it is unchanged");
    let (head, tail) = report.around_keys();
    assert_eq!([&head[..], &tail].concat(), stored, "the keys go between two parts of it");
    let sent = [&head, KEYS, &tail].concat();
    let before = fields(stored);
    let after = fields(&sent);
    let (reconify, others) = after.split_first().expect("there is a field");
    assert_eq!(reconify.0, "reconify", "it is the first field");
    assert_eq!(Some(others), before.get(1..), "all other fields are unchanged");
    assert!(others.iter().all(|(name, _)| name != "reconify"), "and there is one only");
    let object: Value = serde_json::from_str(&reconify.1).expect("it is JSON");
    let object = object.as_object().expect("it is an object");
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    assert_eq!((object.len(), text("appKey"), text("apiKey")), (5, Some("a"), Some("b")));
    let format = text("format").expect("there is a format");
    assert!(Provider::ALL.iter().any(|provider| provider.format() == format), "this version knows it");
    assert_eq!(report.is_image_upload(), text("type") == Some("image-upload"));
}

fn fields(json: &[u8]) -> Vec<(String, String)> {
    let fields = json::parse_object(json).expect("it is an object");
    fields.iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect()
}
