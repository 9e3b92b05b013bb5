//! The tables of all providers, joined by the compiler.

#![expect(clippy::indexing_slicing, reason = "it runs in the compiler")]

use super::PROVIDERS;
use super::operation::{Operation, Provider};
use super::spec::OperationSpec;

const COUNT: usize = {
    let (mut count, mut rest) = (0, PROVIDERS);
    while let [provider, others @ ..] = rest {
        count += provider.operations.len();
        rest = others;
    }
    count
};

/// The row of each operation, at the place of the operation in its enum.
pub(super) static ROWS: [&OperationSpec; COUNT] = rows();

const fn rows() -> [&'static OperationSpec; COUNT] {
    let mut rows = [&PROVIDERS[0].operations[0]; COUNT];
    let (mut place, mut provider) = (0, 0);
    while provider < PROVIDERS.len() {
        let (operations, mut row) = (PROVIDERS[provider].operations, 0);
        while row < operations.len() {
            rows[place] = &operations[row];
            assert!(rows[place].operation as usize == place, "the rows stand in the order of the enum");
            assert!(rows[place].provider as usize == provider, "and so do the providers");
            (row, place) = (row + 1, place + 1);
        }
        provider += 1;
    }
    rows
}

pub(super) const OPERATIONS: [Operation; COUNT] = {
    let (mut operations, rows, mut place) = ([Operation::Chat; COUNT], rows(), 0);
    while place < COUNT {
        operations[place] = rows[place].operation;
        place += 1;
    }
    operations
};

pub(super) const PROVIDER_VALUES: [Provider; PROVIDERS.len()] = {
    let (mut providers, mut place) = ([Provider::OpenAi; PROVIDERS.len()], 0);
    while place < PROVIDERS.len() {
        providers[place] = PROVIDERS[place].provider;
        place += 1;
    }
    providers
};
