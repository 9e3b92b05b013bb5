use serde_json::value::RawValue;

use crate::codec::json::{self, Entries, Values};

/// The data of one event of a stream.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// What the event calls itself; often nothing.
    name: &'a [u8],
    data: &'a [u8],
    pub(crate) fields: Entries<'a>,
}

/// What a chunk says of its choices.
#[derive(Debug)]
pub(crate) enum Choices<'a> {
    One(Piece<'a>),
    /// Anything else: each is taken apart when it is its turn, as there may be many.
    Others(Values<'a>),
    /// More than can be meant.
    Unreadable,
    /// No list, or one of one thing that is no choice.
    None,
}

/// What a chunk says of one choice.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) fields: Entries<'a>,
    /// Its first delta, if that is an object.
    pub(crate) delta: Option<Entries<'a>>,
}

impl<'a> Chunk<'a> {
    /// `None` for what is no object.
    pub(crate) fn of(name: &'a [u8], data: &'a [u8]) -> Option<Self> {
        Some(Self { name, data, fields: json::parse_object(data)? })
    }

    /// All of it, as one value.
    pub(crate) fn whole(&self) -> Option<&'a RawValue> {
        json::parse(self.data)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw)
    }

    /// What the data calls itself, or else the event.
    pub(crate) fn kind(&self) -> &'a [u8] {
        self.get("type").and_then(json::text).map_or(self.name, str::as_bytes)
    }

    /// What its first list of choices says.
    pub(crate) fn choices(&self) -> Option<Choices<'a>> {
        self.get("choices").map(Choices::of)
    }

    /// The error that it carries, in a field of that name.
    fn inner_error(&self) -> Option<&'a RawValue> {
        self.get("error").filter(|error| !json::is_null(error))
    }

    /// Whether it is an error as a whole.
    pub(crate) fn is_error(&self) -> bool {
        self.inner_error().is_none() && self.kind() == b"error" && self.get("choices").is_none()
    }

    /// The error that it carries: in a field of that name, or as a whole.
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
    /// `None` for what is no object.
    pub(crate) fn of(choice: &'a RawValue) -> Option<Self> {
        let fields = json::object(choice)?;
        let delta = fields.iter().find(|(key, _)| key == "delta").and_then(|(_, raw)| json::object(raw));
        Some(Self { fields, delta })
    }

    /// The index of its choice.
    pub(crate) fn index(&self) -> &'a str {
        let index = self.fields.iter().find(|(key, _)| key == "index").map_or("0", |(_, raw)| raw.get());
        if index == "null" { "0" } else { index }
    }
}
