//! Recognises the requests that are captured: by the application's own routes, else by the known
//! paths of each provider (`recognise` in its folder).

use std::mem;

use http::{HeaderMap, Method};

use super::operation::{Operation, Provider};
use super::spec::{Proof, ProviderSpec};
use super::{PROVIDERS, openai, rows};

/// A path that the application assigned to an operation.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) operation: Operation,
}

/// The captured operations and their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations {
    /// Paths that the application assigned to operations. They take precedence over the known
    /// names.
    pub(crate) routes: Vec<Route>,
    /// Operations captured under their known names.
    pub(crate) known: OperationSet,
    /// Those of them for which the path is proof enough.
    proven: OperationSet,
    /// The provider that all requests go to, if the application set one
    /// ([`ReconifyLayer::for_provider`](crate::ReconifyLayer::for_provider)).
    provider: Option<Provider>,
}

/// A set of operations, one bit per operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OperationSet([u64; 4]);

const _: () = assert!(Operation::ALL.len() <= 4 * 64, "a set has a bit for every operation");

impl OperationSet {
    #[inline]
    fn contains(self, operation: Operation) -> bool {
        let (word, bit) = Self::place(operation);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    #[inline]
    fn place(operation: Operation) -> (usize, u64) {
        let number = operation as usize;
        (number / 64, 1 << (number % 64))
    }
}

impl FromIterator<Operation> for OperationSet {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        let mut set = Self::default();
        for operation in operations {
            let (word, bit) = Self::place(operation);
            if let Some(word) = set.0.get_mut(word) {
                *word |= bit;
            }
        }
        set
    }
}

/// The parts of a request by which it is recognised.
#[derive(Clone, Copy)]
pub(crate) struct RequestFacts<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    /// The authority of the URI, never the `Host` header; empty if it has none.
    ///
    /// On inbound HTTP/2 the client chooses the authority. It can therefore have its own request
    /// reported, but nobody else's.
    pub(crate) authority: &'a str,
    pub(crate) headers: &'a HeaderMap,
}

impl Operations {
    /// Captures these operations. If the application asked for them by name, their paths need no
    /// further proof.
    pub(crate) fn new(
        routes: Vec<Route>,
        known: impl Iterator<Item = Operation> + Clone,
        is_asked_for: bool,
    ) -> Self {
        let is_proven = |operation: &Operation| is_asked_for || operation.spec().proof == Proof::Path;
        let proven = known.clone().filter(is_proven).collect();
        Self { routes, known: known.collect(), proven, provider: None }
    }

    /// The same operations, of requests that all go to one provider.
    pub(crate) fn for_provider(&self, provider: Provider) -> Self {
        Self { provider: Some(provider), ..self.clone() }
    }

    /// The operation of a request, if it is captured.
    #[inline]
    pub(crate) fn of(&self, facts: &RequestFacts<'_>) -> Option<Operation> {
        if facts.method != Method::POST {
            return None;
        }
        if !self.routes.is_empty()
            && let Some(operation) = self.declared(facts.path)
        {
            return Some(operation);
        }
        // Most captured requests have a path of OpenAI's, so that function is inlined here.
        let is_directed = self.provider.is_some() || !facts.authority.is_empty();
        if !is_directed
            && let Some(operation) = (openai::PROVIDER.recognise)(facts.path)
            && self.proven.contains(operation)
        {
            return Some(operation);
        }
        if rows::may_be_known(facts.path) { self.known(facts) } else { None }
    }

    /// The operation of a known path. Several providers have the same paths, so the provider that
    /// the request goes to is asked first, and there no further proof is needed.
    #[inline(never)]
    fn known(&self, facts: &RequestFacts<'_>) -> Option<Operation> {
        if let Some(provider) = self.provider.map(Provider::spec).or_else(|| provider_at(facts.authority))
            && let Some(operation) = (provider.recognise)(facts.path)
            && self.known.contains(operation)
        {
            return Some(operation);
        }
        let is_captured = |operation: &Operation| {
            self.proven.contains(*operation)
                || self.known.contains(*operation) && operation.spec().proof.is_in(facts.headers)
        };
        PROVIDERS.iter().find_map(|provider| (provider.recognise)(facts.path).filter(is_captured))
    }

    #[inline(never)]
    fn declared(&self, path: &str) -> Option<Operation> {
        let matches = |route: &&Route| {
            let mut bytes = backwards(path);
            backwards(&route.path).all(|byte| bytes.next() == Some(byte))
        };
        self.routes.iter().find(matches).map(|route| route.operation)
    }
}

impl Proof {
    /// Whether a request with these headers has the proof, wherever it goes.
    fn is_in(self, headers: &HeaderMap) -> bool {
        match self {
            Self::Path => true,
            Self::Header(name) => headers.contains_key(name),
            Self::Host => false,
        }
    }
}

/// The provider whose API has this host or port.
#[inline]
fn provider_at(authority: &str) -> Option<&'static ProviderSpec> {
    if authority.is_empty() { None } else { provider_of_host(authority) }
}

#[inline(never)]
fn provider_of_host(authority: &str) -> Option<&'static ProviderSpec> {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let port_at = host.rfind(':').filter(|_| !host.ends_with(']')).unwrap_or(host.len());
    let (name, port) = host.split_at_checked(port_at)?;
    let is_it =
        |known: &&str| if known.starts_with(':') { *known == port } else { known.eq_ignore_ascii_case(name) };
    PROVIDERS.iter().find(|provider| provider.hosts.iter().any(is_it))
}

/// The bytes of a path in reverse, without trailing and doubled slashes.
fn backwards(path: &str) -> impl Iterator<Item = u8> {
    let mut previous = b'/';
    path.bytes().rev().filter(move |byte| {
        let previous = mem::replace(&mut previous, *byte);
        (previous, *byte) != (b'/', b'/')
    })
}

#[cfg(test)]
mod tests;
