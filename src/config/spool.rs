//! The settings of the spool.

use std::path::PathBuf;

/// When reports are written to the [spool](crate::ConfigBuilder::spool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spooling {
    /// When they cannot stay in memory: while the collector is down, if they fill more than half of [the
    /// budget](crate::ConfigBuilder::max_bytes), and in the second half of a [`shutdown`](crate::Reporter::shutdown).
    /// If the process is killed, the reports in memory are lost.
    #[default]
    WhenNeeded,
    /// Before they are first sent. If the process is killed, only the reports of the last milliseconds are lost. The
    /// worker pays a write and a sync for every few hundred reports; the callers pay nothing.
    Always,
}

/// The checked settings of the spool.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    pub(crate) folder: PathBuf,
    pub(crate) spooling: Spooling,
    pub(crate) max_bytes: u64,
}
