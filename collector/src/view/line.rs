//! A report as a line of text.

use crate::store::{Level, Summary};
use crate::text::label;
use crate::wire::Field;

/// Type, user, session, model and tokens of a report, and the first words of question and answer.
pub(crate) fn report(row: &Summary) -> String {
    let word = |text: Option<&str>| {
        text.filter(|text| !text.is_empty()).map_or("-".to_owned(), |text| label(text, 60))
    };
    let tokens = match (row.tokens.asked, row.tokens.out) {
        (None, None) => "-".to_owned(),
        (asked, out) => asked.unwrap_or(0).saturating_add(out.unwrap_or(0)).to_string(),
    };
    let mut line = format!(
        "report    #{} format={} type={} user={} session={} model={} tokens={tokens} asked={:?} answered={:?}",
        row.id,
        word(Some(&row.format)),
        word(Some(&row.kind)),
        word(row.user.as_ref().map(|user| &*user.key)),
        word(row.session.as_deref()),
        word(row.model.as_deref()),
        label(&row.asked, 60),
        label(&row.answered, 60),
    );
    let outcome = row.outcome.as_deref().filter(|outcome| *outcome != "answered");
    line.extend(outcome.map(|outcome| format!(" {outcome}")));
    for problem in row.problems.iter().filter(|problem| problem.level > Level::Note) {
        line += &format!(" !{}", problem.check);
    }
    line
}

/// A refusal, with the first fields at fault.
pub(crate) fn refusal(reason: &str, fields: &[Field]) -> String {
    let list = fields.iter().take(5).map(|field| format!("{} is {}", field.pointer, field.found));
    format!("refused   {}: {}", label(reason, 100), label(&list.collect::<Vec<_>>().join(", "), 400))
}
