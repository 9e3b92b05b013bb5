use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::codec::allowance::Held;

/// The parts of a response that a stream sends in pieces, each part under an index.
///
/// The sender chooses the indices, so they are keys and never places: one of 10^9 costs no more
/// than one of 0. No response has `MOST` parts; an attacker could send millions. Further parts are
/// refused.
#[derive(Debug)]
pub(crate) struct Indexed<T, const MOST: usize> {
    /// In the order in which they were opened, each with its index.
    parts: Vec<(u64, T)>,
    /// The place of the latest part of each index.
    places: HashMap<u64, usize, RandomState>,
    held: Held,
}

/// The number of nodes charged for a part, with its place.
const NODES: usize = 4;

impl<T, const MOST: usize> Default for Indexed<T, MOST> {
    fn default() -> Self {
        Self { parts: Vec::new(), places: HashMap::default(), held: Held::default() }
    }
}

impl<T, const MOST: usize> Indexed<T, MOST> {
    /// Adds a part, beside any earlier one with the same index: from now on, the index refers to
    /// this one. Returns its place; `None` if there are too many.
    pub(crate) fn open(&mut self, index: u64, part: T) -> Option<usize> {
        if self.parts.len() >= MOST || !self.held.try_grow(NODES) {
            return None;
        }
        let place = self.parts.len();
        self.parts.push((index, part));
        self.places.insert(index, place);
        Some(place)
    }

    /// The part with this index, opened if it is new; `None` if there are too many.
    pub(crate) fn part(&mut self, index: u64) -> Option<&mut T>
    where
        T: Default,
    {
        let place = match self.place(index) {
            Some(place) => place,
            None => self.open(index, T::default())?,
        };
        self.at(place)
    }

    /// The place of the latest part with this index.
    pub(crate) fn place(&self, index: u64) -> Option<usize> {
        self.places.get(&index).copied()
    }

    pub(crate) fn at(&mut self, place: usize) -> Option<&mut T> {
        self.parts.get_mut(place).map(|(_, part)| part)
    }

    /// The index and the place of the part that was opened last.
    pub(crate) fn last(&self) -> Option<(u64, usize)> {
        self.parts.last().map(|(index, _)| (*index, self.parts.len() - 1))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parts in the order of their indices; those that share an index in the order in which
    /// they were opened.
    pub(crate) fn sorted(mut self) -> impl Iterator<Item = T> {
        self.parts.sort_by_key(|(index, _)| *index);
        self.parts.into_iter().map(|(_, part)| part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::allowance::Allowance;

    #[test]
    fn parts_stand_in_the_order_of_their_indices_and_an_index_refers_to_its_latest_part() {
        let mut parts = Indexed::<String, 4>::default();
        parts.part(1_000_000_000).unwrap().push('c');
        parts.part(2).unwrap().push('a');
        assert_eq!(parts.open(2, "b".to_owned()), Some(2));
        parts.part(2).unwrap().push('!');
        assert_eq!((parts.place(2), parts.place(3), parts.last()), (Some(2), None, Some((2, 2))));
        assert_eq!(parts.sorted().collect::<Vec<_>>(), ["a", "b!", "c"]);
    }

    #[test]
    fn further_parts_are_refused_and_known_ones_go_on() {
        let mut parts = Indexed::<String, 2>::default();
        assert!(parts.part(0).is_some() && parts.part(1).is_some());
        assert!(parts.part(2).is_none() && parts.open(0, String::new()).is_none());
        assert!(parts.part(1).is_some());
        let (most, _) = Allowance { work: 1, nodes: 10 * NODES }.within(|| {
            let mut parts = Indexed::<String, 1_000>::default();
            (0..1_000).filter(|index| parts.part(*index).is_some()).count()
        });
        assert_eq!(most, 10);
    }
}
