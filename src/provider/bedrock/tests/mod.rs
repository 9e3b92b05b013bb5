use std::cell::OnceCell;

use serde_json::Value;

use super::converse::ConverseAssembler;
use super::invoke::InvokeAssembler;
use super::lines;
use crate::codec::end_marker::EndMarker;
use crate::codec::framing::Framing;
use crate::codec::json::Node;
use crate::provider::operation::Operation;
use crate::provider::stream::{Assembled, RecordedStream, assemble};

#[cfg(any())]
mod throwaway;

fn recorded<'a>(bytes: &'a [u8], mended: &'a OnceCell<crate::codec::framing::Mended>) -> RecordedStream<'a> {
    RecordedStream {
        bytes,
        framing: Framing::Frames,
        end_marker: EndMarker(None),
        mended,
        truncated: None,
        charge: &|_| true,
    }
}

fn converse(bytes: &[u8]) -> Assembled {
    lines::assembled(
        recorded(bytes, &OnceCell::new()),
        Operation::BedrockConverse,
        lines::write_converse,
        |s, o| assemble::<ConverseAssembler<'_>>(s, o),
    )
}

fn invoke(bytes: &[u8]) -> Assembled {
    lines::assembled(
        recorded(bytes, &OnceCell::new()),
        Operation::BedrockInvoke,
        lines::write_invoke,
        |s, o| assemble::<InvokeAssembler<'_>>(s, o),
    )
}
