//! A session as one conversation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::diff::{self, Piece};
use super::exchange::{Exchange, Opened};
use super::facts;
use super::merge::{Place, Relation, Step, merge};
use super::message::Message;
use super::overview::{DEFAULT_TIMEOUT, SessionRow};
use super::show::{Calls, Shower, ShownMessage, images_before};
use crate::json::Json;
use crate::store::{Stored, Summary, User};
use crate::text::{head, label};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transcript {
    pub(crate) key: String,
    pub(crate) session: Option<String>,
    pub(crate) label: String,
    pub(crate) users: Vec<User>,
    pub(crate) row: Option<SessionRow>,
    pub(crate) omitted: u64,
    pub(crate) threads: usize,
    pub(crate) turns: Vec<Turn>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Turn {
    pub(crate) n: usize,
    pub(crate) report: Arc<Summary>,
    pub(crate) thread: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) relation: Relation,
    pub(crate) folded: usize,
    pub(crate) messages: Vec<ShownMessage>,
    pub(crate) answers: Vec<Vec<ShownMessage>>,
    is_conversation: bool,
    history: Option<History>,
    pub(crate) changes: Vec<Change>,
    pub(crate) torn: Option<String>,
    pub(crate) error: Option<String>,
    new_visit: bool,
}

#[derive(Debug, Serialize)]
struct History {
    at: usize,
    removed: Vec<ShownMessage>,
    added: Vec<ShownMessage>,
    diff: Option<Vec<Piece>>,
}

impl Turn {
    /// How many messages of the history were replaced, and by which of those that are folded.
    pub(crate) fn history_of(&self) -> Option<(usize, &[ShownMessage])> {
        self.history.as_ref().map(|history| (history.removed.len(), history.added.as_slice()))
    }
}

/// A difference between two requests beside their messages.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// A report of a transcript, read.
struct Entry<'a> {
    stored: &'a Stored,
    opened: &'a Opened<'a>,
    exchange: Exchange<'a>,
    /// The messages and the first answer, without those that mean nothing to a comparison; the place of
    /// each among the messages of the request, and how many images come before it.
    history: Vec<(usize, usize)>,
}

impl<'a> Entry<'a> {
    fn new(stored: &'a Stored, opened: &'a Opened<'a>) -> Self {
        Self { stored, opened, exchange: opened.exchange(), history: Vec::new() }
    }

