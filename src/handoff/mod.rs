//! Hands exchanges from the callers' tasks to the worker.
//!
//! The queue is lock-free and bounded by the budget. A sleeping worker is woken early in an
//! exchange, so that no caller waits for the wake-up at its end.

mod channel;
mod compaction;
mod half;
mod parker;
mod pool;
mod queue;
mod recorder;
mod rendezvous;

pub(crate) use self::channel::{Receiver, Sender, channel};
pub(crate) use self::half::{Half, finish};
pub(crate) use self::pool::EXCHANGE_OVERHEAD;
pub(crate) use self::queue::{Queue, QueueItem};
