#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn elided(json: &str) -> String {
    elide(RawValue::from_string(json.to_owned()).unwrap()).unwrap().get().to_owned()
}

#[test]
fn images_in_a_list_sound_and_files_are_found_without_a_data_url() {
    let (image, long) = ("aGVsbG8h".repeat(8), "aGVsbG8h".repeat(32));
    for (before, after) in [
        // Ollama, in a chat and in a generation.
        (
            format!(r#"{{"messages":[{{"role":"user","images":["{image}","{image}"]}}]}}"#),
            r#"{"messages":[{"role":"user","images":["image, 48 bytes","image, 48 bytes"]}]}"#,
        ),
        (
            format!(r#"{{"prompt":"x","images":["{image}"],"format":"json"}}"#),
            r#"{"prompt":"x","images":["image, 48 bytes"],"format":"json"}"#,
        ),
        // The image of a generation, and a video for a model on Bedrock.
        (
            format!(r#"{{"model":"m","image":"{long}","done":true}}"#),
            r#"{"model":"m","image":"image, 192 bytes","done":true}"#,
        ),
        (
            format!(r#"{{"mediaSource":{{"base64String":"{long}"}}}}"#),
            r#"{"mediaSource":{"base64String":"file, 192 bytes"}}"#,
        ),
        // Mistral.
        (
            format!(r#"{{"content":[{{"type":"input_audio","input_audio":"{long}"}}]}}"#),
            r#"{"content":[{"type":"input_audio","input_audio":"audio, 192 bytes"}]}"#,
        ),
        // Perplexity.
        (
            format!(r#"{{"content":[{{"type":"file_url","file_url":{{"url":"{long}"}}}}]}}"#),
            r#"{"content":[{"type":"file_url","file_url":{"url":"file, 192 bytes"}}]}"#,
        ),
    ] {
        assert_eq!(elided(&before), after);
    }
}

#[test]
fn names_and_links_of_images_sound_and_files_are_no_media() {
    let long = "aGVsbG8h".repeat(32);
    for json in [
        r#"{"images":["cat","file-8PvKc2","https://example.com/cat.png"],"input_audio":"voice","image":"cat"}"#.to_owned(),
        r#"{"file_url":{"url":"https://example.com/paper.pdf"}}"#.to_owned(),
        format!(r#"{{"image_url":{{"url":"{long}"}},"url":"{long}"}}"#),
    ] {
        assert_eq!(elided(&json), json);
    }
}
