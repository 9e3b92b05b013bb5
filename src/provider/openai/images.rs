//! Images: detaches their data from responses, and assembles their streams.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memmem;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::chat::chunk::Chunk;
use crate::codec::json::{self, Fields, Node, Nodes};
use crate::id::new_id;
use crate::provider::media::{self, Medium};
use crate::provider::openai::event;
use crate::provider::operation::Operation;
use crate::provider::spec::Detached;
use crate::provider::stream::{Progress, StreamAssembler};
use crate::provider::{DetachedImage, Images};

/// The maximum number of detached images per response. OpenAI makes at most ten. Further images
/// stay in the report, because each upload is one POST to the collector.
const MOST_IMAGES: usize = 128;

/// The elements in the response of an image operation. These operations are not captured if images
/// are not tracked.
pub(crate) const ELEMENTS: Images = Images { may_hold: |_| true, detach, elide: |json| json };

/// Images from a tool of the Responses API.
pub(crate) const GENERATED: Images =
    Images { may_hold: media::may_have_generated, detach: detach_generated, elide: elide_generated };

/// Images in the message of a chat.
pub(crate) const IN_CHATS: Images =
    Images { may_hold: may_be_in_chat, detach: detach_from_chat, elide: elide_from_chat };

/// Replaces each element of `data` that contains an image with a file name, as the vendor's modules
/// do: `{uuid}-{created}-{index}.png`, or the extension of another format.
fn detach(json: Box<RawValue>, today: SystemTime) -> Detached {
    let mut images = Vec::new();
    let text = without_images(&json, today, &mut images);
    replaced(json, text, images)
}

/// The text in place of the response, and its images; the response unchanged if there is no text.
fn replaced(json: Box<RawValue>, text: Option<String>, images: Vec<DetachedImage>) -> Detached {
    match text.and_then(|text| RawValue::from_string(text).ok()) {
        Some(text) => (text, images),
        None => (json, Vec::new()),
    }
}

/// The response with file names; `None` if no image is replaced.
fn without_images(json: &RawValue, today: SystemTime, images: &mut Vec<DetachedImage>) -> Option<String> {
    let fields = json::object(json)?;
    let get = |name| json::field(&fields, name);
    let elements = get("data").and_then(json::array)?;
    let (uuid, created) = (new_id(), created(get("created"), today));
    let format = get("output_format").and_then(json::text);
    let mut data = Nodes::default();
    for (index, element) in elements.into_iter().enumerate() {
        match data_of(element) {
            Some(base64) if images.len() < MOST_IMAGES => {
                let filename = filename(uuid, created, index, extension(format, base64));
                data.push(Node::string(&filename));
                images.push(DetachedImage { filename, element: element.to_owned() });
            }
            _ => data.push(Node::Raw(element)),
        }
    }
    if images.is_empty() {
        return None;
    }
    let mut answer = Fields::of(fields);
    answer.set("data", Node::Array(data));
    Some(answer.to_json())
}

/// Detaches the images of a Responses API response: file names replace their `result`.
fn detach_generated(json: Box<RawValue>, today: SystemTime) -> Detached {
    detach_those(json, today, |medium| medium.is_generated)
}

/// Replaces the images of a Responses API response with their type and length.
fn elide_generated(json: Box<RawValue>) -> Box<RawValue> {
    media::elide_those(json, |medium| medium.is_generated)
}

/// Detaches the images of a chat response: file names replace their URLs.
fn detach_from_chat(json: Box<RawValue>, today: SystemTime) -> Detached {
    detach_those(json, today, is_image)
}

/// Replaces the images of a chat response with their type and length.
fn elide_from_chat(json: Box<RawValue>) -> Box<RawValue> {
    media::elide_those(json, is_image)
}

/// A quick check: most chat responses have no images.
fn may_be_in_chat(json: &[u8]) -> bool {
    // One search for the letters that both marks share: this looks at every answer.
    memmem::find_iter(json, b"64").any(|at| {
        let (before, after) = (json.get(..at).unwrap_or_default(), json.get(at + 2..).unwrap_or_default());
        before.ends_with(b"base") || before.ends_with(b"b") && after.starts_with(b"_json")
    })
}

fn is_image(medium: &Medium<'_>) -> bool {
    medium.kind.starts_with("image")
}

