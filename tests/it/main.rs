//! The tests of the layer as an application has it, by subject.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounting {
    mod budget;
    mod counts;
    mod dropped_anywhere;
    mod outcomes;
}

mod delivery {
    mod faults;
    mod http;
}

mod identity {
    mod extensions;
    #[cfg(feature = "axum")]
    mod isolation;
    #[cfg(feature = "axum")]
    mod sources;
    #[cfg(feature = "axum")]
    mod under_load;
}

mod media {
    mod base64;
    mod images;
}

mod outbound {
    mod async_openai;
    mod clients;
}

mod policy {
    mod hooks;
}

mod providers {
    mod anthropic;
    mod bedrock;
    mod captured;
    mod every_provider;
    mod samples;
}

mod shutdown {
    mod deadlines;
    mod summaries;
}

mod streams {
    mod chat;
    mod cut_anywhere;
    mod hostile;
    mod outcomes;
    mod responses;
}

#[path = "../support/mod.rs"]
mod support;

mod translation {
    mod bodies;
    #[cfg(feature = "decompression")]
    mod content_encoding;
    mod field_names;
    mod other_operations;
    mod oversized;
    mod responses;
    mod routes;
}

mod transparency {
    mod bodies;
    mod edge_cases;
    mod http2;
}
