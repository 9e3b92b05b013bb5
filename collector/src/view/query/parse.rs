//! Reads a search.

use super::{Comparison, Field, Number, Pattern, Query, QueryError, Term};
use crate::text::{folded, label};
use crate::time::{DAY, days};
use crate::view::checks::CHECKS;

/// The longest search.
const LONGEST: usize = 4000;

/// The most terms and words: each word is looked for in everything that was said.
const MOST: usize = 50;

const IS: [&str; 11] = [
    "failed",
    "streamed",
    "truncated",
    "upload",
    "faulted",
    "repeated",
    "anonymous",
    "answered",
    "refused",
    "interrupted",
    "abandoned",
];
const HAS: [&str; 10] =
    ["tool", "image", "audio", "file", "refusal", "reasoning", "choices", "problem", "problems", "error"];
const FILTERS: &str = "user: session: model: type: format: outcome: finish: tool: status: process: app: key: tag.NAME: is: has: after: before:";

/// A piece of a search between spaces: its text without quotes.
struct Token {
    at: usize,
    is_wanted: bool,
    /// What stands before the first colon outside of quotes.
    name: Option<String>,
    /// The values between commas, with whether they were quoted. The whole text if there is no name.
    values: Vec<(String, bool)>,
}

/// Parses a search. `zone` is the searcher's offset from UTC in minutes, east is positive.
pub(crate) fn parse(text: &str, now: u64, zone: i64) -> Result<Query, QueryError> {
    if text.len() > LONGEST {
        return Err(QueryError { message: format!("a search has at most {LONGEST} bytes"), at: LONGEST });
    }
    let mut query = Query { is_empty: text.trim().is_empty(), ..Query::default() };
    for token in tokens(text)? {
        let at = token.at;
        let is_wanted = token.is_wanted;
        match term(token, now, zone).map_err(|message| QueryError { message, at })? {
            Parsed::Term(term) => query.terms.push((is_wanted, term)),
            Parsed::Word(word) => query.words.push(&folded(&word), is_wanted),
        }
    }
    Ok(query)
}

fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut out = Vec::new();
    let mut letters = text.chars().enumerate().peekable();
    while let Some((at, letter)) = letters.next_if(|_| true) {
        if letter.is_whitespace() {
            continue;
        }
        let mut token = Token { at, is_wanted: true, name: None, values: Vec::new() };
        let (mut value, mut was_quoted) = (String::new(), false);
        let mut next = Some((at, letter));
        if letter == '-' && letters.peek().is_some_and(|(_, next)| !next.is_whitespace()) {
            token.is_wanted = false;
            next = letters.next();
        }
        while let Some((_, letter)) = next {
            match letter {
                '"' => {
                    was_quoted = true;
                    loop {
                        match letters.next() {
                            Some((_, '"')) => break,
                            Some((_, '\\'))
                                if letters.peek().is_some_and(|(_, next)| matches!(next, '"' | '\\')) =>
                            {
                                value.extend(letters.next().map(|(_, letter)| letter));
                            }
                            Some((_, letter)) => value.push(letter),
                            None => {
                                return Err(QueryError {
                                    message: "a quotation mark is not closed".to_owned(),
                                    at,
                                });
                            }
                        }
                    }
                }
                ':' if token.name.is_none() && !was_quoted && is_name(&value) => {
                    token.name = Some(std::mem::take(&mut value));
                }
                ',' if token.name.is_some() => {
                    token.values.push((std::mem::take(&mut value), std::mem::take(&mut was_quoted)));
                }
                letter => value.push(letter),
            }
            next = letters.next_if(|(_, letter)| !letter.is_whitespace());
        }
        token.values.push((value, was_quoted));
        if out.len() == MOST {
            return Err(QueryError { message: format!("a search has at most {MOST} terms"), at });
        }
        out.push(token);
    }
    Ok(out)
}

/// Whether a text before a colon is meant as the name of a filter.
fn is_name(text: &str) -> bool {
    let is_tag = text.starts_with("tag.");
    let is_word = !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase());
    is_tag || (is_word && !matches!(text, "http" | "https" | "data" | "mailto"))
}

enum Parsed {
    Term(Term),
    Word(String),
}

