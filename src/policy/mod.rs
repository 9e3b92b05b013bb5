//! What the application wants left out of reports.

mod hooks;

pub(crate) use self::hooks::apply as apply_hooks;
