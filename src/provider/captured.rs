//! Recognises the requests that are captured: by the application's own routes, else by the known
//! paths of each provider (`recognise` in its folder).

use std::mem;

use http::Method;

use super::PROVIDERS;
use super::operation::Operation;

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

impl Operations {
    /// The operation of a request, if it is captured.
    #[inline]
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<Operation> {
        if method != Method::POST {
            return None;
        }
        if !self.routes.is_empty()
            && let Some(operation) = self.declared(path)
        {
            return Some(operation);
        }
        let known = PROVIDERS.iter().find_map(|provider| (provider.recognise)(path));
        known.filter(|operation| self.known.contains(*operation))
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
