//! A fast path for a chunk that differs from the previous one only in its text.
//!
//! Nearly all chunks are of this kind, and comparing one costs far less than parsing it.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::choice::is_label;
use super::chunk::{Choices, Chunk, Piece};
use crate::codec::json::{self, end_of_text, place};

/// The chunk that later chunks are compared with.
///
/// Its other fields change nothing when they are repeated: values are kept, or replaced by equal
/// ones. Only the first repetition may change the result, because it parses an object that was kept
/// as text until then.
#[derive(Debug)]
pub(crate) struct ChunkTemplate<'a> {
    data: &'a [u8],
    /// The ranges of the text and of the padding, both without their quotes.
    text: Range<usize>,
    padding: Option<Range<usize>>,
    pub(crate) text_delta: TextDelta<'a>,
    /// The other fields have been added twice.
    pub(crate) is_settled: bool,
}

/// The text that a chunk adds, and its position.
#[derive(Debug)]
pub(crate) struct TextDelta<'a> {
    pub(crate) index: &'a str,
    pub(crate) is_delta: bool,
    pub(crate) key: Cow<'a, str>,
    text: &'a str,
    /// Other texts of the delta. They may be pieces of longer texts, so their number matters.
    pub(crate) repeated: Repeated<'a>,
}

type Repeated<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// The maximum number of such texts. Servers send fewer beside a text.
const MOST_REPEATED: usize = 4;

impl<'a> ChunkTemplate<'a> {
    /// `None` if the chunk adds anything other than exactly one text.
    pub(crate) fn of(
        data: &'a [u8],
        chunk: &Chunk<'a>,
        choices: Option<&Choices<'a>>,
        is_settled: bool,
    ) -> Option<Self> {
        let Some(Choices::One(piece)) = choices else { return None };
        let text_delta = TextDelta::of(piece)?;
        let (mut has_choices, mut padding) = (false, None);
        for (key, raw) in &chunk.fields {
            match &**key {
                "choices" if !has_choices => has_choices = true,
                "choices" => return None,
                "error" if !json::is_null(raw) => return None,
                "obfuscation" | "p" if padding.is_none() => padding = json::text(raw),
                _ => {}
            }
        }
        let padding = match padding {
            Some(padding) => Some(place(padding, data)?),
            None => None,
        };
        Some(Self { data, text: place(text_delta.text, data)?, padding, text_delta, is_settled })
    }

    /// The text of a chunk that matches this template.
    pub(crate) fn text_of<'b>(&self, data: &'b [u8]) -> Option<&'b str> {
        let (mut rest, mut at, mut text) = (data, 0, None);
        let padding = self.padding.as_ref();
        let is_behind = padding.is_some_and(|padding| padding.start < self.text.start);
        let places = match is_behind {
            true => [padding, Some(&self.text)],
            false => [Some(&self.text), padding],
        };
        for place in places.into_iter().flatten() {
            rest = rest.strip_prefix(self.data.get(at..place.start)?)?;
            let (inside, behind) = rest.split_at_checked(end_of_text(rest)?)?;
            if *place == self.text {
                text = Some(inside);
            }
            (rest, at) = (behind, place.end);
        }
        (rest == self.data.get(at..)?).then_some(())?;
        str::from_utf8(text?).ok()
    }
}

impl<'a> TextDelta<'a> {
    /// The addition to a choice, if it is exactly one text.
    fn of(piece: &Piece<'a>) -> Option<Self> {
        let (mut text_delta, mut has_delta, mut repeated) = (None, false, Repeated::new());
        for (key, raw) in &piece.fields {
            match &**key {
                "delta" if has_delta => return None,
                "delta" => {
                    has_delta = true;
                    text_delta = merged(text_delta, in_delta(piece.delta.as_deref()?, &mut repeated)?)?;
                }
                "text" => {
                    text_delta =
                        merged(text_delta, addition(key, raw)?.map(|(key, text)| (false, key, text)))?
                }
                "message" => return None,
                "logprobs" if !json::is_null(raw) => return None,
                _ if json::items(raw).is_some_and(|items| !items.is_empty()) => return None,
                _ => {}
            }
        }
        let (is_delta, key, text) = text_delta?;
        Some(Self { index: piece.index(), is_delta, key, text, repeated })
    }
}

type Addition<'a> = (bool, Cow<'a, str>, &'a str);

/// The only one of two additions; `None` if both exist.
fn merged<'a>(one: Option<Addition<'a>>, other: Option<Addition<'a>>) -> Option<Option<Addition<'a>>> {
    match (one, other) {
        (Some(_), Some(_)) => None,
        (one, other) => Some(one.or(other)),
    }
}

/// The text that a delta adds; `None` if it adds anything else. Unknown texts may stand beside it.
fn in_delta<'a>(
    delta: &[(Cow<'a, str>, &'a RawValue)],
    repeated: &mut Repeated<'a>,
) -> Option<Option<Addition<'a>>> {
    let mut text_delta = None;
    for (key, raw) in delta {
        match &**key {
            "content" | "refusal" | "reasoning" | "reasoning_content" | "reasoning_text" | "thinking" => {
                text_delta = merged(text_delta, addition(key, raw)?.map(|(key, text)| (true, key, text)))?;
            }
            "tool_calls" if json::is_null(raw) || json::items(raw) == Some("") => {}
            "tool_calls" => return None,
            "function_call" | "audio" if !json::is_null(raw) => return None,
            "role" => {}
            label if is_label(label) => {}
            _ if json::items(raw).is_some_and(|items| !items.is_empty()) => return None,
            _ => {
                let Some(text) = json::text(raw).filter(|text| !text.is_empty()) else { continue };
                let is_only = delta.iter().filter(|(other, _)| other == key).count() == 1;
                (is_only && repeated.len() < MOST_REPEATED).then_some(())?;
                repeated.push((key.clone(), text));
            }
        }
    }
    Some(text_delta)
}

/// The text to append, if it is not blank. `None` if the value is not a text.
fn addition<'a>(key: &Cow<'a, str>, raw: &'a RawValue) -> Option<Option<(Cow<'a, str>, &'a str)>> {
    if json::is_blank(raw) {
        return Some(None);
    }
    json::text(raw).map(|text| Some((key.clone(), text)))
}

#[cfg(test)]
mod tests;
