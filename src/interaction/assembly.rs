use super::json::Node;
use super::stream::Progress;
use super::{audio, images, responses, stream};
use crate::endpoint::Endpoint;

/// What puts a stream together.
pub(super) enum Assembly<'a> {
    Chunks(stream::Assembly<'a>),
    Response(responses::Assembly<'a>),
    Images(images::Assembly<'a>),
    Audio(audio::Assembly<'a>),
}

impl<'a> Assembly<'a> {
    pub(super) fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Responses => Self::Response(responses::Assembly::default()),
            Endpoint::Speech | Endpoint::Transcription | Endpoint::Translation => {
                Self::Audio(audio::Assembly::default())
            }
            endpoint if endpoint.is_image() => Self::Images(images::Assembly::default()),
            _ => Self::Chunks(stream::Assembly::default()),
        }
    }

    pub(super) fn add(&mut self, name: &[u8], data: &'a [u8]) {
        match self {
            Self::Chunks(chunks) => chunks.add(name, data),
            Self::Response(response) => response.add(name, data),
            Self::Images(images) => images.add(name, data),
            Self::Audio(audio) => audio.add(name, data),
        }
    }

    pub(super) fn progress(&self) -> &Progress {
        match self {
            Self::Chunks(chunks) => &chunks.progress,
            Self::Response(response) => &response.progress,
            Self::Images(images) => &images.progress,
            Self::Audio(audio) => &audio.progress,
        }
    }

    pub(super) fn mark_truncated(&mut self, mark: Node<'a>) {
        match self {
            Self::Chunks(chunks) => chunks.mark_truncated(mark),
            Self::Response(response) => response.mark_truncated(mark),
            Self::Images(images) => images.mark_truncated(mark),
            Self::Audio(audio) => audio.mark_truncated(mark),
        }
    }

    pub(super) fn finish(self, endpoint: Endpoint) -> String {
        match self {
            Self::Chunks(chunks) => chunks.finish(endpoint),
            Self::Response(response) => response.finish(),
            Self::Images(images) => images.finish(),
            Self::Audio(audio) => audio.finish(),
        }
    }
}
