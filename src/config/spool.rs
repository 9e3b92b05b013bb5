//! Where reports are kept that cannot be delivered now.

use std::path::PathBuf;

use super::builder::ConfigBuilder;
use super::setting::{Choice, Setting, Ways};
use crate::error::{Error, Kind};

/// An hour of 20 exchanges a second of 4 KiB.
pub(super) const DEFAULT_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// When reports go to disk, with a [spool](ConfigBuilder::spool).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spooling {
    /// When they cannot stay in memory: while the collector takes none, beyond half of [the
    /// budget](ConfigBuilder::max_bytes), and in the second half of a [`shutdown`](crate::Reporter::shutdown). What is in
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

impl Ways for Spooling {
    const ALL: &'static [(&'static str, Self)] =
        &[("when-needed", Self::WhenNeeded), ("always", Self::Always)];
    const HINT: &'static str = "use when-needed or always";
}

impl ConfigBuilder {
    /// Keeps reports that cannot be delivered now in this folder, and delivers those that a former process left there.
    /// Default: none; reports are in memory only.
    ///
    /// The folder is made if it is not there, for this user only (0700, files 0600); any number of processes can share it. It
    /// has to be on a disk of this machine. There are no keys in it, but conversations: it is as confidential as they are.
    /// Reports of another app key are left alone. The folder can be a symbolic link, or belong to another user, but it is not
    /// used if everybody can change what is in it: `/tmp` with its sticky bit is fine, a folder with the mode 0777 is not. What is in
    /// it is not used if it is a link or another user's. A folder that cannot be used is a warning in the log, and
    /// [`Stats::spool_failures`](crate::Stats::spool_failures): the reports stay in memory, and it is tried again.
    ///
    /// Every report is delivered at least once, with the same id on every attempt. The format is in
    /// [`docs/SPOOL.md`](https://docs.rs/crate/tower-reconify/latest/source/docs/SPOOL.md).
    ///
    /// ```
    /// use tower_reconify::{Config, Spooling};
    ///
    /// let config = Config::builder("app-key", "api-key")
    ///     .spool("/var/lib/gateway/reconify")
    ///     .spooling(Spooling::Always)
    ///     .build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    #[must_use]
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = Setting { name: "spool", value: Some(folder.into().into_os_string()) };
        self
    }

    /// When reports go to the [spool](Self::spool). Default: when needed.
    #[must_use]
    pub fn spooling(mut self, spooling: Spooling) -> Self {
        self.spooling = Setting { name: "spooling", value: Some(Choice::Value(spooling)) };
        self
    }

    /// How many bytes this process puts into the [spool](Self::spool). Beyond it reports stay in memory. Default: 256 MiB,
    /// an hour of 20 exchanges a second of 4 KiB. What former processes left counts, and is taken over even beyond it.
    #[must_use]
    pub fn spool_max_bytes(mut self, bytes: u64) -> Self {
        self.spool_max_bytes = bytes;
        self
    }

    pub(super) fn checked_spool(&self) -> Result<Option<Spool>, Error> {
        let (spooling, max_bytes) = (self.spooling.choice()?, self.spool_max_bytes);
        let Setting { name, value: Some(folder) } = &self.spool else { return Ok(None) };
        let invalid = |setting: &'static str, value, problem: &'static str, hint| {
            Error::from(Kind::Invalid { setting: setting.into(), value, problem: problem.into(), hint })
        };
        if folder.is_empty() {
            return Err(Kind::Empty { setting: (*name).into(), hint: "name a folder" }.into());
        }
        if folder.as_encoded_bytes().contains(&0) {
            let hint = "name a folder on a disk of this machine";
            return Err(invalid(name, format!("{folder:?}"), "which is no path", hint));
        }
        if max_bytes == 0 {
            let hint = "use a larger number, or no spool";
            return Err(invalid(
                "spool_max_bytes",
                "0".to_owned(),
                "which leaves no room for any report",
                hint,
            ));
        }
        Ok(Some(Spool { folder: folder.into(), spooling, max_bytes }))
    }
}
