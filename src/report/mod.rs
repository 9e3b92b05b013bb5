//! The wire format: an interaction as the JSON that Reconify accepts, without the keys.

mod opening;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use self::opening::{Opening, open};
use crate::codec::allowance::Allowance;
use crate::codec::json;
use crate::config::ReportOptions;
use crate::id::new_id;
use crate::identity::{Session, Tags, User};
use crate::interaction::{Interaction, InteractionKind, Outcome};
use crate::provider::operation::Operation;
use crate::provider::{DetachedImage, Provider};

/// One report, ready to be sent. Every attempt sends the same bytes.
///
/// It contains no keys: the default transport adds them to `reconify` as it sends.
///
/// ```json
/// {"reconify": {"format": "openai", "type": "chat", "version": "1.0.0"},
///  "timestamps": {"request": 1689703471457, "response": 1689703474393},
///  "session": "S1", "sessionTimeout": 15, "user": {"userId": "ABC123"},
///  "request": {"model": "gpt-4o", "messages": []}, "response": {"choices": []}}
/// ```
#[derive(Clone)]
pub struct Report {
    id: Uuid,
    json: Arc<String>,
    keys_at: usize,
    is_upload: bool,
    /// `None` for a report read back from disk.
    origin: Option<Arc<Origin>>,
}

/// The properties of the interaction that a report was made of.
struct Origin {
    operation: Option<Operation>,
    provider: Provider,
    kind: InteractionKind,
    outcome: Outcome,
    user: Option<User>,
    session: Option<Session>,
}

#[derive(Serialize)]
struct Upload<'a> {
    filename: &'a str,
    r#type: &'static str,
    data: &'a RawValue,
    format: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    id: Uuid,
    outcome: &'static str,
    endpoint: Option<&'static str>,
    status: Option<u16>,
    request_id: Option<&'a str>,
    streamed: bool,
    chunks: u64,
    time_to_first_token_ms: Option<u64>,
    duration_ms: u64,
    truncated: bool,
    skipped: u64,
    tags: BTreeMap<&'a str, &'a str>,
    reporter: &'a ReporterCounts,
}

/// The counts of a reporter when a report was made. They tell a reader what never came.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ReporterCounts {
    /// A random id of the reporter. Most processes have one reporter.
    pub(crate) process: Uuid,
    pub(crate) captured: u64,
    pub(crate) dropped: u64,
    pub(crate) withheld: u64,
}

#[derive(Serialize)]
struct Timestamps {
    request: u64,
    response: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum UserObject<'a> {
    Known(&'a User),
    Unknown {},
}

impl Report {
    /// Serialises an interaction. The counts are part of the metadata.
    pub(crate) fn new(
        interaction: &Interaction,
        reporting: &ReportOptions,
        counts: impl FnOnce() -> ReporterCounts,
    ) -> serde_json::Result<Self> {
        let id = new_id();
        let Interaction { identity, request, response, .. } = interaction;
        let session = identity.session();
        let timeout = session.and_then(|session| session.minutes()).or(reporting.session_timeout);
        let user = identity.user().filter(|user| user.is_known());
        let timestamps = Timestamps {
            request: milliseconds(interaction.requested),
            response: milliseconds(interaction.responded),
        };
        let mut json = String::with_capacity(512 + request.len() + response.len());
        let keys_at = open(&mut json, interaction.provider, interaction.kind.as_str());
        field(&mut json, "timestamps", &timestamps)?;
        field(&mut json, "session", &session.and_then(|session| session.id()))?;
        field(&mut json, "sessionTimeout", &timeout)?;
        field(&mut json, "user", &user.map_or(UserObject::Unknown {}, UserObject::Known))?;
        // Request and response are JSON text already: they are copied once and not parsed again.
        key(&mut json, "request");
        match interaction.provider.spec().request_string {
            Some(name) => write_with_string(&request.text(), name, &mut json),
            None => request.write(&mut json),
        }
        key(&mut json, "response");
        response.write(&mut json);
        if reporting.metadata {
            field(&mut json, "metadata", &Metadata::of(id, interaction, &counts()))?;
        }
        json.push('}');
        let origin = Some(Arc::new(Origin::of(interaction)));
        Ok(Self { id, json: json.into(), keys_at, is_upload: false, origin })
    }

    /// Serialises the images of an interaction, each as its own report.
    pub(crate) fn uploads(interaction: &Interaction) -> serde_json::Result<Vec<Self>> {
        let origin = (!interaction.images.is_empty()).then(|| Arc::new(Origin::of(interaction)));
        let upload = |image: &DetachedImage| {
            let upload = Upload {
                filename: &image.filename,
                r#type: "response-image",
                data: &image.element,
                format: "b64_json",
            };
            let mut json = String::with_capacity(512 + image.element.get().len());
            let keys_at = open(&mut json, interaction.provider, UPLOAD);
            field(&mut json, "upload", &upload)?;
            json.push('}');
            Ok(Self { id: new_id(), json: json.into(), keys_at, is_upload: true, origin: origin.clone() })
        };
        interaction.images.iter().map(upload).collect()
    }

