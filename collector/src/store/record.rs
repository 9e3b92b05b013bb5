//! What is kept of a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::wire::Field;

/// Tokens as reported; `None` where nothing was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Of the request, those from a cache included.
    #[serde(rename = "in")]
    pub asked: Option<u64>,
    /// Those of the request that were read from a cache.
    pub cached: Option<u64>,
    /// Of the answer.
    pub out: Option<u64>,
    /// Those of the answer that are reasoning.
    pub reasoning: Option<u64>,
}

/// A user as a report has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `userId`, or else `email`.
    pub key: String,
    /// The key for display.
    pub label: String,
    /// `userId`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_id: Option<String>,
    /// `email`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// First and last name, for display.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Whether the user is logged in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub is_authenticated: Option<bool>,
}

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Probably a mistake.
    Warning,
    /// A mistake.
    Error,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The name of the check.
    pub check: String,
    /// How much it matters.
    pub level: Level,
    /// What was found, for display.
    pub text: String,
}

/// A report without its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "openapi.json describes them")]
pub struct Summary {
    pub id: u64,
    pub key: String,
    pub received: u64,
    pub requested: Option<u64>,
    pub responded: Option<u64>,
    pub format: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub version: String,
    pub session: Option<String>,
    pub session_key: String,
    pub session_label: String,
    pub session_timeout: Option<u64>,
    pub user: Option<User>,
    pub model: Option<String>,
    pub operation: Option<String>,
    pub outcome: Option<String>,
    pub status: Option<u64>,
    pub request_id: Option<String>,
    pub streamed: bool,
    pub chunks: Option<u64>,
    pub ttft: Option<u64>,
    pub duration: Option<u64>,
    pub tokens: Tokens,
    pub finish: Option<String>,
    pub bytes: u64,
    pub asked: String,
    pub answered: String,
    pub tools: Vec<String>,
    pub has: Vec<String>,
    pub truncated: bool,
    pub tags: BTreeMap<String, String>,
    pub process: Option<String>,
    pub app: String,
    pub attempts: u64,
    pub faulted: u64,
    pub problems: Vec<Problem>,
    /// Known to the collector only: what checks of later reports compare.
    #[serde(skip)]
    pub hidden: Hidden,
}

/// What the API does not show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// Of the body, to tell a repetition from another report with the same key.
    pub digest: u64,
    /// Of the messages of the request.
    pub asked: u64,
    /// How many messages that was.
    pub messages: u64,
    /// Of the messages and the answer.
    pub answered: u64,
    /// The process's counts when the report was made: captured, dropped, withheld.
    pub counts: Option<[u64; 3]>,
    /// The images that were detached, or the one that this is.
    pub files: Vec<String>,
}

impl Summary {
    /// Whether this is an image that was detached from an interaction.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        crate::wire::is_upload(&self.kind)
    }

    /// The length of all its texts.
    pub(super) fn bytes_in_memory(&self) -> u64 {
        let json = serde_json::to_vec(self).map_or(0, |json| json.len());
        (json + self.hidden.files.iter().map(String::len).sum::<usize>()) as u64
    }

    /// Whether a check found an error or gave a warning.
    #[must_use]
    pub fn has_problem(&self) -> bool {
        self.problems.iter().any(|problem| problem.level > Level::Note)
    }

    /// When the interaction took place, as far as it was said.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.requested.unwrap_or(self.received)
    }

    /// Whether the model did not answer.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        let outcome = self.outcome.as_deref();
        outcome.is_some_and(|outcome| outcome != "answered")
            || self.status.is_some_and(|status| status >= 400)
    }
}

/// One POST of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "openapi.json describes them")]
pub struct Attempt {
    pub at: u64,
    pub status: Option<u16>,
    pub key: Option<String>,
    pub user_agent: Option<String>,
    pub bytes: u64,
    pub same_bytes: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
}

/// What POSTs cost to keep.
pub(super) fn cost_of(attempts: &[Attempt]) -> u64 {
    let texts = |attempt: &Attempt| {
        let texts = [&attempt.key, &attempt.user_agent, &attempt.fault];
        texts.into_iter().flatten().map(String::len).sum::<usize>()
    };
    attempts.iter().map(|attempt| (size_of::<Attempt>() + texts(attempt)) as u64).sum()
}

/// A report to be stored; the store gives it its id.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// All but the id.
    pub summary: Summary,
    /// What was said, in the form that is searched.
    pub said: String,
    /// The report as received, with masked keys.
    pub raw: Arc<str>,
    /// The POSTs so far.
    pub attempts: Vec<Attempt>,
}

/// A stored report.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The report without its content.
    pub summary: Arc<Summary>,
    /// As received, with masked keys.
    pub raw: Arc<str>,
    /// The POSTs.
    pub attempts: Vec<Attempt>,
}

/// A POST that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "openapi.json describes them")]
pub struct Refusal {
    pub id: u64,
    pub at: u64,
    pub path: String,
    pub status: u16,
    pub reason: String,
    pub fields: Vec<Field>,
    pub key: Option<String>,
    pub user_agent: Option<String>,
    pub bytes: u64,
    pub head: String,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Size {
    pub reports: u64,
    pub uploads: u64,
    pub bytes: u64,
    /// Removed to make place, since the start.
    pub evicted: u64,
    pub last_id: u64,
}

/// What a store may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The most reports.
    pub reports: u64,
    /// The most bytes of reports and of what is searched.
    pub bytes: u64,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { reports: 10_000, bytes: 512 << 20 }
    }
}