fn term(token: Token, now: u64, zone: i64) -> Result<Parsed, String> {
    let Token { name, values, .. } = token;
    let Some(name) = name else {
        let (word, was_quoted) = values.into_iter().next().unwrap_or_default();
        if word == "*" && !was_quoted {
            return Ok(Parsed::Term(Term::Everything));
        }
        return Ok(match number(&word).filter(|_| !was_quoted) {
            Some(term) => Parsed::Term(term?),
            None => Parsed::Word(word),
        });
    };
    let mut values =
        values.into_iter().filter(|(value, was_quoted)| *was_quoted || !value.is_empty()).peekable();
    if values.peek().is_none() {
        return Err(format!("`{name}:` has no value"));
    }
    let term = match &*name {
        "is" => {
            let is = |(value, _): (String, bool)| {
                let known = IS.iter().find(|known| **known == value);
                known
                    .map(|known| Term::Is(known))
                    .ok_or_else(|| format!("there is no `is:{}`: {}", label(&value, 40), IS.join(", ")))
            };
            Term::Any(values.map(is).collect::<Result<_, _>>()?)
        }
        "has" => Term::Any(values.map(|(value, _)| has(value)).collect::<Result<_, _>>()?),
        "after" | "before" => {
            let (value, _) = values.next().unwrap_or_default();
            if values.next().is_some() {
                return Err(format!("`{name}:` has one time only"));
            }
            let time = time(&value, now, zone)?;
            if name == "after" { Term::After(time) } else { Term::Before(time) }
        }
        name => {
            let field = field(name).ok_or_else(|| {
                format!(
                    "there is no filter `{}:` (put it in quotes to search for the text): {FILTERS}",
                    label(name, 40)
                )
            })?;
            let pattern = |(value, is_exact): (String, bool)| Pattern {
                text: if is_exact { value } else { folded(&value) },
                is_exact,
            };
            Term::Field(field, values.map(pattern).collect())
        }
    };
    Ok(Parsed::Term(term))
}

fn has(name: String) -> Result<Term, String> {
    let checks = || CHECKS.iter().map(|(name, ..)| *name);
    if HAS.contains(&&*name) || checks().any(|known| known == name) {
        return Ok(Term::Has(name));
    }
    let all: Vec<_> = HAS.into_iter().chain(checks()).collect();
    Err(format!("there is no `has:{}`: {}", label(&name, 40), all.join(", ")))
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "user" => Field::User,
        "session" => Field::Session,
        "model" => Field::Model,
        "type" => Field::Type,
        "format" => Field::Format,
        "outcome" => Field::Outcome,
        "finish" => Field::Finish,
        "tool" => Field::Tool,
        "status" => Field::Status,
        "process" => Field::Process,
        "app" => Field::App,
        "key" => Field::Key,
        other => Field::Tag(other.strip_prefix("tag.").filter(|name| !name.is_empty())?.to_owned()),
    })
}

/// `ms>2000` and the like; `None` if it is just a word.
fn number(word: &str) -> Option<Result<Term, String>> {
    let at = word.find(['<', '>', '='])?;
    let (name, rest) = word.split_at(at);
    let number = match name {
        "ttft" => Number::Ttft,
        "ms" | "duration" => Number::Duration,
        "tokens" => Number::Tokens,
        "in" => Number::In,
        "out" => Number::Out,
        "bytes" => Number::Bytes,
        "status" => Number::Status,
        "attempts" => Number::Attempts,
        "chunks" => Number::Chunks,
        _ => return None,
    };
    let (comparison, value) = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::MoreOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)))?;
    let value =
        amount(value).ok_or_else(|| format!("`{}` is not a number like 500, 4k, 1M or 2s", label(value, 40)));
    Some(value.map(|value| Term::Number(number, comparison, value)))
}

/// A number with a unit: `4k`, `1.5M`, `2s`.
fn amount(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = match unit {
        "" | "ms" | "b" | "B" => 1.0,
        "k" | "K" | "s" => 1000.0,
        "M" => 1_000_000.0,
        "m" => 60_000.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        _ => return None,
    };
    let value = digits.parse::<f64>().ok()? * factor;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..9e15).contains(&value).then_some(value as u64)
}

/// A time: so long ago, of today, of a date, or since the epoch.
fn time(text: &str, now: u64, zone: i64) -> Result<u64, String> {
    let zone = zone.clamp(-1440, 1440) * 60_000;
    let now = i64::try_from(now).unwrap_or(i64::MAX / 2);
    let time = ago(text)
        .map(|ago| now.saturating_sub(ago))
        .or_else(|| {
            let today = (now + zone).div_euclid(DAY) * DAY;
            Some(today + of_day(text)? - zone)
        })
        .or_else(|| {
            let (date, of) = text.split_once(['T', ' ']).unwrap_or((text, "0:00"));
            let mut numbers = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
            let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
            let is_date =
                (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
            is_date.then(|| Some(days(year, month, day) * DAY + of_day(of)? - zone)).flatten()
        })
        .or_else(|| text.parse::<i64>().ok().filter(|time| *time > 10_000_000_000));
    time.and_then(|time| u64::try_from(time).ok()).ok_or_else(|| {
        format!(
            "`{}` is not a time like 10m, 12:30, 2026-11-30T12:30 or milliseconds since the epoch",
            label(text, 40)
        )
    })
}

fn ago(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY,
        _ => return None,
    };
    let count = text.get(..text.len() - 1)?.parse::<u32>().ok()?;
    i64::from(count).checked_mul(unit)
}

fn of_day(text: &str) -> Option<i64> {
    let mut numbers = text.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute) = (numbers.next()??, numbers.next()??);
    let second = numbers.next().unwrap_or(Some(0))?;
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    is_time.then_some((hour * 3600 + minute * 60 + second) * 1000)
}
