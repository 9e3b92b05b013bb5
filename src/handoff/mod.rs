//! The hand-over from the callers' tasks to the worker: lock-free, bounded by the budget, and without a wake-up of a
//! sleeping thread where a caller would wait for it.

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
pub(crate) use self::pool::UNDER_WAY;
pub(crate) use self::queue::{Item, Queue};