    /// Restores a report that was stored elsewhere, from its [`id`](Self::id) and [`bytes`](Self::bytes).
    ///
    /// What it was made of is not known any more: [`user`](Self::user) and the like return `None`. It
    /// can be [delivered](crate::Reporter::deliver).
    ///
    /// # Errors
    ///
    /// If the text is not a report as this version or an earlier one writes it: one JSON object that
    /// begins with `{"reconify":{"format":"…","type":"…","version":"…"}`, with a known format, and
    /// has no second field `reconify`. The keys are inserted into that beginning, so nothing else
    /// may stand there. Beyond that, the content is not checked.
    ///
    /// ```
    /// use tower_reconify::Report;
    ///
    /// let id = uuid::Uuid::from_u128(7);
    /// let json = r#"{"reconify":{"format":"openai","type":"chat","version":"1.0.0"},"request":{}}"#;
    /// let report = Report::from_stored(id, json)?;
    /// assert_eq!((report.id(), report.json()), (id, json));
    /// assert!(Report::from_stored(id, "{}").is_err());
    /// # Ok::<_, tower_reconify::NotAReport>(())
    /// ```
    pub fn from_stored(id: Uuid, json: impl Into<Bytes>) -> Result<Self, NotAReport> {
        let json = json.into();
        let Opening { format, r#type, keys_at } =
            Opening::of(&json).ok_or(NotAReport("it does not begin as a report does"))?;
        if !Provider::ALL.iter().any(|provider| provider.format().as_bytes() == format) {
            return Err(NotAReport("its format is unknown to this version"));
        }
        let is_upload = r#type == UPLOAD.as_bytes();
        // An object of millions of fields is no report.
        let (is_named_once, _) = Allowance::LARGE.within(|| {
            let fields = json::parse_object(&json)?;
            Some(fields.iter().filter(|(name, _)| name == "reconify").count() == 1)
        });
        match is_named_once {
            None => return Err(NotAReport("it is not one JSON object of a reasonable size")),
            Some(false) => return Err(NotAReport("it has a second field `reconify`")),
            Some(true) => {}
        }
        let stored = Self::restore(id, json, keys_at, is_upload);
        stored.ok_or(NotAReport("it is not UTF-8"))
    }

    /// Whether this is the data of an image, which has its own endpoint
    /// ([`ConfigBuilder::upload_endpoint`](crate::ConfigBuilder::upload_endpoint)). It follows the
    /// report of the interaction that it belongs to.
    pub fn is_image_upload(&self) -> bool {
        self.is_upload
    }

    /// The report's id: unique, and the same on every attempt.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The called operation. `None` for an interaction made by hand, and for a report read back from
    /// disk.
    pub fn operation(&self) -> Option<Operation> {
        self.origin.as_ref()?.operation
    }

    /// The provider whose format the interaction has (`reconify.format`). `None` for a report read
    /// back from disk.
    pub fn provider(&self) -> Option<Provider> {
        Some(self.origin.as_ref()?.provider)
    }

    /// The type of the interaction: `reconify.type`, except in the upload of one of its images. `None`
    /// for a report read back from disk.
    pub fn kind(&self) -> Option<InteractionKind> {
        Some(self.origin.as_ref()?.kind)
    }

    /// How the exchange ended. `None` for a report read back from disk.
    pub fn outcome(&self) -> Option<Outcome> {
        Some(self.origin.as_ref()?.outcome)
    }

    /// The user, if known. `None` for a report read back from disk.
    pub fn user(&self) -> Option<&User> {
        self.origin.as_ref()?.user.as_ref()
    }

    /// The session, if known. `None` for a report read back from disk.
    pub fn session(&self) -> Option<&Session> {
        self.origin.as_ref()?.session.as_ref()
    }

    /// The payload, without keys. A request or response keeps its own white space, which may contain
    /// line breaks; [`json_line`](Self::json_line) has none.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The payload, without keys, on a single line: for files of JSON Lines.
    pub fn json_line(&self) -> Cow<'_, str> {
        let is_line_end = |letter| matches!(letter, '\n' | '\r');
        match self.json.contains(is_line_end) {
            // In JSON, line ends occur only between tokens.
            true => self.json.replace(is_line_end, " ").into(),
            false => self.json().into(),
        }
    }

