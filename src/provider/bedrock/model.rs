//! The model in the path of a request.

/// The parts of the path `…/model/{id}/{method}`.
#[derive(Clone, Copy)]
pub(super) struct ModelPath<'a> {
    pub(super) id: ModelId<'a>,
    pub(super) method: &'a str,
}

/// The id of a model, of an inference profile, or its ARN. The id in a path is percent-encoded.
#[derive(Clone, Copy)]
pub(super) struct ModelId<'a>(pub(super) &'a str);

/// The prefixes of inference profiles, which name the regions that they use.
const REGIONS: [&str; 8] = ["us.", "eu.", "apac.", "au.", "jp.", "ca.", "us-gov.", "global."];

/// Models that generate images.
const IMAGES: [&str; 3] = ["stability.", "amazon.titan-image", "amazon.nova-canvas"];

impl<'a> ModelPath<'a> {
    /// `None` for any other path.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let (path, method) = path.rsplit_once('/')?;
        let (before, id) = path.rsplit_once('/')?;
        (before.ends_with("/model") && !id.is_empty()).then_some(Self { id: ModelId(id), method })
    }
}

impl<'a> ModelId<'a> {
    /// The id without an ARN around it and without the region in front of it.
    pub(super) fn bare(self) -> &'a str {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        let last = last.rsplit("%2F").next().and_then(|last| last.rsplit("%2f").next()).unwrap_or_default();
        let bare = REGIONS.iter().find_map(|region| last.strip_prefix(region));
        bare.filter(|bare| bare.contains('.')).unwrap_or(last)
    }

    /// Whether the model has a vendor or an ARN. An application may have a route for calling models by
    /// other names, or by their versions.
    pub(super) fn is_bedrocks(self) -> bool {
        let is_arn = self.0.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("arn"));
        is_arn
            || self.bare().split_once('.').is_some_and(|(vendor, name)| {
                vendor.starts_with(|first: char| first.is_ascii_alphabetic())
                    && vendor.bytes().all(|byte| byte.is_ascii_alphanumeric())
                    && name.starts_with(|first: char| first.is_ascii_alphabetic())
            })
    }

    /// Whether the model does not generate images, and does not rank or embed texts.
    pub(super) fn is_chat(self) -> bool {
        let bare = self.bare();
        !IMAGES.iter().any(|prefix| bare.starts_with(prefix))
            && !bare.contains("embed")
            && !bare.contains("rerank")
    }
}
