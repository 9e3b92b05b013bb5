//! Compares answers with `openapi.json`: every field is described, and every described field is there.

use serde_json::Value;

pub(crate) fn description() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

/// The schema of an answer, if it is JSON.
pub(crate) fn schema<'a>(description: &'a Value, method: &str, path: &str, status: u16) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap();
    let matches = |pattern: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, s)| p.starts_with('{') || p == s)
    };
    let (_, methods) =
        description["paths"].as_object().unwrap().iter().find(|(pattern, _)| matches(pattern))?;
    let responses = &methods.get(method)?["responses"];
    let response =
        responses.get(status.to_string()).or_else(|| responses.get(format!("{}XX", status / 100)))?;
    response.pointer("/content/application~1json/schema")
}

/// What differs between a value and its schema.
pub(crate) fn differences(
    description: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    out: &mut Vec<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema =
            description.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("no {name}"));
        return differences(description, schema, value, at, out);
    }
    for list in ["oneOf", "anyOf"] {
        if let Some(schemas) = schema[list].as_array() {
            let tries: Vec<_> = schemas
                .iter()
                .map(|schema| {
                    let mut found = Vec::new();
                    differences(description, schema, value, at, &mut found);
                    found
                })
                .collect();
            if !tries.iter().any(Vec::is_empty) {
                out.push(format!("{at}: none of {list}: {tries:?}"));
            }
            return;
        }
    }
    if let Some(expected) = schema.get("const").filter(|expected| *expected != value) {
        out.push(format!("{at} is {value}, not {expected}"));
    }
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    let is_right = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        _ => true,
    };
    if !is_right {
        out.push(format!("{at} is {value}, not {}", schema["type"]));
    }
    if let Some(values) = schema["enum"].as_array().filter(|values| !values.contains(value)) {
        out.push(format!("{at} is {value}, not one of {values:?}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        differences(description, &schema["items"], item, &format!("{at}/{index}"), out);
    }
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            out.push(format!("{at}/{name} is missing"));
        }
    }
    for (name, field) in fields {
        match properties.get(name) {
            Some(schema) => differences(description, schema, field, &format!("{at}/{name}"), out),
            None => out.push(format!("{at}/{name} is not described")),
        }
    }
}
