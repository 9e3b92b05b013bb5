//! Requests of APIs that have the model in the path.

use serde_json::value::RawValue;

use crate::codec::json;

/// The request with the model as its first field, unless it has one. Its text is copied byte for
/// byte. A request that is not an object stays as it is.
pub(crate) fn with_model(request: &RawValue, model: &str) -> String {
    let fields = json::object(request).filter(|fields| json::field(fields, "model").is_none());
    match request.get().strip_prefix('{').filter(|_| fields.is_some()) {
        Some(rest) => {
            let mut json = String::with_capacity(request.get().len() + model.len() + 16);
            json.push_str("{\"model\":");
            json::write_text(model, &mut json);
            if !rest.trim_ascii_start().starts_with('}') {
                json.push(',');
            }
            json.push_str(rest);
            json
        }
        None => request.get().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_comes_first_and_every_other_letter_stays() {
        for (request, expected) in [
            ("{}", r#"{"model":"m\"@1"}"#),
            ("{ \n}", "{\"model\":\"m\\\"@1\" \n}"),
            (r#"{ "a" : 1e999,"a":0.10 }"#, r#"{"model":"m\"@1", "a" : 1e999,"a":0.10 }"#),
            (r#"{"a":{"model":1}}"#, r#"{"model":"m\"@1","a":{"model":1}}"#),
            (r#"{"a":1,"model":"other"}"#, r#"{"a":1,"model":"other"}"#),
            (r#"{"\u006dodel":null}"#, r#"{"\u006dodel":null}"#),
            ("[{}]", "[{}]"),
            ("null", "null"),
        ] {
            let request = RawValue::from_string(request.to_owned()).unwrap();
            assert_eq!(with_model(&request, "m\"@1"), expected);
        }
    }
}
