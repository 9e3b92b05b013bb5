//! The settings of the spool.

use std::path::PathBuf;

use crate::names::named;

/// A folder for reports that cannot be delivered now. The next process delivers what is left there.
///
/// The folder is created if it does not exist, for this user only (mode 0700, files 0600). Any
/// number of processes can share it. It must be on a disk of this machine. It contains no keys, but
/// conversations: it is as confidential as they are. Reports of another app key are left alone.
///
/// The folder may be a symbolic link or belong to another user. It is not used if everybody can
/// change its contents: `/tmp` with its sticky bit is fine, a folder with mode 0777 is not. Entries
/// that are links or belong to another user are not used. If the folder cannot be used, the log has
/// a warning and [`Stats::spool_failures`](crate::Stats::spool_failures) counts it; reports stay in
/// memory, and the folder is tried again.
///
/// Every report is delivered at least once, with the same id on every attempt. The chapter
/// [The spool](https://docs.rs/tower-reconify/latest/tower_reconify/guide/spool/index.html)
/// describes the format.
///
/// ```
/// use tower_reconify::{Config, Spool, Spooling};
///
/// let config = Config::builder("app-key", "api-key")
///     .spool(Spool::at("/var/lib/gateway/reconify").with_spooling(Spooling::Always))
///     .build()?;
/// # Ok::<_, tower_reconify::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    pub(crate) folder: PathBuf,
    /// `None`: as set otherwise, or the default.
    pub(crate) spooling: Option<Spooling>,
    pub(crate) max_bytes: Option<u64>,
}

impl Spool {
    /// A spool in this folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), spooling: None, max_bytes: None }
    }

    /// Sets when reports are written. Default: `RECONIFY_SPOOLING` if the configuration comes from
    /// the environment, else [`Spooling::WhenNeeded`].
    #[must_use]
    pub fn with_spooling(mut self, spooling: Spooling) -> Self {
        self.spooling = Some(spooling);
        self
    }

    /// Sets how many bytes this process writes at most; further reports stay in memory. Default:
    /// 256 MiB, one hour of 20 exchanges of 4 KiB per second. Reports left by earlier processes
    /// count, and are taken over even beyond this limit.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }
}

/// When reports are written to the [`Spool`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spooling {
    /// When they cannot stay in memory: while the collector is down, if they fill more than half of
    /// [the budget](crate::Limits::bytes), and in a [`shutdown`](crate::Reporter::shutdown): after the
    /// first failed attempt, or in its second half. If the process is killed, the reports in memory
    /// are lost.
    #[default]
    WhenNeeded,
    /// Before they are first sent. If the process is killed, only the reports of the last
    /// milliseconds are lost. The worker pays for a write and a sync per few hundred reports; the
    /// callers pay nothing.
    Always,
}

named!(Spooling { WhenNeeded => "when-needed", Always => "always" });
