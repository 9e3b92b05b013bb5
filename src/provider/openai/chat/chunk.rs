use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Values};

/// The data of one event of a stream.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// The name of the event. It is often empty.
    name: &'a [u8],
    data: &'a [u8],
    pub(crate) fields: Entries<'a>,
}

/// The choices of a chunk.
#[derive(Debug)]
pub(crate) enum Choices<'a> {
    One(Piece<'a>),
    /// Any other list. There may be many choices, so each is parsed only when it is added.
    Others(Values<'a>),
    /// Malformed, or too many.
    Unreadable,
    /// Not a list, or a list whose only element is not a choice.
    None,
}

/// The part of a chunk that belongs to one choice.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) fields: Entries<'a>,
    /// The first delta, if it is an object.
    pub(crate) delta: Option<Entries<'a>>,
}

impl<'a> Chunk<'a> {
    /// `None` if the data is not an object.
    pub(crate) fn of(name: &'a [u8], data: &'a [u8]) -> Option<Self> {
        Some(Self { name, data, fields: json::parse_object(data)? })
    }

    /// The data as one value.
    pub(crate) fn whole(&self) -> Option<&'a RawValue> {
        json::parse(self.data)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        json::field(&self.fields, name)
    }

    /// The `type` of the data, or else the name of the event.
    pub(crate) fn kind(&self) -> &'a [u8] {
        self.get("type").and_then(json::text).map_or(self.name, str::as_bytes)
    }

    /// The first field named `choices`. The choices of further fields of that name are added to it.
    pub(crate) fn choices(&self) -> Option<Choices<'a>> {
        self.fields.iter().find(|(key, _)| key == "choices").map(|(_, raw)| Choices::of(raw))
    }

    /// The error in a field of that name.
    fn inner_error(&self) -> Option<&'a RawValue> {
        self.get("error").filter(|error| !json::is_null(error))
    }

    /// Whether the whole chunk is an error.
    pub(crate) fn is_error(&self) -> bool {
        let is_object = || self.get("object").and_then(json::text) == Some("error");
        self.inner_error().is_none()
            && (self.kind() == b"error" || is_object())
            && self.get("choices").is_none()
    }

    /// The error: a field of that name, or the whole chunk.
    pub(crate) fn error(&self) -> Option<&'a RawValue> {
        if self.is_error() { json::parse(self.data) } else { self.inner_error() }
    }
}

impl<'a> Choices<'a> {
    pub(crate) fn of(raw: &'a RawValue) -> Self {
        match json::array(raw) {
            Some(choices) => match &*choices {
                [choice] => Piece::of(choice).map_or(Self::None, Self::One),
                _ => Self::Others(choices),
            },
            None if raw.get().starts_with('[') => Self::Unreadable,
            None => Self::None,
        }
    }
}

impl<'a> Piece<'a> {
    /// `None` if the choice is not an object.
    pub(crate) fn of(choice: &'a RawValue) -> Option<Self> {
        let fields = json::object(choice)?;
        let delta = fields.iter().find(|(key, _)| key == "delta").and_then(|(_, raw)| json::object(raw));
        Some(Self { fields, delta })
    }

    pub(crate) fn index(&self) -> &'a str {
        let index = json::field(&self.fields, "index").map_or("0", RawValue::get);
        if index == "null" { "0" } else { index }
    }
}
