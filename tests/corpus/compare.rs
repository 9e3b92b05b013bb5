use serde_json::{Map, Value, json};

use super::recorded::Recorded;
use super::support::field;
use super::translated::compare_translated;

/// Says how a report differs from what was recorded.
pub(crate) fn compare(exchange: &Recorded, report: &str) -> Result<(), String> {
    let whole: Value = serde_json::from_str(report).unwrap();
    if exchange.meta["kind"] == "responses" {
        return compare_translated(exchange, &whole);
    }
    let kind = exchange.kind().unwrap();
    if whole["reconify"]["type"] != kind || whole["user"]["userId"] != exchange.name {
        return Err(format!("type {} of user {}", whole["reconify"]["type"], whole["user"]));
    }
    let Ok(request) = str::from_utf8(&exchange.request) else {
        // A form: its files by name, type and size.
        let form = &whole["request"];
        let file = form.get("image").or(form.get("file")).unwrap_or(&Value::Null);
        if !file["filename"].is_string() || file["bytes"].as_u64() < Some(100) {
            return Err(format!("the form {form}"));
        }
        return if kind == "image" {
            compare_images(exchange, &whole)
        } else {
            compare_opaque(exchange, &whole)
        };
    };
    if field(report, "request") != request.trim() {
        return Err("the request differs".to_owned());
    }
    if exchange.meta["oracle"].is_null() && serde_json::from_slice::<Value>(&exchange.plain()).is_err() {
        return compare_opaque(exchange, &whole);
    }
    if kind == "image" {
        return compare_images(exchange, &whole);
    }
    if exchange.meta["stream"] != true {
        let body = std::fs::read_to_string(exchange.folder.join("response.body")).unwrap();
        return if field(report, "response") == body.trim() {
            Ok(())
        } else {
            Err("the response differs".to_owned())
        };
    }
    let (expected, reported) = (normal(&exchange.expected()), normal(&whole["response"]));
    if expected == reported { Ok(()) } else { Err(format!("\n  expected {expected}\n  reported {reported}")) }
}

/// What is no JSON must be told by type and length; of a stream, the text must be there.
fn compare_opaque(exchange: &Recorded, report: &Value) -> Result<(), String> {
    let response = &report["response"];
    let is_told = match serde_json::from_slice::<Value>(&exchange.plain()) {
        Ok(json) => *response == json,
        Err(_) => response["bytes"] == exchange.response.len() || response["text"].is_string(),
    };
    if is_told { Ok(()) } else { Err(format!("{response}")) }
}

/// Image data must have left a name, and everything else must be as it was.
fn compare_images(exchange: &Recorded, report: &Value) -> Result<(), String> {
    let mut expected = exchange.expected();
    for (index, element) in expected["data"].as_array_mut().into_iter().flatten().enumerate() {
        if element["b64_json"].is_string() {
            *element = report["response"]["data"][index].clone();
            assert!(element.as_str().unwrap().ends_with(&format!("-{index}.png")));
        }
    }
    if expected == report["response"] { Ok(()) } else { Err(format!("images {}", report["response"])) }
}

/// Without what the expectations and the wire may differ in: null, absent and empty lists are the same, and three
/// fields exist only in the SDK that the expectations were made with.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let is_call = fields.contains_key("function") || fields.contains_key("custom");
            let fields = fields.iter().filter(|(key, value)| {
                let is_artefact =
                    matches!(key.as_str(), "parsed" | "parsed_arguments") || is_call && *key == "index";
                !is_artefact && !value.is_null() && **value != json!([])
            });
            Value::Object(fields.map(|(key, value)| (key.clone(), normal(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
