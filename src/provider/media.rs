//! Finds images, audio and files as base64 inside JSON, without parsing the JSON.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memmem};
use serde_json::value::RawValue;

use crate::codec::json;
use crate::codec::json::nodes::end_of_string;

/// One piece of base64 data.
pub(crate) struct Medium<'a> {
    /// The range of its string, with the quotes.
    pub(crate) place: Range<usize>,
    /// The media type, as far as it is known: `image/png`, `audio/wav`, or just `image` or `file`.
    pub(crate) kind: Cow<'a, str>,
    /// A tool of the Responses API generated it.
    pub(crate) is_generated: bool,
}

impl Medium<'_> {
    /// The base64 text.
    pub(crate) fn data<'t>(&self, json: &'t str) -> Cow<'t, str> {
        match unescaped(json.get(self.place.clone()).unwrap_or_default()) {
            Cow::Borrowed(text) => data_of(text).into(),
            Cow::Owned(text) => data_of(&text).to_owned().into(),
        }
    }
}

/// The item type of an image generated through the Responses API.
const GENERATED: &str = "image_generation_call";

/// The maximum nesting that is searched. No request or response is deeper; an attacker could nest
/// millions of levels.
const MOST_LEVELS: usize = 1_000;

/// Replaces all base64 data with its type and length.
///
/// `Err`, with the text unchanged, if a limit on number or depth is exceeded.
pub(crate) fn elide(json: Box<RawValue>) -> Result<Box<RawValue>, Box<RawValue>> {
    let Search { found, is_complete, .. } = Search::of(json.get());
    if !is_complete {
        return Err(json);
    }
    let elided = without(json.get(), found.into_iter());
    Ok(elided.unwrap_or(json))
}

/// A quick check for images generated through the Responses API: most responses have none.
pub(crate) fn may_have_generated(json: &[u8]) -> bool {
    memmem::find(json, GENERATED.as_bytes()).is_some()
}

/// Replaces the selected base64 data with its type and length.
pub(crate) fn elide_those(json: Box<RawValue>, is_meant: impl Fn(&Medium<'_>) -> bool) -> Box<RawValue> {
    let elided = without(json.get(), find(json.get()).into_iter().filter(is_meant));
    elided.unwrap_or(json)
}

/// The text with type and length in place of these media.
fn without<'a>(json: &'a str, media: impl Iterator<Item = Medium<'a>>) -> Option<Box<RawValue>> {
    let places = media.map(|medium| {
        let bytes = decoded_length(&medium.data(json));
        (medium.place, format!("{}, {bytes} bytes", medium.kind))
    });
    RawValue::from_string(replace(json, places)?).ok()
}

/// The text with these ranges replaced by these strings; `None` if there are none.
pub(crate) fn replace(json: &str, places: impl Iterator<Item = (Range<usize>, String)>) -> Option<String> {
    let mut text = String::new();
    let mut rest = 0;
    for (place, string) in places {
        text.push_str(json.get(rest..place.start)?);
        json::write_text(&string, &mut text);
        rest = place.end;
    }
    (rest > 0).then_some(())?;
    text.push_str(json.get(rest..)?);
    Some(text)
}

/// The number of bytes that base64 encodes. Several concatenated texts, each with padding, are
/// added up.
pub(crate) fn decoded_length(base64: &str) -> u64 {
    let digits = |text: &str| text.bytes().filter(|byte| !byte.is_ascii_whitespace()).count() as u64;
    base64.split('=').map(|text| digits(text) * 3 / 4).sum()
}

/// All base64 data of a valid JSON text, in order.
pub(crate) fn find(json: &str) -> Vec<Medium<'_>> {
    Search::of(json).found
}

struct Search<'a> {
    json: &'a str,
    levels: Vec<Level<'a>>,
    /// The number of base64 texts whose type is known only at the end of their object.
    untyped: usize,
    /// The number of open levels beyond the maximum.
    too_deep: usize,
    found: Vec<Medium<'a>>,
    /// Nothing was skipped.
    is_complete: bool,
}

