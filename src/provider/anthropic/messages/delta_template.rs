use crate::codec::json::{end_of_text, place};

/// A fast path for an event that differs from the previous one only in the text that it adds.
///
/// Nearly all events are of this kind, and comparing one costs far less than parsing it.
#[derive(Debug)]
pub(super) struct DeltaTemplate<'a> {
    /// The data up to the text.
    before: &'a [u8],
    /// The place of the block in the list.
    pub(super) block: usize,
    /// The field that grows.
    pub(super) key: &'static str,
}

impl<'a> DeltaTemplate<'a> {
    /// `None` if anything follows the text.
    pub(super) fn of(data: &'a [u8], text: &'a str, block: usize, key: &'static str) -> Option<Self> {
        let (before, _) = data.split_at_checked(place(text, data)?.start)?;
        let template = Self { before, block, key };
        template.text_of(data).is_some().then_some(template)
    }

    /// The text of an event that matches this template.
    pub(super) fn text_of<'b>(&self, data: &'b [u8]) -> Option<&'b str> {
        let rest = data.strip_prefix(self.before)?;
        let (text, rest) = rest.split_at_checked(end_of_text(rest)?)?;
        // Anthropic pads events with spaces.
        let rest = skip_blank(rest.strip_prefix(b"\"")?).strip_prefix(b"}")?;
        let rest = skip_blank(rest).strip_prefix(b"}")?;
        if skip_blank(rest).is_empty() { str::from_utf8(text).ok() } else { None }
    }
}

fn skip_blank(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    bytes.get(blank..).unwrap_or_default()
}
