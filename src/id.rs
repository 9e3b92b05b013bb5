//! Ids that nothing else has.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid, Variant, Version};

/// A UUID of version 7: the time, and 74 random bits. Copies of a process that continue from a
/// snapshot of its machine draw the same bits, so that only the time tells their ids apart.
pub(crate) fn new_id() -> Uuid {
    id_of(SystemTime::now(), random())
}

fn id_of(moment: SystemTime, random: u128) -> Uuid {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Builder::from_u128((since.as_millis() << 80) | (random >> 48))
        .with_version(Version::SortRand)
        .with_variant(Variant::RFC4122)
        .into_uuid()
}

/// Hashes with keys of their own (SipHash). The operating system seeds the keys once per thread:
/// asking it each time took an eighth of the time of a report.
fn random() -> u128 {
    let keys = RandomState::new();
    (u128::from(keys.hash_one(0)) << 64) | u128::from(keys.hash_one(1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn copies_of_a_process_that_draw_the_same_at_different_moments_have_different_ids() {
        let (random, moment) = (random(), UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let [one, other] = [0, 1].map(|later| id_of(moment + Duration::from_millis(later), random));
        assert_ne!(one, other);
        assert_eq!(one.get_version(), Some(uuid::Version::SortRand));
    }

    #[test]
    fn ids_of_one_moment_differ() {
        let ids: HashSet<_> = (0..1_000).map(|_| id_of(UNIX_EPOCH, random())).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn each_random_bit_of_an_id_is_set_in_half_of_all_ids() {
        let ids: Vec<_> = (0..10_000).map(|_| id_of(UNIX_EPOCH, random()).as_u128()).collect();
        // The time, the version and the variant.
        let fixed = (!0_u128 << 80) | (0xf << 76) | (0b11 << 62);
        for bit in (0..128).filter(|bit| fixed >> bit & 1 == 0) {
            // Eight standard deviations: a fair bit is outside once in 10^15 runs.
            let set = ids.iter().filter(|id| **id >> bit & 1 == 1).count();
            assert!((4_600..=5_400).contains(&set), "bit {bit} is set in {set} ids");
        }
    }

    #[test]
    fn a_clock_that_is_set_before_1970_makes_ids_too() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_ne!(id_of(before, random()), id_of(before, random()));
    }
}
