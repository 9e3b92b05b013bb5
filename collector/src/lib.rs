//! A local collector.