/// An open object or array.
#[derive(Default)]
struct Level<'a> {
    is_object: bool,
    /// Its key, or that of the array around it.
    name: &'a str,
    /// The key read last.
    key: &'a str,
    awaits_key: bool,
    /// The value of its `type`, `format`, and `media_type` or `mime_type`.
    kind: &'a str,
    format: &'a str,
    media_type: &'a str,
    /// Base64 under `result`, `data` and `bytes`. Its kind follows from `type`, `format` and the key of
    /// the object; that of `bytes` in a `source` from the object around it.
    open: Vec<(&'a str, Range<usize>)>,
}

impl<'a> Search<'a> {
    fn of(json: &'a str) -> Self {
        let mut search =
            Self { json, levels: Vec::new(), untyped: 0, too_deep: 0, found: Vec::new(), is_complete: true };
        search.run();
        search.found.sort_unstable_by_key(|medium| medium.place.start);
        search
    }

    fn run(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.json.as_bytes().get(at) {
            match byte {
                b'{' => self.open(true),
                b'[' => self.open(false),
                b'}' | b']' => self.close(),
                b',' => {
                    if let Some(level) = self.level() {
                        level.awaits_key = level.is_object;
                    }
                }
                b'"' => {
                    let end = end_of_string(self.json.as_bytes(), at + 1);
                    self.string(at..end);
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn level(&mut self) -> Option<&mut Level<'a>> {
        if self.too_deep > 0 { None } else { self.levels.last_mut() }
    }

    fn open(&mut self, is_object: bool) {
        if self.levels.len() == MOST_LEVELS {
            self.too_deep += 1;
            return;
        }
        let name =
            self.levels.last().map_or("", |level| if level.is_object { level.key } else { level.name });
        self.levels.push(Level { is_object, name, awaits_key: is_object, ..Level::default() });
    }

    fn close(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(Level { name, kind, format, media_type, open, .. }) = self.levels.pop() else { return };
        self.untyped -= open.len();
        let (format, media_type) = (named(format), named(media_type));
        for (key, place) in open {
            let is_generated = key == "result" && kind == GENERATED;
            let kind = match (key, name) {
                ("result", _) if kind == GENERATED => "image".into(),
                ("data", "audio" | "input_audio") if format.is_empty() => "audio".into(),
                ("data", "audio" | "input_audio") => format!("audio/{format}").into(),
                ("data", "inline_data" | "inlineData") => typed(media_type).replace("\\/", "/").into(),
                ("bytes", "image" | "video" | "audio" | "document") if format.is_empty() => name.into(),
                ("bytes", "image" | "video" | "audio" | "document") => format!("{name}/{format}").into(),
                ("bytes", _) => continue,
                ("data", _) if kind == "base64" => typed(media_type).replace("\\/", "/").into(),
                _ => match kind_of_url(&unescaped(self.json.get(place.clone()).unwrap_or_default())) {
                    Some(kind) => typed(kind).into_owned().into(),
                    None => continue,
                },
            };
            self.add(Medium { place, kind, is_generated });
        }
    }

    fn add(&mut self, medium: Medium<'a>) {
        if self.found.len() < MOST_MEDIA {
            self.found.push(medium);
        } else {
            self.is_complete = false;
        }
    }

    fn string(&mut self, place: Range<usize>) {
        let json = self.json;
        let inside = json.get(place.start + 1..place.end.saturating_sub(1)).unwrap_or_default();
        let has_room = self.untyped + self.found.len() < MOST_MEDIA;
        if self.too_deep > 0 && inside.len() >= LONG {
            self.is_complete = false;
        }
        let Some(level) = self.level() else { return };
        if level.awaits_key {
            level.awaits_key = false;
            level.key = inside;
            return;
        }
        let key = if level.is_object { level.key } else { level.name };
        match key {
            "type" => level.kind = inside,
            "format" => level.format = inside,
            "media_type" | "mime_type" | "mimeType" => level.media_type = inside,
            _ => {}
        }
        // Texts written by people and models stay unchanged, even if they look like base64.
        if inside.is_empty() || TEXTS.contains(&key) {
            return;
        }
        let may_be = inside.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
            || FIELDS.contains(&key)
            || match key {
                "audio" | "input_audio" | "image" => inside.len() >= LONG,
                "images" => inside.len() >= SHORTEST_IMAGE,
                "url" => level.name == "file_url" && inside.len() >= LONG,
                _ => false,
            };
        if !may_be {
            return;
        }
        let said = unescaped(json.get(place.clone()).unwrap_or_default());
        let (url_kind, data) = (kind_of_url(&said), data_of(&said));
        if !is_base64(data) {
            return;
        }
        let kind = match (url_kind, key) {
            (None, "bytes") if level.name == "source" && has_room => {
                let around = self.levels.len().checked_sub(2).and_then(|around| self.levels.get_mut(around));
                if let Some(around) = around {
                    around.open.push((key, place));
                    self.untyped += 1;
                }
                return;
            }
            (None, "bytes") => {
                self.is_complete &= level.name != "source";
                return;
            }
            (_, "result" | "data") if url_kind.is_none() || key == "result" => {
                if has_room {
                    level.open.push((key, place));
                    self.untyped += 1;
                } else {
                    self.is_complete = false;
                }
                return;
            }
            (Some(kind), _) => typed(kind).into_owned().into(),
            (None, "file_data" | "base64String" | "url") => "file".into(),
            (None, "audio" | "input_audio") => "audio".into(),
            (None, _) => "image".into(),
        };
        self.add(Medium { place, kind, is_generated: false });
    }
}

/// Keys of base64 without a `data:` URL.
const FIELDS: [&str; 7] =
    ["b64_json", "partial_image_b64", "file_data", "base64String", "result", "data", "bytes"];

/// Keys of texts.
const TEXTS: [&str; 8] =
    ["text", "content", "input", "prompt", "instructions", "token", "arguments", "refusal"];

/// The minimum length of audio and of files. A shorter text under `audio` may be the name of a voice.
const LONG: usize = 256;

/// The minimum length of an image in a list of images. A shorter text may be a name or an id.
const SHORTEST_IMAGE: usize = 64;

/// The maximum number of media. No request or response has more.
const MOST_MEDIA: usize = 10_000;

/// The text of a string without its escapes.
fn unescaped(string: &str) -> Cow<'_, str> {
    let inside = string.get(1..string.len().saturating_sub(1)).unwrap_or_default();
    if memchr(b'\\', inside.as_bytes()).is_none() {
        return inside.into();
    }
    serde_json::from_str::<String>(string).map_or(inside.into(), Into::into)
}

/// The start of the data in a `data:` URL (RFC 2397). A parameter before it may contain commas.
fn end_of_head(url: &str) -> Option<usize> {
    const MARK: &str = ";base64,";
    let head = url.as_bytes().get(..url.len().min(1_000))?;
    head.windows(MARK.len()).position(|window| window.eq_ignore_ascii_case(MARK.as_bytes()))
}

/// The media type of a `data:` URL with base64; empty if it has none.
fn kind_of_url(text: &str) -> Option<&str> {
    let end = end_of_head(text)
        .filter(|_| text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")))?;
    text.get(5..end)?.split(';').next()
}

/// The data after the head of a `data:` URL; any other text unchanged.
fn data_of(text: &str) -> &str {
    let start = kind_of_url(text).and(end_of_head(text)).map_or(0, |end| end + ";base64,".len());
    text.get(start..).unwrap_or_default()
}

fn is_base64(text: &str) -> bool {
    let is_digit =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    !text.is_empty() && text.bytes().all(|byte| is_digit(byte) || matches!(byte, b'\n' | b'\r'))
}

/// The name of a type or format; empty if it is too long. It is copied for each medium.
fn named(name: &str) -> &str {
    if name.len() <= LONGEST_NAME { name } else { "" }
}

/// Registered media types have up to 127 characters on either side of the slash (RFC 6838, 4.2). No
/// known one is nearly as long.
const LONGEST_NAME: usize = 127;

fn typed(kind: &str) -> Cow<'_, str> {
    if kind.is_empty() { "file".into() } else { kind.into() }
}

#[cfg(test)]
mod tests;
