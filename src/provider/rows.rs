//! The tables of all providers as one, in constant arrays.

#![expect(clippy::indexing_slicing, reason = "indices are below the length")]

use super::PROVIDERS;
use super::operation::{Operation, Provider};
use super::spec::OperationSpec;

pub(super) const FIRST: &OperationSpec = &PROVIDERS[0].operations[0];

/// The rows by the discriminants of their operations.
pub(super) static ROWS: [&OperationSpec; LAST + 1] = {
    let mut rows = [FIRST; LAST + 1];
    let mut place = 0;
    while place < COUNT {
        let row = nth(place);
        rows[row.operation as usize] = row;
        place += 1;
    }
    rows
};

/// The operations, in the order of the tables.
pub(super) const OPERATIONS: &[Operation] = &{
    let mut operations = [FIRST.operation; COUNT];
    let mut place = 0;
    while place < COUNT {
        operations[place] = nth(place).operation;
        place += 1;
    }
    operations
};

const COUNT: usize = {
    let (mut count, mut place) = (0, 0);
    while place < PROVIDERS.len() {
        count += PROVIDERS[place].operations.len();
        place += 1;
    }
    count
};

/// The greatest discriminant.
const LAST: usize = {
    let (mut last, mut place) = (0, 0);
    while place < COUNT {
        let operation = nth(place).operation as usize;
        last = if operation > last { operation } else { last };
        place += 1;
    }
    last
};

const fn nth(mut place: usize) -> &'static OperationSpec {
    let mut rest = PROVIDERS;
    while let [provider, others @ ..] = rest {
        if place < provider.operations.len() {
            return &provider.operations[place];
        }
        place -= provider.operations.len();
        rest = others;
    }
    FIRST
}

pub(super) const PROVIDER_VALUES: &[Provider] = &{
    let mut providers = [FIRST.provider; PROVIDERS.len()];
    let mut place = 0;
    while place < PROVIDERS.len() {
        providers[place] = PROVIDERS[place].provider;
        place += 1;
    }
    providers
};
