//! Images, sound and files as base64 inside JSON: found without taking the JSON apart.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr2, memmem};
use serde_json::value::RawValue;

use super::json;

/// One piece of base64 data.
pub(super) struct Medium<'a> {
    /// Where its string stands, with its quotes.
    pub(super) place: Range<usize>,
    /// What it is, as far as is said: `image/png`, `audio/wav`, or just `image` or `file`.
    kind: Cow<'a, str>,
    /// It was made by a tool of the Responses API.
    pub(super) is_generated: bool,
}

/// The type that an image made through the Responses API comes with.
const GENERATED: &str = "image_generation_call";

/// Deeper than any request or answer. Further down nothing is looked for: an attack could nest millions of times.
const MOST_LEVELS: usize = 1_000;

/// Puts type and length in the place of all base64 data.
pub(super) fn elide(json: Box<RawValue>) -> Box<RawValue> {
    elide_those(json, |_| true)
}

/// Puts type and length in the place of the images that were made through the Responses API.
pub(super) fn elide_generated(json: Box<RawValue>) -> Box<RawValue> {
    match may_have_generated(&json) {
        true => elide_those(json, |medium| medium.is_generated),
        false => json,
    }
}

/// A quick look: most answers have none.
pub(super) fn may_have_generated(json: &RawValue) -> bool {
    memmem::find(json.get().as_bytes(), GENERATED.as_bytes()).is_some()
}

fn elide_those(json: Box<RawValue>, is_meant: impl Fn(&Medium<'_>) -> bool) -> Box<RawValue> {
    let text = json.get();
    let places = find(text).into_iter().filter(is_meant).map(|medium| {
        let bytes = decoded_length(text.get(medium.place.clone()).unwrap_or_default());
        (medium.place, format!("{}, {bytes} bytes", medium.kind))
    });
    let elided = replace(text, places);
    elided.and_then(|text| RawValue::from_string(text).ok()).unwrap_or(json)
}

/// The text with these strings in these places; `None` if there are none.
pub(super) fn replace(json: &str, places: impl Iterator<Item = (Range<usize>, String)>) -> Option<String> {
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

/// How many bytes base64 stands for. Escaped line ends and slashes in it are told from data.
pub(super) fn decoded_length(base64: &str) -> u64 {
    let data = base64.rsplit_once("base64,").map_or(base64, |(_, data)| data);
    let is_data = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let digits = data.bytes().filter(is_data).count();
    let line_ends = memmem::find_iter(data.as_bytes(), b"\\n").count()
        + memmem::find_iter(data.as_bytes(), b"\\r").count();
    (digits.saturating_sub(line_ends) * 3 / 4) as u64
}

/// All base64 data of a valid JSON text, in order.
pub(super) fn find(json: &str) -> Vec<Medium<'_>> {
    let mut search = Search { json, levels: Vec::new(), too_deep: 0, found: Vec::new() };
    search.run();
    search.found.sort_unstable_by_key(|medium| medium.place.start);
    search.found
}

struct Search<'a> {
    json: &'a str,
    levels: Vec<Level<'a>>,
    /// Levels beyond those that are looked at.
    too_deep: usize,
    found: Vec<Medium<'a>>,
}

/// An object or array that is being passed through.
#[derive(Default)]
struct Level<'a> {
    is_object: bool,
    /// The key under which it stands, that of its array if it stands in one.
    name: &'a str,
    /// The key that was read last.
    key: &'a str,
    awaits_key: bool,
    /// Its `type` and `format`.
    kind: &'a str,
    format: &'a str,
    /// Strings under `result` and `data`, of which `type`, `format` and the object's own name say what they are.
    result: Option<Range<usize>>,
    data: Option<Range<usize>>,
}

impl<'a> Search<'a> {
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
                    let end = end_of_string(self.json, at + 1);
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
        let Some(Level { name, kind, format, result, data, .. }) = self.levels.pop() else { return };
        if let Some(place) = result.filter(|_| kind == GENERATED) {
            self.found.push(Medium { place, kind: "image".into(), is_generated: true });
        }
        if let Some(place) = data.filter(|_| matches!(name, "audio" | "input_audio")) {
            let kind = if format.is_empty() { "audio".into() } else { format!("audio/{format}").into() };
            self.found.push(Medium { place, kind, is_generated: false });
        }
    }

    fn string(&mut self, place: Range<usize>) {
        let json = self.json;
        let inside = json.get(place.start + 1..place.end.saturating_sub(1)).unwrap_or_default();
        let Some(level) = self.level() else { return };
        if level.awaits_key {
            level.awaits_key = false;
            level.key = inside;
            return;
        }
        let key = if level.is_object { level.key } else { level.name };
        let kind = match key {
            _ if inside.is_empty() => return,
            _ if inside.starts_with("data:") => match data_url(inside) {
                Some(kind) => kind,
                None => return,
            },
            "b64_json" | "partial_image_b64" => "image".into(),
            "file_data" => "file".into(),
            "type" => return level.kind = inside,
            "format" => return level.format = inside,
            "result" => return level.result = Some(place),
            "data" => return level.data = Some(place),
            _ => return,
        };
        self.found.push(Medium { place, kind, is_generated: false });
    }
}

/// Behind the quote that ends a string.
fn end_of_string(json: &str, mut at: usize) -> usize {
    let bytes = json.as_bytes();
    while let Some(next) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += next;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The media type of a `data:` URL with base64.
fn data_url(text: &str) -> Option<Cow<'_, str>> {
    let (head, _) = text.strip_prefix("data:")?.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    let kind = kind.split(';').next().unwrap_or_default();
    Some(match kind {
        "" => "file".into(),
        // Some encoders escape slashes.
        kind => kind.replace("\\/", "/").into(),
    })
}
