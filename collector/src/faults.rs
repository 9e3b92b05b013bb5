//! Faults: what a collector does wrong on purpose, to test what delivers to it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::Summary;
use crate::text::visible;
use crate::view::query::{self, Query};

/// The longest delay, and how long a connection hangs.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// The most faults that are armed at once.
const MOST: usize = 100;

/// What happens to a POST, as it is given to the API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hang: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_bytes: Option<usize>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    garbage: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<u8>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matching: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// What is done to one POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) delay: Duration,
    pub(crate) answer: Answer,
    pub(crate) retry_after: Option<u64>,
    /// For display.
    pub(crate) text: String,
}

/// The answer in place of the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The right one, late.
    Late,
    Status(u16, String),
    Hang,
    Reset,
    Broken(usize),
    Garbage(String),
}

/// A fault that waits for a POST.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Armed {
    id: u64,
    fault: Fault,
    left: Option<u64>,
    used: u64,
    text: String,
    #[serde(skip)]
    effect: Effect,
    #[serde(skip)]
    random: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Mutex<(Vec<Armed>, u64)>,
}

impl Fault {
    fn effect(&self) -> Result<Effect, String> {
        let delay = match self.delay.as_deref() {
            None => Duration::ZERO,
            Some(text) => duration(text).ok_or("`delay` is a time like 200ms or 2s")?,
        };
        if delay > LONGEST {
            return Err("`delay` is at most 60s".to_owned());
        }
        let after =
            self.retry_after.as_deref().map(|text| duration(text).ok_or("`retry_after` is a time like 3s"));
        let retry_after = after.transpose()?.map(|after| after.as_secs());
        let kinds = [self.status.is_some(), self.hang, self.reset, self.after_bytes.is_some(), self.garbage];
        let count = kinds.into_iter().filter(|is_set| *is_set).count();
        if count > 1 {
            return Err(
                "only one of `status`, `hang`, `reset`, `after_bytes` and `garbage` can be set".to_owned()
            );
        }
        if count == 0 && delay.is_zero() {
            return Err(
                "one of `status`, `hang`, `reset`, `after_bytes`, `garbage` and `delay` has to be set"
                    .to_owned(),
            );
        }
        if self.status.is_some_and(|status| !(400..600).contains(&status)) {
            return Err("`status` is from 400 to 599".to_owned());
        }
        if self.probability.is_some_and(|percent| percent > 100) {
            return Err("`probability` is in percent".to_owned());
        }
        if self.body.as_ref().is_some_and(|body| body.len() > 1 << 20) {
            return Err("`body` has at most 1 MiB".to_owned());
        }
        let body = || {
            self.body
                .clone()
                .unwrap_or_else(|| r#"{"status":"error","error":"a fault was armed"}"#.to_owned())
        };
        let answer = match (self.status, self.after_bytes) {
            (Some(status), _) => Answer::Status(status, body()),
            (None, Some(bytes)) => Answer::Broken(bytes),
            _ if self.hang => Answer::Hang,
            _ if self.reset => Answer::Reset,
            _ if self.garbage => {
                Answer::Garbage(self.body.clone().unwrap_or_else(|| "<html>not JSON".to_owned()))
            }
            _ => Answer::Late,
        };
        let mut text = match &answer {
            Answer::Late => "late".to_owned(),
            Answer::Status(status, _) => format!("status {status}"),
            Answer::Hang => "no answer".to_owned(),
            Answer::Reset => "connection closed".to_owned(),
            Answer::Broken(bytes) => format!("answer broke off after {bytes} bytes"),
            Answer::Garbage(_) => "answer was not JSON".to_owned(),
        };
        if !delay.is_zero() {
            text += &format!(", after {} ms", delay.as_millis());
        }
        Ok(Effect { delay, answer, retry_after, text })
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, (Vec<Armed>, u64)> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms a fault behind those before it.
    pub(crate) fn arm(&self, fault: Fault, now: u64) -> Result<Armed, String> {
        let effect = fault.effect()?;
        if let Some(text) = &fault.matching {
            query::parse(text, now, 0).map_err(|error| format!("`match`: {error}"))?;
        }
        let mut faults = self.lock();
        let (armed, last) = &mut *faults;
        if armed.len() >= MOST {
            return Err(format!("{MOST} faults are armed already"));
        }
        *last += 1;
        let left = Some(fault.times.unwrap_or(1)).filter(|times| *times > 0);
        let of = fault.matching.as_deref().map(|text| format!(", of what matches {}", visible(text)));
        let times = left.map_or("always".to_owned(), |left| format!("{left} times"));
        let percent = fault.probability.map(|percent| format!(", {percent} % of the time"));
        let text =
            format!("{}, {times}{}{}", effect.text, percent.unwrap_or_default(), of.unwrap_or_default());
        let random = fault.seed.unwrap_or(now);
        let new = Armed { id: *last, fault, left, used: 0, text, effect, random };
        armed.push(new.clone());
        Ok(new)
    }

    pub(crate) fn list(&self) -> Vec<Armed> {
        self.lock().0.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().0.len()
    }

    pub(crate) fn disarm(&self) -> usize {
        std::mem::take(&mut self.lock().0).len()
    }

    /// The effect of the first fault that meets this POST; `said` is what its search is about, if it is
    /// a report.
    pub(crate) fn meet(&self, report: Option<(&Summary, &str)>, now: u64) -> Option<Effect> {
        let mut faults = self.lock();
        let meets = |query: &Query| {
            report.is_some_and(|(summary, said)| query.matches(summary) && query.words.are_in(said))
        };
        let position = faults.0.iter_mut().position(|armed| {
            let matching = armed.fault.matching.as_deref();
            let is_meant =
                matching.is_none_or(|text| query::parse(text, now, 0).is_ok_and(|query| meets(&query)));
            is_meant && armed.hits()
        })?;
        let armed = faults.0.get_mut(position)?;
        armed.used += 1;
        armed.left = armed.left.map(|left| left - 1);
        let effect = armed.effect.clone();
        if armed.left == Some(0) {
            faults.0.remove(position);
        }
        Some(effect)
    }
}

impl Armed {
    /// Whether chance decides for the fault (SplitMix64).
    fn hits(&mut self) -> bool {
        let percent = u64::from(self.fault.probability.unwrap_or(100));
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < percent
    }
}

/// A time like `200ms`, `2s` or `3`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let milliseconds = text.strip_suffix("ms").map(str::parse::<u64>);
    let seconds = || text.strip_suffix('s').unwrap_or(text).parse::<f64>();
    match milliseconds {
        Some(number) => number.ok().map(Duration::from_millis),
        None => seconds().ok().and_then(|number| Duration::try_from_secs_f64(number).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Result<Fault, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn faults_meet_posts_in_order_and_as_often_as_armed() {
        let faults = Faults::default();
        faults.arm(fault(r#"{"status":503,"times":2,"retry_after":"3s"}"#).unwrap(), 0).unwrap();
        faults.arm(fault(r#"{"reset":true}"#).unwrap(), 0).unwrap();
        let met: Vec<_> = (0..4).map(|_| faults.meet(None, 0).map(|effect| effect.text)).collect();
        let expected = [Some("status 503"), Some("status 503"), Some("connection closed"), None];
        assert_eq!(met.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_fault_can_be_meant_for_some_reports_and_happen_by_chance() {
        let faults = Faults::default();
        faults
            .arm(
                fault(r#"{"garbage":true,"match":"session:x hello","times":0,"probability":30,"seed":7}"#)
                    .unwrap(),
                0,
            )
            .unwrap();
        let row = |session: &str| Summary { session: Some(session.into()), ..Summary::default() };
        let met = |row: &Summary, said: &str| {
            (0..1000).filter(|_| faults.meet(Some((row, said)), 0).is_some()).count()
        };
        assert_eq!((met(&row("y"), "hello"), met(&row("x"), "bye")), (0, 0));
        assert!((200..400).contains(&met(&row("x"), "hello")));
        assert_eq!((faults.count(), faults.disarm(), faults.count()), (1, 1, 0));
    }

    #[test]
    fn a_wrong_fault_says_what_is_wrong() {
        for (json, expected) in [
            ("{}", "has to be set"),
            (r#"{"status":200}"#, "400 to 599"),
            (r#"{"status":503,"hang":true}"#, "only one"),
            (r#"{"delay":"soon"}"#, "`delay` is a time"),
            (r#"{"delay":"61s"}"#, "at most 60s"),
            (r#"{"hang":true,"match":"nope:1"}"#, "there is no filter"),
            (r#"{"hang":true,"probability":101}"#, "percent"),
            (r#"{"oops":true}"#, "unknown field"),
        ] {
            let error =
                fault(json).and_then(|fault| Faults::default().arm(fault, 0).map(|_| ())).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
