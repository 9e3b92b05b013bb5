//! Finds which request continues which: an application sends the whole history with every request, and
//! a reader wants each message once. Messages are compared by their place, never by their text alone,
//! so a question that was asked twice stays two questions.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

/// The work of comparing histories that do not match from their beginning.
const MOST_WORK: usize = 2_000_000;

/// A request and its answers, with a number in place of each message: equal messages have the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) messages: Vec<u32>,
    /// How many of the first messages are instructions of the application.
    pub(crate) system: usize,
    /// The messages of each choice.
    pub(crate) answers: Vec<Vec<u32>>,
    /// The step whose answer it names (Responses API); its messages are then the new ones only.
    pub(crate) previous: Option<usize>,
}

/// How a request goes on from its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relation {
    Start,
    Continued,
    Branch,
    Again,
    Edited,
    Shortened,
}

/// The place of a step in the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) parent: Option<usize>,
    pub(crate) relation: Relation,
    pub(crate) thread: usize,
    /// The first messages, which earlier steps show.
    pub(crate) folded: usize,
    /// Edited or shortened: the messages of the parent's history (its request, then its first answer)
    /// from `.0` to before `.1` were replaced by those of this request from `.2` to before `.3`.
    pub(crate) replaced: Option<(usize, usize, usize, usize)>,
}

impl Step {
    /// The messages, and the first answer.
    fn history(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator + Clone {
        let answer = self.answers.first().map(Vec::as_slice).unwrap_or_default();
        let messages = &self.messages;
        (0..messages.len() + answer.len()).map(move |index| {
            let found = messages.get(index).or_else(|| answer.get(index - messages.len().min(index)));
            found.copied().unwrap_or_default()
        })
    }
}

/// What is known of the steps so far.
#[derive(Default)]
struct Known {
    /// Sequences of messages: from one and a message to the next.
    next: HashMap<(usize, u32), usize>,
    nodes: usize,
    /// The last step whose history, with an answer, is this sequence.
    ends: HashMap<usize, usize>,
    /// The last step whose history goes through this sequence.
    through: HashMap<usize, usize>,
    /// The steps that have asked exactly this.
    asked: HashSet<usize>,
    /// The steps whose answer ends in this message.
    answered: HashMap<u32, Vec<usize>>,
    parents: HashSet<usize>,
    threads: usize,
    work: usize,
}

/// The places of steps, which are given in order of time.
pub(crate) fn merge(steps: &[Step]) -> Vec<Place> {
    let mut known = Known::default();
    let mut places: Vec<Place> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let mut place = known.place(steps, index, step);
        let is_first_child = place.parent.is_some_and(|parent| known.parents.insert(parent));
        let parent_thread = place.parent.and_then(|parent| places.get(parent)).map(|parent| parent.thread);
        place.thread = match parent_thread {
            Some(thread) if is_first_child => thread,
            _ => {
                known.threads += 1;
                known.threads - 1
            }
        };
        if place.relation == Relation::Continued && !is_first_child {
            place.relation = Relation::Branch;
        }
        known.add(index, step);
        places.push(place);
    }
    places
}

impl Known {
    fn place(&mut self, steps: &[Step], index: usize, step: &Step) -> Place {
        let place = |parent, relation, folded| Place { parent, relation, thread: 0, folded, replaced: None };
        if let Some(previous) = step.previous.filter(|previous| *previous < index) {
            return place(Some(previous), Relation::Continued, 0);
        }
        let (mut node, mut common, mut whole) = (0, 0, None);
        for message in &step.messages {
            let Some(next) = self.next.get(&(node, *message)) else { break };
            (node, common) = (*next, common + 1);
            if let Some(end) = self.ends.get(&node) {
                whole = Some((*end, common));
            }
        }
        let is_whole_request = common == step.messages.len();
        let folded = whole.map_or(0, |(_, length)| length);
        if is_whole_request && folded < common && self.asked.contains(&node) {
            let shown = if whole.is_some() { folded } else { common.min(step.system) };
            return place(whole.map(|(end, _)| end), Relation::Again, shown);
        }
        let is_beyond = common > folded.max(step.system);
        if let Some((end, length)) = whole.filter(|_| !is_beyond || is_whole_request) {
            return place(Some(end), Relation::Continued, length);
        }
        if let Some(place) = self.by_answer(steps, step, is_beyond) {
            return place;
        }
        if let Some(parent) = self.through.get(&node).copied().filter(|_| is_beyond && !is_whole_request) {
            let end = steps.get(parent).map_or(0, |parent| parent.history().len());
            let replaced = Some((common, end, common, step.messages.len()));
            return Place { replaced, ..place(Some(parent), Relation::Edited, common) };
        }
        match whole {
            Some((end, length)) => place(Some(end), Relation::Continued, length),
            None => place(None, Relation::Start, common.min(step.system)),
        }
    }

    /// Finds the latest answer in the history, and compares from there backwards.
    fn by_answer(&mut self, steps: &[Step], step: &Step, is_related: bool) -> Option<Place> {
        for (at, message) in step.messages.iter().enumerate().skip(step.system).rev() {
            let Some(candidates) = self.answered.get(message) else { continue };
            for parent in candidates.iter().rev().take(4).copied() {
                if self.work > MOST_WORK {
                    return None;
                }
                let old = steps.get(parent)?;
                let ours = step.messages.get(step.system..=at).unwrap_or_default();
                let theirs = old.history().skip(old.system.min(old.messages.len()));
                let equal =
                    ours.iter().rev().zip(theirs.clone().rev()).take_while(|(a, b)| **a == *b).count();
                self.work += equal + 1;
                let length = theirs.len();
                // One short answer alone may be equal by chance.
                if equal < if is_related { 1 } else { 2 } {
                    continue;
                }
                let place = |relation, replaced| Place {
                    parent: Some(parent),
                    relation,
                    thread: 0,
                    folded: at + 1,
                    replaced,
                };
                if equal == ours.len() && equal == length {
                    // Only the instructions differ.
                    return Some(place(Relation::Continued, None));
                }
                let start = ours.iter().zip(theirs).take_while(|(a, b)| **a == *b).count();
                let start = start.min(ours.len() - equal).min(length - equal);
                self.work += start;
                let (old_system, new_system) = (old.system, step.system);
                let replaced = (
                    old_system + start,
                    old_system + length - equal,
                    new_system + start,
                    new_system + ours.len() - equal,
                );
                let is_shortened = replaced.2 == replaced.3;
                return Some(place(
                    if is_shortened { Relation::Shortened } else { Relation::Edited },
                    Some(replaced),
                ));
            }
        }
        None
    }

    fn add(&mut self, index: usize, step: &Step) {
        if step.previous.is_some() {
            return;
        }
        let asked = self.walk(0, index, &step.messages);
        self.asked.insert(asked);
        let mut is_answered = false;
        for answer in step.answers.iter().filter(|answer| !answer.is_empty()) {
            let end = self.walk(asked, index, answer);
            self.ends.insert(end, index);
            if let Some(last) = answer.last() {
                self.answered.entry(*last).or_default().push(index);
            }
            is_answered = true;
        }
        // What got no answer is continued by whatever begins with it.
        if !is_answered && asked != 0 {
            self.ends.insert(asked, index);
        }
    }

    fn walk(&mut self, from: usize, index: usize, messages: &[u32]) -> usize {
        messages.iter().fold(from, |node, message| {
            let nodes = &mut self.nodes;
            let next = *self.next.entry((node, *message)).or_insert_with(|| {
                *nodes += 1;
                *nodes
            });
            self.through.insert(next, index);
            next
        })
    }
}

#[cfg(test)]
mod tests;
