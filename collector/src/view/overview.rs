//! Sessions, users, problems and processes, gathered from summaries.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::checks::{CHECKS, problem};
use crate::store::{Catalog, Level, Summary, Tokens, User};

/// Minutes after which a session is closed, unless a report says otherwise.
pub(crate) const DEFAULT_TIMEOUT: u64 = 10;

/// So long an image and its interaction may be apart.
const PATIENCE: u64 = 10_000;

/// All summaries after an id, the oldest first, with the problems that only time shows.
pub(crate) fn rows(catalog: &Catalog, after: u64, now: u64) -> Vec<Arc<Summary>> {
    catalog.after(after).map(|row| with_late_problems(catalog, row, now)).collect()
}

/// A summary with the problems that only time shows: an image without its interaction or the reverse.
pub(crate) fn with_late_problems(catalog: &Catalog, row: &Arc<Summary>, now: u64) -> Arc<Summary> {
    if row.hidden.files.is_empty() || now.saturating_sub(row.received) < PATIENCE {
        return Arc::clone(row);
    }
    let is_upload = row.is_upload();
    let is_alone = |file: &&String| {
        if is_upload { !catalog.is_detached(file) } else { catalog.upload_of(file).is_none() }
    };
    let Some(file) = row.hidden.files.iter().find(is_alone) else { return Arc::clone(row) };
    let mut row = Summary::clone(row);
    let check = if is_upload { "interaction-missing" } else { "image-missing" };
    row.problems.push(problem(check, crate::text::label(file, 100)));
    Arc::new(row)
}

