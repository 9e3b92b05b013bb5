//! What is spoken on the wire. Pure functions: nothing here knows a setting or does I/O.

pub(crate) mod openai;
pub(crate) mod operation;
