//! Ids that nothing else has.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// Of the moment, and of 74 random bits. These are drawn within the process: asking the system for them took an eighth of
/// what a report takes. Copies of a process that go on from a snapshot of its machine draw the same ones, so that only the
/// moment tells their ids apart.
pub(crate) fn new_id() -> Uuid {
    id_of(SystemTime::now(), Uuid::new_v4())
}

fn id_of(moment: SystemTime, random: Uuid) -> Uuid {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Without the two bytes that say what kind of id it is.
    let [b0, b1, b2, b3, b4, b5, _, b7, _, b9, b10, b11, ..] = random.into_bytes();
    let random = [b0, b1, b2, b3, b4, b5, b7, b9, b10, b11];
    Builder::from_unix_timestamp_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), &random)
        .into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn copies_of_a_process_that_draw_the_same_at_different_moments_have_different_ids() {
        let (random, moment) = (Uuid::new_v4(), UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let [one, other] = [0, 1].map(|later| id_of(moment + Duration::from_millis(later), random));
        assert_ne!(one, other);
        assert_eq!(one.get_version(), Some(uuid::Version::SortRand));
    }

    #[test]
    fn ids_of_one_moment_differ() {
        let ids: HashSet<_> = (0..1_000).map(|_| id_of(UNIX_EPOCH, Uuid::new_v4())).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn a_clock_that_is_set_before_1970_makes_ids_too() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_ne!(id_of(before, Uuid::new_v4()), id_of(before, Uuid::new_v4()));
    }
}
