//! The tables of all providers as one.

#![expect(clippy::indexing_slicing, reason = "indices are below the length")]

use super::PROVIDERS;
use super::operation::{Operation, Provider};
use super::spec::OperationSpec;

pub(super) const FIRST: &OperationSpec = &PROVIDERS[0].operations[0];

/// The row of the operation with this discriminant.
#[inline]
pub(super) const fn row(mut place: usize) -> Option<&'static OperationSpec> {
    let mut rest = PROVIDERS;
    while let [provider, others @ ..] = rest {
        if place < provider.operations.len() {
            return Some(&provider.operations[place]);
        }
        place -= provider.operations.len();
        rest = others;
    }
    None
}

pub(super) const OPERATIONS: &[Operation] = &{
    let mut operations = [FIRST.operation; COUNT];
    let mut place = 0;
    while let Some(row) = row(place) {
        assert!(row.operation as usize == place, "the rows stand in the order of the enum");
        operations[place] = row.operation;
        place += 1;
    }
    operations
};

const COUNT: usize = {
    let mut count = 0;
    while row(count).is_some() {
        count += 1;
    }
    count
};

pub(super) const PROVIDER_VALUES: &[Provider] = &{
    let mut providers = [FIRST.provider; PROVIDERS.len()];
    let mut place = 0;
    while place < PROVIDERS.len() {
        providers[place] = PROVIDERS[place].provider;
        assert!(providers[place] as usize == place, "the providers stand in the order of the enum");
        place += 1;
    }
    providers
};
