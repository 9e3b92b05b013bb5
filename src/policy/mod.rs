//! The application's policy: what to leave out of reports.

mod hooks;

pub(crate) use self::hooks::apply as apply_hooks;