    /// A message of the request, or behind them of the first answer.
    fn message(&self, index: usize) -> Option<&Message<'a>> {
        let messages = &self.exchange.messages;
        let answer = || self.exchange.answers.first()?.get(index.checked_sub(messages.len())?);
        messages.get(index).or_else(answer)
    }

    /// Reads the messages for the comparison, with a number for each that is not equal to another.
    fn step(&mut self, numbers: &mut HashMap<String, u32>, previous: &HashMap<String, usize>) -> Step {
        let mut number = |message: &Message<'_>| {
            let canonical = message.canonical();
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            (!canonical.is_empty()).then(|| *numbers.entry(canonical).or_insert(next))
        };
        let mut step = Step::default();
        let before = images_before(&self.exchange.messages);
        let mut is_system = true;
        for (index, message) in self.exchange.messages.iter().enumerate() {
            let Some(number) = number(message) else { continue };
            is_system &= message.is_system();
            step.system += usize::from(is_system);
            step.messages.push(number);
            self.history.push((index, before.get(index).copied().unwrap_or_default()));
        }
        let (asked, images) = (self.exchange.messages.len(), before.last().copied().unwrap_or_default());
        for (choice, messages) in self.exchange.answers.iter().enumerate() {
            let before = images_before(messages);
            let mut numbers = Vec::new();
            for (index, message) in messages.iter().enumerate() {
                let Some(number) = number(message) else { continue };
                numbers.push(number);
                if choice == 0 {
                    self.history
                        .push((asked + index, images + before.get(index).copied().unwrap_or_default()));
                }
            }
            step.answers.push(numbers);
        }
        let named = self.exchange.request.get("previous_response_id").and_then(Json::filled);
        step.previous = named.and_then(|name| previous.get(&*name).copied());
        step
    }

    /// A part of the history, for display.
    fn show(&self, calls: &Calls, range: std::ops::Range<usize>) -> Vec<ShownMessage> {
        let show = Shower { report: self.stored.summary.id, calls };
        let places = self.history.get(range).unwrap_or_default();
        places
            .iter()
            .filter_map(|(index, images)| Some(show.messages([self.message(*index)?], *images)))
            .flatten()
            .collect()
    }

    fn plain(&self, range: std::ops::Range<usize>) -> String {
        let places = self.history.get(range).unwrap_or_default();
        let texts = places
            .iter()
            .filter_map(|(index, _)| Some(self.message(*index)?.texts().collect::<Vec<_>>().join("\n")));
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// Reports in order of time, as one transcript.
pub(crate) fn transcript(stored: &[Stored], uploads: HashMap<String, u64>) -> Vec<Turn> {
    let opened: Vec<_> = stored.iter().map(|stored| Opened::new(&stored.raw)).collect();
    let mut entries: Vec<_> =
        stored.iter().zip(&opened).map(|(stored, opened)| Entry::new(stored, opened)).collect();
    let (mut numbers, mut answers) = (HashMap::new(), HashMap::new());
    let mut steps = Vec::with_capacity(entries.len());
    let mut calls = Calls::new(uploads);
    for (index, entry) in entries.iter_mut().enumerate() {
        steps.push(entry.step(&mut numbers, &answers));
        calls.add(entry.exchange.messages.iter().chain(entry.exchange.answers.iter().flatten()));
        if let Some(id) = entry.exchange.response.get("id").and_then(Json::filled) {
            answers.insert(id.into_owned(), index);
        }
    }
    let mut last_active = None;
    let places = merge(&steps);
    let turns = entries.iter().zip(&places).enumerate().map(|(index, (entry, place))| {
        let summary = &entry.stored.summary;
        let timeout = summary.session_timeout.unwrap_or(DEFAULT_TIMEOUT).saturating_mul(60_000);
        let gap = last_active.map(|last| summary.time().saturating_sub(last));
        last_active = last_active.max(Some(summary.responded.unwrap_or_else(|| summary.time())));
        let parent = place.parent.and_then(|parent| entries.get(parent));
        Turn {
            n: index + 1,
            parent: place.parent.map(|parent| parent + 1),
            new_visit: summary.session.is_some() && gap.is_some_and(|gap| gap > timeout),
            history: parent.and_then(|parent| history(entry, parent, place, &calls)),
            changes: parent.map(|parent| changes(entry, parent, place)).unwrap_or_default(),
            ..turn(entry, place, &calls)
        }
    });
    turns.collect()
}

fn turn(entry: &Entry<'_>, place: &Place, calls: &Calls) -> Turn {
    let Entry { stored, exchange, history, .. } = entry;
    let summary = &stored.summary;
    let show = Shower { report: summary.id, calls };
    let images = images_before(&exchange.messages);
    // A message that means nothing to the comparison, like reasoning alone, goes with the next one.
    let folded = match place.folded {
        0 => 0,
        folded => history
            .get(folded)
            .map_or(exchange.messages.len(), |(index, _)| *index)
            .min(exchange.messages.len()),
    };
    let mut before = images.last().copied().unwrap_or_default();
    let answers = exchange.answers.iter().map(|choice| {
        let shown = show.messages(choice, before);
        before += images_before(choice).last().copied().unwrap_or_default();
        shown
    });
    let outcome = summary.outcome.as_deref();
    let has_error = exchange.answers.is_empty() || exchange.response.get("error").is_some();
    Turn {
        n: 1,
        report: Arc::clone(summary),
        thread: place.thread,
        parent: None,
        relation: place.relation,
        folded,
        messages: show.messages(
            exchange.messages.get(folded..).unwrap_or_default(),
            images.get(folded).copied().unwrap_or_default(),
        ),
        answers: answers.collect(),
        is_conversation: exchange.is_known,
        history: None,
        changes: Vec::new(),
        torn: outcome.filter(|outcome| *outcome != "answered").map(str::to_owned),
        error: facts::error(&exchange.response).filter(|_| has_error),
        new_visit: false,
    }
}

/// What of the parent's history was replaced.
fn history(entry: &Entry<'_>, parent: &Entry<'_>, place: &Place, calls: &Calls) -> Option<History> {
    let (from, to, start, end) = place.replaced?;
    let is_edited = place.relation == Relation::Edited;
    Some(History {
        at: entry.history.get(start).map_or(entry.exchange.messages.len(), |(index, _)| *index),
        removed: parent.show(calls, from..to),
        added: entry.show(calls, start..end.min(place.folded).max(start)),
        diff: is_edited.then(|| diff::words(&parent.plain(from..to), &entry.plain(start..end))).flatten(),
    })
}

/// What else differs between two requests.
fn changes(entry: &Entry<'_>, parent: &Entry<'_>, place: &Place) -> Vec<Change> {
    let mut out = differences((parent.opened, &parent.exchange), (entry.opened, &entry.exchange));
    // A named response keeps the instructions of earlier requests to itself.
    let system = |entry: &Entry<'_>| {
        let system = entry.exchange.messages.iter().take_while(|message| message.is_system());
        system.map(Message::plain).collect::<Vec<_>>().join("\n")
    };
    let (old, new) = (system(parent), system(entry));
    if old != new && place.folded > 0 {
        let text = |text: &str| (!text.is_empty()).then(|| label(head(text, 4000), 400));
        out.push(Change { name: "system".to_owned(), from: text(&old), to: text(&new) });
    }
    out
}

