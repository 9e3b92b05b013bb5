//! A local collector.
mod json;
mod store;
mod text;
mod time;
mod view;
mod wire;
