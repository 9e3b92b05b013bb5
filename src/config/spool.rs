//! Where reports are kept that cannot be delivered now.

use std::path::PathBuf;

/// When reports go to disk, with a [spool](crate::ConfigBuilder::spool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spooling {
    /// When they cannot stay in memory: while the collector takes none, beyond half of [the
    /// budget](crate::ConfigBuilder::max_bytes), and in the second half of a [`shutdown`](crate::Reporter::shutdown). What is in
    /// memory when the process is killed is lost.
    #[default]
    WhenNeeded,
    /// Before they are first sent: what is lost when the process is killed is what was not yet written, milliseconds' worth.
    /// It costs the worker a write and a sync for every few hundred reports, and nothing on the callers' side.
    Always,
}

/// The settings of the spool, checked.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    pub(crate) folder: PathBuf,
    pub(crate) spooling: Spooling,
    pub(crate) max_bytes: u64,
}
