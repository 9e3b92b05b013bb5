//! What each setting may hold, in code and as text in an environment variable.

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;

use super::options::{IdentityHeaders, Media, Responses};
use super::setting::Problem;
use super::spool::Spooling;
use crate::provider::operation::Operation;

pub(super) const APP_KEY_HINT: &str = "the application's key from the Reconify console";
pub(super) const API_KEY_HINT: &str = "the API key from the Reconify console";

pub(super) fn key(text: Option<&str>, hint: &'static str) -> Result<SecretString, Problem> {
    match text {
        None => Err(Problem::Missing {
            hint: "set it to the key that the Reconify console shows, or disable the layer",
        }),
        Some(key) if key.trim().is_empty() => Err(Problem::Empty { hint }),
        Some(key) if key.trim() != key || key.contains(char::is_control) => Err(Problem::Invalid {
            value: "a key (not shown)".to_owned(),
            problem: "with white space at an end, or control characters".into(),
            hint: "remove them; a line end copied from a file is the usual cause",
        }),
        Some(key) => Ok(key.into()),
    }
}

pub(super) fn flag(text: &str) -> Result<bool, Problem> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Problem::Invalid {
            value: format!("{text:?}"),
            problem: "which is neither on nor off".into(),
            hint: "use 1 or 0",
        }),
    }
}

pub(super) fn minutes(text: &str) -> Result<Option<u32>, Problem> {
    check_minutes(text.trim().parse().ok(), || format!("{text:?}"))
}

pub(super) fn checked_minutes(minutes: u32) -> Result<Option<u32>, Problem> {
    check_minutes(Some(minutes), || minutes.to_string())
}

fn check_minutes(minutes: Option<u32>, shown: impl Fn() -> String) -> Result<Option<u32>, Problem> {
    if matches!(minutes, Some(1..)) {
        return Ok(minutes);
    }
    Err(Problem::Invalid {
        value: shown(),
        problem: "which is not a number of minutes".into(),
        hint: "use a whole number from 1, such as 10",
    })
}

pub(super) fn rate(text: &str) -> Result<f64, Problem> {
    check_rate(text.trim().parse().ok(), || format!("{text:?}"))
}

pub(super) fn checked_rate(rate: f64) -> Result<f64, Problem> {
    check_rate(Some(rate), || rate.to_string())
}

fn check_rate(rate: Option<f64>, shown: impl Fn() -> String) -> Result<f64, Problem> {
    rate.filter(|rate| (0.0..=1.0).contains(rate)).ok_or_else(|| Problem::Invalid {
        value: shown(),
        problem: "which is no part of a whole".into(),
        hint: "use a number from 0 to 1, such as 0.1 for a tenth",
    })
}

/// An enum whose variants have words in the environment variables.
pub(super) trait Choice: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
    const HINT: &'static str;
}

impl Choice for Responses {
    const WORDS: &'static [(&'static str, Self)] =
        &[("chat", Self::Chat), ("verbatim", Self::Verbatim), ("off", Self::Off)];
    const HINT: &'static str = "use chat, verbatim or off";
}

impl Choice for IdentityHeaders {
    const WORDS: &'static [(&'static str, Self)] =
        &[("ignore", Self::Ignore), ("read", Self::Read), ("take", Self::Take)];
    const HINT: &'static str = "use ignore, read or take";
}

impl Choice for Media {
    const WORDS: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("elide", Self::Elide)];
    const HINT: &'static str = "use keep or elide";
}

impl Choice for Spooling {
    const WORDS: &'static [(&'static str, Self)] =
        &[("when-needed", Self::WhenNeeded), ("always", Self::Always)];
    const HINT: &'static str = "use when-needed or always";
}

pub(super) fn choice<T: Choice>(text: &str) -> Result<T, Problem> {
    let found = T::WORDS.iter().find(|(word, _)| text.trim().eq_ignore_ascii_case(word));
    found.map(|(_, choice)| *choice).ok_or_else(|| Problem::Invalid {
        value: format!("{text:?}"),
        problem: "which is none of the ways".into(),
        hint: T::HINT,
    })
}

/// Parses the names of the endpoints to capture.
pub(super) fn operations(list: &str) -> Result<Vec<Operation>, Problem> {
    if list.trim().eq_ignore_ascii_case("all") {
        return Ok(Operation::ALL.to_vec());
    }
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let operations: Vec<_> = names.map(parse_endpoint).collect::<Result<_, _>>()?;
    // An empty list is a mistake: to capture nothing, an application disables the layer.
    if operations.is_empty() { parse_endpoint("").map(|endpoint| vec![endpoint]) } else { Ok(operations) }
}

fn parse_endpoint(name: &str) -> Result<Operation, Problem> {
    name.parse().map_err(|_| {
        let names: Vec<_> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
        Problem::Invalid {
            value: format!("a list with {name:?}"),
            problem: format!("which is none of {}", names.join(", ")).into(),
            hint: "name operations that are known, with commas between them, or use all",
        }
    })
}

pub(super) fn folder(path: OsString) -> Result<PathBuf, Problem> {
    if path.is_empty() {
        return Err(Problem::Empty { hint: "name a folder" });
    }
    if path.as_encoded_bytes().contains(&0) {
        return Err(Problem::Invalid {
            value: format!("{path:?}"),
            problem: "which is no path".into(),
            hint: "name a folder on a disk of this machine",
        });
    }
    Ok(path.into())
}
