//! Takes e-mail addresses and API keys out of texts.

use std::borrow::Cow;

use regex::Regex;

/// The patterns, and their replacements.
pub(crate) struct Redaction(Vec<(Regex, &'static str)>);

impl Redaction {
    pub(crate) fn new() -> Result<Self, regex::Error> {
        Ok(Self(vec![
            (Regex::new(r"(?i)[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")?, "[e-mail]"),
            // OpenAI's and many others' (sk-…), GitHub's, AWS's, Slack's.
            (Regex::new(r"\b(sk-|gh[opsu]_|AKIA|xox[abp]-)[A-Za-z0-9_-]{12,}")?, "[key]"),
        ]))
    }

    /// The text without them, or `None` if it has none.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let mut redacted = Cow::Borrowed(text);
        for (pattern, replacement) in &self.0 {
            if let Cow::Owned(replaced) = pattern.replace_all(&redacted, *replacement) {
                redacted = Cow::Owned(replaced);
            }
        }
        match redacted {
            Cow::Owned(redacted) => Some(redacted),
            Cow::Borrowed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_keys_are_redacted_and_nothing_else_is() {
        let redaction = Redaction::new().unwrap();
        for (text, expected) in [
            ("To A.B+c@Mail.example.org, please", Some("To [e-mail], please")),
            (r#"{"key":"ghp_0123456789abcdef","to":"x@y.io"}"#, Some(r#"{"key":"[key]","to":"[e-mail]"}"#)),
            ("a task-list @home", None),
            ("sk-short", None),
            ("2 @ 3.50", None),
            ("", None),
        ] {
            assert_eq!(redaction.apply(text).as_deref(), expected, "{text}");
        }
    }
}
