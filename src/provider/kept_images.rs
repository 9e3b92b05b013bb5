//! Images in the answers of providers for which Reconify documents no uploads.

use memchr::memmem;

use super::media;
use super::spec::Images;

/// They stay in the report, as the media of a request do. If images are not tracked, their type and
/// length are reported.
pub(crate) const KEPT_IMAGES: Images = Images {
    may_hold: |answer| memmem::find(answer, b"image").is_some(),
    detach: |answer, _| (answer, Vec::new()),
    elide: |answer| media::elide_those(answer, |medium| medium.kind.starts_with("image")),
};

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn images_stay_unless_they_are_not_tracked_and_other_media_stay_in_any_case() {
        let image = "aGVsbG8h".repeat(32);
        for answer in [
            r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"IMAGE"}}]}}]}"#,
            r#"{"output":{"message":{"content":[{"image":{"format":"png","source":{"bytes":"IMAGE"}}}]}}}"#,
            r#"{"model":"m","image":"IMAGE","done":true}"#,
        ] {
            let with = |image: &str| RawValue::from_string(answer.replace("IMAGE", image)).unwrap();
            let whole = with(&image);
            assert!((KEPT_IMAGES.may_hold)(whole.get().as_bytes()));
            let (kept, images) = (KEPT_IMAGES.detach)(whole.clone(), std::time::UNIX_EPOCH);
            assert!(kept.get() == whole.get() && images.is_empty());
            let elided = (KEPT_IMAGES.elide)(whole);
            assert!(elided.get().contains("192 bytes") && !elided.get().contains("aGVsbG8h"), "{elided}");
        }
        let sound = r#"{"inline_data":{"mime_type":"audio/wav","data":"aGVsbG8="}}"#;
        let sound = RawValue::from_string(sound.to_owned()).unwrap();
        assert_eq!((KEPT_IMAGES.elide)(sound.clone()).get(), sound.get());
        assert!(!(KEPT_IMAGES.may_hold)(b"{}"));
    }
}
