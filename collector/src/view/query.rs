//! The language of searches: terms that must all hold.

mod parse;

use std::fmt;

use crate::store::{Level, Summary, Words};
use crate::text::folded;

pub(crate) use self::parse::parse;

/// A search. Summaries decide on the terms, the store on the words.
#[derive(Debug, Default)]
pub(crate) struct Query {
    terms: Vec<(bool, Term)>,
    pub(crate) words: Words,
    /// Whether anything was asked for: nothing matches everything.
    pub(crate) is_empty: bool,
}

/// What is wrong with a search, and where: a position in characters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueryError {
    pub(crate) message: String,
    pub(crate) at: usize,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.at)
    }
}

#[derive(Debug)]
enum Term {
    Field(Field, Vec<Pattern>),
    Any(Vec<Term>),
    Is(&'static str),
    Has(String),
    Number(Number, Comparison, u64),
    After(u64),
    Before(u64),
    Everything,
}

#[derive(Debug)]
enum Field {
    User,
    Session,
    Model,
    Type,
    Format,
    Outcome,
    Finish,
    Tool,
    Status,
    Process,
    App,
    Key,
    Tag(String),
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Ttft,
    Duration,
    Tokens,
    In,
    Out,
    Bytes,
    Status,
    Attempts,
    Chunks,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    MoreOrEqual,
    More,
}

/// A text to be found in a field, or the whole of it if it was quoted.
#[derive(Debug)]
struct Pattern {
    text: String,
    is_exact: bool,
}

impl Pattern {
    fn is_in(&self, value: &str) -> bool {
        if self.is_exact { value == self.text } else { folded(value).contains(&self.text) }
    }
}

impl Query {
    /// Whether the terms hold, the words apart.
    pub(crate) fn matches(&self, row: &Summary) -> bool {
        self.terms.iter().all(|(is_wanted, term)| term.matches(row) == *is_wanted)
    }
}

impl Term {
    fn matches(&self, row: &Summary) -> bool {
        match self {
            Self::Field(field, patterns) => patterns.iter().any(|pattern| field.matches(row, pattern)),
            Self::Any(terms) => terms.iter().any(|term| term.matches(row)),
            Self::Is(name) => is(row, name),
            Self::Has(name) => match &**name {
                "problem" | "problems" => row.has_problem(),
                "error" => row.problems.iter().any(|problem| problem.level == Level::Error),
                name => {
                    row.has.iter().any(|has| has == name)
                        || row.problems.iter().any(|problem| problem.check == name)
                }
            },
            Self::Number(number, comparison, wanted) => {
                number.of(row).is_some_and(|value| match comparison {
                    Comparison::Less => value < *wanted,
                    Comparison::LessOrEqual => value <= *wanted,
                    Comparison::Equal => value == *wanted,
                    Comparison::MoreOrEqual => value >= *wanted,
                    Comparison::More => value > *wanted,
                })
            }
            Self::After(time) => row.time() >= *time,
            Self::Before(time) => row.time() < *time,
            Self::Everything => true,
        }
    }
}

fn is(row: &Summary, name: &str) -> bool {
    let outcome = row.outcome.as_deref().unwrap_or_default();
    match name {
        "failed" => row.is_failed(),
        "streamed" => row.streamed,
        "truncated" => row.truncated,
        "upload" => row.is_upload(),
        "faulted" => row.faulted > 0,
        "repeated" => row.attempts > 1,
        "anonymous" => row.user.is_none(),
        name => outcome == name,
    }
}

impl Field {
    fn matches(&self, row: &Summary, pattern: &Pattern) -> bool {
        let optional = |value: &Option<String>| value.as_deref().is_some_and(|value| pattern.is_in(value));
        match self {
            Self::User => row.user.as_ref().is_some_and(|user| {
                let others = [Some(&user.key), user.email.as_ref(), user.name.as_ref()];
                let others = others.into_iter().flatten();
                if pattern.is_exact {
                    user.key == pattern.text
                } else {
                    others.into_iter().any(|value| pattern.is_in(value))
                }
            }),
            Self::Session => optional(&row.session),
            Self::Model => optional(&row.model),
            Self::Type => pattern.is_in(&row.kind),
            Self::Format => pattern.is_in(&row.format),
            Self::Outcome => optional(&row.outcome),
            Self::Finish => optional(&row.finish),
            Self::Tool => row.tools.iter().any(|tool| pattern.is_in(tool)),
            Self::Status => row.status.is_some_and(|status| {
                let status = status.to_string();
                let class = pattern.text.strip_suffix("xx");
                class.map_or(status == pattern.text, |class| status.len() == 3 && status.starts_with(class))
            }),
            Self::Process => optional(&row.process),
            Self::App => pattern.is_in(&row.app),
            Self::Key => pattern.is_in(&row.key),
            Self::Tag(name) => row.tags.get(name).is_some_and(|value| pattern.is_in(value)),
        }
    }
}

impl Number {
    fn of(self, row: &Summary) -> Option<u64> {
        let tokens = &row.tokens;
        match self {
            Self::Ttft => row.ttft,
            Self::Duration => row.duration,
            Self::Tokens => match (tokens.asked, tokens.out) {
                (None, None) => None,
                (asked, out) => Some(asked.unwrap_or(0).saturating_add(out.unwrap_or(0))),
            },
            Self::In => tokens.asked,
            Self::Out => tokens.out,
            Self::Bytes => Some(row.bytes),
            Self::Status => row.status,
            Self::Attempts => Some(row.attempts),
            Self::Chunks => row.chunks,
        }
    }
}

#[cfg(test)]
mod tests;
