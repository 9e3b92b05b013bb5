//! What is spoken on the wire. Pure functions: nothing here knows a setting or does I/O.

mod detached_image;
pub(crate) mod openai;
pub(crate) mod operation;

pub(crate) use self::detached_image::DetachedImage;