type Pair<'p> = (&'p Opened<'p>, &'p Exchange<'p>);

/// The differences of two requests beside their messages.
pub(crate) fn differences(old: Pair<'_>, new: Pair<'_>) -> Vec<Change> {
    fn read<'p>((opened, exchange): Pair<'p>) -> BTreeMap<String, &'p str> {
        facts::parameters(opened, &exchange.request).into_iter().collect()
    }
    let (before, after) = (read(old), read(new));
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let value = |values: &BTreeMap<String, &str>, name: &String| {
        let text = values.get(name).copied()?;
        let string = if text.len() < 4000 { Json::parse(text).ok().and_then(Json::string) } else { None };
        Some(label(string.as_deref().unwrap_or(head(text, 4000)), 200))
    };
    let differs = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let mut out: Vec<_> = differs
        .map(|name| Change { name: label(name, 100), from: value(&before, name), to: value(&after, name) })
        .collect();
    let (old, new) = (facts::tools(&old.1.request), facts::tools(&new.1.request));
    if old != new {
        let list = |tools: &[String]| (!tools.is_empty()).then(|| tools.join(", "));
        out.push(Change { name: "tools".to_owned(), from: list(&old), to: list(&new) });
    }
    out.truncate(100);
    out
}

/// Two requests beside each other.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    a: Arc<Summary>,
    b: Arc<Summary>,
    changes: Vec<Change>,
    common: usize,
    removed: Vec<ShownMessage>,
    added: Vec<ShownMessage>,
    diff: Option<Vec<Piece>>,
    too_large: bool,
}

/// Compares two requests.
pub(crate) fn compare(a: &Stored, b: &Stored) -> Comparison {
    let (opened_a, opened_b) = (Opened::new(&a.raw), Opened::new(&b.raw));
    let (mut old, mut new) = (Entry::new(a, &opened_a), Entry::new(b, &opened_b));
    let mut numbers = HashMap::new();
    let (one, other) =
        (old.step(&mut numbers, &HashMap::new()).messages, new.step(&mut numbers, &HashMap::new()).messages);
    let common = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let mut calls = Calls::new(HashMap::new());
    calls.add(old.exchange.messages.iter().chain(&new.exchange.messages));
    let diff = diff::words(&old.plain(common..one.len()), &new.plain(common..other.len()));
    Comparison {
        changes: differences((old.opened, &old.exchange), (new.opened, &new.exchange)),
        removed: old.show(&calls, common..one.len()),
        added: new.show(&calls, common..other.len()),
        too_large: diff.is_none(),
        a: Arc::clone(&a.summary),
        b: Arc::clone(&b.summary),
        common,
        diff,
    }
}