fn detach_those(json: Box<RawValue>, today: SystemTime, is_meant: impl Fn(&Medium<'_>) -> bool) -> Detached {
    let mut images = Vec::new();
    let fields = json::object(&json).unwrap_or_default();
    let said = json::field(&fields, "created").or_else(|| json::field(&fields, "created_at"));
    let (uuid, created) = (new_id(), created(said, today));
    let text = json.get();
    let places = media::find(text).into_iter().filter(|medium| is_meant(medium)).take(MOST_IMAGES);
    let places = places.enumerate().filter_map(|(index, medium)| {
        let data = medium.data(text);
        let filename = filename(uuid, created, index, extension(None, &data));
        let mut element = Fields::default();
        element.set("b64_json", Node::string(&data));
        let element = RawValue::from_string(element.to_json()).ok()?;
        images.push(DetachedImage { filename: filename.clone(), element });
        Some((medium.place, filename))
    });
    let text = media::replace(text, places);
    replaced(json, text, images)
}

fn filename(uuid: Uuid, created: u64, index: usize, extension: &str) -> String {
    format!("{uuid}-{created}-{index}.{extension}")
}

/// The extension of an image: from the format named in the response, else from the magic number.
fn extension(format: Option<&str>, base64: &str) -> &'static str {
    match format {
        Some("png") => "png",
        Some("jpeg" | "jpg") => "jpeg",
        Some("webp") => "webp",
        Some("gif") => "gif",
        // The magic numbers in base64: FF D8 FF, GIF8, and RIFF with WEBP after the length.
        _ if base64.starts_with("/9j/") || base64.starts_with("_9j_") => "jpeg",
        _ if base64.starts_with("R0lGOD") => "gif",
        _ if base64.starts_with("UklGR") && base64.get(11..16) == Some("XRUJQ") => "webp",
        _ => "png",
    }
}

/// The creation time in Unix seconds: from the response, else from the clock.
fn created(said: Option<&RawValue>, today: SystemTime) -> u64 {
    let said = said.and_then(|raw| raw.get().parse().ok());
    said.unwrap_or_else(|| today.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// The base64 data of an element, if it has any.
fn data_of(element: &RawValue) -> Option<&str> {
    let data = json::field(&json::object(element)?, "b64_json").filter(|data| !json::is_blank(data))?;
    let text = json::text(data).unwrap_or_default();
    // Skips the head of a `data:` URL.
    Some(text.rsplit_once(',').map_or(text, |(_, base64)| base64))
}

/// Assembles a stream of images into the object that the unstreamed call would have returned.
#[derive(Debug, Default)]
pub(crate) struct ImageAssembler<'a> {
    top: Fields<'a>,
    images: Nodes<'a>,
    /// The latest preview, which is used if no final image arrives.
    partial: Option<Node<'a>>,
}

impl<'a> ImageAssembler<'a> {
    fn add(&mut self, event: Chunk<'a>, progress: &mut Progress) {
        let kind = event.kind();
        if let Some(error) = event.error() {
            self.top.set("error", Node::Raw(error));
        } else if kind.ends_with(b".completed") {
            progress.is_done = true;
            progress.has_token = true;
            self.images.extend(image(&event.fields));
            for (key, raw) in event.fields {
                match &*key {
                    "type" | "b64_json" | "url" | "revised_prompt" => {}
                    "created_at" => self.top.set("created", Node::Raw(raw)),
                    _ => self.top.set(key, Node::Raw(raw)),
                }
            }
        } else if kind.ends_with(b".partial_image") {
            progress.has_token = true;
            self.partial = image(&event.fields);
        } else if let Some(elements) = event.get("data").and_then(json::array) {
            // Some servers send the whole response as one event.
            progress.is_done = true;
            progress.has_token = true;
            self.images.extend(elements.into_iter().map(Node::Raw));
            for (key, raw) in event.fields {
                if key != "data" {
                    self.top.set(key, Node::Raw(raw));
                }
            }
        }
    }
}

impl<'a> StreamAssembler<'a> for ImageAssembler<'a> {
    fn push(&mut self, name: &'a [u8], data: &'a [u8], progress: &mut Progress) -> bool {
        event::read(name, data, progress).map(|chunk| self.add(chunk, progress)).is_some()
    }

    fn mark_truncated(&mut self, mark: Node<'a>) {
        self.top.set("truncated", mark);
    }

    fn finish(mut self, _: Operation, _: &mut Progress) -> String {
        if self.images.is_empty() {
            self.images.extend(self.partial);
        }
        self.top.set("data", Node::Array(self.images));
        self.top.to_json()
    }
}

/// The element of `data` for an event.
fn image<'a>(event: &[(Cow<'a, str>, &'a RawValue)]) -> Option<Node<'a>> {
    let mut element = Fields::default();
    for (key, raw) in event {
        if matches!(&**key, "b64_json" | "url" | "revised_prompt") {
            element.set(key.clone(), Node::Raw(raw));
        }
    }
    (element.contains("b64_json") || element.contains("url")).then_some(Node::Object(element))
}
