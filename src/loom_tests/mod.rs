//! Checks every order in which threads can interleave on shared state. Run with
//! `RUSTFLAGS="--cfg reconify_loom" cargo test --release --lib loom --target-dir target/loom`.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod hand_over;
mod parker;

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderMap, StatusCode};
use loom::future::block_on;
use loom::thread;

use crate::budget::{Budget, FIRST_BLOCK, Reservation};
use crate::capture::{Observer, Tap};
use crate::config::{CaptureOptions, Limits};
use crate::exchange::{CallResult, Exchange};
use crate::handoff::EXCHANGE_OVERHEAD;
use crate::handoff::{self, QueueItem, Receiver, Sender};
use crate::identity::{IdentitySlot, User};
use crate::interaction::{Interaction, InteractionKind};
use crate::provider::operation::Operation;
use crate::stats::{DropReason, Settlement, WithholdReason};

const LIMITS: Limits = Limits { items: 2, bytes: 10, body_bytes: 10 };

/// Every possible order.
fn model(run: impl Fn() + Send + Sync + 'static) {
    loom::model(run);
}

/// Every order with at most four preemptions: with several threads there are too many others.
fn bounded_model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(run);
}

fn budget(limits: Limits) -> Arc<Budget> {
    Arc::new(Budget::new(limits))
}

fn ends() -> (Sender, Receiver) {
    let limits = Limits { bytes: 2 * EXCHANGE_OVERHEAD + 10, ..LIMITS };
    handoff::channel(budget(limits), CaptureOptions::default())
}

fn begin(sender: &Sender) -> (Observer, Tap, IdentitySlot) {
    let mut extensions = Extensions::new();
    let (observer, tap) = Observer::begin(sender, Operation::Chat, "", &HeaderMap::new(), &mut extensions);
    (observer, tap, extensions.remove().unwrap())
}

/// An idle worker: it sleeps unless an exchange is open, and looks again.
fn take(receiver: &Receiver) -> QueueItem {
    loop {
        if let Some(item) = receiver.queue.pop() {
            return item;
        }
        let is_idle = || receiver.budget.items() == 0;
        if is_idle() {
            block_on(receiver.queue.sleep_while(is_idle));
        } else {
            thread::yield_now();
        }
    }
}

/// Every captured exchange is settled, and nothing is held. Permits are counted too: a snapshot
/// shows no more pending than are not settled.
fn at_rest(budget: &Budget) -> bool {
    let stats = budget.stats();
    let is_settled = stats.captured == stats.settled() && stats.pending == 0;
    is_settled && stats.bytes_held == 0 && budget.items() == 0 && budget.exchanges_open() == 0
}
