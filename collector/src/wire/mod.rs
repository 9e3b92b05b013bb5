//! What a POST must look like. The vendor's documentation requires little, and its modules send
//! several things that the documentation forbids; the contract is stricter than both.

mod mask;
mod shapes;

use crate::json::{Json, Object};
use crate::text::{label, visible};

pub(crate) use self::mask::masked;

/// The maximum number of offending fields in an answer.
const MOST_FIELDS: usize = 1000;

/// So much of a refused body is kept.
const HEAD: usize = 4096;

/// A field that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Field {
    /// Where it is, as a JSON pointer.
    pub pointer: String,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: String,
}

/// The keys and the strictness of a collector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) is_strict: bool,
    pub(crate) app_key: Option<String>,
    pub(crate) api_key: Option<String>,
}

/// A report that is taken: its text with masked keys, and what is wrong with it nevertheless.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) text: String,
    pub(crate) deviations: Vec<Field>,
}

/// A POST that is not taken.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) fields: Vec<Field>,
    /// The first bytes, with masked keys.
    pub(crate) head: String,
}

/// Where the POST went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Track,
    Upload,
}

impl Rules {
    /// Checks and masks a body.
    pub(crate) fn check(&self, body: &[u8], target: Target) -> Result<Accepted, Rejected> {
        let keys: Vec<&str> =
            [&self.app_key, &self.api_key].into_iter().flatten().map(String::as_str).collect();
        let with_head = |status, reason: &str, fields, masked: &str| {
            let head = visible(crate::text::head(masked, HEAD)).into_owned();
            Err(Rejected { status, reason: reason.to_owned(), fields, head })
        };
        // What is no JSON is not masked as a whole: it may be large.
        let rejected = |status, reason: &str, fields| {
            with_head(status, reason, fields, &mask::mask_beginning(body, &keys))
        };
        let whole = |found: String, expected: &str| {
            vec![Field { pointer: String::new(), found, expected: expected.to_owned() }]
        };
        let Ok(text) = str::from_utf8(body) else {
            return rejected(400, "the body is not UTF-8", whole("bytes".to_owned(), "JSON in UTF-8"));
        };
        let report = match Json::parse(text) {
            Ok(report) => report,
            Err(error) => return rejected(400, "the body is not JSON", whole(error.to_string(), "JSON")),
        };
        if !report.is_object() {
            let found = label(&mask::mask_beginning(body, &keys), 60);
            return rejected(400, "the report is not an object", whole(found, "an object"));
        }
        let mut findings = Findings { fields: Vec::new(), required: 0, is_strict: self.is_strict };
        let is_wrong_key = self.check_keys(&report.object(), &mut findings);
        // What is found in the wrong place may be a key.
        let text = mask::mask(report, &keys);
        let report = Json::parse(&text).map(Json::object).unwrap_or_default();
        check_envelope(&report, target, &mut findings);
        let is_refused =
            findings.required > 0 || is_wrong_key || (self.is_strict && !findings.fields.is_empty());
        if is_refused {
            let (status, reason) = if is_wrong_key && findings.required == 0 {
                (401, "the keys are not those of this collector")
            } else {
                (400, "fields are missing or wrong")
            };
            return with_head(status, reason, findings.fields, &mask::mask_fields(&text));
        }
        Ok(Accepted { text, deviations: findings.fields })
    }

    /// Whether a key is there and not the right one.
    fn check_keys(&self, report: &Object<'_>, findings: &mut Findings) -> bool {
        let head = report.get("reconify").map(Json::object).unwrap_or_default();
        let mut is_wrong = false;
        for (name, expected) in [("appKey", &self.app_key), ("apiKey", &self.api_key)] {
            let pointer = format!("/reconify/{name}");
            let Some(key) = head.get(name).and_then(Json::filled) else {
                let found = head
                    .any(name)
                    .map_or("nothing", |json| if json.is_string() { "\"\"" } else { "no string" });
                findings.require(pointer, found.to_owned(), "a key: a non-empty string");
                continue;
            };
            if expected.as_ref().is_some_and(|expected| !is_same(expected, &key)) {
                is_wrong = true;
                findings.add(pointer, masked(&key), &format!("the key set in COLLECTOR_{}", variable(name)));
            }
        }
        is_wrong
    }
}

