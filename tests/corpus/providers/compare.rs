use serde_json::{Map, Number, Value, json};

use super::recorded::ProviderExchange;
use super::request::RawFields;
use super::{exceptions, request};

/// Says how a report differs from what was recorded.
pub(crate) fn compare(exchange: &ProviderExchange, report: &str) -> Result<(), String> {
    let fields = RawFields::of(report)?;
    let value = |name: &str| serde_json::from_str::<Value>(fields.get(name).unwrap_or("null")).unwrap();
    let (reconify, metadata) = (value("reconify"), value("metadata"));
    let (format, version) = exchange.format();
    let outcome = match exchange.status() {
        200 => exceptions::outcome(exchange).unwrap_or("answered"),
        _ => "refused",
    };
    for (what, reported, expected) in [
        ("format", &reconify["format"], json!(format)),
        ("version", &reconify["version"], json!(version)),
        ("type", &reconify["type"], json!(exchange.kind())),
        ("user", &value("user")["userId"], json!(exchange.name)),
        ("status", &metadata["status"], json!(exchange.status())),
        ("outcome", &metadata["outcome"], json!(outcome)),
        ("request id", &metadata["requestId"], json!(exchange.request_id())),
        ("streamed", &metadata["streamed"], json!(exchange.is_stream())),
        ("truncated", &metadata["truncated"], json!(exceptions::is_request_cut(exchange))),
    ] {
        if *reported != expected {
            return Err(format!("{what} {reported} in place of {expected}"));
        }
    }
    request::compare(exchange, fields.get("request").unwrap_or_default())?;
    compare_response(exchange, fields.get("response").unwrap_or_default())
}

fn compare_response(exchange: &ProviderExchange, reported: &str) -> Result<(), String> {
    let envelope;
    let reported = match exchange.provider() {
        "bedrock" => {
            envelope = RawFields::of(reported)?;
            let id = envelope.get("requestId").map(str::to_owned);
            if id != exchange.request_id().map(|id| json!(id).to_string()) {
                return Err(format!("request id {id:?} in the response"));
            }
            envelope.get("body").ok_or("no body")?
        }
        _ => reported,
    };
    if !exchange.is_stream() {
        let answered = exchange.plain();
        return match reported == answered.trim() {
            true => Ok(()),
            false => Err(format!("response\n  expected {answered}\n  reported {reported}")),
        };
    }
    let expected = normal(&exceptions::expected(exchange));
    let mut reported = serde_json::from_str(reported).unwrap();
    exceptions::leave_out(exchange, &mut reported);
    let reported = normal(&reported);
    let mut differences = Vec::new();
    differ("", &expected, &reported, &mut differences);
    if differences.is_empty() { Ok(()) } else { Err(format!("response\n{}", differences.join("\n"))) }
}

/// Lists the places at which two values differ.
fn differ(place: &str, expected: &Value, reported: &Value, differences: &mut Vec<String>) {
    match (expected, reported) {
        _ if expected == reported => {}
        (Value::Object(one), Value::Object(other)) => {
            let others = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(others) {
                let (one, other) = (one.get(key), other.get(key));
                let absent = Value::Null;
                differ(
                    &format!("{place}/{key}"),
                    one.unwrap_or(&absent),
                    other.unwrap_or(&absent),
                    differences,
                );
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differ(&format!("{place}/{index}"), one, other, differences);
            }
        }
        _ => differences.push(format!("  {place}\n    expected {expected}\n    reported {reported}")),
    }
}

/// The same value for what counts as equal: null, absent and empty; and a number with and without a point.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), normal(value)));
            let fields: Map<_, _> = fields.filter(|(_, value)| !value.is_null()).collect();
            if fields.is_empty() { Value::Null } else { Value::Object(fields) }
        }
        Value::Number(number) => {
            number.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
        }
        other => other.clone(),
    }
}
