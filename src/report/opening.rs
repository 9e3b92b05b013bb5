//! The beginning of a payload, into which the keys are inserted.

use crate::provider::{Provider, ProviderSpec};

const BEFORE_FORMAT: &str = r#"{"reconify":{"format":""#;
const BEFORE_TYPE: &str = r#"","type":""#;
const BEFORE_VERSION: &str = r#"","version":""#;

/// Writes the start of a payload. Its constant parts need no serialising. Returns the position of
/// the keys.
pub(super) fn open(json: &mut String, provider: Provider, r#type: &'static str) -> usize {
    let ProviderSpec { format, version, .. } = provider.spec();
    for part in [BEFORE_FORMAT, format, BEFORE_TYPE, r#type, BEFORE_VERSION, version, "\""] {
        json.push_str(part);
    }
    let keys_at = json.len();
    json.push('}');
    keys_at
}

/// The beginning of a payload that [`open`] wrote, in this version of the crate or another.
pub(super) struct Opening<'a> {
    pub(super) format: &'a [u8],
    pub(super) r#type: &'a [u8],
    /// The position of the first closing brace: a format, a type or a version contains neither a
    /// brace nor a quote.
    pub(super) keys_at: usize,
}

impl<'a> Opening<'a> {
    pub(super) fn of(json: &'a [u8]) -> Option<Self> {
        let (format, rest) = word(json.strip_prefix(BEFORE_FORMAT.as_bytes())?)?;
        let (r#type, rest) = word(rest.strip_prefix(BEFORE_TYPE.as_bytes())?)?;
        let (_, rest) = word(rest.strip_prefix(BEFORE_VERSION.as_bytes())?)?;
        let keys_at = json.len() - rest.len() + 1;
        rest.starts_with(b"\"}").then_some(Self { format, r#type, keys_at })
    }
}

/// The word at the start of a text, and the rest.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let length = text.iter().position(|byte| !is_in_word(byte))?;
    text.split_at_checked(length).filter(|(word, _)| !word.is_empty())
}
