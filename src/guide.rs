//! The chapters of the guide, rendered from the files in `docs/`. They exist in the documentation only.
//!
#![doc = include_str!("../docs/README.md")]

#[doc = include_str!("../docs/QUICK_START.md")]
pub mod quick_start {}

#[doc = include_str!("../docs/WAYS_IN.md")]
pub mod ways_in {}

#[doc = include_str!("../docs/IDENTITY.md")]
pub mod identity {}

#[doc = include_str!("../docs/REPORTS.md")]
pub mod reports {}

#[doc = include_str!("../docs/providers/README.md")]
pub mod providers {
    #[doc = include_str!("../docs/providers/anthropic.md")]
    pub mod anthropic {}
    #[doc = include_str!("../docs/providers/gemini.md")]
    pub mod gemini {}
    #[doc = include_str!("../docs/providers/bedrock.md")]
    pub mod bedrock {}
    #[doc = include_str!("../docs/providers/cohere.md")]
    pub mod cohere {}
    #[doc = include_str!("../docs/providers/mistral.md")]
    pub mod mistral {}
    #[doc = include_str!("../docs/providers/perplexity.md")]
    pub mod perplexity {}
    #[doc = include_str!("../docs/providers/ollama.md")]
    pub mod ollama {}
}

#[doc = include_str!("../docs/REDACTION.md")]
pub mod redaction {}

#[doc = include_str!("../docs/SETTINGS.md")]
pub mod settings {}

#[doc = include_str!("../docs/TESTING.md")]
pub mod testing {}

#[doc = include_str!("../docs/DELIVERY.md")]
pub mod delivery {}

#[doc = include_str!("../docs/SPOOL.md")]
pub mod spool {}

#[doc = include_str!("../docs/PERFORMANCE.md")]
pub mod performance {}

#[doc = include_str!("../docs/GUARANTEES.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/DEPLOYMENT.md")]
pub mod deployment {}

#[doc = include_str!("../docs/BEYOND_ONE_MACHINE.md")]
pub mod beyond_one_machine {}

#[doc = include_str!("../docs/COMPARISON.md")]
pub mod comparison {}

#[doc = include_str!("../docs/MIGRATION.md")]
pub mod migration {}