/// Sums of tokens; `None` if none were reported.
pub(super) fn add(sum: &mut Tokens, tokens: &Tokens) {
    let pairs = [
        (&mut sum.asked, tokens.asked),
        (&mut sum.cached, tokens.cached),
        (&mut sum.out, tokens.out),
        (&mut sum.reasoning, tokens.reasoning),
    ];
    for (sum, tokens) in pairs {
        if let Some(tokens) = tokens {
            *sum = Some(sum.unwrap_or(0).saturating_add(tokens));
        }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionRow {
    pub(crate) key: String,
    session: Option<String>,
    label: String,
    user: Option<User>,
    users: usize,
    models: Vec<String>,
    interactions: u64,
    tokens: Tokens,
    started: u64,
    pub(crate) last_active: u64,
    busy: u64,
    open: bool,
    closes_at: Option<u64>,
    visits: u64,
    asked: String,
    answered: String,
    has: Vec<String>,
    tools: u64,
    failed: u64,
    interrupted: u64,
    truncated: u64,
    problems: u64,
    latest: u64,
}

/// The sessions of some interactions, newest activity first.
pub(crate) fn sessions(rows: &[Arc<Summary>], now: u64) -> Vec<SessionRow> {
    let mut sessions: HashMap<&str, Vec<&Summary>> = HashMap::new();
    for row in rows.iter().filter(|row| !row.is_upload()) {
        sessions.entry(&row.session_key).or_default().push(row);
    }
    let mut out: Vec<_> = sessions.into_values().map(|rows| session(rows, now)).collect();
    out.sort_by_key(|row| (std::cmp::Reverse(row.last_active), row.latest));
    out
}

fn session(mut rows: Vec<&Summary>, now: u64) -> SessionRow {
    rows.sort_by_key(|row| (row.time(), row.id));
    let mut out = SessionRow::default();
    let mut users = HashSet::new();
    for row in &rows {
        let end = row.responded.unwrap_or_else(|| row.time());
        let timeout = row.session_timeout.unwrap_or(DEFAULT_TIMEOUT).saturating_mul(60_000);
        if out.interactions == 0 {
            out.key.clone_from(&row.session_key);
            out.session.clone_from(&row.session);
            out.label.clone_from(&row.session_label);
            out.started = row.time();
            out.visits = 1;
        } else if row.time().saturating_sub(out.last_active) > timeout {
            out.visits += 1;
        }
        if out.asked.is_empty() {
            out.asked.clone_from(&row.asked);
        }
        if !row.answered.is_empty() {
            out.answered.clone_from(&row.answered);
        }
        if let Some(user) = &row.user {
            users.insert(&user.key);
            out.user = Some(user.clone());
        }
        if let Some(model) =
            row.model.as_ref().filter(|model| !out.models.contains(model) && out.models.len() < 8)
        {
            out.models.push(model.clone());
        }
        for has in &row.has {
            if !out.has.contains(has) {
                out.has.push(has.clone());
            }
        }
        out.interactions += 1;
        add(&mut out.tokens, &row.tokens);
        out.last_active = out.last_active.max(end);
        out.busy = out.busy.saturating_add(row.duration.unwrap_or(0));
        out.tools += row.tools.len() as u64;
        out.failed += u64::from(row.is_failed());
        out.interrupted += u64::from(row.outcome.as_deref() == Some("interrupted"));
        out.truncated += u64::from(row.truncated);
        out.problems += row.problems.iter().filter(|problem| problem.level > Level::Note).count() as u64;
        out.latest = out.latest.max(row.id);
        out.closes_at = row.session.as_ref().map(|_| out.last_active.saturating_add(timeout));
    }
    out.users = users.len();
    out.open = out.closes_at.is_some_and(|closes| closes > now);
    out
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserRow {
    user: Option<User>,
    sessions: usize,
    interactions: u64,
    tokens: Tokens,
    failed: u64,
    problems: u64,
    first_seen: u64,
    pub(crate) last_seen: u64,
}

/// The users of some interactions, last seen first.
pub(crate) fn users(rows: &[Arc<Summary>]) -> Vec<UserRow> {
    let mut users: HashMap<Option<&str>, (UserRow, HashSet<&str>)> = HashMap::new();
    for row in rows.iter().filter(|row| !row.is_upload()) {
        let key = row.user.as_ref().map(|user| &*user.key);
        let (out, sessions) = users.entry(key).or_default();
        if out.interactions == 0 {
            out.first_seen = row.time();
        }
        if row.time() >= out.last_seen {
            out.user.clone_from(&row.user);
        }
        sessions.extend(row.session.as_deref());
        out.sessions = sessions.len();
        out.interactions += 1;
        add(&mut out.tokens, &row.tokens);
        out.failed += u64::from(row.is_failed());
        out.problems += row.problems.iter().filter(|problem| problem.level > Level::Note).count() as u64;
        out.first_seen = out.first_seen.min(row.time());
        out.last_seen = out.last_seen.max(row.time());
    }
    let mut out: Vec<_> = users.into_values().map(|(row, _)| row).collect();
    out.sort_by_key(|row| (std::cmp::Reverse(row.last_seen), row.first_seen));
    out
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProblemRow {
    check: &'static str,
    level: Level,
    title: &'static str,
    count: u64,
    newest: u64,
    latest: u64,
}

/// The checks that found something, errors first.
pub(crate) fn problems(rows: &[Arc<Summary>]) -> Vec<ProblemRow> {
    let found = |(check, level, title): &(&'static str, Level, &'static str)| {
        let mut out = ProblemRow { check, level: *level, title, count: 0, newest: 0, latest: 0 };
        for row in rows.iter().filter(|row| row.problems.iter().any(|problem| problem.check == *check)) {
            out.count += 1;
            out.newest = out.newest.max(row.received);
            out.latest = out.latest.max(row.id);
        }
        out
    };
    let mut out: Vec<_> = CHECKS.iter().map(found).filter(|row| row.count > 0).collect();
    out.sort_by_key(|row| std::cmp::Reverse((row.level, row.newest)));
    out
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessRow {
    process: String,
    captured: u64,
    dropped: u64,
    withheld: u64,
    arrived: u64,
    missing: u64,
    first_seen: u64,
    last_seen: u64,
}

/// What each process captured, and what of it came.
pub(crate) fn processes(rows: &[Arc<Summary>]) -> Vec<ProcessRow> {
    let mut processes: BTreeMap<&str, ProcessRow> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.is_upload()) {
        let Some(process) = &row.process else { continue };
        let out = processes.entry(process).or_default();
        if out.arrived == 0 {
            out.process.clone_from(process);
            out.first_seen = row.received;
        }
        out.arrived += 1;
        out.last_seen = out.last_seen.max(row.received);
        let [captured, dropped, withheld] = row.hidden.counts.unwrap_or_default();
        out.captured = out.captured.max(captured);
        out.dropped = out.dropped.max(dropped);
        out.withheld = out.withheld.max(withheld);
    }
    let mut out: Vec<_> = processes.into_values().collect();
    for row in &mut out {
        row.missing =
            row.captured.saturating_sub(row.dropped.saturating_add(row.withheld).saturating_add(row.arrived));
    }
    out.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
    out
}
