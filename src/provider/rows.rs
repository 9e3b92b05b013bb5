//! The tables of all providers as one, in constant arrays.

#![expect(clippy::indexing_slicing, reason = "indices are below the length")]

use super::PROVIDERS;
use super::operation::{Operation, Provider};
use super::spec::OperationSpec;

pub(super) const FIRST: &OperationSpec = &PROVIDERS[0].operations[0];

/// The rows by the discriminants of their operations.
pub(super) static ROWS: [&OperationSpec; COUNT] = {
    let mut rows = [FIRST; COUNT];
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
        assert!(operations[place] as usize == place, "the rows stand in the order of the enum");
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

/// A quick check whether a provider may have this path. It compares only the lower five bits of the
/// last two bytes, so it passes a few paths that no provider has, and never rejects one that it has.
#[inline]
pub(super) fn may_be_known(path: &str) -> bool {
    let Some([.., before, last]) = path.as_bytes().last_chunk::<2>() else { return false };
    let place = place_of([*before, *last]);
    // Some providers ignore trailing slashes.
    *last == b'/' || ENDINGS[place / 64] & 1 << (place % 64) != 0
}

/// A set with the endings of all paths: one bit for the lower five bits of two bytes.
static ENDINGS: [u64; 16] = {
    let mut set = [0; 16];
    let mut provider = 0;
    while provider < PROVIDERS.len() {
        let endings = PROVIDERS[provider].endings;
        let mut ending = 0;
        while ending < endings.len() {
            let place = place_of(*endings[ending]);
            set[place / 64] |= 1 << (place % 64);
            ending += 1;
        }
        provider += 1;
    }
    set
};

const fn place_of([before, last]: [u8; 2]) -> usize {
    (before as usize & 31) << 5 | last as usize & 31
}

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
