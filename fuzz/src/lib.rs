//! What the fuzz targets share: streams in the shape of real ones, made of arbitrary bytes.

pub mod codings;
pub mod frames;
pub mod script;
pub mod shapes;
pub mod streams;
