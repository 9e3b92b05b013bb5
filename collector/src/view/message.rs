//! Messages as one shape, whatever the provider.

use std::borrow::Cow;

use crate::json::Json;

/// A message of a request, or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) role: Cow<'a, str>,
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) parts: Vec<Part<'a>>,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(Cow<'a, str>),
    Reasoning(Cow<'a, str>),
    Refusal(Cow<'a, str>),
    Call {
        id: Option<Cow<'a, str>>,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
    },
    Result {
        id: Option<Cow<'a, str>>,
        name: Option<Cow<'a, str>>,
        text: Cow<'a, str>,
        is_error: bool,
    },
    Image(Media<'a>),
    Audio(Media<'a>),
    File(Media<'a>),
    /// Anything else, as it was sent.
    Json {
        label: Cow<'a, str>,
        json: Json<'a>,
    },
}

/// Data beside text: here, elsewhere, or detached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Media<'a> {
    pub(crate) media_type: Option<Cow<'a, str>>,
    /// In base64.
    pub(crate) data: Option<Cow<'a, str>>,
    pub(crate) url: Option<Cow<'a, str>>,
    pub(crate) filename: Option<Cow<'a, str>>,
    /// What a recording says.
    pub(crate) transcript: Option<Cow<'a, str>>,
}

impl<'a> Media<'a> {
    /// What a URL leads to, or holds.
    pub(crate) fn of_url(url: Cow<'a, str>) -> Self {
        if !url.starts_with("data:") {
            return Self { url: Some(url), ..Self::default() };
        }
        let head = crate::text::head(&url, 200);
        let comma = head.find(',').unwrap_or(0);
        let media_type =
            head.get(5..comma).and_then(|head| head.split(';').next()).unwrap_or_default().to_owned();
        let start = (comma + 1).min(url.len());
        let data = match url {
            Cow::Borrowed(url) => Cow::Borrowed(url.get(start..).unwrap_or_default()),
            Cow::Owned(mut url) => Cow::Owned(url.split_off(start)),
        };
        Self {
            media_type: Some(media_type.into()).filter(|text: &Cow<'_, str>| !text.is_empty()),
            data: Some(data),
            ..Self::default()
        }
    }

    /// The bytes that the base64 stands for.
    pub(crate) fn bytes(&self) -> u64 {
        let data = self.data.as_deref().unwrap_or_default().trim_end_matches('=');
        data.len() as u64 * 3 / 4
    }

    fn canonical(&self) -> &str {
        self.data.as_deref().or(self.url.as_deref()).or(self.filename.as_deref()).unwrap_or_default()
    }
}

impl<'a> Message<'a> {
    pub(crate) fn new(role: impl Into<Cow<'a, str>>, parts: Vec<Part<'a>>) -> Self {
        Self { role: role.into(), name: None, parts }
    }

    pub(crate) fn is_system(&self) -> bool {
        matches!(&*self.role, "system" | "developer")
    }

    /// What makes two messages the same one: an answer is resent without fields that mean nothing, and
    /// as a string or as parts. Reasoning is often not resent. Empty if there is nothing to compare.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        let mut is_text = false;
        for part in &self.parts {
            let was_text = std::mem::replace(&mut is_text, matches!(part, Part::Text(_)));
            let mark = if was_text && is_text { "" } else { part.mark() };
            match part {
                Part::Text(text) | Part::Refusal(text) => push(&mut out, mark, &[text]),
                Part::Reasoning(_) => is_text = was_text,
                Part::Call { id, name, arguments } => {
                    push(
                        &mut out,
                        mark,
                        &[id.as_deref().unwrap_or_default(), "\u{1}", name, "\u{1}", &compact(arguments)],
                    );
                }
                Part::Result { id, text, .. } => {
                    push(&mut out, mark, &[id.as_deref().unwrap_or_default(), "\u{1}", text])
                }
                Part::Image(media) | Part::Audio(media) | Part::File(media) => {
                    push(&mut out, mark, &[media.canonical()])
                }
                Part::Json { json, .. } => push(&mut out, mark, &[&compact(json.text())]),
            }
        }
        if out.is_empty() { out } else { format!("{}\u{0}{out}", self.role) }
    }

    /// The texts that a reader sees, in order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .flat_map(|part| match part {
                Part::Text(text) | Part::Reasoning(text) | Part::Refusal(text) => [Some(&**text), None],
                Part::Call { name, arguments, .. } => [Some(&**name), Some(&**arguments)],
                Part::Result { text, name, .. } => [name.as_deref(), Some(&**text)],
                Part::Image(media) | Part::Audio(media) | Part::File(media) => {
                    [media.transcript.as_deref(), media.filename.as_deref().or(media.url.as_deref())]
                }
                Part::Json { label, .. } => [Some(&**label), None],
            })
            .flatten()
    }

    /// The text without calls and reasoning, for a line.
    pub(crate) fn plain(&self) -> String {
        let said = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) | Part::Refusal(text) => Some(&**text),
            Part::Result { text, .. } => Some(&**text),
            Part::Audio(media) => media.transcript.as_deref(),
            _ => None,
        });
        said.collect::<Vec<_>>().join(" ")
    }
}

impl Part<'_> {
    fn mark(&self) -> &'static str {
        match self {
            Self::Text(_) => "\u{0}t",
            Self::Reasoning(_) => "",
            Self::Refusal(_) => "\u{0}r",
            Self::Call { .. } => "\u{0}c",
            Self::Result { .. } => "\u{0}o",
            Self::Image(_) => "\u{0}i",
            Self::Audio(_) => "\u{0}a",
            Self::File(_) => "\u{0}f",
            Self::Json { .. } => "\u{0}j",
        }
    }
}

fn push(out: &mut String, mark: &str, texts: &[&str]) {
    out.push_str(mark);
    texts.iter().for_each(|text| out.push_str(text));
}

/// JSON without the white space between its tokens.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut is_inside, mut is_escaped) = (false, false);
    for letter in json.chars() {
        if is_inside {
            is_inside = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else if letter == '"' {
            is_inside = true;
        } else if letter.is_ascii_whitespace() {
            continue;
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_equals_what_an_sdk_resends_of_it() {
        let answer = Message::new(
            "assistant",
            vec![Part::Reasoning("hm".into()), Part::Text("Rain, ".into()), Part::Text("sun".into())],
        );
        let resent = Message::new("assistant", vec![Part::Text("Rain, sun".into())]);
        assert_eq!(answer.canonical(), resent.canonical());
        let call = |arguments: &'static str| {
            Message::new(
                "assistant",
                vec![Part::Call { id: None, name: "f".into(), arguments: arguments.into() }],
            )
            .canonical()
        };
        assert_eq!(call(r#"{"a": "b c\" d"}"#), call(r#"{"a":"b c\" d"}"#));
        assert_ne!(call(r#"{"a":"b c"}"#), call(r#"{"a":"bc"}"#));
        assert_eq!(Message::new("assistant", vec![Part::Reasoning("hm".into())]).canonical(), "");
    }

    #[test]
    fn a_data_url_is_read_as_data() {
        let media = Media::of_url("data:image/png;base64,iVBORw0KGgo=".into());
        assert_eq!(
            (media.media_type.as_deref(), media.data.as_deref(), media.bytes()),
            (Some("image/png"), Some("iVBORw0KGgo="), 8)
        );
        assert_eq!(Media::of_url("https://x/y.png".into()).url.as_deref(), Some("https://x/y.png"));
        assert_eq!(Media::of_url("data:".into()).bytes(), 3);
    }
}
