//! Single settings, and what each may hold.

use super::options::{IdentityHeaders, Media, Responses};
use super::spool::Spooling;
use crate::error::{Error, Kind};
use crate::provider::operation::Endpoint;

/// A value and where it was set, so that an error can name the variable or the setter.
#[derive(Clone)]
pub(super) struct Setting<T> {
    pub(super) name: &'static str,
    pub(super) value: Option<T>,
}

/// A number from code, or text from a variable that should be one.
#[derive(Clone)]
pub(super) enum Number {
    Value(u32),
    Text(String),
}

/// A part of a whole from code, or text from a variable that should be one.
#[derive(Clone)]
pub(super) enum Part {
    Value(f64),
    Text(String),
}

/// A switch from code, or text from a variable that should be one.
#[derive(Clone)]
pub(super) enum Flag {
    Value(bool),
    Text(String),
}

/// One of several ways, from code, or as a word from a variable.
#[derive(Clone)]
pub(super) enum Choice<T> {
    Value(T),
    Text(String),
}

/// The ways to choose from, by the words for them.
pub(super) trait Ways: Copy + Default + 'static {
    const ALL: &'static [(&'static str, Self)];
    const HINT: &'static str;
}

impl Ways for Responses {
    const ALL: &'static [(&'static str, Self)] =
        &[("chat", Self::Chat), ("verbatim", Self::Verbatim), ("off", Self::Off)];
    const HINT: &'static str = "use chat, verbatim or off";
}

impl Ways for IdentityHeaders {
    const ALL: &'static [(&'static str, Self)] =
        &[("ignore", Self::Ignore), ("read", Self::Read), ("take", Self::Take)];
    const HINT: &'static str = "use ignore, read or take";
}

impl Ways for Media {
    const ALL: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("elide", Self::Elide)];
    const HINT: &'static str = "use keep or elide";
}

impl Ways for Spooling {
    const ALL: &'static [(&'static str, Self)] =
        &[("when-needed", Self::WhenNeeded), ("always", Self::Always)];
    const HINT: &'static str = "use when-needed or always";
}

/// The endpoints that are captured, from code, or as a list from a variable.
#[derive(Clone)]
pub(super) enum Captured {
    Value(Vec<Endpoint>),
    Text(String),
}

impl Setting<Captured> {
    pub(super) fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let list = match &self.value {
            None => return Ok(Endpoint::DEFAULT.to_vec()),
            Some(Captured::Value(endpoints)) => return Ok(endpoints.clone()),
            Some(Captured::Text(list)) => list,
        };
        if list.trim().eq_ignore_ascii_case("all") {
            return Ok(Endpoint::ALL.to_vec());
        }
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let endpoints: Vec<_> = names.map(|name| self.endpoint(name)).collect::<Result<_, _>>()?;
        if endpoints.is_empty() { self.endpoint("").map(|endpoint| vec![endpoint]) } else { Ok(endpoints) }
    }

    fn endpoint(&self, name: &str) -> Result<Endpoint, Error> {
        let known = Endpoint::ALL.into_iter().find(|endpoint| endpoint.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| {
            let names: Vec<_> = Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
            Error::from(Kind::Invalid {
                setting: self.name.into(),
                value: format!("a list with {name:?}"),
                problem: format!("which is none of {}", names.join(", ")).into(),
                hint: "name endpoints that are known, with commas between them, or use all",
            })
        })
    }
}

impl<T: Ways> Setting<Choice<T>> {
    pub(super) fn choice(&self) -> Result<T, Error> {
        let text = match &self.value {
            None => return Ok(T::default()),
            Some(Choice::Value(way)) => return Ok(*way),
            Some(Choice::Text(text)) => text,
        };
        let way = T::ALL.iter().find(|(word, _)| text.trim().eq_ignore_ascii_case(word));
        way.map(|(_, way)| *way).ok_or_else(|| {
            Error::from(Kind::Invalid {
                setting: self.name.into(),
                value: format!("{text:?}"),
                problem: "which is none of the ways".into(),
                hint: T::HINT,
            })
        })
    }
}

impl Setting<String> {
    pub(super) fn key(&self, hint: &'static str) -> Result<secrecy::SecretString, Error> {
        let setting = self.name.into();
        match self.value.as_deref() {
            None => Err(Kind::Missing { setting, hint: KEY_HINT }.into()),
            Some(key) if key.trim().is_empty() => Err(Kind::Empty { setting, hint }.into()),
            Some(key) if key.trim() != key || key.contains(char::is_control) => Err(Kind::Invalid {
                setting,
                value: "a key (not shown)".to_owned(),
                problem: "with white space at an end, or control characters".into(),
                hint: "remove them; a line end copied from a file is the usual cause",
            }
            .into()),
            Some(key) => Ok(key.into()),
        }
    }
}

const KEY_HINT: &str = "set it to the key that the Reconify console shows, or disable the layer";

impl Setting<Number> {
    pub(super) fn minutes(&self) -> Result<Option<u32>, Error> {
        let (minutes, text) = match &self.value {
            None => return Ok(None),
            Some(Number::Value(minutes)) => (Some(*minutes), minutes.to_string()),
            Some(Number::Text(text)) => (text.trim().parse().ok(), format!("{text:?}")),
        };
        match minutes {
            Some(minutes) if minutes > 0 => Ok(Some(minutes)),
            _ => Err(Kind::Invalid {
                setting: self.name.into(),
                value: text,
                problem: "which is not a number of minutes".into(),
                hint: "use a whole number from 1, such as 10",
            }
            .into()),
        }
    }
}

impl Setting<Part> {
    pub(super) fn part(&self) -> Result<f64, Error> {
        let (part, text) = match &self.value {
            None => return Ok(1.0),
            Some(Part::Value(part)) => (Some(*part), part.to_string()),
            Some(Part::Text(text)) => (text.trim().parse().ok(), format!("{text:?}")),
        };
        part.filter(|part| (0.0..=1.0).contains(part)).ok_or_else(|| {
            Error::from(Kind::Invalid {
                setting: self.name.into(),
                value: text,
                problem: "which is no part of a whole".into(),
                hint: "use a number from 0 to 1, such as 0.1 for a tenth",
            })
        })
    }
}

impl Setting<Flag> {
    pub(super) fn flag(&self) -> Result<bool, Error> {
        self.flag_or(false)
    }

    pub(super) fn flag_or(&self, default: bool) -> Result<bool, Error> {
        match &self.value {
            None => Ok(default),
            Some(Flag::Value(flag)) => Ok(*flag),
            Some(Flag::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(true),
                "0" | "false" | "no" | "off" => Ok(false),
                _ => Err(Kind::Invalid {
                    setting: self.name.into(),
                    value: format!("{text:?}"),
                    problem: "which is neither on nor off".into(),
                    hint: "use 1 or 0",
                }
                .into()),
            },
        }
    }
}
