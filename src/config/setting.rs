//! A single setting, and the problem that a value can have.

use std::borrow::Cow;

use crate::error::{Error, Kind};

/// A value, or the problem with the value that was given. The problem waits for `build`, which reports the
/// first one.
#[derive(Clone)]
pub(super) struct Setting<T> {
    /// The setter or the variable that an error names.
    pub(super) name: &'static str,
    value: Result<T, Problem>,
}

impl<T> Setting<T> {
    pub(super) fn new(name: &'static str, value: T) -> Self {
        Self { name, value: Ok(value) }
    }

    pub(super) fn parsed(name: &'static str, value: Result<T, Problem>) -> Self {
        Self { name, value }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self.value, Err(Problem::Missing { .. }))
    }

    pub(super) fn get(self) -> Result<T, Error> {
        self.value.map_err(|problem| problem.with(self.name))
    }
}

/// Why a value cannot be used. It can be cloned with its builder, which an [`Error`] cannot.
#[derive(Clone)]
pub(super) enum Problem {
    Missing { hint: &'static str },
    Empty { hint: &'static str },
    Invalid { value: String, problem: Cow<'static, str>, hint: &'static str },
}

impl Problem {
    /// The error that names the setting.
    pub(super) fn with(self, setting: &'static str) -> Error {
        let setting = setting.into();
        match self {
            Self::Missing { hint } => Kind::Missing { setting, hint },
            Self::Empty { hint } => Kind::Empty { setting, hint },
            Self::Invalid { value, problem, hint } => Kind::Invalid { setting, value, problem, hint },
        }
        .into()
    }
}