fn variable(name: &str) -> &'static str {
    if name == "appKey" { "APP_KEY" } else { "API_KEY" }
}

/// Compares keys in a time that does not depend on where they differ.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

/// What was found so far.
pub(super) struct Findings {
    fields: Vec<Field>,
    required: usize,
    is_strict: bool,
}

impl Findings {
    /// Adds a field that differs from the contract.
    fn add(&mut self, pointer: String, found: String, expected: &str) {
        if self.fields.len() < MOST_FIELDS {
            self.fields.push(Field { pointer, found, expected: expected.to_owned() });
        }
    }

    /// Adds a field without which a report is of no use to anybody.
    fn require(&mut self, pointer: String, found: String, expected: &str) {
        self.required += 1;
        self.add(pointer, found, expected);
    }

    /// Adds a field unless it is as expected.
    fn expect<'j>(
        &mut self,
        pointer: &str,
        json: Option<Json<'j>>,
        expected: &str,
        is_right: impl Fn(Json<'j>) -> bool,
    ) {
        match json {
            Some(json) if is_right(json) => {}
            other => {
                self.add(pointer.to_owned(), other.map_or_else(|| "nothing".to_owned(), shown), expected)
            }
        }
    }
}

/// The beginning of a value, which may be a key in the wrong place.
fn shown(json: Json<'_>) -> String {
    label(&mask::mask_fields(crate::text::head(json.text(), 400)), 60)
}

/// A name inside of a pointer, which a sender may have made long.
fn escaped(name: &str) -> String {
    label(name, 100).replace('~', "~0").replace('/', "~1")
}

fn is_whole(json: Json<'_>) -> bool {
    json.text().parse::<u64>().is_ok()
}

fn is_filled(json: Json<'_>) -> bool {
    json.filled().is_some()
}

fn check_envelope(report: &Object<'_>, target: Target, findings: &mut Findings) {
    let head = report.get("reconify").map(Json::object).unwrap_or_default();
    for name in ["format", "type", "version"] {
        if !head.get(name).is_some_and(is_filled) {
            let found = head.any(name).map_or_else(|| "nothing".to_owned(), shown);
            findings.require(format!("/reconify/{name}"), found, "a non-empty string");
        }
    }
    let text = |name| head.string(name).unwrap_or_default();
    let (format, kind, version) = (text("format"), text("type"), text("version"));
    let is_upload = is_upload(&kind);
    let row = shapes::row(&format);
    match row {
        Some(row) => {
            if version != row.version && !version.is_empty() {
                findings.add("/reconify/version".to_owned(), quoted(&version), &quoted(row.version));
            }
            let is_known = (is_upload && kind == "image-upload") || row.types.contains(&&*kind);
            if !is_known && !kind.is_empty() {
                findings.add(
                    "/reconify/type".to_owned(),
                    quoted(&kind),
                    &format!("one of {}, image-upload", row.types.join(", ")),
                );
            }
        }
        None if format.is_empty() => {}
        None => findings.add(
            "/reconify/format".to_owned(),
            quoted(&format),
            &format!("one of {}", shapes::formats()),
        ),
    }
    if is_upload != (target == Target::Upload) && !kind.is_empty() {
        let expected = if is_upload {
            "another type, or a POST to /upload"
        } else {
            "\"image-upload\", or a POST to /track"
        };
        findings.add("/reconify/type".to_owned(), quoted(&kind), expected);
    }
    if is_upload {
        return check_upload(report, findings);
    }
    check_interaction(report, findings);
    if let Some(row) = row {
        let part = |name| report.get(name).filter(|json| !json.is_null());
        if let (Some(request), Some(response)) = (part("request"), part("response")) {
            shapes::check(row, &kind, request, response, findings);
        }
    }
}

/// Whether the type is that of an image; the Python module spells it with an underscore.
pub(crate) fn is_upload(kind: &str) -> bool {
    matches!(kind, "image-upload" | "image_upload")
}