    /// The payload, without keys, as bytes. They are shared, not copied.
    pub fn bytes(&self) -> Bytes {
        Bytes::from_owner(PayloadBytes(Arc::clone(&self.json)))
    }

    /// The length of the payload in bytes.
    pub(crate) fn len(&self) -> usize {
        self.json.len()
    }

    /// The memory of the report: its payload, and the texts of user and session.
    pub(crate) fn held(&self) -> usize {
        let origin = self.origin.as_ref();
        self.len() + origin.map_or(0, |origin| origin.identity_bytes())
    }

    /// The payload in two parts: further fields of `reconify` can be inserted between them.
    #[cfg(any(feature = "reqwest", test, fuzzing))]
    pub(crate) fn around_keys(&self) -> (Bytes, Bytes) {
        let (json, at) = (self.bytes(), self.keys_at.min(self.json.len()));
        (json.slice(..at), json.slice(at..))
    }

    /// The position of the keys in the payload.
    pub(crate) fn keys_at(&self) -> usize {
        self.keys_at
    }

    /// Restores a stored report. Returns `None` unless its start is exactly one that [`open`]
    /// writes: another process may have written the file, and the keys must not end up in the
    /// content.
    pub(crate) fn restore(id: Uuid, json: Bytes, keys_at: usize, is_upload: bool) -> Option<Self> {
        let is_opened = Opening::of(&json).is_some_and(|opening| opening.keys_at == keys_at);
        // Takes the memory over if nothing else refers to it.
        let json = String::from_utf8(json.into()).ok().filter(|_| is_opened)?.into();
        Some(Self { id, json, keys_at, is_upload, origin: None })
    }
}

/// The text of a report as the owner of its bytes.
struct PayloadBytes(Arc<String>);

impl AsRef<[u8]> for PayloadBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Origin {
    fn of(interaction: &Interaction) -> Self {
        let Interaction { provider, kind, outcome, identity, details, .. } = interaction;
        Self {
            operation: details.operation,
            provider: *provider,
            kind: *kind,
            outcome: *outcome,
            user: identity.user().filter(|user| user.is_known()).cloned(),
            session: identity.session().filter(|session| session.id().is_some()).cloned(),
        }
    }

    fn identity_bytes(&self) -> usize {
        self.user.as_ref().map_or(0, User::bytes) + self.session.as_ref().map_or(0, Session::bytes)
    }
}

/// Shows the id and the size, without the content.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("id", &self.id)
            .field("bytes", &self.json.len())
            .finish_non_exhaustive()
    }
}

/// The type in the upload of an image.
const UPLOAD: &str = "image-upload";

/// Why a text is not a report: the error of [`Report::from_stored`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAReport(&'static str);

impl fmt::Display for NotAReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text is not a report: {}", self.0)
    }
}

impl std::error::Error for NotAReport {}

/// Writes an object with one of its fields as a string of JSON, unless that is a string already.
fn write_with_string(object: &str, name: &str, out: &mut String) {
    let fields = json::parse_object(object.as_bytes()).unwrap_or_default();
    let value = json::field(&fields, name).map(RawValue::get).filter(|value| !value.starts_with('"'));
    let around = value.and_then(|value| {
        let start = (value.as_ptr() as usize).checked_sub(object.as_ptr() as usize)?;
        Some((object.get(..start)?, value, object.get(start + value.len()..)?))
    });
    match around {
        Some((before, value, after)) => {
            out.push_str(before);
            json::write_text(value, out);
            out.push_str(after);
        }
        None => out.push_str(object),
    }
}

/// Appends a field to a non-empty object.
fn field(json: &mut String, name: &'static str, value: &impl Serialize) -> serde_json::Result<()> {
    key(json, name);
    json.push_str(&serde_json::to_string(value)?);
    Ok(())
}

/// Appends a field's name, which must need no escaping.
fn key(json: &mut String, name: &'static str) {
    json.push_str(",\"");
    json.push_str(name);
    json.push_str("\":");
}

impl<'a> Metadata<'a> {
    fn of(id: Uuid, interaction: &'a Interaction, reporter: &'a ReporterCounts) -> Self {
        let details = &interaction.details;
        let tags = interaction.identity.tags().into_iter().flat_map(Tags::iter);
        Self {
            id,
            outcome: interaction.outcome.as_str(),
            endpoint: details.operation.map(Operation::as_str),
            status: details.status,
            request_id: details.request_id.as_deref(),
            streamed: details.is_streamed,
            chunks: details.chunks,
            time_to_first_token_ms: details.first_token.map(whole_milliseconds),
            duration_ms: whole_milliseconds(details.duration),
            truncated: details.losses.is_truncated,
            skipped: details.losses.skipped,
            tags: tags.collect(),
            reporter,
        }
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    whole_milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
