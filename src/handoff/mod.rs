//! The hand-over from the callers' tasks to the worker: lock-free, bounded by the budget, and without a wake-up of a
//! sleeping thread where a caller would wait for it.

mod channel;
mod in_flight;
mod parker;
mod part;
mod queue;
mod record;
mod recorder;
mod waiting;

pub(crate) use self::channel::{Intake, Outlet, channel};
pub(crate) use self::part::{Part, end};
pub(crate) use self::queue::{Item, Queue};
pub(crate) use self::record::UNDER_WAY;
