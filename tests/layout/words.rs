//! Words of a provider's API that the sources use, as far as they are neither a comment nor a test.

use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, Lit, Macro};

use crate::imports::{attributes, is_of_tests};

/// Fields, values and markers of OpenAI's bodies. They are found as names and in literals.
const WORDS: &[&str] = &[
    "DONE",
    "OpenAi",
    "b64_json",
    "choices",
    "completion",
    "completions",
    "delta",
    "finish_reason",
    "function_call",
    "image_generation_call",
    "input_text",
    "logprobs",
    "messages",
    "openai",
    "output_text",
    "prompt",
    "tool_call_id",
    "tool_calls",
    "usage",
];

/// Further fields and values. As names they mean something else, so they are found only in literals,
/// alone or in quotes.
const LITERALS: &[&str] = &[
    "arguments",
    "chat",
    "content",
    "created",
    "created_at",
    "data",
    "error",
    "index",
    "instructions",
    "message",
    "model",
    "object",
    "output",
    "reasoning",
    "refusal",
    "role",
    "text",
    "type",
];

/// Enumerations whose values belong to one provider.
const VALUES: &[&str] = &["InteractionKind", "Operation", "Provider"];

/// The words in a file, in order, each once.
pub(crate) fn of_providers(text: &str) -> Vec<String> {
    let mut reader = Reader::default();
    reader.visit_file(&syn::parse_file(text).unwrap());
    reader.found
}

#[derive(Default)]
struct Reader {
    found: Vec<String>,
}

impl Reader {
    fn add(&mut self, word: &str) {
        if !self.found.iter().any(|known| known == word) {
            self.found.push(word.to_owned());
        }
    }

    /// Words anywhere in a text.
    fn words(&mut self, text: &str) {
        let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        words.filter(|word| WORDS.contains(word)).for_each(|word| self.add(word));
    }

    fn literal(&mut self, text: &str) {
        self.words(text);
        let is_in = |word: &&str| text == *word || text.contains(&format!("\"{word}\""));
        LITERALS.iter().copied().filter(|word| is_in(word)).for_each(|word| self.add(word));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_of_tests) {
            visit::visit_item(self, item);
        }
    }

    /// Documentation is an attribute.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.words(&ident.to_string());
    }

    fn visit_lit(&mut self, literal: &'ast Lit) {
        match literal {
            Lit::Str(text) => self.literal(&text.value()),
            Lit::ByteStr(text) => self.literal(&String::from_utf8_lossy(&text.value())),
            _ => {}
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        for pair in names.windows(2) {
            let is_value = pair[1].starts_with(char::is_uppercase) && pair[1].contains(char::is_lowercase);
            if VALUES.contains(&&*pair[0]) && is_value {
                self.add(&pair.join("::"));
            }
        }
        visit::visit_path(self, path);
    }

    /// The text inside of a macro: names, and literals between quotes.
    fn visit_macro(&mut self, tokens: &'ast Macro) {
        let text = tokens.tokens.to_string();
        self.words(&text);
        text.split('"').skip(1).step_by(2).for_each(|literal| self.literal(literal));
    }
}
