//! What is seen of reports: pure functions, without I/O.

mod arrival;
mod checks;
mod diff;
mod exchange;
mod export;
mod facts;
mod figures;
mod merge;
mod message;
mod overview;
mod part;
mod query;
mod secrets;
mod show;
mod transcript;
