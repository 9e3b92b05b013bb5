//! What each setting may hold, in code and as text in an environment variable.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::options::{IdentityHeaders, Media, Responses};
use super::setting::Problem;
use super::spool::Spooling;
use crate::error::Error;
use crate::identity::whole_minutes;
use crate::provider::operation::{Operation, Provider};

pub(super) const APP_KEY_HINT: &str = "the application's key from the Reconify console";
pub(super) const API_KEY_HINT: &str = "the API key from the Reconify console";

pub(super) fn key(text: Option<&str>, hint: &'static str) -> Result<SecretString, Problem> {
    match text {
        None => Err(Problem::Missing {
            hint: "set it to the key that the Reconify console shows; a local collector takes any. RECONIFY_DISABLED=1 turns reporting off",
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
    match text.trim().parse() {
        Ok(minutes @ 1..) => Ok(Some(minutes)),
        _ => Err(Problem::Invalid {
            value: format!("{text:?}"),
            problem: "which is not a number of minutes".into(),
            hint: "use a whole number from 1, such as 10",
        }),
    }
}

pub(super) fn checked_timeout(timeout: Duration) -> Result<Option<u32>, Problem> {
    whole_minutes(timeout).map(Some).ok_or_else(|| Problem::Invalid {
        value: format!("{timeout:?}"),
        problem: "after which every session has ended".into(),
        hint: "use a minute or more",
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
        problem: "which is not a rate".into(),
        hint: "use a number from 0 to 1, such as 0.1 for a tenth",
    })
}

/// Parses the name of an enum's variant, in any case.
fn named<T: Copy + fmt::Display>(text: &str, all: &[T]) -> Result<T, Problem> {
    let names: Vec<_> = all.iter().map(T::to_string).collect();
    let found = all.iter().zip(&names).find(|(_, name)| text.trim().eq_ignore_ascii_case(name));
    found.map(|(value, _)| *value).ok_or_else(|| Problem::Invalid {
        value: format!("{text:?}"),
        problem: format!("which is none of {}", names.join(", ")).into(),
        hint: "use one of these names",
    })
}

/// Lets the settings with names be parsed from text.
macro_rules! parsed {
    ($($type:ident $setting:literal),+) => {
        $(
            impl $type {
                pub(super) fn parse(text: &str) -> Result<Self, Problem> {
                    named(text, Self::ALL)
                }
            }

            /// Parses the name, in any case. The error lists the known names.
            impl FromStr for $type {
                type Err = Error;

                fn from_str(text: &str) -> Result<Self, Error> {
                    Self::parse(text).map_err(|problem| problem.with($setting))
                }
            }
        )+
    };
}

parsed!(Responses "responses", IdentityHeaders "identity_headers", Media "media", Spooling "spooling");

/// Parses the names of the operations to capture. The name of a provider stands for those of its
/// operations that are captured by default.
pub(super) fn operations(list: &str) -> Result<Option<Vec<Operation>>, Problem> {
    if list.trim().eq_ignore_ascii_case("all") {
        return Ok(Some(Operation::ALL.to_vec()));
    }
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut operations = Vec::new();
    for name in names {
        let provider = Provider::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        let operation = Operation::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        match (provider, operation) {
            (Some(provider), _) => operations.extend(provider.operations()),
            (None, Some(operation)) => operations.push(*operation),
            (None, None) => return Err(unknown_operation(name)),
        }
    }
    // An empty list is a mistake: to capture nothing, an application disables the layer.
    if operations.is_empty() { Err(unknown_operation("")) } else { Ok(Some(operations)) }
}

fn unknown_operation(name: &str) -> Problem {
    let providers = Provider::ALL.iter().map(|provider| provider.as_str());
    let names: Vec<_> = providers.chain(Operation::ALL.iter().map(|operation| operation.as_str())).collect();
    Problem::Invalid {
        value: format!("{name:?}"),
        problem: format!("which is none of all, {}", names.join(", ")).into(),
        hint: "use names of providers and operations, with commas between them",
    }
}

pub(super) fn folder(path: OsString) -> Result<PathBuf, Problem> {
    if path.is_empty() {
        return Err(Problem::Empty { hint: "name a folder" });
    }
    if path.as_encoded_bytes().contains(&0) {
        return Err(Problem::Invalid {
            value: format!("{path:?}"),
            problem: "which is not a path".into(),
            hint: "name a folder on a disk of this machine",
        });
    }
    Ok(path.into())
}
