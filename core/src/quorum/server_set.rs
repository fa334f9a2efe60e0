//! A set of server ids as a value: who voted, who acknowledged.

use crate::vocabulary::ServerId;
use std::fmt;

/// A set of server ids. Copied like a number; walked in ascending order.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerSet([u64; 4]);

impl ServerSet {
    /// Nobody.
    pub const EMPTY: ServerSet = ServerSet([0; 4]);

    fn place(id: ServerId) -> (usize, u64) {
        (usize::from(id.0 >> 6), 1 << (id.0 & 63))
    }

    /// Adds a server; false when it was there.
    pub fn insert(&mut self, id: ServerId) -> bool {
        let (word, bit) = Self::place(id);
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    /// Takes a server out; false when it was not there.
    pub fn remove(&mut self, id: ServerId) -> bool {
        let (word, bit) = Self::place(id);
        let was_there = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        was_there
    }

    /// Whether the server is in it.
    pub fn contains(&self, id: ServerId) -> bool {
        let (word, bit) = Self::place(id);
        self.0[word] & bit != 0
    }

    /// How many servers.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// Who is in both.
    pub fn intersection(&self, other: &ServerSet) -> ServerSet {
        ServerSet(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// Who is in either.
    pub fn union(&self, other: &ServerSet) -> ServerSet {
        ServerSet(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// The servers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = ServerId> + '_ {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let word = left.iter().position(|word| *word != 0)?;
            let bit = left[word].trailing_zeros();
            left[word] &= left[word] - 1;
            Some(ServerId((word << 6) as u8 | bit as u8))
        })
    }
}

impl FromIterator<ServerId> for ServerSet {
    fn from_iter<I: IntoIterator<Item = ServerId>>(ids: I) -> Self {
        let mut set = ServerSet::EMPTY;
        for id in ids {
            set.insert(id);
        }
        set
    }
}

impl fmt::Debug for ServerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|id| id.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_walked_in_ascending_order_and_each_once() {
        let ids = [255, 0, 64, 63, 192, 7, 127];
        let set: ServerSet = ids.into_iter().map(ServerId).collect();
        let walked: Vec<u8> = set.iter().map(|id| id.0).collect();
        assert_eq!(walked, [0, 7, 63, 64, 127, 192, 255]);
        assert_eq!(ServerSet::EMPTY.iter().next(), None);
        let all: ServerSet = (0..=u8::MAX).map(ServerId).collect();
        assert_eq!(all.iter().count(), 256);
    }
}