fn check_upload(report: &Object<'_>, findings: &mut Findings) {
    let upload = report.get("upload").map(Json::object).unwrap_or_default();
    let filename = upload.get("filename");
    if !filename.is_some_and(is_filled) {
        findings.require(
            "/upload/filename".to_owned(),
            filename.map_or_else(|| "nothing".to_owned(), shown),
            "a file name",
        );
    }
    let data = upload.get("data");
    if !data.is_some_and(Json::is_object) {
        findings.require(
            "/upload/data".to_owned(),
            data.map_or_else(|| "nothing".to_owned(), shown),
            "an object",
        );
    }
    findings.expect("/upload/type", upload.get("type"), "\"response-image\"", |json| {
        json.text() == "\"response-image\""
    });
    findings
        .expect("/upload/format", upload.get("format"), "\"b64_json\"", |json| json.text() == "\"b64_json\"");
}

fn check_interaction(report: &Object<'_>, findings: &mut Findings) {
    for name in ["request", "response"] {
        match report.any(name) {
            Some(json) if json.is_object() => {}
            // The Python module posts a text that is not JSON as a string.
            Some(json) if !json.is_null() => findings.add(format!("/{name}"), shown(json), "an object"),
            other => findings.require(
                format!("/{name}"),
                other.map_or_else(|| "nothing".to_owned(), shown),
                "an object",
            ),
        }
    }
    let times = report.get("timestamps").map(Json::object).unwrap_or_default();
    let requested = times.number("request");
    findings.expect("/timestamps/request", times.get("request"), "milliseconds since the epoch", is_whole);
    findings.expect(
        "/timestamps/response",
        times.get("response"),
        "milliseconds since the epoch, not before the request",
        |json| is_whole(json) && json.number() >= requested,
    );
    findings.expect("/session", report.any("session"), "null or a non-empty string", |json| {
        json.is_null() || is_filled(json)
    });
    findings.expect("/sessionTimeout", report.any("sessionTimeout"), "null or a number of minutes", |json| {
        json.is_null() || is_whole(json)
    });
    let user = report.any("user");
    findings.expect("/user", user, "an object", Json::is_object);
    if let Some(user) = user.filter(|user| user.is_object()) {
        check_user(&user.object(), findings);
    }
    if let Some(metadata) = report.get("metadata") {
        check_metadata(metadata, findings);
    }
}

fn check_user(user: &Object<'_>, findings: &mut Findings) {
    let is_empty = user.iter().next().is_none();
    for (name, json) in user.iter() {
        let pointer = format!("/user/{}", escaped(name));
        match name {
            "userId" | "email" | "firstName" | "lastName" | "phone" | "gender" => {
                findings.expect(&pointer, Some(json), "a string", Json::is_string);
            }
            "isAuthenticated" => {
                findings.expect(&pointer, Some(json), "1 or 0", |json| matches!(json.text(), "0" | "1"));
            }
            _ => findings.add(pointer, shown(json), "no such field"),
        }
    }
    if !is_empty && !["userId", "email"].iter().any(|name| user.get(name).is_some_and(is_filled)) {
        findings.add("/user".to_owned(), "neither userId nor email".to_owned(), "userId or email, or {}");
    }
}

fn check_metadata<'j>(metadata: Json<'j>, findings: &mut Findings) {
    findings.expect("/metadata", Some(metadata), "an object", Json::is_object);
    if !findings.is_strict {
        return;
    }
    let metadata = metadata.object();
    let mut check = |name: &str, expected: &str, is_right: &dyn Fn(Json<'j>) -> bool| {
        if let Some(json) = metadata.get(name) {
            findings.expect(&format!("/metadata/{name}"), Some(json), expected, is_right);
        }
    };
    for name in ["id", "outcome", "endpoint", "requestId"] {
        check(name, "a string", &Json::is_string);
    }
    for name in ["status", "chunks", "timeToFirstTokenMs", "durationMs", "skipped"] {
        check(name, "a whole number", &is_whole);
    }
    check("tags", "an object of strings", &|json| {
        json.is_object() && json.object().iter().all(|(_, value)| value.is_string())
    });
    check("reporter", "{process, captured, dropped, withheld}", &|json| {
        let reporter = json.object();
        let is_number = |name: &&str| reporter.get(name).is_some_and(is_whole);
        reporter.get("process").is_some_and(is_filled)
            && ["captured", "dropped", "withheld"].iter().all(is_number)
    });
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", label(text, 60))
}

#[cfg(test)]
mod tests;
