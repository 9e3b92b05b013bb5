//! Looks up the properties of operations and providers.

use std::fmt;
use std::str::FromStr;

use super::kind::InteractionKind;
use super::operation::{Operation, Provider};
use super::spec::{OperationSpec, ProviderSpec};
use super::{PROVIDERS, openai, rows};
use crate::error::{Error, Kind};

impl Operation {
    /// Every operation, in declaration order.
    pub const ALL: &[Self] = rows::OPERATIONS;

    /// The row of the operation.
    #[inline]
    pub(crate) fn spec(self) -> &'static OperationSpec {
        // Every operation has a row: a test checks it.
        rows::ROWS.get(self as usize).unwrap_or(&rows::FIRST)
    }

    /// The provider whose API it belongs to.
    pub fn provider(self) -> Provider {
        self.spec().provider
    }

    /// The name in settings and reports, also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The operations captured by default. Reconify documents no type for the others.
    pub(crate) fn on_by_default() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.iter().copied().filter(|operation| operation.spec().on_by_default)
    }

    /// Whether its responses are images.
    pub(crate) fn is_image(self) -> bool {
        self.spec().kind == InteractionKind::Image
    }
}

impl Provider {
    /// Every provider, in declaration order.
    pub const ALL: &[Self] = rows::PROVIDER_VALUES;

    pub(crate) fn spec(self) -> &'static ProviderSpec {
        PROVIDERS.get(self as usize).unwrap_or(&openai::PROVIDER)
    }

    /// The name in settings (`RECONIFY_CAPTURE=anthropic`), also shown by `Display`.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The format in reports (`reconify.format`): the name, or `universal` for Ollama.
    pub fn format(self) -> &'static str {
        self.spec().format
    }

    /// Its operations that are captured by default: all of them, except OpenAI's embeddings,
    /// moderations and audio, for which Reconify documents no type.
    ///
    /// ```
    /// use tower_reconify::{Config, Provider};
    ///
    /// let config = Config::builder("app", "key").capture(Provider::OpenAi.operations()).build()?;
    /// # Ok::<_, tower_reconify::Error>(())
    /// ```
    pub fn operations(self) -> impl Iterator<Item = Operation> {
        let captured = self.spec().operations.iter().filter(|row| row.on_by_default);
        captured.map(|row| row.operation)
    }

    /// The row for interactions of this kind: that of the first operation with this kind, or else
    /// the first row.
    pub(crate) fn row(self, kind: InteractionKind) -> &'static OperationSpec {
        let operations = self.spec().operations;
        operations.iter().find(|row| row.kind == kind).or(operations.first()).unwrap_or(rows::FIRST)
    }
}

/// Shows the name: [`Operation::as_str`].
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Shows the name: [`Provider::as_str`].
impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Parses the name, in any case. The error lists the known names.
impl FromStr for Operation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        parse("operation", name, Self::ALL, Self::as_str)
    }
}

/// Parses the name, in any case. The error lists the known names.
impl FromStr for Provider {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        parse("provider", name, Self::ALL, Self::as_str)
    }
}

fn parse<T: Copy>(
    setting: &'static str,
    name: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, Error> {
    let known = all.iter().copied().find(|known| as_str(*known).eq_ignore_ascii_case(name));
    known.ok_or_else(|| {
        let names: Vec<_> = all.iter().copied().map(as_str).collect();
        let (value, problem) = (format!("{name:?}"), format!("which is none of {}", names.join(", ")));
        let hint = "use a name that is known";
        Kind::Invalid { setting: setting.into(), value, problem: problem.into(), hint }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_parsed_in_any_case_and_the_error_for_another_lists_all() {
        for operation in Operation::ALL {
            assert_eq!(operation.as_str().to_uppercase().parse::<Operation>().unwrap(), *operation);
        }
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse::<Provider>().unwrap(), *provider);
        }
        let error = "chats".parse::<Operation>().unwrap_err();
        assert!(error.is_config() && error.to_string().starts_with("operation is \"chats\", "), "{error}");
        assert!(Operation::ALL.iter().all(|operation| error.to_string().contains(operation.as_str())));
        assert!("".parse::<Provider>().unwrap_err().to_string().contains("none of openai"));
    }

    #[test]
    fn the_rows_of_a_provider_name_it() {
        for provider in PROVIDERS {
            assert!(provider.operations.iter().all(|row| row.provider == provider.provider));
        }
    }

    #[test]
    fn an_interaction_of_a_kind_without_an_operation_has_the_placeholders_of_the_first() {
        let keys = |kind| {
            let placeholders = Provider::OpenAi.row(kind).placeholders;
            [placeholders.request, placeholders.response]
                .map(|placeholder| placeholder.map(|known| known.key))
        };
        assert_eq!(keys(InteractionKind::Assistant), [Some("messages"), Some("choices")]);
        assert_eq!(keys(InteractionKind::Completion), [Some("prompt"), Some("choices")]);
        assert_eq!(keys(InteractionKind::Response), [None, None]);
    }
}
