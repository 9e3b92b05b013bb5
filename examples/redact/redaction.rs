//! Takes e-mail addresses and API keys out of JSON.

use regex::Regex;
use serde_json::Value;

/// What is taken out, and what stands in its place.
pub(crate) struct Redaction(Vec<(Regex, &'static str)>);

impl Redaction {
    pub(crate) fn new() -> Result<Self, regex::Error> {
        Ok(Self(vec![
            (Regex::new(r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")?, "[e-mail]"),
            // OpenAI's and many others' (sk-…), GitHub's, AWS's, Slack's.
            (Regex::new(r"\b(sk-|gh[opsu]_|AKIA|xox[abp]-)[A-Za-z0-9_-]{12,}")?, "[key]"),
        ]))
    }

    /// Redacts every string, however deep it stands. Names of fields stay, as do numbers.
    pub(crate) fn apply(&self, tree: &mut Value) {
        // A list of places in place of a recursion: no depth can exhaust the stack.
        let mut places = vec![tree];
        while let Some(place) = places.pop() {
            match place {
                Value::String(text) => self.redact(text),
                Value::Array(items) => places.extend(items),
                Value::Object(fields) => places.extend(fields.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    fn redact(&self, text: &mut String) {
        for (pattern, replacement) in &self.0 {
            if pattern.is_match(text) {
                *text = pattern.replace_all(text, *replacement).into_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_and_keys_are_redacted_in_every_string_and_nothing_else_is() {
        let mut tree = json!({
            "temperature": 0.5,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "To A.B+c@Mail.example.org, please"}]}],
            "tool_calls": [{"function": {"arguments": "{\"key\":\"ghp_0123456789abcdef\",\"to\":\"x@y.io\"}"}}],
            "kept": ["a task-list @home", "sk-short", "2 @ 3.50", ""],
        });
        let kept = tree["kept"].clone();
        Redaction::new().unwrap().apply(&mut tree);
        assert_eq!(tree["temperature"], 0.5);
        assert_eq!(tree["messages"][0]["content"][0]["text"], "To [e-mail], please");
        assert_eq!(tree["tool_calls"][0]["function"]["arguments"], r#"{"key":"[key]","to":"[e-mail]"}"#);
        assert_eq!(tree["kept"], kept);
    }

    #[test]
    fn a_deep_tree_is_redacted_to_its_bottom() {
        let mut tree = (0..10_000).fold(json!("jane@example.com"), |inner, _| Value::Array(vec![inner]));
        Redaction::new().unwrap().apply(&mut tree);
        // Taken apart from outside: dropping it whole would recurse.
        let mut levels = 0;
        while let Value::Array(mut items) = tree {
            tree = items.remove(0);
            levels += 1;
        }
        assert_eq!((tree, levels), (json!("[e-mail]"), 10_000));
    }
}
