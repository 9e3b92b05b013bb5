//! Messages as the API gives them: for display, with media by reference.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::exchange::Exchange;
use super::message::{Media, Message, Part};
use crate::json::Json;
use crate::text::{head, label, size, visible};

/// The longest text that is shown; the whole is in the report as received.
const LONGEST: usize = 256 << 10;

/// The longest result that is repeated below its call.
const LONGEST_RESULT: usize = 2000;

/// The maximum number of bytes of all texts of a transcript.
const MOST_SHOWN: usize = 32 << 20;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownMessage {
    pub(crate) role: String,
    name: Option<String>,
    pub(crate) parts: Vec<ShownPart>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum ShownPart {
    Text {
        text: String,
    },
    Reasoning {
        text: String,
    },
    Refusal {
        text: String,
    },
    ToolCall {
        id: Option<String>,
        name: String,
        arguments: String,
        is_json: bool,
        result: Option<String>,
    },
    ToolResult {
        id: Option<String>,
        name: Option<String>,
        text: String,
        is_error: bool,
    },
    Image {
        media_type: Option<String>,
        bytes: u64,
        url: Option<String>,
        filename: Option<String>,
        src: Option<String>,
    },
    Audio {
        media_type: Option<String>,
        bytes: u64,
        filename: Option<String>,
        transcript: Option<String>,
    },
    File {
        media_type: Option<String>,
        bytes: u64,
        filename: Option<String>,
        url: Option<String>,
    },
    Json {
        label: String,
        text: String,
    },
}

/// Calls and results by their ids, of a whole transcript.
#[derive(Debug)]
pub(crate) struct Calls {
    names: HashMap<String, String>,
    results: HashMap<String, String>,
    /// The uploads of detached images, by file name.
    uploads: HashMap<String, u64>,
    /// How many bytes may still be shown.
    room: Cell<usize>,
}

impl Calls {
    pub(crate) fn new(uploads: HashMap<String, u64>) -> Self {
        Self { uploads, names: HashMap::new(), results: HashMap::new(), room: Cell::new(MOST_SHOWN) }
    }

    /// A text for display, as far as there is room.
    fn shown(&self, text: &str) -> String {
        let shown = shown(text, LONGEST.min(self.room.get()));
        self.room.set(self.room.get().saturating_sub(shown.len()));
        shown
    }

    pub(crate) fn add<'a>(&mut self, messages: impl Iterator<Item = &'a Message<'a>>) {
        for part in messages.flat_map(|message| &message.parts) {
            match part {
                Part::Call { id: Some(id), name, .. } if !self.names.contains_key(&**id) => {
                    self.names.insert(id.clone().into_owned(), label(name, 100));
                }
                Part::Result { id: Some(id), text, .. } if !self.results.contains_key(&**id) => {
                    self.results.insert(id.clone().into_owned(), shown(text, LONGEST_RESULT));
                }
                _ => {}
            }
        }
    }
}

/// Shows messages of one report.
#[derive(Clone, Copy)]
pub(crate) struct Shower<'c> {
    pub(crate) report: u64,
    pub(crate) calls: &'c Calls,
}

impl Shower<'_> {
    /// Messages of the exchange, of which `images` come before.
    pub(crate) fn messages<'a>(
        self,
        messages: impl IntoIterator<Item = &'a Message<'a>>,
        mut images: usize,
    ) -> Vec<ShownMessage> {
        let mut answered = HashSet::new();
        let show = |message: &'a Message<'a>| ShownMessage {
            role: label(&message.role, 60),
            name: message.name.as_ref().map(|name| label(name, 100)),
            parts: message.parts.iter().map(|part| self.part(part, &mut images, &mut answered)).collect(),
        };
        messages.into_iter().map(show).collect()
    }

    /// A part, with `images` before it. Only the first call with an id shows its result.
    fn part<'a>(self, part: &'a Part<'_>, images: &mut usize, answered: &mut HashSet<&'a str>) -> ShownPart {
        let text = |text: &str| self.calls.shown(text);
        match part {
            Part::Text(said) => ShownPart::Text { text: text(said) },
            Part::Reasoning(said) => ShownPart::Reasoning { text: text(said) },
            Part::Refusal(said) => ShownPart::Refusal { text: text(said) },
            Part::Call { id, name, arguments } => ShownPart::ToolCall {
                result: id
                    .as_deref()
                    .filter(|id| answered.insert(id))
                    .and_then(|id| Some(text(self.calls.results.get(id)?))),
                id: id.as_ref().map(|id| label(id, 200)),
                name: label(name, 200),
                arguments: text(arguments),
                is_json: Json::parse(arguments).is_ok(),
            },
            Part::Result { id, name, text: said, is_error } => ShownPart::ToolResult {
                name: name
                    .as_ref()
                    .map(|name| label(name, 200))
                    .or_else(|| self.calls.names.get(id.as_deref()?).cloned()),
                id: id.as_ref().map(|id| label(id, 200)),
                text: text(said),
                is_error: *is_error,
            },
            Part::Image(media) => {
                *images += 1;
                let has_data = media.data.is_some();
                ShownPart::Image {
                    media_type: name(&media.media_type),
                    bytes: media.bytes(),
                    url: name(&media.url),
                    filename: name(&media.filename),
                    src: has_data
                        .then(|| format!("/api/reports/{}/media/{}", self.report, *images - 1))
                        .or_else(|| {
                            let upload = self.calls.uploads.get(media.filename.as_deref()?)?;
                            Some(format!("/api/reports/{upload}/media/0"))
                        }),
                }
            }
            Part::Audio(media) => ShownPart::Audio {
                media_type: name(&media.media_type),
                bytes: media.bytes(),
                filename: name(&media.filename),
                transcript: media.transcript.as_deref().map(text),
            },
            Part::File(media) => ShownPart::File {
                media_type: name(&media.media_type),
                bytes: media.bytes(),
                filename: name(&media.filename),
                url: name(&media.url),
            },
            Part::Json { label: kind, json } => {
                ShownPart::Json { label: label(kind, 100), text: text(json.text()) }
            }
        }
    }
}

fn name(text: &Option<Cow<'_, str>>) -> Option<String> {
    text.as_deref().map(|text| label(head(text, 8000), 2000))
}

/// A text for display; its beginning if it is very long.
pub(super) fn shown(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return visible(text).into_owned();
    }
    let more = size((text.len() - longest) as u64);
    format!("{}… ({more} more, in the report as received)", visible(head(text, longest)))
}

/// How many images come before each message.
pub(crate) fn images_before(messages: &[Message<'_>]) -> Vec<usize> {
    let mut count = 0;
    let before = messages.iter().map(|message| {
        let here = count;
        count += message.parts.iter().filter(|part| matches!(part, Part::Image(_))).count();
        here
    });
    let mut before: Vec<_> = before.collect();
    before.push(count);
    before
}

/// An image of a report by its number, as counted by [`Shower`].
pub(crate) fn media<'e>(exchange: &'e Exchange<'_>, number: usize) -> Option<&'e Media<'e>> {
    let parts =
        exchange.messages.iter().chain(exchange.answers.iter().flatten()).flat_map(|message| &message.parts);
    let images = parts.filter_map(|part| match part {
        Part::Image(media) => Some(media),
        _ => None,
    });
    images.into_iter().nth(number)
}
