//! What is seen of reports: pure functions, without I/O.

pub(crate) mod arrival;
pub(crate) mod checks;
pub(crate) mod diff;
pub(crate) mod example;
pub(crate) mod exchange;
pub(crate) mod export;
pub(crate) mod facts;
pub(crate) mod figures;
pub(crate) mod line;
mod merge;
mod message;
pub(crate) mod overview;
mod part;
pub(crate) mod query;
mod secrets;
pub(crate) mod show;
pub(crate) mod transcript;
