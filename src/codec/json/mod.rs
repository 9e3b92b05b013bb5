//! JSON as text: parsed one level at a time, and written without ever building a tree.
//!
//! Numbers, escapes and key order stay as they were sent. Nothing here recurses into its input.

pub(crate) mod lenient;
mod node;
pub(crate) mod nodes;
mod parts;
mod raw;
mod read;
pub(crate) mod rewrite;
mod span;
pub(crate) mod tail;

pub(crate) use self::node::{Elements, Fields, Node, Nodes, Place, write_text};
pub(crate) use self::parts::{Entries, Values};
pub(crate) use self::raw::{is_blank, is_null, is_utf8, items, text};
pub(crate) use self::read::{array, field, object, parse, parse_object};
pub(crate) use self::span::{end_of_text, place};
